#include "serve/http/quality.h"

#include <algorithm>

#include "base/text/ascii.h"

namespace quire::http {
namespace {

bool is_same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower_ascii(x) == lower_ascii(y); });
}

// Takes what stands before the next `separator` off the front of `text`.
std::string_view take_part(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(part);
}

// "0.75" -> 750, "1" -> 1000
int thousandths(std::string_view weight) {
  constexpr std::size_t kSizeMax = 5;  // "0.125"
  if (weight.empty() || weight.size() > kSizeMax || (weight[0] != '0' && weight[0] != '1')) {
    return 0;
  }
  if (weight.size() > 1 && weight[1] != '.') return 0;
  int value = (weight[0] - '0') * 1000;
  int place = 100;
  for (const char c : weight.substr(std::min<std::size_t>(2, weight.size()))) {
    if (c < '0' || c > '9') return 0;
    value += (c - '0') * place;
    place /= 10;
  }
  return std::min(value, 1000);
}

}  // namespace

int quality_of(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    std::string_view entry = take_part(list, ',');
    if (!is_same(take_part(entry, ';'), name)) continue;
    int quality = 1000;
    while (!entry.empty()) {
      const std::string_view parameter = take_part(entry, ';');
      if (is_same(parameter.substr(0, 2), "q=")) quality = thousandths(parameter.substr(2));
    }
    return quality;
  }
  return 0;
}

}  // namespace quire::http
