// What the Responses API keeps in the archive, and how it finds it again: an answer with the items
// that were new in its request, conversations with their items. A client that is not their tenant
// is told that they do not exist.
// Worker threads. Used by the rest of this folder.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/archive.h"
#include "base/json.h"
#include "serve/call.h"
#include "serve/dialects/openai/responses/request.h"
#include "serve/house.h"

namespace quire {

inline constexpr std::string_view kResponseKind = "response";
inline constexpr std::string_view kConversationKind = "conversation";

// What the disk says becomes a 503 that a client may try again.
ApiError archive_error(const Status& status);
ApiError no_archive(const std::string& param);
ApiError not_found(std::string_view what, std::string_view id);

// The items before a request's own, and references in its input resolved.
std::optional<ApiError> find_history(const DialectContext& context, ResponsesRequest& request);

// Of that kind and id, or why not.
Parsed<archive::Kept> find_kept(const DialectContext& context, std::string_view kind,
                                std::string_view id);

std::vector<Json> items_in(const std::string& list);  // a JSON list, as it was kept

// One turn, to be kept when it is over.
struct Turn {
  archive::Archive* archive = nullptr;  // null: it is not kept
  archive::Kept kept;
  std::vector<Json> input;
  std::string conversation;  // gets the items, too
};
Status keep_turn(Turn& turn, const Json& body);

// A page of a list that is in memory, as query parameters ask: order, after, limit.
Parsed<Json> page_of(const http::Request& request, std::vector<Json> items, bool is_newest_first);
// limit, after and order of a list that the archive orders.
Parsed<archive::Page> read_page(const http::Request& request, std::int64_t limit_max);
Json list_json(std::vector<Json> rows, bool has_more);

}  // namespace quire
