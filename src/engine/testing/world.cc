#include "engine/testing/world.h"

#include <algorithm>

#include "base/check.h"

namespace quire {
namespace {

// What may not be drawn after `answer`, beside eos before its time.
std::vector<TokenId> forbidden_after(const std::vector<TokenId>& answer,
                                     const SamplingParams& params, std::uint32_t vocab) {
  std::vector<TokenId> tokens;
  for (std::uint32_t token = 0; token < vocab && !params.allowed.empty(); ++token) {
    if (!(params.allowed[token / 32] >> (token % 32) & 1)) {
      tokens.push_back(static_cast<TokenId>(token));
    }
  }
  for (const std::vector<TokenId>& bad : params.bad_sequences) {
    std::vector<TokenId> text = answer;
    text.push_back(bad.back());
    const bool is_complete = text.size() >= bad.size() &&
                             std::equal(bad.begin(), bad.end(), text.end() - std::ssize(bad));
    if (is_complete) tokens.push_back(bad.back());
  }
  return tokens;
}

// Tokens that may follow; the only one that raw logits are drawn into may stand behind the context.
std::size_t answer_max(const Request& request, std::uint32_t context_max) {
  const SamplingParams& params = request.params;
  const std::size_t behind = params.raw_logits && params.tokens_max == 1 ? 1 : 0;
  return std::min<std::size_t>(static_cast<std::size_t>(params.tokens_max),
                               context_max + behind - request.prompt.size());
}

}  // namespace

EngineOptions checked_options() {
  EngineOptions options;
  options.is_checking_invariants = true;
  return options;
}

Request ask_seeded(std::vector<TokenId> prompt, int tokens_max) {
  Request request;
  request.prompt = std::move(prompt);
  request.params.tokens_max = tokens_max;
  request.params.seed = 42;
  return request;
}

ScriptWorld::ScriptWorld(const EngineOptions& options, const ScriptOptions& script,
                         const Wrap& wrap, std::shared_ptr<const Tokenizer> tokenizer)
    : options_(options),
      script_(script),
      wrapped_(wrap ? wrap(script_) : nullptr),
      core_(options, wrapped_ ? *wrapped_ : static_cast<Executor&>(script_), std::move(tokenizer)) {
}

Status ScriptWorld::submit(Request request) {
  if (request.id.value == 0) request.id = RequestId{++ids_};
  QUIRE_RETURN_IF_ERROR(core_.submit(request));
  Asked& asked = asked_[request.id];
  asked.branches.resize(static_cast<std::size_t>(request.n));
  asked.request = std::move(request);
  return ok_status();
}

void ScriptWorld::cancel(RequestId id) { core_.cancel(id); }

StepEvents ScriptWorld::advance() {
  now_ += Nanos(1);
  StepEvents events = core_.advance(now_);
  for (const TokenEvent& event : events.events) {
    Asked& asked = asked_.at(event.request);
    ShownBranch& shown = asked.branches[static_cast<std::size_t>(event.branch)];
    QUIRE_CHECK(!asked.is_over && shown.finish == FinishReason::kNone,
                "request {} speaks after its end", event.request.value);
    shown.tokens.insert(shown.tokens.end(), event.accepted.begin(), event.accepted.end());
    shown.scores.insert(shown.scores.end(), event.scores.begin(), event.scores.end());
    if (!event.prompt_scores.empty()) shown.prompt_scores = event.prompt_scores;
    shown.logits.insert(shown.logits.end(), event.logits.begin(), event.logits.end());
    shown.text += event.text;
    shown.finish = event.finish;
    shown.last = event;
    if (event.is_last) {
      asked.is_over = true;
      ended_.push_back(event.request);
    }
  }
  return events;
}

void ScriptWorld::run_until_idle(std::uint64_t steps_max) {
  for (std::uint64_t i = 0; core_.has_work(); ++i) {
    QUIRE_CHECK(i < steps_max, "not idle after {} steps", steps_max);
    advance();
  }
}

std::vector<RequestId> ScriptWorld::live() const {
  std::vector<RequestId> ids;
  for (const auto& [id, asked] : asked_) {
    if (!asked.is_over) ids.push_back(id);
  }
  return ids;
}

std::string ScriptWorld::check_ended() {
  std::string difference;
  for (const RequestId id : ended_) {
    const Asked& asked = asked_.at(id);
    for (int branch = 0; branch < asked.request.n && difference.empty(); ++branch) {
      difference = compare(asked, branch);
      ++branches_compared_;
    }
    asked_.erase(id);
  }
  ended_.clear();
  if (difference.empty()) difference = script_.violation();
  return difference;
}

namespace {

// False: it allows everything.
bool forbid_unmasked(ConstraintState& state, std::uint32_t vocab, std::vector<TokenId>& forbidden) {
  std::vector<std::uint32_t> mask((vocab + 31) / 32);
  if (!state.write_mask(mask).value()) return false;
  for (std::uint32_t id = 0; id < vocab; ++id) {
    if ((mask[id / 32] >> (id % 32) & 1) == 0) forbidden.push_back(static_cast<TokenId>(id));
  }
  return true;
}

// The first of `tokens` whose score is another one; -1: none.
std::ptrdiff_t first_other_score(std::span<const TokenId> tokens, int logprobs,
                                 std::span<const TokenScore> scores, ScriptOracle& oracle) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && !scores.empty()) {
      const TokenScore expected = oracle.score(tokens[i], logprobs);
      const TokenScore& score = scores[i - 1];
      if (score.token != expected.token || score.logprob != expected.logprob) {
        return static_cast<std::ptrdiff_t>(i);
      }
    }
    oracle.push(tokens[i]);
  }
  return -1;
}

}  // namespace

std::string ScriptWorld::compare(const Asked& asked, int branch) const {
  const Request& request = asked.request;
  const SamplingParams& params = request.params;
  const ShownBranch& shown = asked.branches[static_cast<std::size_t>(branch)];
  const Capacity& capacity = script_.capacity();
  const auto where = [&](std::string what) {
    return fmt::format("request {} branch {}: {}", request.id.value, branch, what);
  };
  std::vector<TokenId> stops = params.stop_ids;
  if (!params.ignore_eos) {
    stops.insert(stops.end(), options_.eos_ids.begin(), options_.eos_ids.end());
  }
  std::vector<TokenId> banned = params.stop_ids;
  banned.insert(banned.end(), options_.eos_ids.begin(), options_.eos_ids.end());
  ScriptOracle oracle(capacity, request.encoder_input);
  const std::span<const TokenScore> scores =
      branch == 0 ? shown.prompt_scores : std::span<const TokenScore>();
  const std::ptrdiff_t other =
      first_other_score(request.prompt, params.prompt_logprobs, scores, oracle);
  if (other >= 0) return where(fmt::format("prompt token {} has another score", other));
  const std::size_t length_max = answer_max(request, core_.scheduler().context_max());
  const auto stream = static_cast<std::uint64_t>(request.branch_first + branch);
  FinishReason finish = FinishReason::kLength;
  std::size_t count = 0;
  std::vector<TokenId> answer;
  std::unique_ptr<ConstraintState> state;
  if (request.constraint != nullptr) state = request.constraint->begin().value();
  for (; count < length_max && finish != FinishReason::kStop; ++count) {
    if (count == shown.tokens.size()) break;
    const bool is_early = static_cast<int>(count) < params.tokens_min;
    std::vector<TokenId> forbidden = forbidden_after(answer, params, capacity.vocab);
    if (is_early) forbidden.insert(forbidden.end(), banned.begin(), banned.end());
    if (state != nullptr && forbid_unmasked(*state, capacity.vocab, forbidden) &&
        params.ignore_eos) {
      forbidden.insert(forbidden.end(), options_.eos_ids.begin(), options_.eos_ids.end());
    }
    const TokenId token = oracle.draw(params.seed, stream, forbidden);
    answer.push_back(token);
    if (shown.tokens[count] != token) {
      return where(
          fmt::format("token {} is {}, alone it is {}", count, shown.tokens[count], token));
    }
    if (params.logprobs >= 0 && shown.scores.at(count).logprob != oracle.score(token, 0).logprob) {
      return where(fmt::format("token {} has another score", count));
    }
    oracle.push(token);
    if (!is_early && std::find(stops.begin(), stops.end(), token) != stops.end()) {
      finish = FinishReason::kStop;
    } else if (state != nullptr && state->accept(token).is_ok() && state->is_over() &&
               static_cast<int>(count) + 1 >= params.tokens_min) {
      finish = FinishReason::kStop;
    }
  }
  if (shown.tokens.size() > count) return where("it went on after its end");
  const bool was_cut = shown.finish != FinishReason::kStop && shown.finish != FinishReason::kLength;
  if (was_cut) return {};
  if (request.is_pooled && shown.last.pooled != oracle.pooled()) return where("another vector");
  if (shown.finish != finish || (finish == FinishReason::kLength && count != length_max)) {
    return where(
        fmt::format("it ended after {} tokens with {}", count, finish_reason_name(shown.finish)));
  }
  if (shown.last.usage.generated_tokens != count) return where("usage is wrong");
  const bool scores_due = branch == 0 && params.prompt_logprobs >= 0;
  if (scores_due && shown.prompt_scores.size() + 1 != request.prompt.size()) {
    return where("prompt scores are missing");
  }
  return {};
}

std::string ScriptWorld::check_idle() const {
  if (core_.has_work()) return "there is work left";
  const KvLedger& ledger = core_.scheduler().ledger();
  for (std::uint32_t g = 0; g < ledger.groups(); ++g) {
    const BlockPool& pool = ledger.pool(g);
    if (pool.referenced_count() != 0 || pool.free_count() + pool.cached_count() != pool.total()) {
      return fmt::format("group {}: {} free + {} cached of {}", g, pool.free_count(),
                         pool.cached_count(), pool.total());
    }
  }
  return core_.scheduler().check_invariants().message();
}

}  // namespace quire
