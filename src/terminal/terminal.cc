// What is behind a standard stream, and text for people: see terminal.h.
#include "terminal/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace quire {
namespace {

constexpr int kColumnsUnknown = 80;

constexpr std::array<std::string_view, 6> kCodes = {"", "1", "2", "31", "32", "36"};  // [Style]

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

bool can_move_cursor(int descriptor) {
  return is_terminal(descriptor) && is_set("TERM") &&
         std::string_view(std::getenv("TERM")) != "dumb";
}

bool has_colour(int descriptor) { return can_move_cursor(descriptor) && !is_set("NO_COLOR"); }

int terminal_columns(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kColumnsUnknown;
  return size.ws_col;
}

std::string styled(Style style, std::string_view text, bool has_colour) {
  const std::string_view code = kCodes[static_cast<std::size_t>(style)];
  if (!has_colour || code.empty()) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace quire
