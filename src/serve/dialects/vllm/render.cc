#include "serve/dialects/vllm/render.h"

#include "base/json.h"
#include "base/text/utf8.h"
#include "serve/dialects/openai/chat.h"
#include "serve/dialects/openai/completions/completions.h"
#include "serve/intake/fields.h"

namespace quire {
namespace {

Json sampling_json(const SamplingParams& params, int n) {
  return Json::object({{"n", n},
                       {"temperature", params.temperature},
                       {"top_p", params.top_p},
                       {"top_k", params.top_k},
                       {"min_p", params.min_p},
                       {"presence_penalty", params.presence_penalty},
                       {"frequency_penalty", params.frequency_penalty},
                       {"repetition_penalty", params.repetition_penalty},
                       {"max_tokens", params.tokens_max},
                       {"min_tokens", params.tokens_min},
                       {"ignore_eos", params.ignore_eos},
                       {"stop", Json::array({params.stop_strings.begin(),
                                             params.stop_strings.end()})},
                       {"stop_token_ids", Json::array({params.stop_ids.begin(),
                                                       params.stop_ids.end()})}});
}

Json rendered(const Call& call, const Request& request) {
  std::string text;
  Json ids = Json::array();
  for (const TokenId id : request.prompt) {
    ids.push(id);
    text += call.model->tokenizer->is_special(id) ? call.model->tokenizer->token_text(id)
                                                  : call.model->tokenizer->token_bytes(id);
  }
  Utf8Stream whole;
  std::string shown;
  whole.append(text, shown);
  whole.flush(shown);
  return Json::object({{"request_id", call.writer->id()},
                       {"model", call.model->name()},
                       {"token_ids", std::move(ids)},
                       {"prompt", std::move(shown)},
                       {"sampling_params", sampling_json(request.params, request.n)},
                       {"stream", call.is_stream},
                       {"cache_salt", request.cache_salt.empty() ? Json()
                                                                 : Json(request.cache_salt)},
                       {"priority", request.priority}});
}

}  // namespace

Parsed<Call> render_vllm_chat(const DialectContext& context, const http::Request& request) {
  Parsed<Call> call = parse_openai_chat(context, request);
  if (!call.is_ok()) return call.error();
  return ready_call(rendered(*call, call->requests.front()));
}

Parsed<Call> render_vllm_completion(const DialectContext& context, const http::Request& request) {
  Parsed<Call> call = parse_openai_completion(context, request);
  if (!call.is_ok()) return call.error();
  Json all = Json::array();
  for (const Request& made : call->requests) all.push(rendered(*call, made));
  return ready_call(all);
}

Parsed<Call> invoke_vllm(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  if (body->find("messages") != nullptr) return parse_openai_chat(context, request);
  if (body->find("prompt") != nullptr) return parse_openai_completion(context, request);
  return ApiError{.message = "The body names no request that /invocations knows: it has neither "
                             "'messages' nor 'prompt'.",
                  .code = "missing_required_parameter"};
}

}  // namespace quire
