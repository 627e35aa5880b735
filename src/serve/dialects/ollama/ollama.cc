#include "serve/dialects/ollama/ollama.h"

#include "base/json.h"
#include "serve/dialects/ollama/embed.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/dialects/ollama/library.h"
#include "serve/dialects/ollama/manage/blobs.h"
#include "serve/dialects/ollama/manage/create.h"
#include "serve/dialects/ollama/manage/manage.h"
#include "serve/dialects/ollama/manage/push.h"
#include "serve/dialects/ollama/manage/transfers.h"
#include "serve/house.h"

namespace quire {
namespace {

// Whose API this is. Clients read it and refuse servers that are older than what they ask for.
constexpr std::string_view kOllamaVersion = "0.17.4";

http::Response show_version(const DialectContext& context, const http::Request&) {
  return {.body = dump(Json::object({{"version", kOllamaVersion},
                                     {"quire", context.house->version}}))};
}

// Ollama has one sentence for a server that has enough to do.
http::Response render_error(const ApiError& error, const http::Request&) {
  const bool is_busy = error.status == 429;
  const std::string_view message =
      is_busy ? "server busy, please try again.  maximum pending requests exceeded"
              : std::string_view(error.message);
  http::Response response{.status = is_busy ? 503 : error.status,
                          .body = dump(Json::object({{"error", message}}))};
  if (error.retry_after_s > 0) {
    response.headers.push_back({"retry-after", std::to_string(error.retry_after_s)});
  }
  return response;
}

void complete_head(const ReplyFacts&, http::Response& head) {
  if (head.content_type == "application/json") head.content_type += "; charset=utf-8";
}

constexpr auto kKeyed = Access::kKeyed;
constexpr auto kNone = BodyKind::kNone;
constexpr auto kLoose = BodyKind::kLooseJson;
constexpr std::string_view kLines = "application/json,application/x-ndjson";

constexpr Route kRoutes[] = {
    {"POST", "/api/generate", kLoose, kKeyed, {.parse = parse_ollama_generate,
      .summary = "an answer to a prompt", .types = kLines}},
    {"POST", "/api/chat", kLoose, kKeyed, {.parse = parse_ollama_chat,
      .summary = "an answer to a conversation", .types = kLines}},
    {"POST", "/api/embed", kLoose, kKeyed, {.parse = parse_ollama_embed,
      .summary = "vectors of texts"}},
    {"POST", "/api/embeddings", kLoose, kKeyed, {.parse = parse_ollama_embeddings,
      .summary = "the vector of a text"}},
    {"GET", "/api/tags", kNone, kKeyed, {.parse = parse_ollama_tags,
      .summary = "the models"}},
    {"GET", "/api/ps", kNone, kKeyed, {.parse = parse_ollama_running,
      .summary = "the models in memory"}},
    {"POST", "/api/show", kLoose, kKeyed, {.parse = parse_ollama_show,
      .summary = "one model"}},
    {"POST", "/api/create", kLoose, kKeyed, {.parse = parse_ollama_create,
      .summary = "a model from another or from files", .types = kLines}},
    {"POST", "/api/copy", kLoose, kKeyed, {.parse = parse_ollama_copy,
      .summary = "a further name for a model", .types = "text/plain"}},
    {"DELETE", "/api/delete", kLoose, kKeyed, {.parse = parse_ollama_delete,
      .summary = "the end of a model", .types = "text/plain"}},
    {"POST", "/api/pull", kLoose, kKeyed, {.late = pull_ollama_model,
      .summary = "fetch a model", .types = kLines}},
    {"POST", "/api/push", kLoose, kKeyed, {.late = push_ollama_model,
      .parse = describe_ollama_push, .summary = "send a model to a registry", .types = kLines}},
    {"HEAD", "/api/blobs/{digest}", kNone, kKeyed, {.parse = parse_ollama_find_blob,
      .summary = "whether a file is there", .types = "text/plain"}},
    {"POST", "/api/blobs/{digest}", BodyKind::kFile, kKeyed, {.parse = parse_ollama_send_blob,
      .summary = "send a file", .types = "text/plain", .sink = open_ollama_blob}},
    {"GET", "/api/version", kNone, Access::kOpen, {.quick = show_version,
      .summary = "of Ollama whose API this is, and of this program"}},
};

}  // namespace

const Dialect kOllamaDialect = {.name = "ollama",
                                .routes = kRoutes,
                                .error_prefix = "/api/",
                                .render_error = render_error,
                                .complete_head = complete_head};

}  // namespace quire
