#include "serve/dialects/openai/openai.h"

#include "serve/dialects/openai/chat.h"
#include "serve/dialects/openai/completions.h"
#include "serve/dialects/openai/errors.h"
#include "serve/dialects/openai/models.h"
#include "serve/house.h"

namespace quire {
namespace {

http::Response list_models(const DialectContext& context, const http::Request&) {
  return list_openai_models(context.house->host);
}

http::Response show_model(const DialectContext& context, const http::Request&) {
  return show_openai_model(context.house->host, context.path["model"]);
}

http::Response render_error(const ApiError& error, const http::Request&) {
  return render_openai_error(error);
}

void complete_head(const ReplyFacts& facts, http::Response& head) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(facts.elapsed);
  head.headers.push_back({"openai-processing-ms", std::to_string(elapsed.count())});
  head.headers.push_back({"openai-version", "2020-10-01"});
}

constexpr auto kKeyed = Access::kKeyed;

constexpr Route kRoutes[] = {
    {"GET", "/v1/models", BodyKind::kNone, kKeyed, {.quick = list_models}},
    {"GET", "/v1/models/{model...}", BodyKind::kNone, kKeyed, {.quick = show_model}},
    {"POST", "/v1/chat/completions", BodyKind::kJson, kKeyed, {.parse = parse_openai_chat}},
    {"POST", "/v1/completions", BodyKind::kJson, kKeyed, {.parse = parse_openai_completion}},
};

}  // namespace

const Dialect kOpenAiDialect = {.name = "openai",
                                .routes = kRoutes,
                                .error_prefix = "/v1/",
                                .render_error = render_error,
                                .complete_head = complete_head};

}  // namespace quire
