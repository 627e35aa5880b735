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

// Of a vocabulary without control tokens.
std::vector<TokenId> letters_open(const PartStreamOptions& options) {
  const CallFormat* calls = options.format.calls;
  return std::vector<TokenId>(calls == nullptr ? 1 : calls->syntaxes.size(), -1);
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
      PartStreamOptions options = options_of(member, is_guaranteed);
      if (round % 4 == 3) options.opening_tokens = letters_open(options);
      const auto deltas = cut(std::move(options), split(member.text, random));
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

// What the pieces are of a text that comes letter by letter: "name" begins a call.
std::string pieces_of(PartStreamOptions options, const std::string& text) {
  std::vector<std::string> letters;
  for (const char letter : text) letters.emplace_back(1, letter);
  std::string out;
  for (const PartDelta& delta : cut(std::move(options), letters)) {
    if (!delta.call_name.empty()) out += delta.call_name + ":";
    out += delta.kind == PartKind::kToolCall ? delta.text + "|" : delta.text;
  }
  return out;
}

// A model that may call is held from where a call opens; arguments come as they are written.
TEST(Parts, WhereTheModelMayCallArgumentsComeAsTheyAreWrittenToo) {
  PartStreamOptions options = hermes(true);
  options.opening_tokens = letters_open(options);
  const std::string call = R"(<tool_call>{"name":"f","arguments":{"a":1}}</tool_call>)";
  EXPECT_EQ(pieces_of(options, "So: " + call), R"(So:f:|{|"|a|"|:|1|}|)");

  options.opening_tokens = {7};  // <tool_call> is a control token
  EXPECT_EQ(pieces_of(options, call), R"(f:{"a":1}|)") << "spelled in letters it opens nothing";
  PartStream stream(options);
  std::vector<PartDelta> out;
  TokenEvent event;
  event.text = R"(<tool_call>{"name":"f","arguments":{)";
  event.accepted = {7, 8, 9};
  stream.take(event, out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].text, "{");

  options.opening_tokens = {-1};
  PartStream free(options);
  free.leave_free();
  out.clear();
  free.take(event, out);
  EXPECT_TRUE(out.empty()) << "there is no grammar";
}

// Of calls that nothing marks a grammar is certain when it has seen how they begin.
TEST(Parts, ACallThatNothingMarksIsHeldFromItsName) {
  const auto pieces = [](std::string_view format, const std::string& text) {
    PartStreamOptions options{.format = {.calls = find_call_format(format)},
                              .is_guaranteed = true,
                              .tools = {{.name = "f"}},
                              .request_id = "r"};
    options.opening_tokens = letters_open(options);
    return pieces_of(std::move(options), text);
  };
  EXPECT_EQ(pieces("llama3_json", R"( {"name" : "f", "parameters": {"a":1}})"),
            R"(f:|{|"|a|"|:|1|}|)");
  EXPECT_EQ(pieces("llama3_json", R"({"type":"function","name":"f","parameters":{"a":1}})"),
            R"(f:{"a":1}|)");
  EXPECT_EQ(pieces("llama3_json", R"({"type":"function","name":"f","parameters":{"a":)"),
            R"({"type":"function","name":"f","parameters":{"a":)");
  EXPECT_EQ(pieces("pythonic", "[f(a=1, b=2)]"), R"(f:{|"a":|1|,"b":|2}|)");
  EXPECT_EQ(pieces("pythonic", "[f (a=1, b=2)]"), R"(f:{"a":1,"b":2}|)");
}

TEST(Parts, ACallThatIsCutOffStaysAsFarAsItGotUnderAGrammarAndIsTextElsewhere) {
  const std::string text = R"(<tool_call>{"name": "f", "arguments": {"city": "Pa)";
  const auto kept = cut(hermes(true), {text});
  EXPECT_EQ(described(kept), "call: f {\"city\": \"Pa\n");
  EXPECT_EQ(described(cut(hermes(false), {text})), "text: " + text + "\n");
}

TEST(Parts, ACallHasOneNameAndOneId) {
  const std::string twice =
      R"(<tool_call>{"name": "f", "name": "g", "arguments": {"a": 1}}</tool_call>)";
  EXPECT_EQ(described(cut(hermes(false), {twice})), "text: " + twice + "\n");
  const auto whole = cut(hermes(true), {twice});
  std::vector<std::string> bytes;
  for (const char byte : twice) bytes.emplace_back(1, byte);
  EXPECT_EQ(described(whole), described(cut(hermes(true), bytes)));

  const std::string named = "[TOOL_CALLS]f[CALL_ID]aB3dE6gH9[ARGS]{}";
  bytes.clear();
  for (const char byte : named) bytes.emplace_back(1, byte);
  EXPECT_EQ(cut({.format = {.calls = find_call_format("mistral_v11")},
                 .is_guaranteed = true,
                 .request_id = "r"}, bytes).at(0).call_id, "aB3dE6gH9");

  // Behind the name it counts where the call is held back until it is whole.
  const std::string late = R"([TOOL_CALLS][{"name": "f", "arguments": {}, "id": "aB3dE6gH9"}])";
  bytes.clear();
  for (const char byte : late) bytes.emplace_back(1, byte);
  for (const bool is_guaranteed : {false, true}) {
    const PartStreamOptions options{.format = {.calls = find_call_format("mistral")},
                                    .is_guaranteed = is_guaranteed,
                                    .request_id = "r"};
    const auto parts = cut(options, {late});
    ASSERT_EQ(parts.size(), 1u);
    EXPECT_EQ(parts[0].call_id == "aB3dE6gH9", !is_guaranteed);
    EXPECT_EQ(parts[0].call_id, cut(options, bytes)[0].call_id);
  }
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
