// Scheduler's planning: one pass over the queues becomes one StepPlan.
#include <algorithm>

#include "base/check.h"
#include "sched/scheduler.h"

namespace quire {

StepPlan Scheduler::plan() {
  Sketch sketch;
  sketch.plan.step = step_ + 1;
  sketch.plan.groups = ledger_.groups();
  sketch.rows_left = options_.rows_max;
  sketch.tokens_left = options_.tokens_max;
  sketch.logits_left = capacity_.logits_rows_max;
  preempted_.clear();
  ledger_.begin_step(sketch.plan.step);
  displace_for_waiting();
  plan_decodes(sketch);
  plan_prompts(sketch);
  if (sketch.plan.rows.empty()) {
    QUIRE_CHECK(sketch.plan.copies.empty(), "a plan copies blocks for nobody");
    ledger_.drop_step();
    return std::move(sketch.plan);
  }
  step_ = sketch.flight.step = sketch.plan.step;
  flights_.push_back(std::move(sketch.flight));
  ++counts_.steps;
  counts_.computed_tokens += sketch.plan.tokens.size();
  return std::move(sketch.plan);
}

// Whoever waits at the front may push out running sequences that its policy ranks below it, or of
// tenants that are far ahead of its own.
void Scheduler::displace_for_waiting() {
  if (options_.is_static_batching || draining_ > 0) return;
  queues_.begin_pass();
  while (const Sequence* seq = queues_.next()) {
    Sequence* victim = victim_displaced_by(*seq);
    if (victim == nullptr) return;
    Entrance how = entrance(*seq);
    if (how.kind == Entrance::Kind::kNotYet) continue;
    while (victim != nullptr &&
           (how.kind == Entrance::Kind::kNoRoom || running_.size() >= rows_for(*seq, *victim))) {
      preempt(*victim);
      if (draining_ > 0) return;  // its blocks come with its last launched step
      victim = victim_displaced_by(*seq);
      how = entrance(*seq);
    }
    return;
  }
}

// With how many that run there is no place beside them for who waits. Decodes may take all tokens
// of a step: within a tenant the next one waits for an end, but no tenant does for another.
std::uint32_t Scheduler::rows_for(const Sequence& waiting, const Sequence& victim) const {
  if (waiting.tenant == victim.tenant) return options_.rows_max;
  return std::min({options_.rows_max, options_.tokens_max, capacity_.logits_rows_max});
}

// Every decode has its token before any draft is verified.
void Scheduler::plan_decodes(Sketch& sketch) {
  std::vector<Sequence*> order = running_;  // preemption changes running_
  if (queues_.has_rivals()) std::sort(order.begin(), order.end(), service_order());
  std::vector<Claim> claims;
  bool has_prompts = !queues_.is_empty();
  for (Sequence* seq : order) {
    if (!can_feed(*seq)) continue;
    if (seq->remaining() != 1) {
      has_prompts = true;
    } else if (const std::optional<Claim> claim = make_claim(*seq, sketch)) {
      claims.push_back(*claim);
    }
  }
  allot_drafts(claims, has_prompts, sketch);
  for (const Claim& claim : claims) append_row(claim, sketch);
}

// Drafts share in turns what the decodes leave: one more for each, then the next round. The turn
// goes on in the next plan behind the one that was served last. Prompts that wait to be computed
// keep half of what is left.
void Scheduler::allot_drafts(std::vector<Claim>& claims, bool has_prompts, Sketch& sketch) {
  std::vector<Claim*> turns;
  for (Claim& claim : claims) {
    if (drafts_of(*claim.seq) > 0) turns.push_back(&claim);
  }
  const auto is_served = [this](const Claim* claim) { return claim->seq->id <= drafts_served_; };
  const auto by_id = [](const Claim* a, const Claim* b) { return a->seq->id < b->seq->id; };
  std::sort(turns.begin(), turns.end(), by_id);
  std::rotate(turns.begin(), std::partition_point(turns.begin(), turns.end(), is_served),
              turns.end());
  std::uint32_t left =
      std::min(has_prompts ? sketch.tokens_left / 2 : sketch.tokens_left, sketch.logits_left);
  while (left > 0 && !turns.empty()) {
    std::vector<Claim*> unsated;
    for (Claim* claim : turns) {
      // Nobody gives way for a guess.
      const std::uint32_t drafts = claim->drafts + 1;
      const bool has_room = ledger_.can_reserve(*claim->seq, claim->end + drafts, drafts);
      if (left == 0 || claim->drafts == drafts_of(*claim->seq) || !has_room) continue;
      claim->drafts = drafts;
      ledger_.reserve(*claim->seq, claim->end + drafts, drafts);
      drafts_served_ = claim->seq->id;
      --left, --sketch.tokens_left, --sketch.logits_left;
      unsated.push_back(claim);
    }
    turns = std::move(unsated);
  }
}

// How many of its drafts could be verified now.
std::uint32_t Scheduler::drafts_of(const Sequence& seq) const {
  if (seq.outputs > 0 || seq.planned + 1 != seq.known()) return 0;
  const std::size_t bound = std::min(capacity_.drafts_max, seq.length_max - seq.known() - 1);
  return static_cast<std::uint32_t>(std::min(seq.drafts.size(), bound));
}

// Whoever waits comes in between, where its tenant is served before the next prompt's.
void Scheduler::plan_prompts(Sketch& sketch) {
  std::vector<Sequence*> prompts;
  for (Sequence* seq : running_) {
    if (can_feed(*seq) && seq->remaining() != 1) prompts.push_back(seq);
  }
  queues_.begin_pass();
  for (auto next = prompts.begin(); next != prompts.end(); ++next) {
    if (queues_.has_rivals()) {  // what was fed has changed the order
      std::iter_swap(next, std::min_element(next, prompts.end(), service_order()));
      admit_waiting((*next)->tenant, sketch);
    }
    continue_prompt(**next, sketch);
  }
  admit_waiting(nullptr, sketch);
}

void Scheduler::continue_prompt(Sequence& seq, Sketch& sketch) {
  if (!can_feed(seq)) return;  // it gave way
  const bool is_answer = seq.computed >= seq.prompt_count && !seq.was_preempted;
  if (seq.rows_in_flight == 0 && !is_answer) {  // a forced chunk is not in the cache
    const std::uint32_t gained = ledger_.extend(seq, match_limit(seq));
    if (!seq.was_preempted) {
      seq.cached += gained;
      counts_.prefix_cached_tokens += gained;
    }
    if (is_being_computed(seq, seq.computed)) return;
  }
  feed(seq, sketch);
}

// Those that wait, of tenants that are served before `rival`; all of them without one.
void Scheduler::admit_waiting(const TenantQueue* rival, Sketch& sketch) {
  const bool is_closed = options_.is_static_batching && !running_.empty();
  while (sketch.is_admitting && sketch.rows_left > 0 && sketch.tokens_left > 0 &&
         sketch.logits_left > 0 && running_.size() < options_.rows_max) {
    Sequence* seq = queues_.next(rival);
    if (seq == nullptr) return;
    if (is_closed && lead_of(*seq) == nullptr) continue;
    const Entrance how = entrance(*seq);
    if (how.kind == Entrance::Kind::kNotYet) continue;
    // Nobody overtakes the first one that lacks room, or a large request would wait for ever.
    sketch.is_admitting =
        how.kind != Entrance::Kind::kNoRoom &&
        (how.kind == Entrance::Kind::kFork || whole_tokens(*seq) <= sketch.tokens_left);
    if (sketch.is_admitting) admit(*seq, how, sketch);
  }
}

const Sequence* Scheduler::lead_of(const Sequence& seq) const {
  if (seq.is_lead() || seq.has_begun) return nullptr;
  const auto request = requests_.find(seq.request->id);
  const Sequence* lead = find(request->second.seqs.front());
  return lead == nullptr || lead->has_ended() ? nullptr : lead;
}

Scheduler::Entrance Scheduler::entrance(const Sequence& seq) const {
  using Kind = Entrance::Kind;
  Entrance how;
  const std::uint32_t end = std::min(seq.known(), seq.feed_end());
  if (const Sequence* lead = lead_of(seq)) {
    const std::uint32_t at = seq.prompt_count - 1;
    // What the lead itself only copies in this plan cannot be copied on.
    if (lead->state != SeqState::kRunning || lead->computed < at || lead->admitted_step > step_) {
      return how;
    }
    if (ledger_.can_fork(*lead, at)) {
      how.lead = lead;
      const bool has_room = ledger_.can_admit_fork(at, extent_of(seq, end), spare_blocks());
      how.kind = has_room ? Kind::kFork : Kind::kNoRoom;
      return how;
    }
  }
  how.match = ledger_.match(seq, match_limit(seq));
  const auto matched = static_cast<std::uint32_t>(how.match.path.size()) * ledger_.block_tokens();
  if (is_being_computed(seq, matched)) return how;
  const std::vector<std::uint32_t> spare = spare_blocks();
  const KvExtent extent = extent_of(seq, end);
  how.kind = Kind::kPrompt;
  if (ledger_.can_admit(how.match, extent, spare)) return how;
  how.match.partial = nullptr;  // the copy needs both blocks for a moment
  how.match.partial_tokens = 0;
  if (ledger_.can_admit(how.match, extent, spare)) return how;
  if (ledger_.has_states()) how.match = {};  // as does the copy of a state
  if (!ledger_.can_admit(how.match, extent, spare)) how.kind = Kind::kNoRoom;
  return how;
}

// How much of its text a sequence may take from the cache: a token must be left to feed, and a
// prompt position that is yet to be scored must be computed.
std::uint32_t Scheduler::match_limit(const Sequence& seq) const {
  if (seq.is_whole) return 0;
  if (seq.wants_scores && seq.scored + 1 < seq.prompt_count) return seq.scored;
  return std::min(seq.known(), seq.feed_end()) - 1;
}

void Scheduler::admit(Sequence& seq, const Entrance& how, Sketch& sketch) {
  const bool is_first = !seq.has_begun;
  start(seq);
  seq.admitted_step = sketch.plan.step;
  seq.is_forked = how.kind == Entrance::Kind::kFork;
  if (how.kind == Entrance::Kind::kFork) {
    ledger_.fork(*how.lead, seq, seq.prompt_count - 1, sketch.plan.copies);
    seq.cached = how.lead->cached;
    Sequence& lead = sequences_.at(how.lead->id);
    if (!has_unbegun_branches(lead)) ledger_.drop_fork_state(lead);
  } else {
    ledger_.admit(seq, how.match, sketch.plan.copies);
    if (is_first) {
      seq.cached = seq.computed;
      counts_.prefix_cached_tokens += seq.cached;
    }
  }
  seq.scored_planned = seq.scored;
  const bool is_encoder_next =
      how.kind == Entrance::Kind::kPrompt && seq.encoder_count() > 0;
  const bool is_fed = is_encoder_next ? feed_encoder(seq, sketch) : feed(seq, sketch);
  QUIRE_CHECK(is_fed, "sequence {} was admitted without room", seq.id.value);
}

bool Scheduler::has_unbegun_branches(const Sequence& lead) const {
  const std::vector<SeqId>& seqs = requests_.at(lead.request->id).seqs;
  return std::any_of(seqs.begin(), seqs.end(), [this](SeqId id) {
    const Sequence* branch = find(id);
    return branch != nullptr && !branch->has_begun;
  });
}

// Will the row that begins where it stands overwrite the state that its branches begin with?
bool Scheduler::is_to_be_forked(const Sequence& seq) const {
  return seq.is_lead() && seq.request->n > 1 && seq.planned > 0 &&
         seq.planned + 1 == seq.prompt_count && has_unbegun_branches(seq);
}

// Is what `seq`, which has KV up to `from`, could take from the cache in a step of another right
// now: its next whole block, or a state further on?
bool Scheduler::is_being_computed(const Sequence& seq, std::uint32_t from) const {
  if (options_.is_prefix_caching && ledger_.has_states()) {
    return std::any_of(running_.begin(), running_.end(), [&](const Sequence* other) {
      return other != &seq && other->rows_in_flight > 0 && other->space == seq.space &&
             ledger_.is_state_coming(seq, from, match_limit(seq), *other);
    });
  }
  const std::uint32_t block = ledger_.block_tokens();
  const std::uint32_t end = from + block;
  if (!options_.is_prefix_caching || from % block != 0 || end > seq.known() ||
      match_limit(seq) + 1 < end) {
    return false;
  }
  const auto text = seq.text().first(end);
  return std::any_of(running_.begin(), running_.end(), [&](const Sequence* other) {
    return other != &seq && other->rows_in_flight > 0 && other->planned > from &&
           other->computed < end && other->known() >= end && other->space == seq.space &&
           std::equal(text.rbegin(), text.rend(), other->tokens.rend() - end);
  });
}

// What running sequences are still to take for the tokens they have, and a block each to grow.
std::vector<std::uint32_t> Scheduler::spare_blocks() const {
  std::vector<std::uint32_t> spare(ledger_.groups(), 0);
  for (const Sequence* seq : running_) {
    const std::uint32_t end = std::min(seq->known() + ledger_.block_tokens(), seq->feed_end());
    for (std::uint32_t g = 0; g < ledger_.groups(); ++g) {
      spare[g] += ledger_.owed(g, *seq, extent_of(*seq, end));
    }
  }
  return spare;
}

// A token that is known, or the output of the plan launched last, as a promise.
bool Scheduler::can_feed(const Sequence& seq) const {
  if (seq.state != SeqState::kRunning || seq.planned_step == step_ + 1 || seq.remaining() == 0 ||
      seq.drafts_in_flight > 0) {
    return false;
  }
  if (seq.planned < seq.known()) return true;
  return !seq.is_drafting && !seq.is_forced && seq.planned + 1 == seq.length_coming() &&
         seq.planned_step == step_;
}

// Where its next row ends; `planned` if it cannot have one.
std::uint32_t Scheduler::chunk_end(const Sequence& seq, const Sketch& sketch) const {
  if (seq.is_whole) return seq.remaining() <= sketch.tokens_left ? seq.feed_end() : seq.planned;
  std::uint32_t end = seq.planned + std::min(seq.remaining(), sketch.tokens_left);
  if (ledger_.has_states() && options_.is_prefix_caching) {
    end = std::min(end, ledger_.next_stop(seq, seq.planned));
  }
  const std::uint32_t last = seq.prompt_count - 1;
  // Branches fork before the last prompt token, which each feeds in a row of its own.
  if (seq.is_lead() && seq.request->n > 1 && seq.planned < last) end = std::min(end, last);
  if (seq.wants_scores && seq.scored_planned < last) {
    return std::min(end, std::max(seq.planned, seq.scored_planned) + sketch.logits_left);
  }
  const bool draws = end == seq.length_coming() && end < seq.length_max;
  return draws && sketch.logits_left == 0 ? end - 1 : end;
}

Sequence* Scheduler::victim_for(const Sequence& seq) const {
  Sequence* victim = nullptr;
  for (Sequence* other : running_) {
    if (other->planned_step == step_ + 1 || !queues_.is_served_before(seq, *other)) continue;
    if (victim == nullptr || queues_.gives_way_before(*other, *victim)) victim = other;
  }
  return victim;
}

Sequence* Scheduler::victim_displaced_by(const Sequence& waiting) const {
  Sequence* victim = nullptr;
  for (Sequence* other : running_) {
    if (!queues_.displaces(waiting, *other)) continue;
    if (victim == nullptr || queues_.gives_way_before(*other, *victim)) victim = other;
  }
  return victim;
}

// By preempting those that are served later and that this plan does not use yet.
bool Scheduler::make_room(const Sequence& seq, std::uint32_t end) {
  while (!ledger_.can_reserve(seq, end)) {
    if (draining_ > 0) return false;  // room is on its way
    Sequence* victim = victim_for(seq);
    if (victim == nullptr) return false;
    preempt(*victim);
  }
  return true;
}

// A row's share of the plan, without drafts; nothing if it cannot have one.
std::optional<Scheduler::Claim> Scheduler::make_claim(Sequence& seq, Sketch& sketch) {
  if (sketch.rows_left == 0 || sketch.tokens_left == 0) return {};
  Claim claim;
  claim.seq = &seq;
  claim.end = chunk_end(seq, sketch);
  if (claim.end <= seq.planned || !make_room(seq, claim.end)) return {};
  ledger_.reserve(seq, claim.end);
  if (ledger_.has_states()) {
    // While somebody waits, a snapshot may not take the place that would let it in.
    const std::uint32_t keep = queues_.is_empty() ? 0 : 1;
    ledger_.begin_row(seq, is_to_be_forked(seq), keep, sketch.plan.copies);
  }
  claim.draws = claim.end == seq.length_coming() && claim.end < seq.length_max;
  const std::uint32_t scored_end = std::min(claim.end, seq.prompt_count - 1);
  const std::uint32_t scored_from = std::max(seq.planned, seq.scored_planned);
  if (seq.wants_scores && scored_end > scored_from) {
    claim.scores = scored_end - scored_from;
    seq.scored_planned = scored_end;
  }
  seq.planned_step = sketch.plan.step;  // from now on nobody makes it give way
  sketch.rows_left -= 1;
  sketch.tokens_left -= claim.end - seq.planned;
  sketch.logits_left -= claim.scores + (claim.draws ? 1 : 0);
  return claim;
}

bool Scheduler::feed(Sequence& seq, Sketch& sketch) {
  const std::optional<Claim> claim = make_claim(seq, sketch);
  if (claim) append_row(*claim, sketch);
  return claim.has_value();
}

// The row of its encoder's input, which whoever was let in begins with.
bool Scheduler::feed_encoder(Sequence& seq, Sketch& sketch) {
  if (sketch.rows_left == 0 || seq.encoder_count() > sketch.tokens_left) return false;
  if (!make_room(seq, 0)) return false;
  ledger_.reserve(seq, 0);
  StepPlan& plan = sketch.plan;
  const std::vector<TokenId>& input = seq.request->encoder_input;
  StepRow row;
  row.seq = seq.id;
  row.tokens = {static_cast<std::uint32_t>(plan.tokens.size()), seq.encoder_count()};
  row.adapter = seq.request->adapter;
  row.encoder_tokens = seq.encoder_count();
  row.lane = 1;
  plan.tokens.insert(plan.tokens.end(), input.begin(), input.end());
  append_tables(seq, 0, plan);
  if (!seq.was_preempted) {
    queues_.charge(*seq.tenant, std::uint64_t{seq.encoder_count()} * TenantQueues::kPromptCost);
  }
  seq.planned_step = plan.step;
  sketch.rows_left -= 1;
  sketch.tokens_left -= row.tokens.count;
  ++seq.rows_in_flight;
  sketch.flight.rows.push_back({&seq, 0, 0});
  plan.rows.push_back(row);
  return true;
}

KvExtent Scheduler::extent_of(const Sequence& seq, std::uint32_t end) const {
  return {end, options_.tokens_max, seq.encoder_count()};
}

// Tokens that its first row cannot do without.
std::uint32_t Scheduler::whole_tokens(const Sequence& seq) const {
  if (seq.encoder_count() > 0) return seq.encoder_count();
  return seq.is_whole ? seq.prompt_count : 1;
}

void Scheduler::append_row(const Claim& claim, Sketch& sketch) {
  Sequence& seq = *claim.seq;
  StepPlan& plan = sketch.plan;
  const std::uint32_t end = claim.end + claim.drafts;
  const std::uint32_t drawn = claim.draws ? 1 + claim.drafts : 0;

  StepRow row;
  row.seq = seq.id;
  row.tokens = {static_cast<std::uint32_t>(plan.tokens.size()), end - seq.planned};
  row.first_position = seq.planned;
  row.want_last = claim.scores + drawn;
  row.drafts = claim.drafts;
  row.adapter = seq.request->adapter;
  row.encoder_tokens = seq.encoder_count();
  row.second_segment = seq.request->second_segment;
  if (seq.is_whole) row.flags |= kRowPool;
  for (std::uint32_t position = seq.planned; position < end; ++position) {
    if (position < seq.known()) {
      plan.tokens.push_back(seq.tokens[position]);
    } else if (claim.drafts > 0) {
      plan.tokens.push_back(seq.drafts[position - seq.known()]);
    } else {
      plan.tokens.push_back(-1 - static_cast<TokenId>(seq.output_index));
    }
  }
  append_tables(seq, end, plan);
  charge_prompt(seq, claim.end);
  sketch.logits_rows += row.want_last;
  if (claim.draws) {
    seq.output_index = sketch.logits_rows - 1;
    ++seq.outputs;
  }
  seq.planned = end;
  seq.drafts_in_flight = claim.drafts;
  seq.drafts.clear();
  ++seq.rows_in_flight;
  sketch.flight.rows.push_back({&seq, drawn, claim.scores});
  plan.rows.push_back(row);
}

// A prompt token is charged for once, whoever computes it how often.
void Scheduler::charge_prompt(Sequence& seq, std::uint32_t end) {
  const std::uint32_t from = std::max(seq.planned, seq.charged);
  const std::uint32_t to = std::min(end, seq.prompt_count);
  if (to <= from) return;
  queues_.charge(*seq.tenant, std::uint64_t{to - from} * TenantQueues::kPromptCost);
  seq.charged = to;
}

void Scheduler::append_tables(const Sequence& seq, std::uint32_t end, StepPlan& plan) const {
  const std::uint32_t positions = (end + ledger_.block_tokens() - 1) / ledger_.block_tokens();
  for (std::uint32_t g = 0; g < ledger_.groups(); ++g) {
    const KvGroup& group = capacity_.groups[g];
    const auto& table = seq.tables[g];
    const auto count =
        holds_text(group) ? positions : static_cast<std::uint32_t>(table.size());
    const std::uint32_t visible = ledger_.first_visible(g, seq.planned);
    plan.tables.push_back({static_cast<std::uint32_t>(plan.blocks.size()), count});
    for (std::uint32_t i = 0; i < count; ++i) {
      const bool is_behind = holds_text(group) && i < visible && i >= sink_blocks(group);
      plan.blocks.push_back(is_behind ? 0 : table[i]);
    }
  }
}

}  // namespace quire
