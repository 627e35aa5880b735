#include "serve/dialects/vllm/vllm.h"

#include <optional>
#include <string>

#include "serve/dialects/openai/chat.h"
#include "serve/dialects/openai/errors.h"
#include "serve/dialects/tgi/errors.h"
#include "serve/dialects/tgi/generate.h"
#include "serve/dialects/tgi/request.h"
#include "serve/dialects/tgi/tokenize.h"
#include "serve/dialects/vllm/classify.h"
#include "serve/dialects/vllm/control.h"
#include "serve/dialects/vllm/pooling.h"
#include "serve/dialects/vllm/render.h"
#include "serve/dialects/vllm/rerank.h"
#include "serve/dialects/vllm/score.h"
#include "serve/dialects/vllm/tokenize.h"

namespace quire {
namespace {

// Two paths are TGI's as well.
http::Response render_error(const ApiError& error, const http::Request& request) {
  const bool is_shared = request.path == "/tokenize" || request.path == "/invocations";
  return is_shared && speaks_tgi(request) ? render_tgi_error(error, request)
                                          : render_openai_error(error);
}

Parsed<Call> tokenize(const DialectContext& context, const http::Request& request) {
  return speaks_tgi(request) ? parse_tgi_tokenize(context, request)
                             : parse_vllm_tokenize(context, request);
}

// SageMaker's bodies name no model: the first that generates is meant, as in TGI's own requests.
std::optional<http::Request> with_first_model(const DialectContext& context,
                                              const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok() || !body->is_object()) return std::nullopt;
  const bool is_either = body->find("messages") != nullptr || body->find("prompt") != nullptr;
  const Json* model = body->find("model");
  if (!is_either || (model != nullptr && !model->is_null())) return std::nullopt;
  std::string first = first_tgi_model(*context.models.host);
  if (first.empty()) return std::nullopt;
  body->set("model", std::move(first));
  http::Request named = request;
  named.body = dump(*body);
  return named;
}

Parsed<Call> invoke(const DialectContext& context, const http::Request& request) {
  if (speaks_tgi(request)) return parse_tgi_compat(context, request);
  const auto named = with_first_model(context, request);
  return invoke_vllm(context, named ? *named : request);
}

constexpr auto kOpen = Access::kOpen, kKeyed = Access::kKeyed;
constexpr auto kNone = BodyKind::kNone;

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions/batch", BodyKind::kJson, kKeyed, {.parse = parse_chat_batch,
      .summary = "answers to several conversations"}},
    {"POST", "/v1/chat/completions/render", BodyKind::kJson, kKeyed, {.parse = render_vllm_chat,
      .summary = "what a chat would feed to the model"}},
    {"POST", "/v1/completions/render", BodyKind::kJson, kKeyed, {.parse = render_vllm_completion,
      .summary = "what a completion would feed to the model"}},
    {"POST", "/invocations", BodyKind::kJson, kKeyed, {.parse = invoke,
      .summary = "SageMaker's one door"}},
    {"POST", "/tokenize", BodyKind::kJson, kKeyed, {.parse = tokenize,
      .summary = "text or a chat to token ids"}},
    {"POST", "/detokenize", BodyKind::kJson, kKeyed, {.parse = parse_vllm_detokenize,
      .summary = "token ids to text"}},
    {"GET", "/tokenizer_info", kNone, kKeyed, {.quick = show_vllm_tokenizer,
      .summary = "the vocabulary and the chat template", .query = "model"}},
    {"GET", "/ping", kNone, kOpen, {.quick = ping_vllm,
      .summary = "whether the server is alive"}},
    {"POST", "/ping", kNone, kOpen, {.quick = ping_vllm}},
    {"GET", "/load", kNone, kOpen, {.quick = show_vllm_load,
      .summary = "requests in progress"}},
    {"GET", "/server_info", kNone, kKeyed, {.quick = show_vllm_server,
      .summary = "what is served"}},
    {"POST", "/sleep", kNone, Access::kOperator, {.quick = sleep_vllm,
      .summary = "models leave memory", .query = "level,mode"}},
    {"POST", "/wake_up", kNone, Access::kOperator, {.quick = wake_vllm,
      .summary = "they come back", .query = "tags"}},
    {"GET", "/is_sleeping", kNone, kKeyed, {.quick = show_vllm_sleep,
      .summary = "whether they are away"}},
    {"POST", "/pause", kNone, Access::kOperator, {.quick = pause_vllm,
      .summary = "no step is made", .query = "mode"}},
    {"POST", "/resume", kNone, Access::kOperator, {.quick = resume_vllm,
      .summary = "steps are made again"}},
    {"GET", "/is_paused", kNone, kKeyed, {.quick = show_vllm_pause,
      .summary = "whether none is made"}},
    {"POST", "/reset_prefix_cache", kNone, Access::kOperator, {.quick = reset_vllm_cache,
      .summary = "forget texts that nobody is at"}},
    {"POST", "/pooling", BodyKind::kJson, kKeyed, {.parse = parse_vllm_pooling,
      .summary = "what a model makes of texts, as it is"}},
    {"POST", "/classify", BodyKind::kJson, kKeyed, {.parse = parse_vllm_classify,
      .summary = "labels of texts"}},
    {"POST", "/score", BodyKind::kJson, kKeyed, {.parse = parse_vllm_score,
      .summary = "how well pairs of texts fit"}},
    {"POST", "/v1/score", BodyKind::kJson, kKeyed, {.parse = parse_vllm_score}},
    {"POST", "/rerank", BodyKind::kJson, kKeyed, {.parse = parse_vllm_rerank,
      .summary = "documents by how well they answer a query"}},
    {"POST", "/v1/rerank", BodyKind::kJson, kKeyed, {.parse = parse_vllm_rerank}},
    {"POST", "/v2/rerank", BodyKind::kJson, kKeyed, {.parse = parse_vllm_rerank}},
};

}  // namespace

const Dialect kVllmDialect = {.name = "vllm", .routes = kRoutes, .render_error = render_error};

}  // namespace quire
