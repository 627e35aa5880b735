// Lexer of Go templates: the text outside of {{ }} as it is (trim markers have had their effect)
// and the words inside. Errors name the line.
// Pure; any thread. Used by parser.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace quire::go {

enum class TokenKind : std::uint8_t {
  kText,      // outside of actions
  kEnd,       // of an action: }}
  kSpace,     // matters: ".A .B" are two words, ".A.B" is one
  kField,     // ".A": name "A"; "." alone is kDot
  kDot,
  kVariable,  // "$x", "$"
  kName,      // a keyword, a function
  kConstant,  // a string, a number, true, false, nil, a character
  kPipe, kOpen, kClose, kComma, kDeclare, kAssign,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;
  Json value;  // of a constant
};

inline constexpr std::size_t kSourceMax = std::size_t{1} << 20;  // bytes
inline constexpr std::size_t kTokensMax = std::size_t{1} << 18;

Result<std::vector<Token>> lex(std::string_view source);

}  // namespace quire::go
