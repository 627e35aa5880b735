#include "serve/dialects/ollama/generate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "serve/dialects/ollama/answer.h"
#include "serve/dialects/ollama/messages.h"
#include "serve/intake/names/model_names.h"
#include "serve/dialects/ollama/prompts.h"
#include "serve/dialects/ollama/times.h"
#include "serve/house.h"
#include "serve/intake/tools/answer_grammar.h"
#include "serve/intake/tools/thinking.h"
#include "text/detokenizer.h"
#include "text/go_template/go_template.h"

namespace quire {
namespace {

constexpr std::size_t kMessagesMax = 65'536;

struct GenerateFields {
  std::string prompt, suffix, system;
  bool has_system = false;
  std::string chat_template;
  bool is_raw = false;
  std::vector<TokenId> context;
};

std::string text_field(Fields& fields, const char* name) {
  const std::string* text = fields.text(name, kPromptBytesMax);
  return text != nullptr ? *text : std::string();
}

// Tokens of an answer before, as it showed them.
std::vector<TokenId> read_context(Fields& fields, const HostedModel* model) {
  std::vector<TokenId> ids;
  const Json* context = fields.any("context");
  if (context == nullptr || model == nullptr) return ids;
  const auto vocab = static_cast<std::int64_t>(model->info.vocab);
  const bool is_good =
      context->is_array() && context->items().size() <= model->info.context_max &&
      std::all_of(context->items().begin(), context->items().end(), [&](const Json& id) {
        return id.is_int() && id.as_int() >= 0 && id.as_int() < vocab;
      });
  if (!is_good) {
    fields.fail(invalid_value("context", fmt::format("context: a list of at most {} tokens from 0 "
                                                     "to {} is expected",
                                                     model->info.context_max, vocab - 1)));
    return ids;
  }
  for (const Json& id : context->items()) ids.push_back(static_cast<TokenId>(id.as_int()));
  return ids;
}

GenerateFields read_generate(Fields& fields, const HostedModel* model) {
  GenerateFields read;
  read.prompt = text_field(fields, "prompt");
  read.suffix = text_field(fields, "suffix");
  read.system = text_field(fields, "system");
  read.has_system = !read.system.empty();
  read.chat_template = text_field(fields, "template");
  read.is_raw = fields.boolean("raw").value_or(false);
  read.context = read_context(fields, model);
  refuse_images(fields, fields.any("images"), "images");
  const bool has_template = !read.chat_template.empty();
  if (read.is_raw && (read.has_system || has_template || !read.context.empty())) {
    fields.fail(invalid_value("raw", "raw mode does not support template, system, or context"));
  }
  return read;
}

// The switches are those of the template that is worn.
void set_thinking_of(const OllamaRequest& wanted, ChatPrompt& chat) {
  if (wanted.chat_template == nullptr) {
    set_thinking(*wanted.model,
                 {.thinks = wanted.thinks, .effort = wanted.effort, .tokens_max = {}}, chat);
    return;
  }
  if (!wanted.thinks) return;
  chat.template_kwargs.emplace_back("enable_thinking", *wanted.thinks);
  if (!*wanted.thinks) return;
  chat.template_kwargs.emplace_back("reasoning_effort",
                                    wanted.effort.empty() ? "medium" : wanted.effort);
}

std::optional<ApiError> take_template(OllamaRequest& wanted, const GenerateFields& read) {
  if (read.chat_template.empty()) return std::nullopt;
  auto compiled = ChatTemplate::compile_go(read.chat_template);
  if (!compiled.is_ok()) return invalid_value("template", compiled.status().message());
  wanted.chat_template = std::move(*compiled);
  return std::nullopt;
}

// Without a template a prompt is its own.
Parsed<std::vector<TokenId>> encode_prompt(OllamaRequest& wanted, const GenerateFields& read) {
  const HostedModel& model = *wanted.model;
  if (model.chat_template == nullptr && wanted.chat_template == nullptr) {
    if (read.has_system) {
      add_warning(wanted.warned, {"no_effect", "system", "This model has no template that reads "
                                                         "it."});
    }
    return encode_plain(wanted, read.prompt);
  }
  ChatPrompt chat;
  if (read.has_system) {
    chat.messages.push_back(Json::object({{"role", "system"}, {"content", read.system}}));
  }
  if (!read.context.empty() && model.dress != nullptr) {  // its turns are in the context already
    chat.is_dressed = true;
    if (!read.has_system && !model.dress->system.empty()) {
      chat.messages.push_back(
          Json::object({{"role", "system"}, {"content", model.dress->system}}));
    }
  }
  chat.messages.push_back(Json::object({{"role", "user"}, {"content", read.prompt}}));
  set_thinking_of(wanted, chat);
  return encode_fitting(wanted, std::move(chat));
}

bool knows_gap(const ChatTemplate* worn) {
  return worn != nullptr && worn->go() != nullptr && worn->go()->has_field("Suffix");
}

// By a template that knows a gap, the request's or the model's, or by the vocabulary's own tokens
// for one.
Parsed<std::vector<TokenId>> encode_gap_of(OllamaRequest& wanted, const GenerateFields& read) {
  if (read.has_system) {
    add_warning(wanted.warned, {"no_effect", "system", "What fills a gap has no system message."});
  }
  const ChatTemplate* worn = wanted.model->chat_template.get();
  if (knows_gap(wanted.chat_template.get())) {
    worn = wanted.chat_template.get();
  } else if (wanted.chat_template != nullptr) {
    add_warning(wanted.warned, {"no_effect", "template", "It has no .Suffix."});
  }
  if (!knows_gap(worn)) return encode_between(wanted, read.prompt, read.suffix);
  const GoTemplate* go = worn->go();
  const auto text = go->render_gap(read.prompt, read.suffix, {});
  if (!text.is_ok()) return invalid_value("suffix", text.status().message());
  return encode_plain(wanted, *text);
}

Parsed<std::vector<TokenId>> encode_generate(OllamaRequest& wanted, const GenerateFields& read) {
  if (read.is_raw) {
    if (!read.suffix.empty()) {
      add_warning(wanted.warned, {"no_effect", "suffix", "A raw prompt is read as it is."});
    }
    return encode_plain(wanted, read.prompt);
  }
  if (auto error = take_template(wanted, read)) return std::move(*error);
  auto ids = read.suffix.empty() ? encode_prompt(wanted, read) : encode_gap_of(wanted, read);
  if (!ids.is_ok() || read.context.empty()) return ids;
  const TokenId bos = wanted.model->info.words.bos_id;
  const bool has_two = bos >= 0 && !ids->empty() && ids->front() == bos &&
                       read.context.front() == bos;
  std::vector<TokenId> all = read.context;
  all.insert(all.end(), ids->begin() + (has_two ? 1 : 0), ids->end());
  return fit_tokens(wanted, std::move(all), "context");
}

// What the model reads, as text.
Call show_prompt(const OllamaRequest& wanted, const std::vector<TokenId>& ids) {
  Detokenizer words(*wanted.model->tokenizer, {.shows_special = true, .is_start_of_text = true});
  std::string text;
  for (const TokenId id : ids) text += words.append(id);
  text += words.flush();
  Json body = Json::object({{"model", wanted.model_name},
                            {"created_at", rfc3339(SteadyClock::unix_nanos())},
                            {"_debug_info", Json::object({{"rendered_template", text}})}});
  set_warnings(wanted.warned, body);
  return ready_call(body);
}

// An answer is as long as it may be, and as there is room for: where Ollama would forget what is
// old to go on behind num_ctx, it goes on with all of it in what the model has; as there, ten times
// num_ctx is the end.
Parsed<int> answer_tokens(const OllamaRequest& wanted, std::size_t prompt) {
  if (wanted.model->info.has_encoder) return settle_tokens_max(wanted, prompt, INT32_MAX, "prompt");
  const std::uint32_t end = wanted.shifts ? wanted.model->info.context_max : context_of(wanted);
  const auto room = std::min(static_cast<std::int64_t>(end) - static_cast<std::int64_t>(prompt),
                             std::int64_t{10} * context_of(wanted));
  return static_cast<int>(std::clamp<std::int64_t>(wanted.tokens_max.value_or(room), 1, room));
}

Parsed<Call> make_call(const DialectContext& context, OllamaRequest& wanted,
                       const OfferedTools& offered, std::vector<TokenId> ids, bool is_plain) {
  if (wanted.shows_prompt) return show_prompt(wanted, ids);
  auto tokens_max = answer_tokens(wanted, ids.size());
  if (!tokens_max.is_ok()) return tokens_max.error();
  wanted.params.tokens_max = *tokens_max;
  HeldAnswer held{.grammar = std::move(wanted.grammar)};
  Call call{.model = wanted.model, .is_stream = wanted.is_stream, .stream_type = kNdjson,
            .prompt_field = wanted.is_chat ? "messages" : "prompt"};
  if (!is_plain) {
    wanted.shape = shape_of(*wanted.model, ids, offered, wanted.params);
    if (wanted.thinks == false) wanted.shape.reads_thoughts = false;
    auto shaped = hold_answer(*wanted.model, offered, std::move(held.grammar), wanted.shape,
                              wanted.warned);
    if (!shaped.is_ok()) return shaped.error();
    held = std::move(*shaped);
    if (held.holds_less && context.house != nullptr) {
      context.house->metrics.count_tools_not_enforced();
    }
    call.frame = framing_of({frame_of(*wanted.model, wanted.shape, held, std::nullopt)});
  }
  call.grammar = std::move(held.grammar);
  for (const Warning& it : wanted.warned) {
    call.unknown_fields += it.code == "unknown_parameter" || it.code == "unknown_option" ? 1 : 0;
  }
  wanted.stay = std::make_shared<StayOfModel>(*context.models.host, wanted.model->name(),
                                              wanted.keep_alive);
  call.requests.push_back(make_request(wanted, context.tenant, std::move(ids)));
  call.writer = std::make_unique<OllamaAnswer>(wanted, call.requests);
  return call;
}

// A model that has never had a template reads what the user says, and nothing else, as with Ollama.
// One whose template cannot be used is refused with the reason.
std::optional<ApiError> wear_no_template(OllamaRequest& wanted, const OfferedTools& offered) {
  const ModelInfo& info = wanted.model->info;
  const auto refuse = [&](std::string_view what, const std::string& why) {
    return unsupported_parameter("model", fmt::format("\"{}\" does not support {}{}{}",
                                                      wanted.model_name, what,
                                                      why.empty() ? "" : ": ", why));
  };
  if (info.has_encoder || !info.chat_problem.empty()) return refuse("chat", info.chat_problem);
  if (offered.may_call()) return refuse("tools", "");
  auto compiled = ChatTemplate::compile_go("{{ .Prompt }}");
  if (!compiled.is_ok()) return refuse("chat", compiled.status().message());
  wanted.chat_template = std::move(*compiled);
  add_warning(wanted.warned, {"no_template", "messages",
                              "This model has no chat template: it reads the words of users and "
                              "assistants as they are, and no system message."});
  return std::nullopt;
}

// What of such a request can be checked without its model.
std::optional<ApiError> find_fault_of_unload(const Json& body, std::vector<Warning>& warned) {
  constexpr const char* kOfAnswers[] = {
      "model", "name", "prompt", "messages", "keep_alive", "system", "template", "suffix",
      "context", "images", "format", "think", "tools", "top_logprobs"};
  Fields fields(body);
  for (const char* name : kOfAnswers) fields.any(name);
  for (const char* name : {"stream", "raw", "truncate", "shift", "logprobs",
                           "_debug_render_only"}) {
    fields.boolean(name);
  }
  OllamaOptions options;
  if (const Json* asked = fields.any("options")) {
    if (auto error = take_options(*asked, nullptr, options, warned)) return error;
  }
  warn_of_unknown(fields, warned);
  return fields.error() ? std::optional(*fields.error()) : std::nullopt;
}

// A model that is to go without an answer need not come first.
std::optional<Parsed<Call>> unload_at_once(const DialectContext& context, const Json& body,
                                   const char* prompt, const Json::Member& empty) {
  const Json* stay = body.find("keep_alive");
  const Json* text = body.find(prompt);
  const Json* name = body.find("model");
  const bool has_prompt = text != nullptr && *text != Json("") && !text->is_null() &&
                          *text != Json::array();
  const bool is_asked = stay != nullptr && parse_keep_alive(*stay) == Nanos{0} && !has_prompt &&
                        name != nullptr && name->is_string();
  if (!is_asked || FieldNotes::are_taken()) return std::nullopt;
  ModelHost& host = *context.models.host;
  const auto served = served_name(host, name->as_string());
  const auto model = served ? host.find(*served) : std::nullopt;
  if (!model) return std::nullopt;
  std::vector<Warning> warned;
  if (auto fault = find_fault_of_unload(body, warned)) return Parsed<Call>(std::move(*fault));
  // While it is being loaded it is awaited like anybody's.
  if (!host.unload(*model).is_ok()) return std::nullopt;
  Json answer = Json::object({{"model", *name},
                              {"created_at", rfc3339(SteadyClock::unix_nanos())}});
  answer.set(empty.first, empty.second);
  answer.set("done", true);
  answer.set("done_reason", "unload");
  set_warnings(warned, answer);
  return ready_call(answer);
}

}  // namespace

Parsed<Json> read_ollama_body(const http::Request& request) {
  if (request.body.empty()) {
    return ApiError{.message = "missing request body", .code = "bad_request"};
  }
  return read_json_body(request.body);
}

Parsed<Call> parse_ollama_generate(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  const Json::Member empty = {"response", ""};
  if (auto call = unload_at_once(context, *body, "prompt", empty)) return std::move(*call);
  Fields fields(*body);
  OllamaRequest wanted = read_ollama_request(fields, context, false);
  const GenerateFields read = read_generate(fields, wanted.model.get());
  warn_of_unknown(fields, wanted.warned);
  if (fields.error()) return *fields.error();
  if (read.prompt.empty()) return load_or_unload(context, wanted, empty);
  auto ids = encode_generate(wanted, read);
  if (!ids.is_ok()) return ids.error();
  const bool is_plain = read.is_raw || !read.suffix.empty();
  wanted.has_context = !read.is_raw;
  return make_call(context, wanted, {}, std::move(*ids), is_plain);
}

Parsed<Call> parse_ollama_chat(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_ollama_body(request);
  if (!body.is_ok()) return body.error();
  const Json::Member empty = {"message",
                              Json::object({{"role", "assistant"}, {"content", ""}})};
  if (auto call = unload_at_once(context, *body, "messages", empty)) return std::move(*call);
  Fields fields(*body);
  OllamaRequest wanted = read_ollama_request(fields, context, true);
  const std::size_t messages_max =
      wanted.model == nullptr || wanted.truncates ? kMessagesMax : wanted.model->info.context_max;
  ChatPrompt chat;
  chat.messages = read_ollama_messages(fields, messages_max, wanted.warned);
  const OfferedTools offered = read_ollama_tools(fields);
  warn_of_unknown(fields, wanted.warned);
  if (fields.error()) return *fields.error();
  if (chat.messages.empty()) return load_or_unload(context, wanted, empty);
  const HostedModel& model = *wanted.model;
  if (model.chat_template == nullptr) {
    if (auto refusal = wear_no_template(wanted, offered)) return std::move(*refusal);
  }
  show_history(model, chat, wanted.warned);
  show_tools(model, offered, chat, wanted.warned);
  set_thinking_of(wanted, chat);
  auto ids = encode_fitting(wanted, std::move(chat));
  if (!ids.is_ok()) return ids.error();
  return make_call(context, wanted, offered, std::move(*ids), false);
}

}  // namespace quire
