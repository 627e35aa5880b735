// Lines to messages: plain, continued, in a block.
#include "terminal/message_lines.h"

#include <gtest/gtest.h>

#include <vector>

namespace quire {
namespace {

// The messages of some lines; what is not complete at the end comes last behind "open: ".
std::vector<std::string> messages(const std::vector<std::string>& typed) {
  MessageLines lines;
  std::vector<std::string> all;
  for (const std::string& line : typed) {
    if (auto message = lines.add(line)) all.push_back(*message);
  }
  if (lines.is_open()) all.push_back("open: " + std::to_string(lines.size()));
  return all;
}

using Texts = std::vector<std::string>;

TEST(MessageLinesTest, ALineIsAMessage) {
  EXPECT_EQ(messages({"one", "", " two \"\"\""}), (Texts{"one", "", " two \"\"\""}));
}

TEST(MessageLinesTest, ABackslashGoesOn) {
  EXPECT_EQ(messages({"one\\", "two\\", "three", "four"}), (Texts{"one\ntwo\nthree", "four"}));
  EXPECT_EQ(messages({"one\\", "/help"}), (Texts{"one\n/help"}));
  EXPECT_EQ(messages({"one\\", "\"\"\"two"}), (Texts{"one\n\"\"\"two"}));
  EXPECT_EQ(messages({"\\"}), (Texts{"open: 1"}));
}

TEST(MessageLinesTest, ABlockIsTakenAsItIs) {
  EXPECT_EQ(messages({"\"\"\"one", "two\\", "", "three\"\"\"", "four"}),
            (Texts{"one\ntwo\\\n\nthree", "four"}));
  EXPECT_EQ(messages({"\"\"\"", "one", "\"\"\""}), (Texts{"one\n"}));
  EXPECT_EQ(messages({"\"\"\"one\"\"\""}), (Texts{"one"}));
  EXPECT_EQ(messages({"\"\"\"\"\"\""}), (Texts{""}));
  EXPECT_EQ(messages({"\"\"\"one", "two"}), (Texts{"open: 8"}));
}

TEST(MessageLinesTest, WhatIsOpenCanBeDropped) {
  MessageLines lines;
  EXPECT_FALSE(lines.add("\"\"\"one"));
  lines.clear();
  EXPECT_FALSE(lines.is_open());
  EXPECT_EQ(lines.add("two"), "two");
}

}  // namespace
}  // namespace quire
