#include "serve/dialects/openai/chat_completion.h"

#include <utility>

namespace quire {
namespace {

Json logprobs_object(Json content) {
  return Json::object({{"content", std::move(content)}, {"refusal", Json()}});
}

Json thought_json(const std::string& text) {
  return Json::object({{"reasoning_content", text}, {"reasoning", text}});
}

Json called_json(const std::string& id, const std::string& name, const std::string& arguments) {
  return Json::object(
      {{"id", id}, {"type", "function"},
       {"function", Json::object({{"name", name}, {"arguments", arguments}})}});
}

Json function_json(const std::string& name, const std::string& arguments) {
  return Json::object({{"name", name}, {"arguments", arguments}});
}

// Whether one chunk can say both.
bool goes_on(const PartDelta& before, const PartDelta& next) {
  return before.kind == next.kind && before.index == next.index && next.call_name.empty();
}

}  // namespace

ChatCompletion::ChatCompletion(const ChatRequest& request, const std::vector<Request>& requests,
                       std::vector<std::string> echoes, const std::vector<AnswerShape>& shapes)
    : OpenAiAnswer(request, requests, "chatcmpl-"),
      shows_thoughts_(request.shows_thoughts),
      has_function_call_(request.has_function_call),
      has_named_call_(request.has_named_call) {
  const auto n = static_cast<std::size_t>(request.n);
  for (std::size_t i = 0; i < requests.size() * n; ++i) {
    const AnswerShape& shape = shapes[i / n];
    Choice& choice = choices_.emplace_back(
        Choice{.parts = ShapedParts(shape, request.model, id(), i)});
    counts_.begin_thought(i, shape.begins_in_thought);
    if (!echoes[i / n].empty()) keep(choice, {.text = echoes[i / n]});
  }
  if (request.return_token_ids) prompts_.push_back(requests.front().prompt);
}

void ChatCompletion::warn(const Warning& warning) {
  OpenAiAnswer::warn(warning);
  if (warning.code != kToolsNotEnforced) return;
  for (Choice& choice : choices_) choice.parts.leave_free();
}

void ChatCompletion::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  counts_.count(prompt, event);
  const std::size_t index = counts_.choice_index(prompt, event.branch);
  if (!event.prompt_scores.empty() && request_.params.prompt_logprobs >= 0) {
    prompt_logprobs_ =
        prompt_logprobs_json(event.prompt_scores, request_.params.prompt_logprobs, names_);
  }
  std::vector<PartDelta> parts;
  choices_[index].parts.take(event, parts);
  take_parts(index, std::move(parts), event, out);
}

void ChatCompletion::take_parts(std::size_t index, std::vector<PartDelta> parts,
                            const TokenEvent& event, std::string& out) {
  Choice& choice = choices_[index];
  counts_.count_thought(index, event, parts);
  for (PartDelta& part : parts) keep(choice, std::move(part));
  keep_tokens(choice, event);
  const bool is_last = event.finish != FinishReason::kNone;
  if (is_last) {
    choice.finish_reason = finish_of(choice, event.finish);
    choice.stop_reason = stop_reason_json(event);
  }
  if (request_.is_stream) stream(index, choice, is_last, out);
}

void ChatCompletion::keep(Choice& choice, PartDelta part) {
  if (part.kind == PartKind::kReasoning && !shows_thoughts_) return;
  if (part.kind == PartKind::kToolCall) {
    const bool is_new = choice.calls.empty() || choice.calls.back().part != part.index;
    if (is_new) choice.calls.push_back({part.index, part.call_id, part.call_name, {}});
  }
  if (request_.is_stream) {
    if (!choice.fresh.empty() && goes_on(choice.fresh.back(), part)) {
      choice.fresh.back().text += part.text;
    } else {
      choice.fresh.push_back(std::move(part));
    }
    return;
  }
  std::string& text = part.kind == PartKind::kToolCall    ? choice.calls.back().arguments
                      : part.kind == PartKind::kReasoning ? choice.thought
                                                          : choice.content;
  text += part.text;
}

void ChatCompletion::keep_tokens(Choice& choice, const TokenEvent& event) {
  choice.tokens += event.accepted.size();
  if (request_.params.logprobs >= 0) {
    for (const TokenScore& score : event.scores) {
      choice.logprobs.push(score_json(names_, score, request_.params));
    }
  }
  if (!request_.return_token_ids) return;
  choice.token_ids.insert(choice.token_ids.end(), event.accepted.begin(), event.accepted.end());
}

// A client that has named the function knows what it gets: the protocol says "stop" there.
Json ChatCompletion::finish_of(const Choice& choice, FinishReason reason) const {
  if (reason != FinishReason::kStop || choice.calls.empty() || has_named_call_) {
    return finish_json(reason);
  }
  return has_function_call_ ? "function_call" : "tool_calls";
}

// --- as chunks ---

Json ChatCompletion::chunk_choice(std::size_t index, Json delta, Json logprobs) const {
  return Json::object({{"index", index}, {"delta", std::move(delta)},
                       {"logprobs", std::move(logprobs)}, {"finish_reason", Json()}});
}

Json ChatCompletion::delta_json(Choice& choice, const PartDelta& part) const {
  if (part.kind == PartKind::kText) return Json::object({{"content", part.text}});
  if (part.kind == PartKind::kReasoning) return thought_json(part.text);
  std::size_t number = 0;
  while (choice.calls[number].part != part.index) ++number;
  const bool is_first = !part.call_name.empty();
  if (has_function_call_) {
    Json function = is_first ? function_json(part.call_name, part.text)
                             : Json::object({{"arguments", part.text}});
    return Json::object({{"function_call", std::move(function)}});
  }
  Json call = Json::object({{"index", number}});
  if (is_first) {
    const Json named = called_json(part.call_id, part.call_name, part.text);
    for (const auto& [name, value] : named.members()) call.set(name, value);
  } else {
    call.set("function", Json::object({{"arguments", part.text}}));
  }
  return Json::object({{"tool_calls", Json::array({std::move(call)})}});
}

void ChatCompletion::stream(std::size_t index, Choice& choice, bool is_last, std::string& out) {
  if (!std::exchange(choice.is_begun, true)) {
    Json first = chunk_choice(
        index, Json::object({{"role", "assistant"}, {"content", ""}, {"refusal", Json()}}), Json());
    if (request_.return_token_ids) first.set("prompt_token_ids", token_ids(prompts_.front()));
    append_event(kChunk, std::move(first), out);
  }
  const bool shows_tokens = request_.params.logprobs >= 0 || request_.return_token_ids;
  const bool has_news = !choice.fresh.empty() || (shows_tokens && choice.tokens > 0);
  if (has_news && (is_last || choice.tokens >= request_.stream_interval)) {
    stream_fresh(index, choice, out);
  }
  if (!is_last) return;
  Json last = chunk_choice(index, Json::object(), Json());
  last.set("finish_reason", choice.finish_reason);
  last.set("stop_reason", choice.stop_reason);
  append_event(kChunk, std::move(last), out);
}

// One chunk for each part; what belongs to the tokens goes with the first.
void ChatCompletion::stream_fresh(std::size_t index, Choice& choice, std::string& out) {
  std::vector<PartDelta> fresh = std::exchange(choice.fresh, {});
  if (fresh.empty()) fresh.emplace_back();
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    const bool has_logprobs = i == 0 && request_.params.logprobs >= 0;
    Json piece = chunk_choice(
        index, delta_json(choice, fresh[i]),
        has_logprobs ? logprobs_object(std::exchange(choice.logprobs, Json::array())) : Json());
    if (i == 0 && request_.return_token_ids) {
      piece.set("token_ids", token_ids(std::exchange(choice.token_ids, {})));
    }
    append_event(kChunk, std::move(piece), out);
  }
  choice.tokens = 0;
}

// --- whole ---

Json ChatCompletion::message_json(const Choice& choice) const {
  const bool is_silent = choice.content.empty() &&
                         (!choice.calls.empty() || !choice.thought.empty());
  Json message = Json::object({{"role", "assistant"},
                               {"content", is_silent ? Json() : Json(choice.content)},
                               {"refusal", Json()}, {"annotations", Json::array()}});
  if (!choice.thought.empty()) {
    const Json thought = thought_json(choice.thought);
    for (const auto& [name, value] : thought.members()) message.set(name, value);
  }
  if (choice.calls.empty()) return message;
  if (has_function_call_) {
    message.set("function_call",
                function_json(choice.calls.front().name, choice.calls.front().arguments));
    return message;
  }
  Json calls = Json::array();
  for (const CalledTool& call : choice.calls) {
    calls.push(called_json(call.id, call.name, call.arguments));
  }
  message.set("tool_calls", std::move(calls));
  return message;
}

void ChatCompletion::finish(std::string& out) {
  if (request_.is_stream) return append_end(kChunk, out);
  Json body = head("chat.completion");
  Json choices = Json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    Json entry = Json::object({{"index", i}, {"message", message_json(choice)}});
    entry.set("logprobs",
              request_.params.logprobs >= 0 ? logprobs_object(choice.logprobs) : Json());
    entry.set("finish_reason", choice.finish_reason);
    entry.set("stop_reason", choice.stop_reason);
    if (request_.return_token_ids) entry.set("token_ids", token_ids(choice.token_ids));
    choices.push(std::move(entry));
  }
  body.set("choices", std::move(choices));
  body.set("usage", usage());
  if (request_.params.prompt_logprobs >= 0) body.set("prompt_logprobs", prompt_logprobs_);
  if (request_.return_token_ids) body.set("prompt_token_ids", token_ids(prompts_.front()));
  add_warnings(body);
  out += dump(body);
}

}  // namespace quire
