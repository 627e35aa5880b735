#include "text/grammar/pattern.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

TEST(Pattern, SaysTheSameInTheCompilersWords) {
  const struct {
    const char* written;
    const char* rewritten;
  } kCases[] = {
      {"", ""},
      {"^abc$", "^abc$"},
      {"^\\d{3}-\\w+$", "^[0-9]{3}-[0-9A-Za-z_]+$"},
      {"(a|b)*?", "(?:a|b)*"},
      {"(?<year>[0-9]+)", "(?:[0-9]+)"},
      {"(?P<stop>x)y", "(?:x)y"},  // whose name would mean something to the compiler
      {"a{", "a\\{"},
      {"a{,3}", "a\\{,3\\}"},
      {"[[a]", "[\\[a]"},
      {"[a&&b]", "[a\\&\\&b]"},
      {"[a-z-9]", "[a-z\\-9]"},
      {"[+--]", "[\\+-\\-]"},
      {"[\\d-x]", "[0-9\\-x]"},
      {"[]a]", "[\\]a]"},
      {"[^\\w\\s]", "[^\\p{L}\\p{N}_\\s\\x{FEFF}]"},
      {"[^\\d]", "[^\\p{Nd}]"},
      {"[^\\D]", "[^[^0-9]]"},
      {"\\D", "\\P{Nd}"},
      {"\\S[^\\S]", "[^\\s\\x{FEFF}][^[^\\t-\\r\\x20\\x{A0}\\x{1680}\\x{2000}-\\x{200A}"
                     "\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}]]"},
      {"\\x41\\u00e9\\u{1F600}\\cA\\0", "\\x{41}\\x{E9}\\x{1F600}\\x{1}\\x{0}"},
      {"\\ud83d\\ude00", "\\x{1F600}"},
      {"\\/\\-\\_\\<\\é", "/\\-_<é"},
      {"^\\p{L}{1,5000}$", "^\\p{L}{1,5000}$"},
      {"(?i)abc", "(?i)abc"},
      {"é+", "é+"},
      {"[à-ü]", "[à-ü]"},
      {"(^|,)a(,|$)", "(?:^|,)a(?:,|$)"},
      {"^a$|^b$", "^a$|^b$"},
      {"[\\b]", "[\\x{8}]"},
      {"[\\\\\\]]", "[\\\\\\]]"},
  };
  for (const auto& [written, rewritten] : kCases) {
    const auto got = rewrite_pattern(written);
    ASSERT_TRUE(got.is_ok()) << written << ": " << got.status().message();
    EXPECT_EQ(*got, rewritten) << written;
  }
}

TEST(Pattern, WhatCannotBeSaidIsRefusedByName) {
  const struct {
    std::string written;
    const char* reason;
  } kCases[] = {
      {"(?=a)b", "look-ahead is not supported (at byte 0)"},
      {"a(?!b)", "look-ahead is not supported (at byte 1)"},
      {"(?<=x)*", "look-behind is not supported (at byte 0)"},
      {"(?<!x)y", "look-behind is not supported"},
      {"^(a)\\1$", "back-references are not supported (at byte 4)"},
      {"(?P=x)", "back-references are not supported"},
      {"\\bword", "word boundaries are not supported"},
      {"(?>a)", "atomic groups are not supported"},
      {"(?x) a", "this kind of group is not supported (at byte 0)"},
      {"a(?i)b", "this kind of group is not supported (at byte 1)"},
      {"^+[a-z]$", "a quantifier has nothing to repeat (at byte 1)"},
      {"^{2}times$", "a quantifier has nothing to repeat (at byte 1)"},
      {"a**", "a quantifier has nothing to repeat (at byte 2)"},
      {"a++", "possessive quantifiers are not supported"},
      {"(", "a group is not closed (at byte 0)"},
      {")", "')' closes no group (at byte 0)"},
      {"[a", "a class is not closed (at byte 0)"},
      {"[z-a]", "a range of a class is reversed (at byte 1)"},
      {"a{3,2}", "a count is reversed"},
      {"a{1,1000000000}", "a count is above the budget of 1000000"},
      {"((a{1,1000}){1,1000}){1,1000}", "counts in counts come to 1000000, above the budget"},
      {"\\", "the pattern ends in a backslash"},
      {"[\\", "the pattern ends in a backslash"},
      {"\\ud800", "this escape is no character"},
      {"a^b", "'^' is supported at the beginning only (at byte 1)"},
      {"^$[a-z]*$", "'$' is supported at the end only (at byte 2)"},
      {"(a|$)b", "'$' is supported at the end only (at byte 5)"},
      {"(^a)*", "'^' and '$' cannot be repeated"},
      {"\\q", "the escape '\\q' is not supported"},
      {"\\xZZ", "this escape is no character"},
      {"\xff", "the pattern is not UTF-8 (at byte 0)"},
      {std::string(60'000, '('), "the pattern has 60000 bytes, above the budget of 16384"},
      {std::string(5'000, '('), "groups are nested deeper than the budget of 100"},
  };
  for (const auto& [written, reason] : kCases) {
    const auto got = rewrite_pattern(written);
    ASSERT_FALSE(got.is_ok()) << written;
    EXPECT_NE(got.status().message().find(reason), std::string::npos)
        << written << ": " << got.status().message();
  }
}

}  // namespace
}  // namespace quire
