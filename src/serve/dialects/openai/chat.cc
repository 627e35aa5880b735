#include "serve/dialects/openai/chat.h"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "serve/dialects/openai/chat_completion.h"
#include "serve/dialects/openai/chat_messages.h"
#include "serve/dialects/openai/chat_tools.h"
#include "serve/dialects/openai/generation.h"
#include "serve/dialects/openai/responses/kept_completions.h"
#include "serve/dialects/openai/sampling_fields.h"
#include "serve/intake/fields.h"
#include "serve/house.h"
#include "serve/intake/prompt.h"
#include "serve/intake/tools/answer_grammar.h"
#include "serve/intake/tools/offered_tools.h"
#include "serve/intake/tools/thinking.h"
#include "serve/intake/wishes/operator_limits.h"

namespace quire {
namespace {

constexpr std::size_t kConversationsMax = 128;  // of a batch

constexpr NeutralField kChatNeutralFields[] = {
    {"audio", "null"},
    {"modalities", "[\"text\"]"},
    {"verbosity", "\"medium\""},
    {"web_search_options", "null"},
};

void read_chat_logprobs(Fields& fields, SamplingParams& params) {
  const bool wants = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, kLogprobsMax);
  if (top && !wants) {
    fields.fail(invalid_value("top_logprobs", "when using `top_logprobs`, `logprobs` must be set "
                                              "to true."));
  }
  if (wants) params.logprobs = static_cast<int>(top.value_or(0));
  need_logprobs(fields, params);
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

ThinkingWish read_thinking(Fields& fields) {
  constexpr std::size_t kEffortSizeMax = 16;  // bytes
  const std::string* effort = fields.text("reasoning_effort", kEffortSizeMax);
  const auto tokens_max = fields.integer("thinking_token_budget", -1, kInt32Max);
  if (effort == nullptr) return {.thinks = std::nullopt, .effort = {}, .tokens_max = tokens_max};
  if (!is_effort(*effort)) {
    fields.fail(invalid_value("reasoning_effort",
                              "Invalid 'reasoning_effort': expected none, minimal, low, medium, "
                              "high, xhigh or max, got " + shown(Json(*effort)) + "."));
  }
  return {.thinks = std::nullopt, .effort = *effort, .tokens_max = tokens_max};
}

// What the template is told beside the messages.
void add_tools(const ChatTools& tools, const ThinkingWish& thinking, ChatRequest& chat,
               ChatPrompt& prompt) {
  show_history(*chat.model, prompt, chat.notes);
  show_tools(*chat.model, tools, prompt, chat.notes);
  const ThinkingSwitched done = set_thinking(*chat.model, thinking, prompt);
  if (thinking.effort.empty() || thinking.effort == "none" || done.effort || done.thinks) return;
  chat.notes.push_back({"no_effect", "reasoning_effort",
                        "The chat template of this model knows no effort of reasoning."});
}

// One conversation, read.
struct ReadChat {
  ChatRequest request;
  ChatPrompt prompt;
  ChatTools tools;
  ThinkingWish thinking;
  std::string echo;
};

// Mistakes go to `fields`.
ReadChat read_chat(Fields& fields, const DialectContext& context) {
  ReadChat chat{.request = ChatRequest{read_openai_request(fields, context)}};
  ChatRequest& request = chat.request;
  read_chat_logprobs(fields, request.params);
  request.tokens_max = read_chat_tokens_max(fields);
  chat.prompt = read_chat_prompt(fields, request.model.get());
  chat.prompt.add_special_tokens = request.add_special_tokens.value_or(false);
  chat.prompt.settles_bos = request.add_special_tokens.value_or(true);
  read_documents(fields, request.model.get(), chat.prompt);
  chat.echo = read_echo(fields, chat.prompt);
  read_prediction(fields);
  chat.tools = read_chat_tools(fields);
  add_tool_prompt(fields, chat.tools, chat.prompt, request.notes);
  request.has_function_call = chat.tools.is_legacy;
  request.has_named_call = chat.tools.is_named;
  request.shows_thoughts = fields.boolean("include_reasoning").value_or(true);
  chat.thinking = read_thinking(fields);
  fields.expect_neutral(kChatNeutralFields);
  refuse_unknown(fields, context, request);
  return chat;
}

// One request of the engine for each body: conversations that are answered together.
Parsed<Call> chat_call(const DialectContext& context, std::span<const Json> bodies) {
  Call call{.prompt_field = "messages"};
  const ClientLimits limits = client_limits_of(context);
  std::vector<std::string> echoes;
  std::vector<AnswerShape> shapes;
  std::vector<ThoughtFrame> frames;
  ChatRequest chat;
  for (const Json& body : bodies) {
    Fields fields(body);
    ReadChat read = read_chat(fields, context);
    if (fields.error()) return *fields.error();
    chat = std::move(read.request);
    if (auto refusal = refuse_beyond(limits, body, chat.grammar)) return *refusal;
    add_tools(read.tools, read.thinking, chat, read.prompt);
    auto ids = encode_chat(*chat.model, read.prompt, chat.prompt_tokens_max.has_value());
    if (!ids.is_ok()) return ids.error();
    if (const auto cut = truncate_prompt(chat, *ids); !cut.is_ok()) return cut.error();
    if (auto refusal = refuse_input(limits, ids->size(), "messages")) return *refusal;
    auto tokens_max = settle_tokens_max(chat, ids->size(), kInt32Max, "messages");
    if (!tokens_max.is_ok()) return tokens_max.error();
    chat.params.tokens_max = *tokens_max;
    AnswerShape shape = shape_of(*chat.model, *ids, read.tools, chat.params);
    auto held = hold_answer(*chat.model, read.tools, std::move(chat.grammar), shape, chat.notes);
    if (!held.is_ok()) return held.error();
    frames.push_back(frame_of(*chat.model, shape, *held, read.thinking.tokens_max));
    if (held->holds_less && context.house != nullptr) {
      context.house->metrics.count_tools_not_enforced();
    }
    call.grammar = std::move(held->grammar);
    shapes.push_back(std::move(shape));
    echoes.push_back(std::move(read.echo));
    call.requests.push_back(make_request(chat, context.tenant, std::move(*ids)));
  }
  for (AnswerShape& shape : shapes) {  // the last one's grammar is that of all
    shape.is_guaranteed = shapes.back().is_guaranteed;
  }
  call.model = chat.model;
  call.frame = framing_of(std::move(frames));
  call.is_stream = chat.is_stream;
  call.unknown_fields = chat.warnings.size();
  const bool is_kept = bodies.size() == 1 && keeps_completion(context, bodies.front());
  if (is_kept && chat.request_id.empty()) chat.request_id = random_id("");
  call.writer = std::make_unique<ChatCompletion>(chat, call.requests, echoes, shapes);
  if (!is_kept) return call;
  chat.is_stream = false;
  call.writer = keep_completion(
      context, bodies.front(), std::move(call.writer),
      std::make_unique<ChatCompletion>(chat, call.requests, echoes, shapes));
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
