#include "text/grammar/as_rule.h"

namespace quire {
namespace {

// A regular expression as it stands between two slashes.
std::string with_slashes_escaped(const std::string& regex) {
  std::string out;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    if (regex[i] == '\\' && i + 1 < regex.size()) out += regex[i++];
    else if (regex[i] == '/') out += '\\';
    out += regex[i];
  }
  return out;
}

}  // namespace

std::string as_lark_rule(const GrammarSource& source) {
  switch (source.kind) {
    case GrammarKind::kJsonSchema: return "%json " + source.text;
    case GrammarKind::kLark: return "%lark {\n" + source.text + "\n}";
    case GrammarKind::kRegex: return "/" + with_slashes_escaped(source.text) + "/";
  }
  return {};
}

}  // namespace quire
