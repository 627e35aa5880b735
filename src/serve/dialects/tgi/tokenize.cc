#include "serve/dialects/tgi/tokenize.h"

#include "serve/dialects/openai/chat_messages.h"
#include "serve/dialects/openai/chat_tools.h"
#include "serve/dialects/tgi/errors.h"
#include "serve/dialects/tgi/request.h"
#include "serve/dialects/tgi/token_spans.h"
#include "serve/http/request_gate.h"
#include "serve/intake/prompt.h"
#include "text/detokenizer.h"

namespace quire {
namespace {

// Of a chat request, and without a say in its prompt.
constexpr const char* kOfAnswers[] = {
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop",
    "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "n", "logit_bias",
    "stream", "stream_options", "response_format", "model"};

Json tokens_json(const Tokenizer& tokenizer, std::string_view text, const std::vector<TokenId>& ids,
                 std::size_t skipped) {
  const std::vector<TokenSpan> spans = token_spans(tokenizer, text, ids);
  Json tokens = Json::array();
  for (std::size_t i = skipped; i < ids.size(); ++i) {
    tokens.push(Json::object({{"id", ids[i]},
                              {"text", spans[i].text},
                              {"start", spans[i].start},
                              {"stop", spans[i].stop}}));
  }
  return tokens;
}

// What can stand in a header, shortened.
std::string header_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    const bool is_plain = http::is_http_token(name) && name.size() <= kNameShown;
    out += (out.empty() ? "" : ", ") + (is_plain ? name : std::string("(another)"));
  }
  return out;
}

std::string text_of(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Detokenizer words(tokenizer, {.shows_special = true, .is_start_of_text = true});
  std::string text;
  for (const TokenId id : ids) text += words.append(id);
  return text + words.flush();
}

}  // namespace

Parsed<Call> parse_tgi_tokenize(const DialectContext& context, const http::Request& http) {
  Parsed<Json> body = read_json_body(http.body);
  if (!body.is_ok()) return body.error();
  Parsed<TgiRequest> request = read_tgi_request(context, *body, TgiDelivery::kWhole);
  if (!request.is_ok()) return request.error();
  const std::optional<std::int64_t> keep = std::exchange(request->truncate, std::nullopt);
  auto ids = encode_tgi_inputs(*request);
  if (!ids.is_ok()) return ids.error();
  const std::size_t kept = keep ? std::min(ids->size(), static_cast<std::size_t>(*keep))
                                : ids->size();
  Call call = ready_call(tokens_json(*request->model->tokenizer, request->inputs, *ids,
                                     ids->size() - kept));
  call.unknown_fields = request->warnings.size();
  if (const std::string names = header_names(request->warnings); !names.empty()) {
    call.ready->headers.push_back({"x-unknown-parameters", names});  // the body is a list of tokens
  }
  return call;
}

Parsed<Call> parse_tgi_chat_tokenize(const DialectContext& context, const http::Request& http) {
  Parsed<Json> body = read_json_body(http.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const Json* messages = fields.any("messages");
  if (messages == nullptr) return tgi_missing_field("messages");
  Parsed<ModelLease> model = lease_tgi_model(context, *body);
  if (!model.is_ok()) return model.error();
  ChatPrompt chat = read_chat_prompt(fields, model->get());
  ChatTools tools = read_chat_tools(fields);
  std::vector<Warning> warnings;
  add_tool_prompt(fields, tools, chat, warnings);
  for (const char* name : kOfAnswers) fields.any(name);
  if (fields.error()) return with_template_errors(*fields.error());
  show_history(**model, chat, warnings);
  show_tools(**model, tools, chat, warnings);
  auto ids = encode_chat(**model, chat);
  if (!ids.is_ok()) return with_template_errors(ids.error());
  const Tokenizer& tokenizer = *(*model)->tokenizer;
  const std::string text = text_of(tokenizer, *ids);
  Json answer = Json::object({{"tokenize_response", tokens_json(tokenizer, text, *ids, 0)},
                              {"templated_text", text}});
  Json told = Json::array();
  for (const std::string& name : fields.unknown()) {
    told.push(Json::object({{"code", "unknown_parameter"}, {"param", name},
                            {"message", "This field is not known here and was ignored."}}));
  }
  for (const Warning& it : warnings) {
    told.push(Json::object({{"code", it.code}, {"param", it.param}, {"message", it.message}}));
  }
  if (!told.items().empty()) answer.set("warnings", std::move(told));
  Call call = ready_call(answer);
  call.unknown_fields = fields.unknown().size();
  return call;
}

}  // namespace quire
