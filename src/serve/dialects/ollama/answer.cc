#include "serve/dialects/ollama/answer.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/text/ascii.h"
#include "serve/dialects/ollama/times.h"

namespace quire {
namespace {

// At least one: a stage that took no time would look like one that did not happen.
std::int64_t nanos_between(Nanos begin, Nanos end) {
  return std::max<std::int64_t>((end - begin).count(), 1);
}

Json number(float logprob) {
  constexpr double kImpossible = -9999.0;  // JSON knows no infinity
  return std::isfinite(logprob) ? Json(static_cast<double>(logprob)) : Json(kImpossible);
}

Json score_json(const TokenNames& names, TokenId token, float logprob) {
  Json bytes = Json::array();
  for (const char c : names.bytes(token)) bytes.push(static_cast<unsigned char>(c));
  return Json::object({{"token", names.name(token)}, {"logprob", number(logprob)},
                       {"bytes", std::move(bytes)}});
}

std::string call_id() {
  constexpr std::size_t kSize = 8;
  return "call_" + lower_ascii(random_id("")).substr(0, kSize);
}

}  // namespace

OllamaAnswer::OllamaAnswer(const OllamaRequest& request, const std::vector<Request>& requests)
    : request_(request),
      names_(request.model->tokenizer, false),
      counts_(requests),
      id_(random_id(request.is_chat ? "chat-" : "generate-")),
      parts_(request.shape, request.model, id_, 0) {
  counts_.begin_thought(0, request.shape.begins_in_thought);
  if (request.has_context) context_ = requests.front().prompt;
}

void OllamaAnswer::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  counts_.count(prompt, event);
  if (first_token_ == Nanos{0}) first_token_ = SteadyClock::now();
  std::vector<PartDelta> parts;
  parts_.take(event, parts);
  counts_.count_thought(0, event, parts);
  for (const PartDelta& part : parts) keep(part);
  keep_scores(event);
  if (request_.has_context) {
    context_.insert(context_.end(), event.accepted.begin(), event.accepted.end());
    const bool has_end = event.stop_token >= 0 && !event.accepted.empty() &&
                         event.accepted.back() == event.stop_token;
    if (has_end) context_.pop_back();
  }
  if (event.finish != FinishReason::kNone) {
    finish_ = event.finish;
    close_call();
  }
  if (!request_.is_stream || said_.is_nothing()) return;
  Json line = head();
  set_said(line);
  line.set("done", false);
  out += dump(line) + "\n";
}

void OllamaAnswer::keep(const PartDelta& part) {
  if (call_ && (part.kind != PartKind::kToolCall || part.index != call_->part)) close_call();
  if (part.kind == PartKind::kText) said_.text += part.text;
  if (part.kind == PartKind::kReasoning) said_.thought += part.text;
  if (part.kind != PartKind::kToolCall) return;
  if (!call_) call_ = OpenCall{.part = part.index, .name = {}, .arguments = {}};
  call_->name += part.call_name;
  call_->arguments += part.text;
}

// Arguments that are no object (cut short, or not JSON at all) are told in a warning.
void OllamaAnswer::close_call() {
  if (!call_) return;
  Json arguments = Json::object();
  const Result<Json> read = parse_json(call_->arguments.empty() ? "{}" : call_->arguments);
  if (read.is_ok() && read->is_object()) {
    arguments = *read;
  } else {
    add_warning(request_.warned, {"tool_arguments_not_an_object", call_->name,
                                  "The model's arguments are no JSON object: " +
                                      shown(Json(call_->arguments))});
  }
  said_.calls.push(Json::object(
      {{"id", call_id()},
       {"function", Json::object({{"index", calls_++}, {"name", call_->name},
                                  {"arguments", std::move(arguments)}})}}));
  call_.reset();
}

void OllamaAnswer::keep_scores(const TokenEvent& event) {
  if (request_.params.logprobs < 0) return;
  for (const TokenScore& score : event.scores) {
    Json entry = score_json(names_, score.token, score.logprob);
    const auto shown = std::min(score.top.size(),
                                static_cast<std::size_t>(request_.params.logprobs));
    Json top = Json::array();
    for (std::size_t i = 0; i < shown; ++i) {
      top.push(score_json(names_, score.top[i].token, score.top[i].logprob));
    }
    if (shown > 0) entry.set("top_logprobs", std::move(top));
    said_.logprobs.push(std::move(entry));
  }
}

Json OllamaAnswer::head() const {
  return Json::object({{"model", request_.model_name},
                       {"created_at", rfc3339(SteadyClock::unix_nanos())}});
}

void OllamaAnswer::set_said(Json& body) {
  Said said = std::exchange(said_, {});
  Json message = Json::object();
  if (request_.is_chat) message.set("role", "assistant");
  message.set(request_.is_chat ? "content" : "response", std::move(said.text));
  if (!said.thought.empty()) message.set("thinking", std::move(said.thought));
  if (!said.calls.items().empty()) message.set("tool_calls", std::move(said.calls));
  if (request_.is_chat) {
    body.set("message", std::move(message));
  } else {
    for (const auto& [name, value] : message.members()) body.set(name, value);
  }
  if (!said.logprobs.items().empty()) body.set("logprobs", std::move(said.logprobs));
}

void OllamaAnswer::set_end(Json& body) {
  const Nanos now = SteadyClock::now();
  const Nanos first = first_token_ == Nanos{0} ? now : first_token_;
  body.set("done", true);
  body.set("done_reason", finish_ == FinishReason::kLength ? "length" : "stop");
  if (request_.has_context) body.set("context", Json::array({context_.begin(), context_.end()}));
  body.set("total_duration", nanos_between(request_.arrived, now));
  body.set("load_duration", nanos_between(request_.arrived, request_.loaded));
  const auto set_count = [&](const char* name, std::uint64_t count, const char* duration,
                             std::int64_t nanos) {
    if (count > 0) body.set(name, count);
    body.set(duration, nanos);
  };
  set_count("prompt_eval_count", counts_.prompt_tokens(), "prompt_eval_duration",
            nanos_between(request_.loaded, first));
  set_count("eval_count", counts_.generated_tokens(), "eval_duration", nanos_between(first, now));
  set_warnings(request_.warned, body);
}

void OllamaAnswer::finish(std::string& out) {
  Json body = head();
  set_said(body);
  set_end(body);
  out += dump(body);
  if (request_.is_stream) out += '\n';
}

void OllamaAnswer::fail(const ApiError& error, std::string& out) {
  out += dump(Json::object({{"error", error.message}})) + "\n";
}

}  // namespace quire
