#include "apps/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace quire {
namespace {

using testing::HasSubstr;

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};

Outcome run_words(std::vector<std::string> words) {
  words.insert(words.begin(), "quire");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.status = run_command_line(static_cast<int>(argv.size()), argv.data());
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

// How many there are; none is wider than a terminal.
int lines_of(const std::string& page) {
  std::istringstream lines(page);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 80u) << line;
  return count;
}

TEST(CommandLineTest, ExplainsItselfInOneScreen) {
  const Outcome alone = run_words({});
  EXPECT_EQ(alone.status, 0);
  EXPECT_LE(lines_of(alone.out), 32);
  EXPECT_THAT(alone.out, HasSubstr("\n  serve      "));
  EXPECT_EQ(run_words({"--help"}).out, alone.out);
  EXPECT_EQ(run_words({"help"}).out, alone.out);
}

TEST(CommandLineTest, HelpOfACommandListsItsFlags) {
  const Outcome help = run_words({"serve", "--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("quire serve [MODEL"));
  EXPECT_THAT(help.out, HasSubstr("\n  --max-model-len N"));
  EXPECT_THAT(help.out, HasSubstr("one of error, warn (default: error)"));
  EXPECT_EQ(run_words({"help", "serve"}).out, help.out);
  for (const char* command : {"serve", "run", "bench", "show", "tokenize", "simulate",
                              "pull", "push", "rm"}) {
    EXPECT_GT(lines_of(run_words({command, "--help"}).out), 4) << command;
  }
  EXPECT_THAT(run_words({"push", "--help"}).out, HasSubstr("\n  quire push localhost:5000/me"));
}

TEST(CommandLineTest, SuggestsCommandsAndFlags) {
  const auto complaint = [](std::vector<std::string> words) {
    const Outcome outcome = run_words(std::move(words));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(complaint({"sevre"}), HasSubstr("has no command 'sevre'; did you mean 'serve'?"));
  EXPECT_THAT(complaint({"chat"}), HasSubstr("did you mean 'run'?"));
  EXPECT_THAT(complaint({"serve", "--prot", "80"}),
              HasSubstr("'quire serve' has no flag '--prot'; did you mean '--port'?"));
  EXPECT_THAT(complaint({"run", "--temprature=1"}),
              HasSubstr("'quire run' has no flag '--temprature'; did you mean '--temperature'?"));
  EXPECT_THAT(complaint({"serve", "--temperature", "1"}),
              HasSubstr("'quire serve' has no flag '--temperature'"));
  EXPECT_THAT(complaint({"serve", "--log-level", "inof"}), HasSubstr("'quire serve': --log-level"));
  EXPECT_THAT(complaint({"show", "a", "b"}), HasSubstr("has no use for 'b'"));
  EXPECT_THAT(complaint({QUIRE_SOURCE_DIR "/README.md"}), HasSubstr("quire run " QUIRE_SOURCE_DIR));
}

}  // namespace
}  // namespace quire
