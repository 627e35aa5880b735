// Line breaking and harmless characters. A small screen replays what was written.
#include "terminal/terminal_text.h"

#include <gtest/gtest.h>

#include <regex>
#include <vector>

namespace quire {
namespace {

class TerminalTextTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { use_utf8_locale(); }
};

// What a terminal shows after `written`: "\033[nD\033[K" takes back the last n columns.
std::string shown(std::string written) {
  static const std::regex back("\033\\[(\\d+)D\033\\[K");
  for (std::smatch found; std::regex_search(written, found, back);) {
    const std::size_t columns = std::stoul(found[1]);
    const auto at = static_cast<std::size_t>(found.position());
    std::size_t start = at;  // every character taken back in these tests is one column wide
    for (std::size_t left = columns; left > 0;) {
      left -= (static_cast<unsigned char>(written[--start]) & 0xC0) != 0x80;
    }
    written.erase(start, at - start + static_cast<std::size_t>(found.length()));
  }
  return written;
}

// The same for any split into pieces: here one character at a time and all at once.
std::string wrapped(const std::string& text, int columns) {
  TerminalText whole(columns), pieces(columns);
  std::string streamed;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    streamed += pieces.add(text.substr(i, end - i));
    i = end;
  }
  EXPECT_EQ(whole.add(text), streamed);
  return shown(streamed);
}

TEST_F(TerminalTextTest, WordsStayWhole) {
  EXPECT_EQ(wrapped("the quick brown fox", 11), "the quick \nbrown fox");
  EXPECT_EQ(wrapped("the quick\nbrown fox jumps", 11), "the quick\nbrown fox \njumps");
  EXPECT_EQ(wrapped("Grüße über Größe", 8), "Grüße \nüber \nGröße");
  EXPECT_EQ(wrapped("anunbreakableword so", 8), "anunbre\nakablew\nord so");
  EXPECT_EQ(wrapped("the quick brown fox", 0), "the quick brown fox");
}

TEST_F(TerminalTextTest, WideCharactersAreTwoColumnsAndBreakAnywhere) {
  EXPECT_EQ(wrapped("世界世界世界", 8), "世界世\n界世界");
  EXPECT_EQ(wrapped("e\u0301e\u0301e\u0301 x", 5), "e\u0301e\u0301e\u0301 \nx");
}

TEST_F(TerminalTextTest, CodeIsNotBroken) {
  EXPECT_EQ(wrapped("a b c d e\n```py\nx = a + b + c\n```\na b c d e", 8),
            "a b c d\ne\n```py\nx = a + b + c\n```\na b c d\ne");
}

TEST_F(TerminalTextTest, ControlCharactersAreHarmless) {
  EXPECT_EQ(wrapped("a\033]0;x\007b\u009bc\rd\u202e\x7f", 80),
            "a\uFFFD]0;x\uFFFDb\uFFFDcd\uFFFD\uFFFD");
  EXPECT_EQ(wrapped("a\tb", 80), "a\tb");
}

TEST_F(TerminalTextTest, KnowsTheColumn) {
  TerminalText text(20);
  text.add("one");
  EXPECT_EQ(text.column(), 3);
  text.add(" 世");
  EXPECT_EQ(text.column(), 6);
  text.add("\n");
  EXPECT_EQ(text.column(), 0);
}

}  // namespace
}  // namespace quire
