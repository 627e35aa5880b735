#include "serve/answer/warning_text.h"

#include <string_view>

namespace quire {

std::string warning_text(const std::vector<std::string>& warnings) {
  std::string text;
  for (const std::string& warning : warnings) {
    const std::string_view between = text.empty() ? "" : "; ";
    for (const std::string_view part : {between, std::string_view(warning)}) {
      for (const char c : part) {
        if (text.size() >= kWarningBytesMax) break;
        const bool is_plain = c >= ' ' && c <= '~' && c != '\\' && c != '"';
        text += is_plain ? c : c == '"' ? '\'' : '?';
      }
    }
  }
  return "299 quire \"" + text + '"';
}

}  // namespace quire
