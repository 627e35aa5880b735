// docs/compatibility.md: what each protocol's parameters do here, one table a protocol, written by
// the tests that try them. With QUIRE_WRITE_DOCS=1 in the environment a test writes its table anew;
// otherwise the page must say what the test found. A table stands between two comments:
// "<!-- NAME -->" and "<!-- end NAME -->".
// Test code only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quire {

struct CompatibilityRow {
  std::string parameter;
  std::string outcome;  // "acts", "accepted" (it can change no answer), "warned", "refused"
  std::string how;
};

// Empty, or what is wrong with the page at `path`.
std::string settle_compatibility_page(const std::string& path, std::string_view name,
                                      const std::vector<CompatibilityRow>& rows);

}  // namespace quire
