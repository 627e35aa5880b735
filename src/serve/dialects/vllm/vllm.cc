#include "serve/dialects/vllm/vllm.h"

#include "serve/dialects/openai/errors.h"
#include "serve/dialects/vllm/tokenize.h"

namespace quire {
namespace {

http::Response render_error(const ApiError& error, const http::Request&) {
  return render_openai_error(error);
}

constexpr auto kKeyed = Access::kKeyed;

constexpr Route kRoutes[] = {
    {"POST", "/tokenize", BodyKind::kJson, kKeyed, {.parse = parse_vllm_tokenize}},
    {"POST", "/detokenize", BodyKind::kJson, kKeyed, {.parse = parse_vllm_detokenize}},
};

}  // namespace

const Dialect kVllmDialect = {.name = "vllm", .routes = kRoutes, .render_error = render_error};

}  // namespace quire
