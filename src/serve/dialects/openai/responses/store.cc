#include "serve/dialects/openai/responses/store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "serve/dialects/openai/responses/items.h"

namespace quire {
namespace {

Json body_of(const archive::Kept& kept) {
  Result<Json> body = parse_json(kept.body);
  return body.is_ok() ? std::move(*body) : Json::object();
}

void append_items(const archive::Kept& kept, std::vector<Json>& items) {
  for (Json& item : items_in(kept.input)) items.push_back(std::move(item));
  if (kept.kind != kResponseKind) return;
  const Json body = body_of(kept);
  const Json* output = body.find("output");
  if (output == nullptr || !output->is_array()) return;
  items.insert(items.end(), output->items().begin(), output->items().end());
}

std::optional<ApiError> find_previous(const DialectContext& context, ResponsesRequest& request) {
  const std::string& id = request.previous;
  auto chain = context.house->archive->find_chain(kResponseKind, id, context.tenant.name);
  if (!chain.is_ok()) return archive_error(chain.status());
  if (chain->empty()) {
    return ApiError{.message = fmt::format("Previous response with id {} not found.",
                                           shown(Json(id))),
                    .param = "previous_response_id",
                    .code = "previous_response_not_found"};
  }
  const std::string& state = chain->back().state;
  if (state != "completed" && state != "incomplete") {
    return invalid_value("previous_response_id",
                         fmt::format("The response '{}' is {} and cannot be gone on from.", id,
                                     state));
  }
  for (const archive::Kept& link : *chain) append_items(link, request.history);
  return std::nullopt;
}

std::optional<ApiError> resolve(const DialectContext& context, Json& item) {
  const std::string id(item_text(item, "id"));
  archive::Archive* archive = context.house != nullptr ? context.house->archive : nullptr;
  if (archive == nullptr) return no_archive("input");
  const auto owner = archive->find_owner(id, context.tenant.name);
  if (!owner.is_ok()) return archive_error(owner.status());
  std::vector<Json> items;
  if (*owner) append_items(**owner, items);
  for (Json& known : items) {
    if (item_text(known, "id") != id) continue;
    item = std::move(known);
    return std::nullopt;
  }
  return invalid_value("input", fmt::format("Item with id {} not found. Items are kept with "
                                            "responses that have `store` set to true.",
                                            shown(Json(id))));
}

}  // namespace

ApiError archive_error(const Status& status) {
  spdlog::warn("the response store: {}", status.message());
  const bool is_full = status.code() == StatusCode::kResourceExhausted;
  return {.status = is_full ? 507 : 503,
          .message = "The response store failed: " + status.message() + ".",
          .type = "server_error",
          .code = is_full ? "store_full" : "store_unavailable"};
}

ApiError no_archive(const std::string& param) {
  return unsupported_parameter(param, fmt::format("Unsupported parameter: '{}': this server keeps "
                                                  "no answers (--response-store none).", param));
}

ApiError not_found(std::string_view what, std::string_view id) {
  return {.status = 404,
          .message = fmt::format("{} with id {} not found.", what, shown(Json(id)))};
}

std::optional<ApiError> find_history(const DialectContext& context, ResponsesRequest& request) {
  const bool has_archive = context.house != nullptr && context.house->archive != nullptr;
  if (!request.previous.empty()) {
    if (!has_archive) return no_archive("previous_response_id");
    if (auto error = find_previous(context, request)) return error;
  }
  if (!request.conversation.empty()) {
    if (!has_archive) return no_archive("conversation");
    const auto kept = context.house->archive->find(kConversationKind, request.conversation,
                                                   context.tenant.name);
    if (!kept.is_ok()) return archive_error(kept.status());
    if (!*kept) {
      ApiError error = not_found("Conversation", request.conversation);
      error.param = "conversation";
      return error;
    }
    append_items(**kept, request.history);
  }
  for (Json& item : request.input) {
    if (item_text(item, "type") != "item_reference") continue;
    if (auto error = resolve(context, item)) return error;
  }
  return std::nullopt;
}

Parsed<archive::Kept> find_kept(const DialectContext& context, std::string_view kind,
                                std::string_view id) {
  const std::string_view what = kind == kResponseKind       ? "Response"
                                : kind == kConversationKind ? "Conversation"
                                                            : "Completion";
  if (context.house->archive == nullptr) return not_found(what, id);
  auto found = context.house->archive->find(kind, id, context.tenant.name);
  if (!found.is_ok()) return archive_error(found.status());
  if (!*found) return not_found(what, id);
  return std::move(**found);
}

std::vector<Json> items_in(const std::string& list) {
  const Result<Json> parsed = parse_json(list);
  return parsed.is_ok() && parsed->is_array() ? parsed->items() : std::vector<Json>();
}

Status keep_turn(Turn& turn, const Json& body) {
  turn.kept.body = dump(body);
  turn.kept.state = std::string(item_text(body, "status"));
  turn.kept.item_ids.clear();
  std::vector<Json> items = turn.input;
  const Json* output = body.find("output");
  if (output != nullptr) {
    items.insert(items.end(), output->items().begin(), output->items().end());
  }
  for (const Json& item : items) turn.kept.item_ids.emplace_back(item_text(item, "id"));
  QUIRE_RETURN_IF_ERROR(turn.archive->keep(turn.kept));
  const bool is_over = turn.kept.state == "completed" || turn.kept.state == "incomplete";
  if (turn.conversation.empty() || !is_over) return ok_status();
  const auto changed = turn.archive->change(
      kConversationKind, turn.conversation, turn.kept.tenant, [&](archive::Kept& conversation) {
        std::vector<Json> all = items_in(conversation.input);
        all.insert(all.end(), items.begin(), items.end());
        conversation.input = dump(Json::array(std::move(all)));
      });
  return changed.is_ok() ? ok_status() : changed.status();
}

Parsed<archive::Page> read_page(const http::Request& request, std::int64_t limit_max) {
  archive::Page page;
  page.after = request.query_value("after").value_or("");
  const std::string order = request.query_value("order").value_or("desc");
  if (order != "asc" && order != "desc") {
    return invalid_value("order", "Invalid 'order': expected asc or desc, got " +
                                      shown(Json(order)) + ".");
  }
  page.is_ascending = order == "asc";
  if (const auto limit = request.query_value("limit")) {
    const auto [end, failure] =
        std::from_chars(limit->data(), limit->data() + limit->size(), page.limit);
    const bool is_number = failure == std::errc() && end == limit->data() + limit->size();
    if (!is_number || page.limit < 1 || page.limit > limit_max) {
      return invalid_value("limit", fmt::format("Invalid 'limit': expected an integer from 1 to "
                                                "{}, got {}.", limit_max, shown(Json(*limit))));
    }
  }
  return page;
}

Json list_json(std::vector<Json> rows, bool has_more) {
  const auto id_of = [](const Json& row) { return Json(item_text(row, "id")); };
  Json list = Json::object({{"object", "list"}});
  const Json first = rows.empty() ? Json() : id_of(rows.front());
  const Json last = rows.empty() ? Json() : id_of(rows.back());
  list.set("data", Json::array(std::move(rows)));
  list.set("first_id", first);
  list.set("last_id", last);
  list.set("has_more", has_more);
  return list;
}

Parsed<Json> page_of(const http::Request& request, std::vector<Json> items, bool is_newest_first) {
  constexpr std::int64_t kLimitMax = 100;
  auto page = read_page(request, kLimitMax);
  if (!page.is_ok()) return page.error();
  const bool is_ascending =
      request.query_value("order") ? page->is_ascending : !is_newest_first;
  if (!is_ascending) std::reverse(items.begin(), items.end());
  std::size_t first = 0;
  if (!page->after.empty()) {
    const auto at = std::find_if(items.begin(), items.end(), [&](const Json& item) {
      return item_text(item, "id") == page->after;
    });
    if (at == items.end()) {
      return invalid_value("after", "Invalid 'after': there is no item " +
                                        shown(Json(page->after)) + " here.");
    }
    first = static_cast<std::size_t>(at - items.begin()) + 1;
  }
  const std::size_t count = std::min<std::size_t>(items.size() - first,
                                                  static_cast<std::size_t>(page->limit));
  const bool has_more = first + count < items.size();
  const auto begin = items.begin() + static_cast<std::ptrdiff_t>(first);
  return list_json({begin, begin + static_cast<std::ptrdiff_t>(count)}, has_more);
}

}  // namespace quire
