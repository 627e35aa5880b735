// What is behind a standard stream: a person at a terminal or a pipe, in colour or not, and how
// wide. Colours follow https://no-color.org: none where NO_COLOR is set, none on a dumb terminal,
// none into a pipe.
// Functions of the environment; main thread. Used by whatever speaks to a person.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quire {

enum class Style : std::uint8_t { kPlain, kBold, kDim, kRed, kGreen, kCyan };

bool is_terminal(int descriptor);
bool has_colour(int descriptor);
bool can_move_cursor(int descriptor);    // a terminal that is not a dumb one
int terminal_columns(int descriptor);    // 80 when nobody knows

// `text` in that style, or as it is without colour.
std::string styled(Style style, std::string_view text, bool has_colour);

// 16777216 as "16,777,216".
std::string grouped(std::uint64_t number);

// 98362432 as "93.8 MiB".
std::string size_text(std::uint64_t bytes);

}  // namespace quire
