#include "serve/dialects/anthropic/anthropic.h"

#include "serve/dialects/anthropic/errors.h"
#include "serve/dialects/anthropic/messages.h"
#include "serve/dialects/anthropic/models.h"
#include "serve/house.h"

namespace quire {
namespace {

constexpr std::string_view kVersionHeader = "anthropic-version";

http::Response list_models(const DialectContext& context, const http::Request& request) {
  return list_anthropic_models(context.house->host, request);
}

http::Response show_model(const DialectContext& context, const http::Request& request) {
  return show_anthropic_model(context.house->host, context.path["model"], request);
}

void complete_head(const ReplyFacts& facts, http::Response& head) {
  head.headers.push_back({"request-id", std::string(facts.request_id)});
}

constexpr auto kKeyed = Access::kKeyed;
constexpr auto kNone = BodyKind::kNone;
constexpr auto kJson = BodyKind::kJson;

constexpr Route kRoutes[] = {
    {"POST", "/v1/messages", kJson, kKeyed, {.parse = parse_anthropic_message}},
    {"POST", "/v1/messages/count_tokens", kJson, kKeyed, {.parse = parse_anthropic_count}},
    {"GET", "/v1/models", kNone, kKeyed, {.quick = list_models,
      .query = "limit,after_id,before_id"}, kVersionHeader},
    {"GET", "/v1/models/{model...}", kNone, kKeyed, {.quick = show_model}, kVersionHeader},
};

}  // namespace

const Dialect kAnthropicDialect = {.name = "anthropic",
                                   .routes = kRoutes,
                                   .error_prefix = "/v1/messages",
                                   .error_header = kVersionHeader,
                                   .takes_x_api_key = true,
                                   .render_error = render_anthropic_error,
                                   .complete_head = complete_head};

}  // namespace quire
