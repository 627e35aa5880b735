#include "serve/dialects/openai/openai.h"

#include "serve/dialects/openai/chat.h"
#include "serve/dialects/openai/completions/completions.h"
#include "serve/dialects/openai/embeddings.h"
#include "serve/dialects/openai/errors.h"
#include "serve/dialects/openai/files/batches.h"
#include "serve/dialects/openai/files/files.h"
#include "serve/dialects/openai/models.h"
#include "serve/dialects/openai/responses/conversations.h"
#include "serve/dialects/openai/responses/endpoints.h"
#include "serve/dialects/openai/responses/kept_completions.h"
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

// What OpenAI has and this server has no model or no use for.
http::Response refuse_by_name(const DialectContext&, const http::Request& request) {
  struct Absent {
    std::string_view path, what;
  };
  constexpr Absent kAbsent[] = {
      {"/v1/audio/", "This server has no models for audio"},
      {"/v1/images/", "This server has no models for images"},
      {"/v1/videos", "This server has no models for videos"},
      {"/v1/moderations", "This server has no moderation models"},
      {"/v1/realtime", "This server has no realtime sessions"},
      {"/v1/fine_tuning/", "This server trains no models"},
      {"/v1/assistants", "This server has no assistants: use /v1/responses"},
      {"/v1/threads", "This server has no threads: use /v1/conversations"},
      {"/v1/vector_stores", "This server has no vector stores: use /v1/embeddings"},
      {"/v1/uploads", "This server takes files in one piece: use /v1/files"},
  };
  ApiError error{.status = 404, .code = "unsupported_endpoint"};
  for (const Absent& absent : kAbsent) {
    if (!request.path.starts_with(absent.path)) continue;
    error.message = std::string(absent.what) + " (" + request.method + " " + request.path + ").";
  }
  return render_openai_error(error);
}

void complete_head(const ReplyFacts& facts, http::Response& head) {
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(facts.elapsed);
  head.headers.push_back({"openai-processing-ms", std::to_string(elapsed.count())});
  head.headers.push_back({"openai-version", "2020-10-01"});
}

constexpr auto kKeyed = Access::kKeyed;

constexpr Route kRoutes[] = {
    {"GET", "/v1/models", BodyKind::kNone, kKeyed, {.quick = list_models,
      .summary = "the models and their names"}},
    {"GET", "/v1/models/{model...}", BodyKind::kNone, kKeyed, {.quick = show_model,
      .summary = "one model"}},
    {"POST", "/v1/chat/completions", BodyKind::kJson, kKeyed, {.parse = parse_openai_chat,
      .summary = "an answer to a conversation"}},
    {"POST", "/v1/completions", BodyKind::kJson, kKeyed, {.parse = parse_openai_completion,
      .summary = "a text goes on"}},
    {"POST", "/v1/embeddings", BodyKind::kJson, kKeyed, {.parse = parse_openai_embeddings,
      .summary = "vectors of texts"}},
    {"GET", "/v1/chat/completions", BodyKind::kNone, kKeyed, {.parse = parse_list_completions,
      .query = "after,limit,order,model"}},
    {"GET", "/v1/chat/completions/{id}", BodyKind::kNone, kKeyed,
     {.parse = parse_show_completion}},
    {"POST", "/v1/chat/completions/{id}", BodyKind::kJson, kKeyed,
     {.parse = parse_change_completion}},
    {"DELETE", "/v1/chat/completions/{id}", BodyKind::kNone, kKeyed,
     {.parse = parse_delete_completion}},
    {"GET", "/v1/chat/completions/{id}/messages", BodyKind::kNone, kKeyed,
     {.parse = parse_list_messages, .query = "after,limit,order"}},
    {"POST", "/v1/responses", BodyKind::kJson, kKeyed, {.parse = parse_create_response}},
    {"POST", "/v1/responses/input_tokens", BodyKind::kJson, kKeyed, {.parse = parse_input_tokens}},
    {"POST", "/v1/responses/compact", BodyKind::kJson, kKeyed, {.parse = parse_compact}},
    {"GET", "/v1/responses/{id}", BodyKind::kNone, kKeyed, {.late = show_response, 
      .query = "stream,starting_after", .types = "application/json,text/event-stream"}},
    {"DELETE", "/v1/responses/{id}", BodyKind::kNone, kKeyed, {.late = delete_response}},
    {"POST", "/v1/responses/{id}/cancel", BodyKind::kNone, kKeyed, {.late = cancel_response}},
    {"GET", "/v1/responses/{id}/input_items", BodyKind::kNone, kKeyed,
     {.parse = parse_list_input_items, .query = "after,limit,order"}},
    {"POST", "/v1/files", BodyKind::kForm, kKeyed, {.parse = parse_upload_file}},
    {"GET", "/v1/files", BodyKind::kNone, kKeyed, {.parse = parse_list_files, 
      .query = "after,limit,order,purpose"}},
    {"GET", "/v1/files/{id}", BodyKind::kNone, kKeyed, {.parse = parse_show_file}},
    {"DELETE", "/v1/files/{id}", BodyKind::kNone, kKeyed, {.parse = parse_delete_file}},
    {"GET", "/v1/files/{id}/content", BodyKind::kNone, kKeyed, {.parse = parse_file_content, 
      .types = "application/octet-stream"}},
    {"POST", "/v1/batches", BodyKind::kJson, kKeyed, {.parse = parse_create_batch}},
    {"GET", "/v1/batches", BodyKind::kNone, kKeyed, {.parse = parse_list_batches,
      .query = "after,limit,order"}},
    {"GET", "/v1/batches/{id}", BodyKind::kNone, kKeyed, {.parse = parse_show_batch}},
    {"POST", "/v1/batches/{id}/cancel", BodyKind::kNone, kKeyed, {.parse = parse_cancel_batch}},
    {"POST", "/v1/conversations", BodyKind::kJson, kKeyed, {.parse = parse_create_conversation}},
    {"GET", "/v1/conversations/{id}", BodyKind::kNone, kKeyed, {.parse = parse_show_conversation}},
    {"POST", "/v1/conversations/{id}", BodyKind::kJson, kKeyed,
     {.parse = parse_update_conversation}},
    {"DELETE", "/v1/conversations/{id}", BodyKind::kNone, kKeyed,
     {.parse = parse_delete_conversation}},
    {"POST", "/v1/conversations/{id}/items", BodyKind::kJson, kKeyed, {.parse = parse_add_items}},
    {"GET", "/v1/conversations/{id}/items", BodyKind::kNone, kKeyed, {.parse = parse_list_items,
      .query = "after,limit,order"}},
    {"GET", "/v1/conversations/{id}/items/{item}", BodyKind::kNone, kKeyed,
     {.parse = parse_show_item}},
    {"DELETE", "/v1/conversations/{id}/items/{item}", BodyKind::kNone, kKeyed,
     {.parse = parse_delete_item}},
    {"POST", "/v1/audio/{what...}", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/images/{what...}", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/videos", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/moderations", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/realtime/{what...}", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/fine_tuning/{what...}", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/assistants", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/threads", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/threads/{what...}", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/vector_stores", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
    {"POST", "/v1/uploads", BodyKind::kNone, kKeyed, {.quick = refuse_by_name}},
};

}  // namespace

const Dialect kOpenAiDialect = {.name = "openai",
                                .routes = kRoutes,
                                .error_prefix = "/v1/",
                                .render_error = render_error,
                                .complete_head = complete_head};

}  // namespace quire
