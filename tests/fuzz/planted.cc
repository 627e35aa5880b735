#include "planted.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace quire::fuzz {
namespace {

// Reads one number too far behind "quire", a number that is compared as one, and an odd length.
std::string plant(std::string_view input) {
  if (input.size() < 9 || input.substr(0, 5) != "quire") return "";
  std::uint32_t number;
  std::memcpy(&number, input.data() + 5, sizeof(number));
  if (number != 0x5EED1234 || input.size() % 2 == 0) return "";
  const std::vector<int> values(input.size());
  return values.data()[input.size()] == 7 ? "seven" : "";
}

}  // namespace

const Target kPlanted{"planted", plant, 64};

}  // namespace quire::fuzz
