#include "serve/dialects/openai/completions/completion_answer.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace quire {
namespace {

constexpr std::string_view kObject = "text_completion";

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

CompletionAnswer::CompletionAnswer(const OpenAiRequest& request,
                                   const std::vector<Request>& requests, CompletionOptions options)
    : OpenAiAnswer(request, requests, "cmpl-"),
      options_(std::move(options)),
      prompt_scores_(requests.size()),
      choices_(requests.size() * static_cast<std::size_t>(request.n)) {
  for (const Request& made : requests) {
    is_start_of_text_.push_back(
        std::all_of(made.prompt.begin(), made.prompt.end(), [&](TokenId token) {
          return names_.tokenizer().is_special(token);
        }));
  }
  if (!request.return_token_ids && !(options_.echo && options_.logprobs >= 0)) return;
  for (const Request& made : requests) prompts_.push_back(made.prompt);
}

void CompletionAnswer::append_row(std::string name, Json logprob, Json top, Choice& choice) const {
  choice.columns.text_offset.push(choice.offset);
  choice.columns.tokens.push(std::move(name));
  choice.columns.token_logprobs.push(std::move(logprob));
  choice.columns.top_logprobs.push(std::move(top));
}

void CompletionAnswer::append_score(const TokenScore& score, Choice& choice) const {
  Json top = Json::object();
  const bool is_named = !request_.params.logprob_ids.empty();
  const auto asked = static_cast<std::size_t>(options_.logprobs);
  const std::size_t shown = is_named ? score.top.size() : std::min(score.top.size(), asked);
  for (std::size_t i = 0; i < shown; ++i) {
    const std::string name = names_.name(score.top[i].token);
    if (top.find(name) == nullptr) top.set(name, logprob_json(score.top[i].logprob));
  }
  const std::string name = names_.name(score.token);
  if (top.find(name) == nullptr) top.set(name, logprob_json(score.logprob));
  const bool has_top = options_.logprobs > 0 || is_named;
  append_row(name, logprob_json(score.logprob), has_top ? std::move(top) : Json(), choice);
  advance(score.token, choice);
}

// A token that is half a character completes nothing: the next one begins where it began.
void CompletionAnswer::advance(TokenId token, Choice& choice) const {
  choice.offset += characters(choice.words->append(token));
}

// What the engine's detokenizer will make of the answer.
void CompletionAnswer::begin_words(std::size_t prompt, Choice& choice) const {
  choice.words.emplace(names_.tokenizer(),
                       DetokenizerOptions{.shows_special = !request_.params.skip_special_tokens,
                                          .is_start_of_text = is_start_of_text_[prompt]});
}

void CompletionAnswer::echo_prompt(std::size_t prompt, Choice& choice) {
  const std::string& text = options_.prompt_texts[prompt];
  choice.text += text;
  if (options_.logprobs < 0) return;
  choice.words.emplace(names_.tokenizer(),
                       DetokenizerOptions{.shows_special = true, .is_start_of_text = true});
  const TokenId first = prompts_[prompt].front();
  std::string name = names_.name(first);
  if (names_.tokenizer().strips_leading_space() && name.starts_with(' ')) name.erase(0, 1);
  append_row(std::move(name), Json(), Json(), choice);
  // BOS that was added to a text is not in it.
  const bool is_added =
      names_.tokenizer().is_special(first) && !text.starts_with(names_.bytes(first));
  if (!is_added) advance(first, choice);
  for (const TokenScore& score : prompt_scores_[prompt]) append_score(score, choice);
  choice.offset = characters(text);
}

void CompletionAnswer::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  counts_.count(prompt, event);
  const std::size_t index = counts_.choice_index(prompt, event.branch);
  Choice& choice = choices_[index];
  if (!event.prompt_scores.empty()) prompt_scores_[prompt] = event.prompt_scores;
  if (!std::exchange(choice.is_begun, true)) {
    if (options_.echo) echo_prompt(prompt, choice);
    begin_words(prompt, choice);
  }
  choice.text += event.text;
  choice.tokens += event.accepted.size();
  for (const TokenScore& score : event.scores) choice.logprob += score.logprob;
  choice.scored += event.scores.size();
  if (options_.logprobs >= 0) {
    for (const TokenScore& score : event.scores) append_score(score, choice);
  }
  if (request_.return_token_ids) {
    choice.token_ids.insert(choice.token_ids.end(), event.accepted.begin(), event.accepted.end());
  }
  if (event.finish != FinishReason::kNone) {
    choice.finish_reason = finish_json(event.finish);
    choice.stop_reason = stop_reason_json(event);
  }
  if (request_.is_stream) stream(index, choice, event, out);
}

// What has gathered since the last chunk; nothing to see yet is no chunk.
void CompletionAnswer::stream(std::size_t index, Choice& choice, const TokenEvent& event,
                              std::string& out) {
  const bool has_tokens = !choice.columns.tokens.items().empty() || !choice.token_ids.empty();
  if (choice.text.empty() && !has_tokens && event.finish == FinishReason::kNone) return;
  const bool is_due = choice.tokens >= request_.stream_interval || choice.tokens == 0;
  if (!is_due && event.finish == FinishReason::kNone) return;
  choice.tokens = 0;
  append_event(kObject, choice_json(index, choice), out);
  choice.text.clear();
  choice.columns = {};
  choice.token_ids.clear();
}

Json CompletionAnswer::choice_json(std::size_t index, Choice& choice) {
  Json entry = Json::object({{"index", index}, {"text", std::move(choice.text)}});
  if (options_.logprobs >= 0) {
    Columns& columns = choice.columns;
    entry.set("logprobs", Json::object({{"tokens", std::move(columns.tokens)},
                                        {"token_logprobs", std::move(columns.token_logprobs)},
                                        {"top_logprobs", std::move(columns.top_logprobs)},
                                        {"text_offset", std::move(columns.text_offset)}}));
  } else {
    entry.set("logprobs", Json());
  }
  entry.set("finish_reason", choice.finish_reason);
  entry.set("stop_reason", choice.stop_reason);
  const std::size_t prompt = index / static_cast<std::size_t>(request_.n);
  if (request_.return_token_ids) {
    entry.set("token_ids", token_ids(choice.token_ids));
    const bool shows_prompt = std::exchange(choice.shows_prompt, false);
    if (shows_prompt) entry.set("prompt_token_ids", token_ids(prompts_[prompt]));
  }
  if (options_.prompt_logprobs >= 0) {
    entry.set("prompt_logprobs", prompt_logprobs_json(prompt_scores_[prompt],
                                                      options_.prompt_logprobs, names_));
  }
  return entry;
}

// Of each prompt those with the highest log-probability a token, in the order of their numbers.
std::vector<std::size_t> CompletionAnswer::shown_choices() const {
  const auto mean = [&](std::size_t i) {
    return choices_[i].logprob / static_cast<double>(std::max<std::size_t>(choices_[i].scored, 1));
  };
  const auto made = static_cast<std::size_t>(request_.n);
  const auto shown = static_cast<std::ptrdiff_t>(options_.shown);
  std::vector<std::size_t> all;
  for (std::size_t first = 0; first < choices_.size(); first += made) {
    std::vector<std::size_t> here(made);
    std::iota(here.begin(), here.end(), first);
    std::stable_sort(here.begin(), here.end(),
                     [&](std::size_t a, std::size_t b) { return mean(a) > mean(b); });
    std::sort(here.begin(), here.begin() + shown);
    all.insert(all.end(), here.begin(), here.begin() + shown);
  }
  return all;
}

void CompletionAnswer::finish(std::string& out) {
  if (request_.is_stream) return append_end(kObject, out);
  Json body = head(kObject);
  Json choices = Json::array();
  std::size_t index = 0;
  for (const std::size_t i : shown_choices()) {
    Json choice = choice_json(i, choices_[i]);
    choice.set("index", index++);
    choices.push(std::move(choice));
  }
  body.set("choices", std::move(choices));
  body.set("usage", usage());
  add_warnings(body);
  out += dump(body);
}

}  // namespace quire
