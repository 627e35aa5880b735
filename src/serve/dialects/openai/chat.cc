#include "serve/dialects/openai/chat.h"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "serve/dialects/openai/chat_messages.h"
#include "serve/dialects/openai/answer.h"
#include "serve/dialects/openai/generation.h"
#include "serve/dialects/openai/responses/kept_completions.h"
#include "serve/intake/fields.h"
#include "serve/intake/prompt.h"

namespace quire {
namespace {

constexpr std::size_t kConversationsMax = 128;  // of a batch
constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

constexpr NeutralField kChatNeutralFields[] = {
    {"audio", "null"},
    {"function_call", "\"none\"", "\"auto\""},
    {"functions", "[]"},
    {"modalities", "[\"text\"]"},
    {"reasoning_effort", "\"none\""},
    {"tool_choice", "\"none\"", "\"auto\""},
    {"tools", "[]"},
    {"verbosity", "\"medium\""},
    {"web_search_options", "null"},
};

// --- the answer ---

// What has gathered: of a stream since the last chunk, else from the beginning.
struct ChatChoice {
  std::string content;
  Json logprobs = Json::array();  // of `content`
  std::vector<TokenId> token_ids;
  std::size_t tokens = 0;
  Json finish_reason, stop_reason;
  bool is_begun = false;
};

class ChatAnswer : public OpenAiAnswer {
 public:
  // `echoes`: [requests] what stands in front of their answers.
  ChatAnswer(const OpenAiRequest& request, const std::vector<Request>& requests,
             std::vector<std::string> echoes)
      : OpenAiAnswer(request, requests, "chatcmpl-"),
        choices_(requests.size() * static_cast<std::size_t>(request.n)) {
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      choices_[i].content = echoes[i / static_cast<std::size_t>(request.n)];
    }
    if (request.return_token_ids) prompts_.push_back(requests.front().prompt);
  }

  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  void finish(std::string& out) override;

 private:
  static constexpr std::string_view kChunk = "chat.completion.chunk";

  Json chunk_choice(int index, Json delta, Json logprobs) const;
  Json content_logprobs(const std::vector<TokenScore>& scores) const;
  void stream(int index, ChatChoice& choice, const TokenEvent& event, std::string& out);
  void keep(ChatChoice& choice, const TokenEvent& event);

  std::vector<ChatChoice> choices_;
  Json prompt_logprobs_;
};

Json ChatAnswer::content_logprobs(const std::vector<TokenScore>& scores) const {
  Json list = Json::array();
  for (const TokenScore& score : scores) {
    list.push(score_json(names_, score, request_.params.logprobs));
  }
  return list;
}

Json logprobs_object(Json content) {
  return Json::object({{"content", std::move(content)}, {"refusal", Json()}});
}

Json ChatAnswer::chunk_choice(int index, Json delta, Json logprobs) const {
  return Json::object({{"index", index}, {"delta", std::move(delta)},
                       {"logprobs", std::move(logprobs)}, {"finish_reason", Json()}});
}

void ChatAnswer::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  counts_.count(prompt, event);
  const std::size_t index = counts_.choice_index(prompt, event.branch);
  ChatChoice& choice = choices_[index];
  if (!event.prompt_scores.empty() && request_.params.prompt_logprobs >= 0) {
    prompt_logprobs_ =
        prompt_logprobs_json(event.prompt_scores, request_.params.prompt_logprobs, names_);
  }
  keep(choice, event);
  if (request_.is_stream) stream(static_cast<int>(index), choice, event, out);
}

void ChatAnswer::stream(int index, ChatChoice& choice, const TokenEvent& event,
                        std::string& out) {
  if (!std::exchange(choice.is_begun, true)) {
    Json first = chunk_choice(
        index, Json::object({{"role", "assistant"}, {"content", ""}, {"refusal", Json()}}), Json());
    if (request_.return_token_ids) first.set("prompt_token_ids", token_ids(prompts_.front()));
    append_event(kChunk, std::move(first), out);
  }
  const bool is_last = event.finish != FinishReason::kNone;
  const bool shows_tokens = request_.params.logprobs >= 0 || request_.return_token_ids;
  const bool has_news = !choice.content.empty() || (shows_tokens && choice.tokens > 0);
  if (has_news && (is_last || choice.tokens >= request_.stream_interval)) {
    const bool has_logprobs = request_.params.logprobs >= 0;
    Json piece = chunk_choice(
        index, Json::object({{"content", std::exchange(choice.content, {})}}),
        has_logprobs ? logprobs_object(std::exchange(choice.logprobs, Json::array())) : Json());
    if (request_.return_token_ids) piece.set("token_ids", token_ids(choice.token_ids));
    choice.token_ids.clear();
    choice.tokens = 0;
    append_event(kChunk, std::move(piece), out);
  }
  if (!is_last) return;
  Json last = chunk_choice(index, Json::object(), Json());
  last.set("finish_reason", choice.finish_reason);
  last.set("stop_reason", choice.stop_reason);
  append_event(kChunk, std::move(last), out);
}

void ChatAnswer::keep(ChatChoice& choice, const TokenEvent& event) {
  choice.content += event.text;
  choice.tokens += event.accepted.size();
  if (request_.params.logprobs >= 0) {
    const Json pieces = content_logprobs(event.scores);
    for (const Json& entry : pieces.items()) choice.logprobs.push(entry);
  }
  if (request_.return_token_ids) {
    choice.token_ids.insert(choice.token_ids.end(), event.accepted.begin(), event.accepted.end());
  }
  if (event.finish != FinishReason::kNone) {
    choice.finish_reason = finish_json(event.finish);
    choice.stop_reason = stop_reason_json(event);
  }
}

void ChatAnswer::finish(std::string& out) {
  if (request_.is_stream) return append_end(kChunk, out);
  Json body = head("chat.completion");
  Json choices = Json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    ChatChoice& choice = choices_[i];
    Json message = Json::object({{"role", "assistant"}, {"content", choice.content},
                                 {"refusal", Json()}, {"annotations", Json::array()}});
    Json entry = Json::object({{"index", i}, {"message", std::move(message)}});
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

// --- the request ---

void read_chat_logprobs(Fields& fields, SamplingParams& params) {
  const bool wants = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, kLogprobsMax);
  if (top && !wants) {
    fields.fail(invalid_value("top_logprobs", "when using `top_logprobs`, `logprobs` must be set "
                                              "to true."));
  }
  if (wants) params.logprobs = static_cast<int>(top.value_or(0));
}

// The text of the last message if it is the assistant's.
std::string read_echo(Fields& fields, const ChatPrompt& prompt) {
  if (!fields.boolean("echo").value_or(false) || prompt.messages.empty()) return {};
  const Json last = fit_content(prompt.messages.back(), ContentForm::kText);
  const Json* role = last.find("role");
  const Json* content = last.find("content");
  const bool is_shown = role != nullptr && role->is_string() &&
                        role->as_string() == "assistant" && content != nullptr &&
                        content->is_string();
  return is_shown ? content->as_string() : std::string();
}

// What the answer will mostly be: a hint for speculation, which changes no answer.
void read_prediction(Fields& fields) {
  const Json* prediction = fields.any("prediction");
  if (prediction == nullptr) return;
  const Json* type = prediction->find("type");
  const Json* content = prediction->find("content");
  const bool is_good = type != nullptr && type->is_string() && type->as_string() == "content" &&
                       content != nullptr && (content->is_string() || content->is_array());
  if (!is_good) {
    fields.fail(invalid_value("prediction", "Invalid 'prediction': expected an object with type "
                                            "\"content\" and content, a text or parts."));
  }
}

std::optional<std::int64_t> read_chat_tokens_max(Fields& fields) {
  const auto old_name = fields.integer("max_tokens", 1, kInt32Max);
  const auto new_name = fields.integer("max_completion_tokens", 1, kInt32Max);
  return new_name ? new_name : old_name;
}

// One request of the engine for each body: conversations that are answered together.
Parsed<Call> chat_call(const DialectContext& context, std::span<const Json> bodies) {
  Call call{.prompt_field = "messages"};
  std::vector<std::string> echoes;
  OpenAiRequest chat;
  for (const Json& body : bodies) {
    Fields fields(body);
    chat = read_openai_request(fields, context);
    read_chat_logprobs(fields, chat.params);
    chat.tokens_max = read_chat_tokens_max(fields);
    ChatPrompt prompt = read_chat_prompt(fields, chat.model.get());
    prompt.add_special_tokens = chat.add_special_tokens.value_or(false);
    prompt.settles_bos = chat.add_special_tokens.value_or(true);
    read_documents(fields, chat.model.get(), prompt);
    echoes.push_back(read_echo(fields, prompt));
    read_prediction(fields);
    fields.boolean("parallel_tool_calls");  // without tools there is nothing to be parallel
    fields.boolean("include_reasoning");    // nor reasoning to be left out
    fields.expect_neutral(kChatNeutralFields);
    refuse_unknown(fields, context, chat);
    if (fields.error()) return *fields.error();

    auto ids = encode_chat(*chat.model, prompt, chat.prompt_tokens_max.has_value());
    if (!ids.is_ok()) return ids.error();
    if (const auto cut = truncate_prompt(chat, *ids); !cut.is_ok()) return cut.error();
    auto tokens_max = settle_tokens_max(chat, ids->size(), kInt32Max, "messages");
    if (!tokens_max.is_ok()) return tokens_max.error();
    chat.params.tokens_max = *tokens_max;
    call.requests.push_back(make_request(chat, context.tenant, std::move(*ids)));
  }
  call.model = chat.model;
  call.is_stream = chat.is_stream;
  call.unknown_fields = chat.warnings.size();
  const bool is_kept = bodies.size() == 1 && keeps_completion(context, bodies.front());
  if (is_kept && chat.request_id.empty()) chat.request_id = random_id("");
  call.writer = std::make_unique<ChatAnswer>(chat, call.requests, echoes);
  if (!is_kept) return call;
  chat.is_stream = false;
  call.writer = keep_completion(context, bodies.front(), std::move(call.writer),
                                std::make_unique<ChatAnswer>(chat, call.requests, echoes));
  return call;
}

}  // namespace

Parsed<Call> parse_openai_chat(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  return chat_call(context, {&*body, 1});
}

Parsed<Call> parse_chat_batch(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  if (FieldNotes::are_taken()) return chat_call(context, {&*body, 1});
  const Json* all = body->find("messages");
  const Json* stream = body->find("stream");
  const bool is_list = all != nullptr && all->is_array() && !all->items().empty() &&
                       all->items().size() <= kConversationsMax;
  if (!is_list) {
    return invalid_value("messages", fmt::format("Invalid 'messages': expected a list of 1 to {} "
                                                 "conversations.", kConversationsMax));
  }
  if (stream != nullptr && stream->is_bool() && stream->as_bool()) {
    return invalid_value("stream", "A batch of conversations is not streamed.");
  }
  const std::vector<Json> conversations = all->items();
  body->set("messages", Json());  // not copied for each other
  std::vector<Json> bodies(conversations.size(), *body);
  for (std::size_t i = 0; i < bodies.size(); ++i) bodies[i].set("messages", conversations[i]);
  return chat_call(context, bodies);
}

}  // namespace quire
