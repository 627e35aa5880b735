#include "serve/dialects/openai/responses/sealed_text.h"

#include <array>
#include <cstdint>

namespace quire {
namespace {

constexpr std::string_view kMark = "quire1_";
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::string seal_text(std::string_view text) {
  std::string sealed(kMark);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) sealed += kDigits[bits >> (count - 6) & 0x3F];
  }
  if (count > 0) sealed += kDigits[bits << (6 - count) & 0x3F];
  return sealed;
}

std::optional<std::string> unseal_text(std::string_view sealed) {
  if (!sealed.starts_with(kMark)) return std::nullopt;
  sealed.remove_prefix(kMark.size());
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : sealed) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    text += static_cast<char>(bits >> count & 0xFF);
  }
  return text;
}

}  // namespace quire
