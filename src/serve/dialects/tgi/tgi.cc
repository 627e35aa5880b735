#include "serve/dialects/tgi/tgi.h"

#include "serve/dialects/tgi/errors.h"
#include "serve/dialects/tgi/generate.h"
#include "serve/dialects/tgi/info.h"
#include "serve/dialects/tgi/tokenize.h"
#include "serve/dialects/tgi/vertex.h"

namespace quire {
namespace {

constexpr auto kKeyed = Access::kKeyed;
constexpr std::string_view kTypes = "application/json,text/plain";

constexpr Route kRoutes[] = {
    {"POST", "/", BodyKind::kJson, kKeyed, {.parse = parse_tgi_compat,
      .summary = "a text goes on, whole (a list of one) or as events", .types = kTypes}},
    {"POST", "/generate", BodyKind::kJson, kKeyed, {.parse = parse_tgi_generate,
      .summary = "a text goes on", .types = kTypes}},
    {"POST", "/generate_stream", BodyKind::kJson, kKeyed, {.parse = parse_tgi_stream,
      .summary = "a text goes on, token by token", .types = "text/event-stream,text/plain"}},
    {"POST", "/vertex", BodyKind::kJson, kKeyed, {.late = predict_for_vertex,
      .summary = "Vertex AI's form: texts or chats, and what is said to each", .types = kTypes}},
    {"POST", "/chat_tokenize", BodyKind::kJson, kKeyed, {.parse = parse_tgi_chat_tokenize,
      .summary = "a chat as its template writes it, in tokens", .types = kTypes}},
    {"GET", "/info", BodyKind::kNone, Access::kOpen, {.quick = show_tgi_info,
      .summary = "the model of TGI's endpoints and their limits", .query = "model"}},
};

}  // namespace

const Dialect kTgiDialect = {.name = "tgi",
                             .routes = kRoutes,
                             .error_prefix = "/generate",
                             .render_error = render_tgi_error};

}  // namespace quire
