// Items: what a conversation of the Responses API consists of: messages, calls of functions and
// their outputs, thoughts. Read from what a client sends into one full form (with id, type and
// status), which is what is kept and shown; and from there made into what a chat template reads.
// Pure. Used by the rest of this folder.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/intake/fields.h"

namespace quire {

inline constexpr std::size_t kItemsMax = 8192;  // of one request
inline constexpr std::size_t kIdSizeMax = 128;    // bytes
inline constexpr std::size_t kMetadataMax = 16;   // pairs of strings

// `input`: a text, which is a message of the user, or a list of items. References stay references.
// Mistakes go to `fields`.
std::vector<Json> read_items(Fields& fields, const Json& input, std::string_view field);

// The string that `item` has there; empty: none.
std::string_view item_text(const Json& item, std::string_view name);

// Messages as templates read them. A thought goes to the assistant's message behind it, calls into
// one with it; system messages at the head become one, because templates know only one.
// `instructions`: stand before everything; null: none. An error names `field`.
Parsed<std::vector<Json>> messages_of(const Json* instructions, std::span<const Json> items,
                                      const std::string& field);

// The items without the first `count` that may go: not system's, and an output goes with its call.
std::vector<Json> without_oldest(std::span<const Json> items, std::size_t count);
std::size_t removable(std::span<const Json> items);  // how many may go; the last one never

}  // namespace quire
