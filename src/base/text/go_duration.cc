#include "base/text/go_duration.h"

#include <iterator>
#include <utility>

namespace quire {
namespace {

constexpr double kNanosMax = 9.2e18;  // what an integer of 64 bits can be
constexpr std::size_t kDurationSizeMax = 64;  // bytes

constexpr std::pair<std::string_view, double> kUnits[] = {  // the longer before its beginning
    {"ns", 1.0}, {"us", 1e3}, {"\xC2\xB5s", 1e3}, {"\xCE\xBCs", 1e3}, {"ms", 1e6},
    {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};

// Digits with at most one point; how many bytes they are.
std::size_t read_number(std::string_view text, double& number) {
  std::size_t at = 0, digits = 0;
  double scale = 0;
  number = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && scale == 0) {
      scale = 1;
    } else if (c >= '0' && c <= '9') {
      ++digits;
      number = number * 10 + (c - '0');
      scale *= 10;
    } else {
      break;
    }
  }
  if (scale > 1) number /= scale;
  return digits > 0 ? at : 0;
}

}  // namespace

Nanos clamped_nanos(double nanos) {
  if (nanos >= kNanosMax) return Nanos::max();
  if (nanos <= -kNanosMax) return Nanos::min();
  return Nanos(static_cast<Nanos::rep>(nanos));
}

std::optional<Nanos> parse_go_duration(std::string_view text) {
  if (text.empty() || text.size() > kDurationSizeMax) return std::nullopt;
  double sign = 1;
  if (text.front() == '-' || text.front() == '+') {
    sign = text.front() == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  if (text == "0") return Nanos{0};
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    double number = 0;
    const std::size_t size = read_number(text, number);
    if (size == 0) return std::nullopt;
    text.remove_prefix(size);
    const auto* unit = std::begin(kUnits);
    while (unit != std::end(kUnits) && !text.starts_with(unit->first)) ++unit;
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(unit->first.size());
    sum += number * unit->second;
  }
  return clamped_nanos(sign * sum);
}

}  // namespace quire
