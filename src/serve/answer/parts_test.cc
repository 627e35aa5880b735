// Parts of answers: the corpus whole and under random splits, and what happens at the seams.
#include "serve/answer/parts.h"

#include <gtest/gtest.h>

#include <random>

#include "serve/answer/formats/testing/corpus.h"

namespace quire {
namespace {

using testing::corpus;
using testing::described;
using testing::Member;
using testing::options_of;

std::vector<PartDelta> cut(PartStreamOptions options, const std::vector<std::string>& pieces) {
  PartStream stream(std::move(options));
  std::vector<PartDelta> out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    TokenEvent event;
    event.text = pieces[i];
    stream.take(event, out);
  }
  stream.finish(out);
  return out;
}

std::vector<std::string> split(const std::string& text, std::mt19937& random) {
  std::vector<std::string> pieces;
  const std::size_t size_max = 1 + random() % 12;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = std::min(text.size() - at, 1 + random() % size_max);
    pieces.push_back(text.substr(at, size));
    at += size;
  }
  return pieces;
}

TEST(Parts, TheCorpusMeansWhatItSays) {
  for (const Member& member : corpus(QUIRE_SOURCE_DIR)) {
    for (const bool is_guaranteed : {false, true}) {
      if (is_guaranteed && !member.is_well_formed) continue;
      EXPECT_EQ(described(cut(options_of(member, is_guaranteed), {member.text})), member.parts)
          << member.calls << (is_guaranteed ? " under a grammar: " : ": ") << member.text;
    }
  }
}

TEST(Parts, TheSameHoweverTheTextIsCut) {
  std::mt19937 random(13);
  for (const Member& member : corpus(QUIRE_SOURCE_DIR)) {
    for (int round = 0; round < 200; ++round) {
      const bool is_guaranteed = member.is_well_formed && round % 2 == 1;
      const auto deltas = cut(options_of(member, is_guaranteed), split(member.text, random));
      ASSERT_EQ(described(deltas), member.parts) << member.calls << ": " << member.text;
    }
  }
}

TEST(Parts, WithoutAFormatEverythingIsText) {
  EXPECT_EQ(described(cut({}, {" <think>a</think>", "<tool_call>", "\n"})),
            "text:  <think>a</think><tool_call>\\n\n");
}

PartStreamOptions hermes(bool is_guaranteed) {
  return {.format = {.calls = find_call_format("hermes"), .thoughts = find_thought_format("think")},
          .is_guaranteed = is_guaranteed,
          .request_id = "r"};
}

TEST(Parts, UnderAGrammarArgumentsComeAsTheyAreWritten) {
  PartStream stream(hermes(true));
  std::vector<PartDelta> out;
  TokenEvent event;
  event.text = R"(<tool_call>{"name": "f", "arguments": {"city": "Pa)";
  stream.take(event, out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].call_name, "f");
  EXPECT_EQ(out[0].text, R"({"city": "Pa)");
  const std::string id = out[0].call_id;
  EXPECT_EQ(id.size(), 29u);
  out.clear();
  event.text = R"(ris"}})";
  stream.take(event, out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].text, R"(ris"})");
  EXPECT_TRUE(out[0].call_name.empty());
  EXPECT_EQ(out[0].index, 0u);

  // The same request has the same ids, another has others.
  const std::string whole = R"(<tool_call>{"name":"f","arguments":{}}</tool_call>)";
  const auto again = cut(hermes(false), {whole, whole});
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0].call_id, id);
  EXPECT_NE(again[1].call_id, id);
  PartStreamOptions other = hermes(false);
  other.request_id = "q";
  EXPECT_NE(cut(std::move(other), {whole})[0].call_id, id);
}

TEST(Parts, ACallThatIsCutOffStaysAsFarAsItGotUnderAGrammarAndIsTextElsewhere) {
  const std::string text = R"(<tool_call>{"name": "f", "arguments": {"city": "Pa)";
  const auto kept = cut(hermes(true), {text});
  EXPECT_EQ(described(kept), "call: f {\"city\": \"Pa\n");
  EXPECT_EQ(described(cut(hermes(false), {text})), "text: " + text + "\n");
}

TEST(Parts, WhatIsNotReadIsText) {
  PartStreamOptions options = hermes(false);
  options.reads_calls = false;
  const std::string call = R"(<tool_call>{"name":"f","arguments":{}}</tool_call>)";
  EXPECT_EQ(described(cut(std::move(options), {"<think>t</think>\n" + call})),
            "thought: t\ntext: " + call + "\n");
  options = hermes(false);
  options.reads_thoughts = false;
  EXPECT_EQ(described(cut(std::move(options), {"<think>t</think>\n" + call})),
            "text: <think>t</think>\ncall: f {}\n");
}

TEST(Parts, IdsLookLikeTheFamilys) {
  const auto id = [](std::string_view format, const std::string& text) {
    const auto parts =
        cut({.format = {.calls = find_call_format(format)}, .request_id = "r"}, {text});
    return parts.size() == 1 ? parts[0].call_id : "";
  };
  EXPECT_EQ(id("mistral", R"([TOOL_CALLS][{"name":"f","arguments":{}}])").size(), 9u);
  EXPECT_EQ(id("mistral_v11", "[TOOL_CALLS]f[CALL_ID]aB3dE6gH9[ARGS]{}"), "aB3dE6gH9");
  EXPECT_EQ(id("kimi_k2", "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:7"
                          "<|tool_call_argument_begin|>{}<|tool_call_end|>"),
            "functions.f:7");
}

TEST(Parts, WhatThePromptHasSaidIsNoPartOfTheAnswer) {
  PartStreamOptions options{.format = {.calls = find_call_format("functionary_v3_2")},
                            .reads_calls = false};
  EXPECT_EQ(described(cut(options, {"all\nHello."})), "text: Hello.\n");
  EXPECT_EQ(described(cut(options, {"f\n{}"})), "text: f\\n{}\n");
  options.reads_calls = true;
  EXPECT_EQ(described(cut(options, {"Hello there."})), "text: Hello there.\n");
  EXPECT_EQ(described(cut(options, {""})), "");
}

TEST(Parts, AnEventThatFinishesFinishesTheParts) {
  PartStream stream(hermes(false));
  std::vector<PartDelta> out;
  TokenEvent event;
  event.text = "a <tool_";
  event.finish = FinishReason::kLength;
  stream.take(event, out);
  stream.finish(out);
  EXPECT_EQ(described(out), "text: a <tool_\n");
}

}  // namespace
}  // namespace quire
