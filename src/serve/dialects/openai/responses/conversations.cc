#include "serve/dialects/openai/responses/conversations.h"

#include <algorithm>

#include "base/clock.h"
#include "serve/answer/answer_counts.h"
#include "serve/dialects/openai/responses/items.h"
#include "serve/dialects/openai/responses/store.h"
#include "serve/intake/field_notes.h"

namespace quire {
namespace {

Json metadata_of(Fields& fields) {
  const Json* metadata = fields.any("metadata");
  if (metadata == nullptr) return Json::object();
  if (!metadata->is_object() || metadata->members().size() > kMetadataMax) {
    fields.fail(invalid_value("metadata", "Invalid 'metadata': expected an object of at most 16 "
                                          "pairs."));
    return Json::object();
  }
  return *metadata;
}

std::optional<ApiError> mistake_of(Fields& fields, const DialectContext& context) {
  std::vector<std::string> ignored;
  refuse_unknown(fields, context.unknown_fields_warn, ignored);
  return fields.error();
}

// The conversation of the path, changed by `change`; then its body.
Parsed<Call> change(const DialectContext& context,
                    const std::function<std::optional<ApiError>(archive::Kept&)>& change) {
  const std::string_view id = context.path["id"];
  if (context.house->archive == nullptr) return not_found("Conversation", id);
  std::optional<ApiError> error;
  std::string body;
  const auto changed = context.house->archive->change(
      kConversationKind, id, context.tenant.name, [&](archive::Kept& kept) {
        error = change(kept);
        for (const Json& item : items_in(kept.input)) {
          kept.item_ids.emplace_back(item_text(item, "id"));
        }
        body = kept.body;
      });
  if (!changed.is_ok()) return archive_error(changed.status());
  if (!*changed) return not_found("Conversation", id);
  if (error) return std::move(*error);
  return ready_call(http::Response{.body = std::move(body)});
}

}  // namespace

Parsed<Call> parse_create_conversation(const DialectContext& context,
                                       const http::Request& request) {
  Parsed<Json> body = request.body.empty() ? Json::object() : read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const Json metadata = metadata_of(fields);
  const Json* given = fields.any("items");
  const std::vector<Json> items =
      given != nullptr ? read_items(fields, *given, "items") : std::vector<Json>();
  if (auto error = mistake_of(fields, context)) return std::move(*error);
  if (context.house->archive == nullptr || FieldNotes::are_taken()) {
    return no_archive("conversation");
  }
  archive::Kept kept{.kind = std::string(kConversationKind), .id = random_id("conv_"),
                     .tenant = context.tenant.name, .created = SteadyClock::unix_seconds(),
                     .input = dump(Json::array(items))};
  for (const Json& item : items) kept.item_ids.emplace_back(item_text(item, "id"));
  const Json shown = Json::object({{"id", kept.id}, {"object", "conversation"},
                                   {"created_at", kept.created}, {"metadata", metadata}});
  kept.body = dump(shown);
  if (const Status status = context.house->archive->keep(kept); !status.is_ok()) {
    return archive_error(status);
  }
  return ready_call(shown);
}

Parsed<Call> parse_show_conversation(const DialectContext& context, const http::Request&) {
  auto kept = find_kept(context, kConversationKind, context.path["id"]);
  if (!kept.is_ok()) return kept.error();
  return ready_call(http::Response{.body = std::move(kept->body)});
}

Parsed<Call> parse_update_conversation(const DialectContext& context,
                                       const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const Json metadata = metadata_of(fields);
  if (!fields.has("metadata")) {
    fields.fail({.message = "You must provide metadata.",
                 .param = "metadata",
                 .code = "missing_required_parameter"});
  }
  if (auto error = mistake_of(fields, context)) return std::move(*error);
  return change(context, [&](archive::Kept& kept) -> std::optional<ApiError> {
    Result<Json> shown = parse_json(kept.body);
    if (!shown.is_ok()) return std::nullopt;
    shown->set("metadata", metadata);
    kept.body = dump(*shown);
    return std::nullopt;
  });
}

Parsed<Call> parse_delete_conversation(const DialectContext& context, const http::Request&) {
  const std::string id(context.path["id"]);
  if (context.house->archive == nullptr) return not_found("Conversation", id);
  const auto removed = context.house->archive->remove(kConversationKind, id, context.tenant.name);
  if (!removed.is_ok()) return archive_error(removed.status());
  if (!*removed) return not_found("Conversation", id);
  return ready_call(
      Json::object({{"id", id}, {"object", "conversation.deleted"}, {"deleted", true}}));
}

Parsed<Call> parse_add_items(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  const Json* given = fields.any("items");
  if (given == nullptr || !given->is_array()) {
    fields.fail(invalid_value("items", "Invalid 'items': expected a list of items."));
  }
  const std::vector<Json> items =
      given != nullptr ? read_items(fields, *given, "items") : std::vector<Json>();
  if (auto error = mistake_of(fields, context)) return std::move(*error);
  Parsed<Call> changed = change(context, [&](archive::Kept& kept) -> std::optional<ApiError> {
    std::vector<Json> all = items_in(kept.input);
    if (all.size() + items.size() > kItemsMax) {
      return invalid_value("items", "Invalid 'items': the conversation would have more items than "
                                    "one may have.");
    }
    all.insert(all.end(), items.begin(), items.end());
    kept.input = dump(Json::array(std::move(all)));
    return std::nullopt;
  });
  if (!changed.is_ok()) return changed;
  return ready_call(list_json(items, false));
}

Parsed<Call> parse_list_items(const DialectContext& context, const http::Request& request) {
  auto kept = find_kept(context, kConversationKind, context.path["id"]);
  if (!kept.is_ok()) return kept.error();
  auto page = page_of(request, items_in(kept->input), true);
  if (!page.is_ok()) return page.error();
  return ready_call(*page);
}

Parsed<Call> parse_show_item(const DialectContext& context, const http::Request&) {
  auto kept = find_kept(context, kConversationKind, context.path["id"]);
  if (!kept.is_ok()) return kept.error();
  const std::string_view wanted = context.path["item"];
  for (const Json& item : items_in(kept->input)) {
    if (item_text(item, "id") == wanted) return ready_call(item);
  }
  return not_found("Item", wanted);
}

Parsed<Call> parse_delete_item(const DialectContext& context, const http::Request&) {
  const std::string_view wanted = context.path["item"];
  return change(context, [&](archive::Kept& kept) -> std::optional<ApiError> {
    std::vector<Json> items = items_in(kept.input);
    const std::size_t removed = std::erase_if(
        items, [&](const Json& item) { return item_text(item, "id") == wanted; });
    if (removed == 0) return not_found("Item", wanted);
    kept.input = dump(Json::array(std::move(items)));
    return std::nullopt;
  });
}

}  // namespace quire
