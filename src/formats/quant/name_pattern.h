// NamePattern: one entry of a list of modules as Hugging Face configurations write them: a name, or
// "re:" and a regular expression that a name must begin with. Of expressions what such lists use:
// characters, '.', classes [a-z], escapes (\. \d \w), the repeats * + ?, '^' in front and '$' at
// the end; alternatives and groups are refused. Matching takes pattern times name steps, whatever a
// file writes. Immutable; any thread. Used by compressed_tensors.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quire {

class NamePattern {
 public:
  static Result<NamePattern> parse(std::string_view text);

  bool matches(std::string_view name) const;

 private:
  struct Atom {
    std::bitset<256> allowed;  // characters
    bool is_optional = false;  // * and ?
    bool is_repeated = false;  // * and +
  };

  Status parse_expression(std::string_view text);

  std::vector<Atom> atoms_;
  bool is_whole_ = true;  // the name must end where the pattern does
};

}  // namespace quire
