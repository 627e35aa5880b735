#include "serve/dialects/vllm/tokenize.h"

#include "serve/dialects/openai/chat_messages.h"
#include "serve/dialects/openai/chat_tools.h"
#include "serve/intake/generation.h"
#include "serve/intake/model_lease.h"
#include "serve/intake/prompt.h"
#include "text/detokenizer.h"

namespace quire {
namespace {

// Fields of a chat that change its prompt, and that we do not deliver.
constexpr NeutralField kTokenizeNeutralFields[] = {
    {"documents", "null", "[]"},
    {"media_io_kwargs", "{}"},
    {"mm_processor_kwargs", "{}"},
};

// `model` may be left out where one model is served.
ModelLease read_model(Fields& fields, const DialectContext& context) {
  const std::string* name = fields.text("model", kModelNameSizeMax);
  Parsed<ModelLease> model = lease_model_or_only(context.models, name != nullptr ? *name : "");
  if (model.is_ok()) return *model;
  fields.fail(model.error());
  return nullptr;
}

// A prompt is no chat: what belongs to chats may stand there with a value that says nothing.
void refuse_chat_fields(Fields& fields) {
  constexpr NeutralField kChatFields[] = {
      {"messages", "null"},
      {"add_generation_prompt", "true", "false"},
      {"continue_final_message", "false"},
      {"chat_template", "null"},
      {"chat_template_kwargs", "{}"},
      {"tools", "[]"},
  };
  fields.expect_neutral(kChatFields);
}

void refuse_unknown_fields(Fields& fields, const DialectContext& context) {
  std::vector<std::string> ignored;
  refuse_unknown(fields, context.unknown_fields_warn, ignored);
}

}  // namespace

Parsed<Call> parse_vllm_tokenize(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const ModelLease model = read_model(fields, context);
  const std::string* prompt = fields.text("prompt", request.body.size());
  const auto add_special = fields.boolean("add_special_tokens");
  const bool shows_texts = fields.boolean("return_token_strs").value_or(false);
  ChatPrompt chat;
  ChatTools tools;
  if (prompt == nullptr) {
    chat = read_chat_prompt(fields, model.get());
    tools = read_chat_tools(fields);
  } else {
    refuse_chat_fields(fields);
  }
  // What the template writes, unless more is asked for; vLLM's default.
  chat.add_special_tokens = chat.settles_bos = add_special.value_or(false);
  fields.expect_neutral(kTokenizeNeutralFields);
  refuse_unknown_fields(fields, context);
  if (fields.error()) return *fields.error();

  std::vector<Warning> warnings;  // vLLM's answer has no place for them
  show_history(*model, chat, warnings);
  show_tools(*model, tools, chat, warnings);
  auto ids = prompt != nullptr
                 ? encode_text(*model, *prompt, add_special.value_or(true), "prompt")
                 : encode_chat(*model, chat);
  if (!ids.is_ok()) return ids.error();
  Json tokens = Json::array(), texts = Json::array();
  for (const TokenId id : *ids) {
    tokens.push(id);
    texts.push(model->tokenizer->token_text(id));
  }
  Json answer = Json::object({{"count", ids->size()}, {"max_model_len", model->info.context_max}});
  answer.set("tokens", std::move(tokens));
  answer.set("token_strs", shows_texts ? std::move(texts) : Json());
  return ready_call(answer);
}

Parsed<Call> parse_vllm_detokenize(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const ModelLease model = read_model(fields, context);
  const Json* tokens = fields.any("tokens");
  refuse_unknown_fields(fields, context);
  if (tokens == nullptr || !tokens->is_array()) {
    fields.fail(invalid_value("tokens", "Invalid 'tokens': expected a list of token ids."));
  }
  if (fields.error()) return *fields.error();

  std::string text;
  Detokenizer words(*model->tokenizer, {.shows_special = true, .is_start_of_text = true});
  for (const Json& id : tokens->items()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() >= model->info.vocab) {
      return invalid_value("tokens", "Invalid 'tokens': " + shown(id) + " is no token id.");
    }
    text += words.append(static_cast<TokenId>(id.as_int()));
  }
  text += words.flush();
  return ready_call(Json::object({{"prompt", text}}));
}

}  // namespace quire
