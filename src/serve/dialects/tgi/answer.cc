#include "serve/dialects/tgi/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "serve/dialects/tgi/errors.h"
#include "serve/intake/tools/warning.h"

namespace quire {
namespace {

constexpr const char* kComputeType = "cpu+optimized";

// The shortest number that reads back as the same float; what is not finite is null.
Json number_json(float value) {
  if (!std::isfinite(value)) return {};
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double shortest = 0;
  std::from_chars(text.data(), end, shortest);
  return shortest;
}

std::string_view finish_name(FinishReason reason, bool is_stop_string) {
  if (reason == FinishReason::kLength) return "length";
  return is_stop_string ? "stop_sequence" : "eos_token";
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string milliseconds(Nanos time) {
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return std::to_string(std::max<std::int64_t>(whole, 0));
}

const std::vector<TokenId>& prompt_of(const Request& request) {
  return request.encoder_input.empty() ? request.prompt : request.encoder_input;
}

// What the engine's detokenizer will make of the answer.
Detokenizer words_of(const Tokenizer& tokenizer, const Request& request) {
  const bool begins_text =
      std::all_of(request.prompt.begin(), request.prompt.end(),
                  [&](TokenId token) { return tokenizer.is_special(token); });
  return {tokenizer, {.is_start_of_text = begins_text}};
}

}  // namespace

TgiAnswer::TgiAnswer(TgiRequest request, const std::vector<Request>& requests, TgiForm form)
    : request_(std::move(request)), form_(form), names_(request_.model->tokenizer, false) {
  for (const Request& made : requests) {
    Sequence& sequence = sequences_.emplace_back(words_of(names_.tokenizer(), made));
    sequence.prompt = prompt_of(made);
    sequence.seed = made.params.seed;
  }
}

void TgiAnswer::complete_head(const CallTimes& times, http::Response& head) {
  const auto add = [&](const char* name, std::string value) {
    head.headers.push_back({name, std::move(value)});
  };
  add("x-compute-type", kComputeType);
  add("x-compute-characters", std::to_string(characters(request_.inputs)));
  if (request_.is_stream) return add("x-accel-buffering", "no");
  std::size_t generated = 0;
  for (const Sequence& sequence : sequences_) generated += sequence.generated;
  const Nanos begun = times.begun != Nanos{0} ? times.begun : times.submitted;
  const Nanos inference = times.now - begun;
  add("x-compute-time", fmt::format("{:.6f}", to_seconds(times.now - times.arrived)));
  add("x-total-time", milliseconds(times.now - times.arrived));
  add("x-validation-time", milliseconds(times.submitted - times.arrived));
  add("x-queue-time", milliseconds(begun - times.submitted));
  add("x-inference-time", milliseconds(inference));
  add("x-time-per-token", milliseconds(inference / std::max<std::size_t>(generated, 1)));
  add("x-prompt-tokens", std::to_string(sequences_.front().prompt.size()));
  add("x-generated-tokens", std::to_string(generated));
}

void TgiAnswer::add_tokens(const TokenEvent& event, Sequence& sequence) const {
  sequence.generated += event.accepted.size();
  for (std::size_t i = 0; i < event.accepted.size(); ++i) {
    const TokenId id = event.accepted[i];
    Token token{.id = id};
    token.is_special = names_.tokenizer().is_special(id) || id == event.stop_token;
    token.text = token.is_special ? names_.name(id) : sequence.words.append(id);
    if (!token.is_special) sequence.told += token.text.size();
    if (i < event.scores.size()) {
      token.logprob = event.scores[i].logprob;
      sequence.logprob += token.logprob;
      const auto shown = std::min(event.scores[i].top.size(),
                                  static_cast<std::size_t>(request_.top_n_tokens));
      token.top.assign(event.scores[i].top.begin(),
                       event.scores[i].top.begin() + static_cast<std::ptrdiff_t>(shown));
    }
    sequence.tokens.push_back(std::move(token));
  }
}

// At the end: a text that ends within its last token ends there, and half a character is shown.
void TgiAnswer::settle_last(Sequence& sequence) const {
  const auto last = std::find_if(sequence.tokens.rbegin(), sequence.tokens.rend(),
                                 [](const Token& token) { return !token.is_special; });
  if (last == sequence.tokens.rend()) return;
  const std::size_t before = sequence.told - last->text.size();
  if (before <= sequence.text.size()) last->text = sequence.text.substr(before);
  sequence.told = before + last->text.size();
}

// What its grammar ends ends without being drawn on, where TGI draws the one token that is left.
bool TgiAnswer::ends_without_token(const TokenEvent& event, const Sequence& sequence) const {
  return event.finish == FinishReason::kStop && event.stop_token < 0 &&
         event.stop_string.empty() && form_.is_constrained &&
         sequence.generated < static_cast<std::size_t>(request_.params.tokens_max);
}

void TgiAnswer::add_end(Sequence& sequence) const {
  const auto& ends = request_.model->info.eos_ids;
  const TokenId end = ends.empty() ? -1 : ends.front();
  sequence.tokens.push_back({.id = end, .text = names_.name(end), .is_special = true});
  ++sequence.generated;
}

void TgiAnswer::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  Sequence& sequence = sequences_[prompt];
  sequence.text += event.text;
  if (!event.prompt_scores.empty()) sequence.prompt_scores = event.prompt_scores;
  add_tokens(event, sequence);
  const bool is_end = event.finish != FinishReason::kNone;
  if (is_end) {
    sequence.finish = event.finish;
    sequence.is_stop_string = !event.stop_string.empty();
    settle_last(sequence);
    if (ends_without_token(event, sequence)) add_end(sequence);
  }
  if (!request_.is_stream) return;
  if (is_end && sequence.tokens.empty()) {  // the text was over before its end was known
    add_end(sequence);
    --sequence.generated;
  }
  for (std::size_t i = 0; i < sequence.tokens.size(); ++i) {
    const bool is_last = is_end && i + 1 == sequence.tokens.size();
    append_event(sequence.tokens[i], is_last ? &sequence : nullptr, out);
  }
  sequence.tokens.clear();
}

Json TgiAnswer::token_json(TokenId id, std::string text, float logprob, bool is_special) const {
  return Json::object({{"id", id},
                       {"text", std::move(text)},
                       {"logprob", number_json(logprob)},
                       {"special", is_special}});
}

Json TgiAnswer::top_json(const Token& token) const {
  Json top = Json::array();
  for (const TokenLogprob& it : token.top) {
    top.push(token_json(it.token, names_.name(it.token), it.logprob,
                        names_.tokenizer().is_special(it.token)));
  }
  return top;
}

void TgiAnswer::append_event(const Token& token, const Sequence* ended, std::string& out) {
  Json event = Json::object({{"index", ++events_}});
  event.set("token", token_json(token.id, token.text, token.logprob, token.is_special));
  if (!token.top.empty()) event.set("top_tokens", top_json(token));
  event.set("generated_text", ended != nullptr ? Json(generated_text(*ended)) : Json());
  event.set("details", Json());
  if (ended != nullptr && request_.has_details) {
    Json details = Json::object();
    add_facts(*ended, details);
    details.set("input_length", ended->prompt.size());
    event.set("details", std::move(details));
  }
  if (events_ == 1 && has_warnings()) event.set("warnings", warnings_json());
  out += "data: " + dump(event) + "\n\n";
}

Json TgiAnswer::prefill_json(const Sequence& sequence) const {
  Json prefill = Json::array();
  if (!request_.has_prefill) return prefill;
  for (std::size_t i = 0; i < sequence.prompt.size(); ++i) {
    const bool is_scored = i > 0 && i <= sequence.prompt_scores.size();
    prefill.push(Json::object({{"id", sequence.prompt[i]},
                               {"text", names_.name(sequence.prompt[i])},
                               {"logprob", is_scored
                                               ? number_json(sequence.prompt_scores[i - 1].logprob)
                                               : Json()}}));
  }
  return prefill;
}

void TgiAnswer::add_facts(const Sequence& sequence, Json& details) const {
  details.set("finish_reason", finish_name(sequence.finish, sequence.is_stop_string));
  details.set("generated_tokens", sequence.generated);
  details.set("seed", request_.is_sampling ? Json(sequence.seed) : Json());
}

Json TgiAnswer::details_json(const Sequence& sequence) const {
  Json details = Json::object();
  add_facts(sequence, details);
  details.set("prefill", prefill_json(sequence));
  Json tokens = Json::array(), top = Json::array();
  for (const Token& token : sequence.tokens) {
    tokens.push(token_json(token.id, token.text, token.logprob, token.is_special));
    if (request_.top_n_tokens > 0) top.push(top_json(token));
  }
  details.set("tokens", std::move(tokens));
  if (!top.items().empty()) details.set("top_tokens", std::move(top));
  return details;
}

Json TgiAnswer::warnings_json() const {
  Json warnings = Json::array();
  for (const std::string& field : request_.warnings) {
    warnings.push(Json::object({{"code", "unknown_parameter"},
                                {"param", field},
                                {"message", "This field is not known here and was ignored."}}));
  }
  for (const Warning& it : request_.notes) {
    warnings.push(Json::object({{"code", it.code}, {"param", it.param}, {"message", it.message}}));
  }
  return warnings;
}

std::string TgiAnswer::generated_text(const Sequence& sequence) const {
  return form_.repeats_inputs ? request_.inputs + sequence.text : sequence.text;
}

// The highest log-probability a token; the first of equals.
std::size_t TgiAnswer::best() const {
  const auto mean = [](const Sequence& sequence) {
    return sequence.logprob / static_cast<double>(std::max<std::size_t>(sequence.generated, 1));
  };
  const auto found = std::max_element(
      sequences_.begin(), sequences_.end(),
      [&](const Sequence& a, const Sequence& b) { return mean(a) < mean(b); });
  return static_cast<std::size_t>(found - sequences_.begin());
}

void TgiAnswer::finish(std::string& out) {
  if (request_.is_stream) return;
  const std::size_t chosen = best();
  Json body = Json::object({{"generated_text", generated_text(sequences_[chosen])}});
  if (request_.has_details) {
    Json details = details_json(sequences_[chosen]);
    Json others = Json::array();
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      if (i == chosen) continue;
      Json other = Json::object({{"generated_text", generated_text(sequences_[i])}});
      const Json facts = details_json(sequences_[i]);
      for (const auto& [name, value] : facts.members()) other.set(name, value);
      others.push(std::move(other));
    }
    if (!others.items().empty()) details.set("best_of_sequences", std::move(others));
    body.set("details", std::move(details));
  }
  if (has_warnings()) body.set("warnings", warnings_json());
  out += dump(form_.is_list ? Json::array({std::move(body)}) : body);
}

void TgiAnswer::fail(const ApiError& error, std::string& out) {
  out += "data: " + tgi_error_body(error) + "\n\n";
}

}  // namespace quire
