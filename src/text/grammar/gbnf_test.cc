#include "text/grammar/gbnf.h"

#include <gtest/gtest.h>

#include "text/grammar/lark.h"

namespace quire {
namespace {

TEST(Gbnf, BecomesLark) {
  const struct {
    const char* gbnf;
    const char* lark;
  } kCases[] = {
      {"root ::= \"a\" | \"b\"", "start: R0\nR0: (/a/ | /b/)\n"},
      {"root ::= \"ab\"", "start: R0\nR0: (/ab/)\n"},
      {"root ::= [a-z]+ \" \" [^0-9\\n]", "start: R0\nR0: ((/[a-z]/)+ /\\x{20}/ /[^0-9\\x{A}]/)\n"},
      {"root ::= \"\"", "start: R0\nR0: (\"\")\n"},
      {"root ::= . .?", "start: R0\nR0: (/(?s:.)/ (/(?s:.)/)?)\n"},
      {"root ::= \"a\"{2} \"b\"{3,} \"c\"{0,4}",
       "start: R0\nR0: ((/a/){2,2} (/b/){3,} (/c/){0,4})\n"},
      {"# first\nroot ::= ws x # last\n\nx ::= \"x\" |\n  \"y\"\nws ::= [ \\t]*\nno ::= \"no\"",
       "start: R0\nR0: (R1 R2)\nR1: ((/[\\x{20}\\x{9}]/)*)\nR2: (/x/ | /y/)\n"},
      // Recursion: each character is a lexeme.
      {"root ::= \"(\" root \")\" | \"ab\"",
       "start: r0\nr0: (/\\x{28}/ r0 /\\x{29}/ | /a/ /b/)\n"},
      {"root ::= (\n  \"a\"?\n  | \"b\"\n)*", "start: R0\nR0: ((((/a/)? | /b/))*)\n"},
      {"root ::= \"\\x41\\u00e9\\U0001F600é\\\"\"",
       "start: R0\nR0: (/A\\x{E9}\\x{1F600}\\x{E9}\\x{22}/)\n"},
      {"root ::= [^]", "start: R0\nR0: (/(?s:.)/)\n"},
      {"root ::= [a-]", "start: R0\nR0: (/[a\\x{2D}]/)\n"},
      {"root ::= root \"a\" | \"a\"", "start: r0\nr0: (r0 /a/ | /a/)\n"},
  };
  for (const auto& [gbnf, lark] : kCases) {
    const auto got = source_of_gbnf(gbnf);
    ASSERT_TRUE(got.is_ok()) << gbnf << ": " << got.status().message();
    EXPECT_EQ(got->kind, GrammarKind::kLark);
    EXPECT_EQ(got->text, lark) << gbnf;
  }
}

TEST(Gbnf, ErrorsSayLineAndColumn) {
  std::string many;
  for (int i = 0; i < 2'001; ++i) many += "r" + std::to_string(i) + " ::= \"a\"\n";
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 500; ++i) {
    chain += "r" + std::to_string(i) + " ::= \"a\" r" + std::to_string((i + 1) % 500) + "\n";
  }
  const struct {
    std::string gbnf;
    const char* reason;
  } kCases[] = {
      {"", "line 1, column 1: there is no rule 'root'"},
      {"x ::= \"a\"", "there is no rule 'root'"},
      {"root ::= a\n\nb ::= \"b\"", "line 1, column 10: the rule 'a' is nowhere"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 1: the rule 'root' is there twice"},
      {"root ::= (\"a\"", "line 1, column 10: a group is not closed"},
      {"root ::= \"a\")", "line 1, column 13: ')' closes no group"},
      {"root ::= \"a", "line 1, column 10: a literal is not closed"},
      {"root ::= [a", "a class is not closed"},
      {"root ::= []", "an empty class allows nothing"},
      {"root ::= [z-a]", "line 1, column 11: a range of a class is reversed"},
      {"root ::= \"a\"{1,1000000000}", "line 1, column 13: a count is above the budget of 1000000"},
      {"root ::= ((\"a\"{1,1000}){1,1000}){1,1000}", "counts in counts come to 1000000"},
      {"root ::= \"a\"{3,2}", "a count is reversed"},
      {"root ::= *", "nothing to repeat"},
      {"root ::= <[42]>", "references to tokens are not supported"},
      {"root = \"a\"", "line 1, column 6: expected '::='"},
      {"root ::= \"\\q\"", "an escape that GBNF does not know"},
      {"root ::= \"\\x4\"", "expected 2 hexadecimal digits"},
      {"root ::= \"\xff\xfe\"", "not UTF-8 (at byte 10)"},
      {std::string("root ::= ") + std::string(60'000, '(') + "\"a\"",
       "line 1, column 110: groups are nested deeper than the budget of 100"},
      {std::string(300'000, '#'), "the grammar has 300000 bytes, above the budget of 262144"},
      {many, "line 2001, column 1: more rules than the budget of 2000"},
      {chain, "more than 400 rules lead to each other, the budget"},
  };
  for (const auto& [gbnf, reason] : kCases) {
    const auto got = source_of_gbnf(gbnf);
    ASSERT_FALSE(got.is_ok()) << gbnf.substr(0, 80);
    EXPECT_NE(got.status().message().find(reason), std::string::npos)
        << gbnf.substr(0, 80) << ": " << got.status().message();
  }
}

TEST(Lark, IsBounded) {
  EXPECT_TRUE(source_of_lark("start: \"a\" /[(]+/ // ((((\n  (\"b\")").is_ok());
  const auto deep = source_of_lark("start:\n " + std::string(200, '(') + "\"a\"");
  ASSERT_FALSE(deep.is_ok());
  EXPECT_EQ(deep.status().message(),
            "line 2, column 102: groups are nested deeper than the budget of 100");
  std::string chain = "start: r0\n";
  for (int i = 0; i < 500; ++i) {
    chain += "r" + std::to_string(i) + ": \"a\"\n  | \"r0\" r" + std::to_string((i + 1) % 500) +
             "\n";
  }
  const auto long_chain = source_of_lark(chain);
  ASSERT_FALSE(long_chain.is_ok());
  EXPECT_EQ(long_chain.status().message(),
            "more than 400 rules lead to each other, the budget");
  EXPECT_TRUE(source_of_lark("start: r0 R1\nr0[max_tokens=5]: \"a\" r0?\nR1.2: /a: b/\n").is_ok());
  const auto counts = source_of_lark("start: /((a{1,1000}){1,1000}){1,1000}/");
  ASSERT_FALSE(counts.is_ok());
  EXPECT_NE(counts.status().message().find("line 1, column 8: counts in counts"),
            std::string::npos);
  EXPECT_FALSE(source_of_lark(std::string(300'000, ' ')).is_ok());
}

TEST(Choice, IsOneOfTheTexts) {
  const std::string texts[] = {"yes", "a.b", "é"};
  EXPECT_EQ(source_of_choice(texts)->text, "(?:yes|a\\x{2E}b|é)");
}

}  // namespace
}  // namespace quire
