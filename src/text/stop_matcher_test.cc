// StopMatcher: examples, and a twin that looks at the whole text.
#include "text/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace quire {
namespace {

StopMatcher matcher_of(std::vector<std::string> stops, bool include_stop = false) {
  Result<StopMatcher> matcher = StopMatcher::create(std::move(stops), include_stop);
  QUIRE_CHECK(matcher.is_ok(), "{}", matcher.status().message());
  return std::move(matcher).value();
}

TEST(StopMatcher, HoldsBackWhatMayBeTheBeginning) {
  StopMatcher matcher = matcher_of({"STOP"});
  EXPECT_EQ(matcher.append("a ST"), "a ");
  EXPECT_EQ(matcher.append("A"), "STA");
  EXPECT_EQ(matcher.append(" STO"), " ");
  EXPECT_EQ(matcher.append("P and more"), "");
  ASSERT_TRUE(matcher.match());
  EXPECT_EQ(matcher.match()->stop_index, 0u);
  EXPECT_EQ(matcher.match()->position, 6u);
  EXPECT_EQ(matcher.append("ignored"), "");
  EXPECT_EQ(matcher.flush(), "");
}

TEST(StopMatcher, ReleasesTheStopWhenAsked) {
  StopMatcher matcher = matcher_of({"\n\n"}, true);
  EXPECT_EQ(matcher.append("x\n"), "x");
  EXPECT_EQ(matcher.append("\ny"), "\n\n");
  EXPECT_EQ(matcher.match()->position, 1u);
}

TEST(StopMatcher, TakesTheMatchThatEndsFirstAndOfThoseTheLongest) {
  StopMatcher first = matcher_of({"cd", "abcde", "bc"});
  EXPECT_EQ(first.append("xabcde"), "xa");
  EXPECT_EQ(first.match()->stop_index, 2u);
  StopMatcher longest = matcher_of({"c", "bc"});
  EXPECT_EQ(longest.append("abc"), "a");
  EXPECT_EQ(longest.match()->stop_index, 1u);
}

TEST(StopMatcher, FlushGivesBackWhatWasHeld) {
  StopMatcher matcher = matcher_of({"END"});
  EXPECT_EQ(matcher.append("the EN"), "the ");
  EXPECT_EQ(matcher.flush(), "EN");
  EXPECT_FALSE(matcher.match());
}

TEST(StopMatcher, WithoutStopsHoldsNothing) {
  StopMatcher matcher = matcher_of({});
  EXPECT_EQ(matcher.append("anything"), "anything");
}

TEST(StopMatcher, RefusesWhatIsOutOfBounds) {
  EXPECT_FALSE(StopMatcher::create({""}, false).is_ok());
  EXPECT_FALSE(StopMatcher::create({std::string(5000, 'x')}, false).is_ok());
  EXPECT_FALSE(StopMatcher::create(std::vector<std::string>(65, "x"), false).is_ok());
}

// The twin: the first position at which some stop ends, seen in the whole text.
TEST(StopMatcher, EqualsASearchInTheWholeText) {
  std::mt19937 random(3);
  const auto letters = [&](unsigned size) {
    std::string text;
    for (; size > 0; --size) text += static_cast<char>('a' + random() % 2);
    return text;
  };
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (unsigned i = 1 + random() % 3; i > 0; --i) stops.push_back(letters(1 + random() % 6));
    const std::string text = letters(random() % 30);
    std::size_t start = text.size();
    for (std::size_t end = 1; end <= text.size() && start == text.size(); ++end) {
      for (const std::string& stop : stops) {
        if (text.substr(0, end).ends_with(stop)) start = std::min(start, end - stop.size());
      }
    }
    StopMatcher matcher = matcher_of(stops);
    std::string released;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 4;
      released += matcher.append(std::string_view(text).substr(at, size));
      at += size;
    }
    released += matcher.flush();
    ASSERT_EQ(released, text.substr(0, start)) << text;
    ASSERT_EQ(matcher.match().has_value(), start < text.size());
  }
}

}  // namespace
}  // namespace quire
