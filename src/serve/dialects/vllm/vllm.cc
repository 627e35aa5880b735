#include "serve/dialects/vllm/vllm.h"

#include "serve/dialects/openai/errors.h"
#include "serve/dialects/openai/chat.h"
#include "serve/dialects/vllm/control.h"
#include "serve/dialects/vllm/render.h"
#include "serve/dialects/vllm/tokenize.h"

namespace quire {
namespace {

http::Response render_error(const ApiError& error, const http::Request&) {
  return render_openai_error(error);
}

constexpr auto kOpen = Access::kOpen, kKeyed = Access::kKeyed;
constexpr auto kNone = BodyKind::kNone;

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions/batch", BodyKind::kJson, kKeyed, {.parse = parse_chat_batch}},
    {"POST", "/v1/chat/completions/render", BodyKind::kJson, kKeyed, {.parse = render_vllm_chat}},
    {"POST", "/v1/completions/render", BodyKind::kJson, kKeyed, {.parse = render_vllm_completion}},
    {"POST", "/invocations", BodyKind::kJson, kKeyed, {.parse = invoke_vllm}},
    {"POST", "/tokenize", BodyKind::kJson, kKeyed, {.parse = parse_vllm_tokenize}},
    {"POST", "/detokenize", BodyKind::kJson, kKeyed, {.parse = parse_vllm_detokenize}},
    {"GET", "/tokenizer_info", kNone, kKeyed, {.quick = show_vllm_tokenizer}},
    {"GET", "/ping", kNone, kOpen, {.quick = ping_vllm}},
    {"POST", "/ping", kNone, kOpen, {.quick = ping_vllm}},
    {"GET", "/load", kNone, kOpen, {.quick = show_vllm_load}},
    {"GET", "/server_info", kNone, kKeyed, {.quick = show_vllm_server}},
    {"POST", "/sleep", kNone, Access::kOperator, {.quick = sleep_vllm}},
    {"POST", "/wake_up", kNone, Access::kOperator, {.quick = wake_vllm}},
    {"GET", "/is_sleeping", kNone, kKeyed, {.quick = show_vllm_sleep}},
    {"POST", "/pause", kNone, Access::kOperator, {.quick = pause_vllm}},
    {"POST", "/resume", kNone, Access::kOperator, {.quick = resume_vllm}},
    {"GET", "/is_paused", kNone, kKeyed, {.quick = show_vllm_pause}},
    {"POST", "/reset_prefix_cache", kNone, Access::kOperator, {.quick = reset_vllm_cache}},
};

}  // namespace

const Dialect kVllmDialect = {.name = "vllm", .routes = kRoutes, .render_error = render_error};

}  // namespace quire
