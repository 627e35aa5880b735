#include "engine/session.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace quire {
namespace {

bool contains(const std::vector<TokenId>& tokens, TokenId token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

}  // namespace

Status Session::check(const Request& request, const Tokenizer* tokenizer) {
  if (request.params.stop_strings.empty()) return ok_status();
  if (tokenizer == nullptr) {
    return error(StatusCode::kInvalidArgument, "stop strings need a tokenizer; there is none");
  }
  return StopMatcher::create(request.params.stop_strings, false).status();
}

Session::Session(const Request& request, int branch, const Tokenizer* tokenizer,
                 const std::vector<TokenId>& eos_ids)
    : request_(&request), branch_(branch), eos_ids_(&eos_ids) {
  QUIRE_CHECK(branch >= 0 && branch < request.n, "branch {} of {}", branch, request.n);
  if (tokenizer == nullptr) return;
  const SamplingParams& params = request.params;
  // After nothing but control tokens the answer is the beginning of a text.
  const bool is_start = std::all_of(request.prompt.begin(), request.prompt.end(),
                                    [&](TokenId token) { return tokenizer->is_special(token); });
  detokenizer_.emplace(*tokenizer, DetokenizerOptions{.shows_special = !params.skip_special_tokens,
                                                      .shown = params.shown_tokens,
                                                      .is_start_of_text = is_start});
  if (!params.stop_strings.empty()) {
    matcher_.emplace(StopMatcher::create(params.stop_strings, params.include_stop).value());
  }
}

TokenEvent Session::blank_event() const {
  TokenEvent event;
  event.request = request_->id;
  event.branch = branch_;
  return event;
}

TokenEvent Session::accept(Progress progress, bool is_text_over) {
  QUIRE_CHECK(!has_ended_ && progress.request == request_->id && progress.branch == branch_,
              "news of branch {} of request {} for branch {} of {}{}", progress.branch,
              progress.request.value, branch_, request_->id.value,
              has_ended_ ? ", which has ended" : "");
  TokenEvent event = blank_event();
  cached_ = progress.cached;
  take_prompt_scores(progress, event);
  std::size_t taken = 0;
  bool is_stopped = false;
  while (taken < progress.accepted.size() && !is_stopped) {
    const TokenId token = progress.accepted[taken++];
    event.accepted.push_back(token);
    is_stopped = take_token(token, event);
  }
  if (progress.scores.size() > taken) progress.scores.resize(taken);
  event.scores = std::move(progress.scores);
  event.logits_hashes = std::move(progress.logits_hashes);
  event.pooled = std::move(progress.pooled);
  event.logits = std::move(progress.logits);
  const std::size_t hashes = progress.prompt_scores + taken;
  if (event.logits_hashes.size() > hashes) event.logits_hashes.resize(hashes);
  if (!is_stopped && is_text_over &&
      static_cast<int>(generated_) >= request_->params.tokens_min) {
    event.finish = FinishReason::kStop;
    flush(event);
    event.finish = FinishReason::kStop;
  } else if (!is_stopped && progress.is_at_end) {
    event.finish = FinishReason::kLength;
    flush(event);
  }
  has_ended_ = event.finish != FinishReason::kNone;
  QUIRE_CHECK(static_cast<int>(generated_) <= request_->params.tokens_max,
              "request {} generated {} tokens of at most {}", request_->id.value, generated_,
              request_->params.tokens_max);
  event.usage = {static_cast<std::uint32_t>(request_->prompt.size()), cached_, generated_};
  return event;
}

TokenEvent Session::end(FinishReason reason, std::string message) {
  QUIRE_CHECK(!has_ended_ && reason != FinishReason::kNone, "branch {} of request {} ends {}",
              branch_, request_->id.value, has_ended_ ? "twice" : "for no reason");
  TokenEvent event = blank_event();
  event.finish = reason;
  event.message = std::move(message);
  flush(event);
  event.finish = reason;  // a stop string in the very last flush changes nothing
  has_ended_ = true;
  event.usage = {static_cast<std::uint32_t>(request_->prompt.size()), cached_, generated_};
  return event;
}

// They come with the chunks of the prompt and leave together.
void Session::take_prompt_scores(Progress& progress, TokenEvent& event) {
  if (progress.prompt_scores == 0) return;
  const auto end = progress.scores.begin() +
                   std::min<std::ptrdiff_t>(progress.prompt_scores, std::ssize(progress.scores));
  std::move(progress.scores.begin(), end, std::back_inserter(prompt_scores_));
  progress.scores.erase(progress.scores.begin(), end);
  QUIRE_CHECK(prompt_scores_.size() < request_->prompt.size(), "{} scores of a prompt of {}",
              prompt_scores_.size(), request_->prompt.size());
  if (prompt_scores_.size() + 1 == request_->prompt.size()) {
    event.prompt_scores = std::exchange(prompt_scores_, {});
  }
}

bool Session::is_stop_token(TokenId token) const {
  const SamplingParams& params = request_->params;
  if (static_cast<int>(generated_) <= params.tokens_min) return false;
  return (!params.ignore_eos && contains(*eos_ids_, token)) || contains(params.stop_ids, token);
}

bool Session::goes_in_circles(TokenId token) {
  const RepetitionLimit& limit = request_->params.repetition;
  if (limit.pattern_max == 0) return false;
  const auto looked_at = static_cast<std::size_t>(limit.pattern_max) *
                         static_cast<std::size_t>(limit.count);
  if (recent_.size() == 2 * looked_at) recent_.erase(recent_.begin(), recent_.end() - looked_at);
  recent_.push_back(token);
  if (static_cast<int>(generated_) < request_->params.tokens_min) return false;
  const auto last = recent_.rbegin();
  for (std::size_t size = static_cast<std::size_t>(limit.pattern_min);
       size <= static_cast<std::size_t>(limit.pattern_max); ++size) {
    const std::size_t whole = size * static_cast<std::size_t>(limit.count);
    if (whole > recent_.size()) return false;
    // A text is a pattern repeated where it equals itself, shifted by the pattern.
    if (std::equal(last + size, last + whole, last)) return true;
  }
  return false;
}

bool Session::take_token(TokenId token, TokenEvent& event) {
  ++generated_;
  if (is_stop_token(token)) {
    if (request_->params.include_stop && detokenizer_) show(detokenizer_->append(token), event);
    event.finish = FinishReason::kStop;
    event.stop_token = token;
    flush(event);
    return true;
  }
  if (detokenizer_) show(detokenizer_->append(token), event);
  if (event.finish == FinishReason::kNone && goes_in_circles(token)) {
    event.finish = FinishReason::kRepetition;
    flush(event);
  }
  return event.finish != FinishReason::kNone;
}

void Session::show(const std::string& text, TokenEvent& event) {
  if (!matcher_ || static_cast<int>(generated_) <= request_->params.tokens_min) {
    event.text += text;
    return;
  }
  event.text += matcher_->append(text);
  if (!matcher_->match()) return;
  event.finish = FinishReason::kStop;
  event.stop_string = request_->params.stop_strings[matcher_->match()->stop_index];
}

// The end: nothing is held back any more.
void Session::flush(TokenEvent& event) {
  if (!detokenizer_) return;
  show(detokenizer_->flush(), event);
  if (matcher_ && !matcher_->match()) event.text += matcher_->flush();
}

}  // namespace quire
