#include "engine/testing/script_executor.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/philox.h"

namespace quire {
namespace {

std::uint64_t fold(std::uint64_t hash, TokenId token, std::uint32_t position,
                   std::uint64_t context) {
  const std::uint64_t what = std::uint64_t{position} << 32 | static_cast<std::uint32_t>(token);
  return mix64(hash * 0x9E3779B97F4A7C15ull ^ what ^ context << 1);
}

std::uint64_t fold_history(std::uint64_t hash, TokenId token) {
  return (hash ^ static_cast<std::uint32_t>(token)) * 0x100000001B3ull + 1;
}

// What an encoder leaves of one token of its input, of which a decoder sees all.
constexpr std::uint64_t kEncoded = 0xE2C;

std::vector<float> pooled_of(std::uint64_t hash) {
  return {static_cast<float>(hash % 1009), static_cast<float>(hash / 1009 % 1013)};
}

void append_raw_logits(std::uint64_t hash, std::uint32_t vocab, std::vector<float>& logits) {
  for (std::uint32_t i = 0; i < vocab; ++i) {
    logits.push_back(static_cast<float>(mix64(hash + i) % 2003) / 64 - 16);
  }
}

// Calls visit(i) for what the token at `position` sees before it in a group with a window.
template <typename Visit>
void visit_seen(const KvGroup& group, std::uint32_t position, Visit visit) {
  const std::uint32_t from = position < group.window ? 0 : position - group.window + 1;
  for (std::uint32_t i = 0; i < std::min(group.sinks, from); ++i) visit(i);
  for (std::uint32_t i = from; i < position; ++i) visit(i);
}

std::uint64_t logits_hash(std::uint64_t context, TokenId token, std::uint32_t position) {
  return fold(context ^ 0x5EED, token, position, 7);
}

// What a row may not draw.
struct Forbidden {
  std::span<const TokenId> banned;
  std::span<const std::uint32_t> mask;
  bool has(TokenId token) const {
    const auto id = static_cast<std::uint32_t>(token);
    return (!mask.empty() && (mask[id / 32] >> (id % 32) & 1) == 0) ||
           std::find(banned.begin(), banned.end(), token) != banned.end();
  }
};

// The first token from a random one on that is allowed; -1: there is none.
TokenId draw_token(std::uint64_t logits, std::uint64_t history, std::uint32_t position,
                   std::uint64_t seed, std::uint64_t stream, std::uint32_t vocab,
                   const Forbidden& forbidden, TokenId reluctant = -1) {
  const auto noise = philox(seed, position, stream);
  const std::uint64_t hash =
      mix64(logits ^ mix64(history) ^ (std::uint64_t{noise[0]} << 32 | noise[1]));
  for (std::uint64_t i = 0; i < vocab; ++i) {
    const auto token = static_cast<TokenId>((hash % vocab + i) % vocab);
    if (token != reluctant && !forbidden.has(token)) return token;
  }
  return reluctant >= 0 && !forbidden.has(reluctant) ? reluctant : -1;
}

float logprob_of(std::uint64_t logits, TokenId token) {
  return -static_cast<float>(mix64(logits + static_cast<std::uint32_t>(token)) % 10000) / 1000.0f;
}

TokenScore score_token(std::uint64_t logits, TokenId token, int alternatives, std::uint32_t vocab) {
  TokenScore score;
  score.token = token;
  score.logprob = logprob_of(logits, token);
  score.rank = 1 + static_cast<std::int32_t>(mix64(logits ^ 3) % vocab);
  for (int i = 0; i < alternatives; ++i) {
    const auto other = static_cast<TokenId>(i % static_cast<int>(vocab));
    score.top.push_back({other, logprob_of(logits, other)});
  }
  return score;
}

std::uint64_t combine(std::uint64_t a, std::uint64_t b) { return mix64(a * 31 + b); }

}  // namespace

Capacity script_capacity(std::uint32_t blocks, std::uint32_t block_tokens) {
  Capacity capacity;
  capacity.groups = {{.layers = 1, .block_tokens = block_tokens, .blocks = blocks + 1}};
  capacity.rows_max = 64;
  capacity.tokens_max = 512;
  capacity.logits_rows_max = 128;
  capacity.context_max = 4096;
  capacity.vocab = 1000;
  capacity.adapters = 2;
  return capacity;
}

ScriptOracle::ScriptOracle(const Capacity& capacity, std::span<const TokenId> encoder_input)
    : capacity_(&capacity) {
  for (std::size_t i = 0; i < encoder_input.size(); ++i) {
    encoded_ = fold(encoded_, encoder_input[i], static_cast<std::uint32_t>(i), kEncoded);
  }
}

std::vector<float> ScriptOracle::pooled() const { return pooled_of(logits_); }

std::vector<float> ScriptOracle::raw_logits() const {
  std::vector<float> logits;
  append_raw_logits(logits_, capacity_->vocab, logits);
  return logits;
}

void ScriptOracle::push(TokenId token) {
  const auto position = static_cast<std::uint32_t>(tokens_.size());
  std::uint64_t context = 0;
  for (const KvGroup& group : capacity_->groups) {
    std::uint64_t read = folded_;  // a state is a fold of all before it
    if (holds_encoder(group)) {
      read = encoded_;
    } else if (group.window != 0) {
      read = 0;
      visit_seen(group, position, [&](std::uint32_t i) {
        read = fold(read, tokens_[i], i, contexts_[i]);
      });
    }
    context = combine(context, read);
  }
  tokens_.push_back(token);
  contexts_.push_back(context);
  folded_ = fold(folded_, token, position, context);
  history_ = fold_history(history_, token);
  logits_ = logits_hash(context, token, position);
}

TokenId ScriptOracle::draw(std::uint64_t seed, std::uint64_t stream,
                           std::span<const TokenId> banned) const {
  return draw_token(logits_, history_, static_cast<std::uint32_t>(tokens_.size()), seed, stream,
                    capacity_->vocab, {banned, {}});
}

TokenScore ScriptOracle::score(TokenId token, int alternatives) const {
  return score_token(logits_, token, alternatives, capacity_->vocab);
}

// What one row has read so far.
struct ScriptExecutor::Reading {
  std::vector<State> folded;  // [groups] over the slots from position 0, or the state; no window
  TokenId token = -1;                 // the newest
  std::uint32_t position = 0;
  std::uint64_t logits = 0;
  bool is_finite = true;
};

ScriptExecutor::ScriptExecutor(ScriptOptions options) : options_(std::move(options)) {
  Capacity& capacity = options_.capacity;
  capacity.drafts_max = std::max(capacity.drafts_max, options_.drafts_max);
  for (const KvGroup& group : capacity.groups) {
    const bool has_slots = !holds_states(group);
    slots_.emplace_back(has_slots ? std::size_t{group.blocks} * group.block_tokens : 0);
    states_.emplace_back(has_slots ? 0 : group.blocks);
  }
}

void ScriptExecutor::note(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

Ticket ScriptExecutor::launch(const StepPlan& plan) {
  const Status status = validate(plan, options_.capacity);
  if (!status.is_ok()) note(status.message());
  if (plan.step != launched_ + 1) note("steps are not counted one by one");
  if (flights_.size() >= options_.capacity.depth) note("more plans in flight than the depth");
  look_for_hazards(plan);
  launched_ = plan.step;
  plans_hash_ = combine(plans_hash_, plan.hash());
  flights_.push_back({plan, {}, false});
  return {plan.step};
}

// No plan may write what an unfinished one names for another sequence: it was freed too early.
void ScriptExecutor::look_for_hazards(const StepPlan& plan) {
  if (flights_.empty()) return;
  using Named = std::tuple<std::uint32_t, BlockId, SeqId>;
  std::vector<Named> named;
  for (const Flight& flight : flights_) {
    const StepPlan& other = flight.plan;
    for (const BlockCopy& copy : other.copies) named.emplace_back(copy.group, copy.src, SeqId{0});
    for (std::size_t r = 0; r < other.rows.size(); ++r) {
      for (std::uint32_t g = 0; g < other.groups; ++g) {
        const Span table = other.table(r, g);
        for (std::uint32_t i = 0; i < table.count; ++i) {
          named.emplace_back(g, other.blocks[table.begin + i], other.rows[r].seq);
        }
      }
    }
  }
  std::sort(named.begin(), named.end());
  const auto is_named_by_other = [&](std::uint32_t group, BlockId block, SeqId self) {
    // A copy's source (sequence 0) may be written on: copies ran before.
    auto it = std::lower_bound(named.begin(), named.end(), Named(group, block, SeqId{1}));
    for (; it != named.end() && std::get<0>(*it) == group && std::get<1>(*it) == block; ++it) {
      if (std::get<2>(*it) != self) return true;
    }
    return false;
  };
  for (const BlockCopy& copy : plan.copies) {
    const auto it =
        std::lower_bound(named.begin(), named.end(), Named(copy.group, copy.dst, SeqId{0}));
    if (it != named.end() && std::get<0>(*it) == copy.group && std::get<1>(*it) == copy.dst) {
      note("a plan copies over a block that an unfinished plan names");
    }
  }
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    const StepRow& row = plan.rows[r];
    for (std::uint32_t g = 0; g < plan.groups; ++g) {
      const bool is_encoder = holds_encoder(options_.capacity.groups[g]);
      if (is_encoder != (row.lane != 0)) continue;
      const bool is_state = holds_states(options_.capacity.groups[g]);
      const std::uint32_t size = options_.capacity.groups[g].block_tokens;
      const Span table = plan.table(r, g);
      const std::uint32_t last =
          is_state ? table.count - 1 : (row.first_position + row.tokens.count - 1) / size;
      for (std::uint32_t i = is_state ? 0 : row.first_position / size;
           i <= last && i < table.count; ++i) {
        if (is_named_by_other(g, plan.blocks[table.begin + i], row.seq)) {
          note("a plan writes a block that an unfinished plan names");
        }
      }
    }
  }
}

void ScriptExecutor::sample(Ticket ticket, const SampleSpec& spec) {
  const auto flight = std::find_if(flights_.begin(), flights_.end(),
                                   [&](const Flight& it) { return it.plan.step == ticket.step; });
  QUIRE_CHECK(flight != flights_.end() && !flight->is_sampled, "step {} is sampled", ticket.step);
  if (flight != flights_.begin() && !std::prev(flight)->is_sampled) note("sampled out of order");
  const Status status = validate(spec, flight->plan, options_.capacity);
  if (!status.is_ok()) note(status.message());
  flight->spec = spec;
  flight->is_sampled = true;
}

ScriptExecutor::Slot& ScriptExecutor::slot(const StepPlan& plan, std::size_t r,
                                           std::uint32_t group, std::uint32_t position) {
  const std::uint32_t size = options_.capacity.groups[group].block_tokens;
  const BlockId block = plan.blocks[plan.table(r, group).begin + position / size];
  return slots_[group][static_cast<std::size_t>(block) * size + position % size];
}

ScriptExecutor::State& ScriptExecutor::state(const StepPlan& plan, std::size_t r,
                                             std::uint32_t group, std::uint32_t entry) {
  const BlockId block = plan.blocks[plan.table(r, group).begin + entry];
  return states_[group][static_cast<std::size_t>(block)];
}

StepResult ScriptExecutor::finish(Ticket ticket) {
  QUIRE_CHECK(
      !flights_.empty() && flights_.front().plan.step == ticket.step && flights_.front().is_sampled,
      "step {} is finished out of order", ticket.step);
  Flight flight = std::move(flights_.front());
  flights_.pop_front();
  const StepPlan& plan = flight.plan;
  StepResult result;
  result.step = plan.step;
  result.elapsed = options_.elapsed_per_token * static_cast<std::int64_t>(plan.tokens.size());
  if (plan.step == options_.step_fault) {
    result.fault = "scripted fault";
    outputs_.assign(plan.logits_rows(), 0);
    return result;
  }
  for (const BlockCopy& copy : plan.copies) {
    const std::size_t size = options_.capacity.groups[copy.group].block_tokens;
    auto& slots = slots_[copy.group];
    ++copies_;
    if (holds_states(options_.capacity.groups[copy.group])) {
      auto& states = states_[copy.group];
      states[static_cast<std::size_t>(copy.dst)] = states[static_cast<std::size_t>(copy.src)];
      continue;
    }
    std::copy_n(slots.begin() + static_cast<std::ptrdiff_t>(copy.src * size), size,
                slots.begin() + static_cast<std::ptrdiff_t>(copy.dst * size));
  }
  for (TokenId& token : flight.plan.tokens) {
    if (token >= 0) continue;
    const auto index = static_cast<std::uint32_t>(-1 - token);
    if (index >= outputs_.size()) note("a promise of an output that there is not");
    token = index < outputs_.size() ? outputs_[index] : 0;
    ++promises_;
  }
  outputs_.assign(plan.logits_rows(), 0);
  result.rows.resize(plan.rows.size());
  std::uint32_t logits_begin = 0;
  for (std::size_t r = 0; r < plan.rows.size(); ++r) {
    run_row(flight, r, logits_begin, result.rows[r]);
    logits_begin += plan.rows[r].want_last;
  }
  return result;
}

void ScriptExecutor::run_row(Flight& flight, std::size_t r, std::uint32_t logits_begin,
                             RowResult& result) {
  const StepPlan& plan = flight.plan;
  const StepRow& row = plan.rows[r];
  const auto& groups = options_.capacity.groups;
  result.seq = row.seq;
  if (row.lane != 0) return encode(plan, r);
  Reading reading;
  reading.folded.resize(groups.size());
  for (std::uint32_t g = 0; g < groups.size(); ++g) {
    State& folded = reading.folded[g];
    if (holds_encoder(groups[g])) {
      for (std::uint32_t i = 0; i < row.encoder_tokens; ++i) add(folded, slot(plan, r, g, i));
    } else if (holds_states(groups[g])) {
      folded = row.first_position == 0 ? State() : state(plan, r, g, 0);
    } else if (groups[g].window == 0) {
      for (std::uint32_t i = 0; i < row.first_position; ++i) add(folded, slot(plan, r, g, i));
    }
  }
  bool is_open = true;  // no draft was refused yet
  for (std::uint32_t t = 0; t < row.tokens.count; ++t) {
    reading.token = plan.tokens[row.tokens.begin + t];
    reading.position = row.first_position + t;
    read_token(plan, r, reading);
    if (t + row.want_last < row.tokens.count) continue;
    const std::uint32_t index = t + row.want_last - row.tokens.count;
    const TokenId next =
        t + 1 < row.tokens.count ? plan.tokens[row.tokens.begin + t + 1] : TokenId{-1};
    answer(flight, r, logits_begin + index, reading, next, result, is_open);
  }
  if ((row.flags & kRowPool) == 0) return;
  result.pooled = pooled_of(reading.logits);
  if (!reading.is_finite) result.outcome = RowOutcome::kNonFinite;
}

void ScriptExecutor::encode(const StepPlan& plan, std::size_t r) {
  const StepRow& row = plan.rows[r];
  for (std::uint32_t g = 0; g < plan.groups; ++g) {
    if (!holds_encoder(options_.capacity.groups[g])) continue;
    for (std::uint32_t i = 0; i < row.tokens.count; ++i) {
      slot(plan, r, g, i) = {plan.tokens[row.tokens.begin + i], i, kEncoded};
    }
  }
}

// Feeds one token: reads what it sees, writes its slots and the states after it.
void ScriptExecutor::read_token(const StepPlan& plan, std::size_t r, Reading& reading) {
  const auto& groups = options_.capacity.groups;
  std::uint64_t context = 0;
  for (std::uint32_t g = 0; g < groups.size(); ++g) {
    State seen = reading.folded[g];
    if (groups[g].window != 0) {
      seen = {};
      visit_seen(groups[g], reading.position,
                 [&](std::uint32_t i) { add(seen, slot(plan, r, g, i)); });
    }
    reading.is_finite &= seen.is_finite;
    context = combine(context, seen.hash);
  }
  const Slot fed = {reading.token, reading.position, context};
  const std::uint32_t index = reading.position - plan.rows[r].first_position;
  for (std::uint32_t g = 0; g < groups.size(); ++g) {
    if (holds_encoder(groups[g])) continue;
    if (groups[g].window == 0) add(reading.folded[g], fed);
    if (!holds_states(groups[g])) {
      slot(plan, r, g, reading.position) = fed;
      continue;
    }
    // Entry i of c holds the state after token n - c + i of n.
    const std::uint32_t count = plan.table(r, g).count;
    const std::uint32_t tokens = plan.rows[r].tokens.count;
    if (index + count >= tokens) state(plan, r, g, index + count - tokens) = reading.folded[g];
  }
  reading.is_finite &= reading.token != options_.token_non_finite;
  reading.logits = logits_hash(context, reading.token, reading.position);
}

void ScriptExecutor::add(State& to, const Slot& slot) const {
  to.hash = fold(to.hash, slot.token, slot.position, slot.context);
  to.is_finite &= slot.token != options_.token_non_finite || slot.token < 0;
}

// Draws or scores what the spec asks for one wanted logits row.
void ScriptExecutor::answer(const Flight& flight, std::size_t r, std::uint32_t output,
                            const Reading& reading, TokenId next, RowResult& result,
                            bool& is_open) {
  if (flight.plan.rows[r].flags & kRowHashLogits) result.logits_hashes.push_back(reading.logits);
  if (output >= flight.spec.rows.size()) return;  // noted
  const SampleRow& sample = flight.spec.rows[output];
  if (sample.is_discarded || result.outcome != RowOutcome::kOk) return;
  if (sample.position != reading.position + 1) note("a sample row is for another position");
  const std::uint32_t vocab = options_.capacity.vocab;
  TokenId token = sample.target;
  if (token < 0) {
    if (!is_open) return;  // behind a refused draft
    std::uint64_t history = 0;
    for (const TokenId it : sample.history) history = fold_history(history, it);
    token = draw_token(reading.logits, history, sample.position, sample.params->seed,
                       sample.stream, vocab, {sample.banned, sample.mask},
                       options_.token_reluctant);
  }
  if (!reading.is_finite || token < 0) {
    is_open = false;
    if (!result.accepted.empty()) return;  // met again by the next row
    result.outcome = reading.is_finite ? RowOutcome::kNothingAllowed : RowOutcome::kNonFinite;
    result.scores.clear();
    return;
  }
  if (sample.target < 0) {
    result.accepted.push_back(token);
    outputs_[output] = token;
    is_open = next >= 0 && next == token;
    drafts_accepted_ += is_open;
    if (!is_open) propose(sample, result);
  }
  if (sample.params->raw_logits) append_raw_logits(reading.logits, vocab, result.logits);
  if (sample.logprobs >= 0) {
    result.scores.push_back(score_token(reading.logits, token, sample.logprobs, vocab));
  }
}

// Guesses what comes next: mostly what will be drawn, sometimes not.
void ScriptExecutor::propose(const SampleRow& sample, RowResult& result) const {
  if (options_.drafts_max == 0) return;
  ScriptOracle oracle(options_.capacity);  // guesses need not know the encoder's input
  oracle.push(sample.history);
  oracle.push(result.accepted.back());
  const std::uint64_t luck = mix64(oracle.logits());
  const std::uint64_t count = luck % (options_.drafts_max + 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    TokenId token = oracle.draw(sample.params->seed, sample.stream);
    if (mix64(luck + i) % 3 == 0)
      token = (token + 1) % static_cast<TokenId>(options_.capacity.vocab);
    result.drafts.push_back(token);
    oracle.push(token);
  }
}

}  // namespace quire
