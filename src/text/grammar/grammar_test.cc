// Masks, forced tokens, ends and the way back, over a vocabulary of bytes and one longer word.
#include "text/grammar/grammar.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

constexpr TokenId kEnd = 257;
constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"he":{"type":"integer"}},"required":["he"],)"
    R"("additionalProperties":false})";

std::shared_ptr<const GrammarFactory> make_factory() {
  static const auto factory =
      GrammarFactory::create(byte_level_tokenizer(), std::vector<TokenId>{kEnd}).value();
  return factory;
}

std::unique_ptr<GrammarState> begin(GrammarKind kind, std::string_view text) {
  return make_factory()->compile({kind, std::string(text)}).value()->begin().value();
}

std::vector<TokenId> allowed(GrammarState& state) {
  std::vector<std::uint32_t> words((kEnd + 32) / 32);
  const Status status = state.write_mask(words);
  EXPECT_TRUE(status.is_ok()) << status.message();
  std::vector<TokenId> tokens;
  for (TokenId token = 0; token <= kEnd; ++token) {
    if ((words[static_cast<std::size_t>(token) / 32] >> (token % 32) & 1) != 0) {
      tokens.push_back(token);
    }
  }
  return tokens;
}

void accept(GrammarState& state, std::initializer_list<TokenId> tokens) {
  for (const TokenId token : tokens) {
    const Status status = state.accept(token);
    EXPECT_TRUE(status.is_ok()) << status.message();
  }
}

using Tokens = std::vector<TokenId>;

TEST(Grammar, MasksWhatTheSchemaForbids) {
  const auto state = begin(GrammarKind::kJsonSchema, kSchema);
  EXPECT_EQ(allowed(*state), Tokens{'{'});
  accept(*state, {'{', '"'});
  EXPECT_EQ(allowed(*state), Tokens{256});  // "he" in one token, as the tokenizer writes it
  accept(*state, {256, '"', ':', '7', '}'});
  EXPECT_EQ(allowed(*state), Tokens{kEnd});
  EXPECT_TRUE(state->end()->is_over);
}

TEST(Grammar, WhatMustComeIsWrittenAsTheTokenizerWritesIt) {
  const auto state = begin(GrammarKind::kRegex, "(x|the end)");
  EXPECT_EQ(*state->forced(), Tokens{});
  accept(*state, {'t'});
  EXPECT_EQ(*state->forced(), (Tokens{256, ' ', 'e', 'n', 'd'}));
  accept(*state, {256, ' ', 'e', 'n', 'd'});
  EXPECT_EQ(*state->forced(), Tokens{});
  EXPECT_TRUE(state->end()->is_over);
}

TEST(Grammar, ATextMayEndWhereTheGrammarDoes) {
  const auto state = begin(GrammarKind::kRegex, "a+");
  EXPECT_FALSE(state->end()->may_end);
  accept(*state, {'a'});
  EXPECT_TRUE(state->end()->may_end);
  EXPECT_FALSE(state->end()->is_over);
  EXPECT_EQ(allowed(*state), (Tokens{'a', kEnd}));
}

TEST(Grammar, TheWayBackIsThatOfTheTokens) {
  const auto state = begin(GrammarKind::kLark, R"(start: ("ab" | "ac") "d"?)");
  accept(*state, {'a'});
  const Tokens choice = allowed(*state);
  EXPECT_EQ(choice, (Tokens{'b', 'c'}));
  accept(*state, {'b', 'd'});
  EXPECT_TRUE(state->end()->is_over);
  ASSERT_TRUE(state->roll_back(2).is_ok());
  EXPECT_EQ(allowed(*state), choice);
  accept(*state, {'c'});
  EXPECT_EQ(allowed(*state), (Tokens{'d', kEnd}));
}

TEST(Grammar, StatesOfOneGrammarKnowNothingOfEachOther) {
  const auto grammar = make_factory()->compile({GrammarKind::kRegex, "[a-z]{8}[0-9]{8}"}).value();
  const auto walk = [&] {
    for (int round = 0; round < 50; ++round) {
      const auto state = grammar->begin().value();
      for (int place = 0; place < 16; ++place) {
        const Tokens tokens = allowed(*state);
        ASSERT_EQ(tokens.size(), place < 7 ? 27u : place == 7 ? 26u : 10u);
        ASSERT_TRUE(state->accept(tokens.front()).is_ok());
      }
    }
  };
  std::thread other(walk);
  walk();
  other.join();
}

// Where any text may follow a mask is not made token by token: it is the same nevertheless.
TEST(Grammar, MasksOfOpenTextAreThoseOfTheTokens) {
  for (const char* pattern : {"[0-9]-b", "h", "^(x|[^x].*)$", "(a|é)[0-9]{2,3}", "^[^z]*$"}) {
    const std::string schema = R"({"type":"string","pattern":")" + std::string(pattern) + "\"}";
    const auto grammar = make_factory()->compile({GrammarKind::kJsonSchema, schema}).value();
    const Tokens text = {'"', 'x', 256, 0xC3, 0xA9, '0', '-', 'b', 'x', '1', '2', ' ', '\\', 'n'};
    for (int round = 0; round < 3; ++round) {
      const auto state = grammar->begin().value();
      for (std::size_t at = 0; at < text.size(); ++at) {
        Tokens taken;
        for (TokenId token = 0; token < kEnd; ++token) {
          const auto twin = grammar->begin().value();
          bool is_ok = true;
          for (std::size_t i = 0; i < at; ++i) is_ok = is_ok && twin->accept(text[i]).is_ok();
          if (is_ok && twin->accept(token).is_ok()) taken.push_back(token);
        }
        Tokens masked = allowed(*state);
        std::erase(masked, kEnd);
        ASSERT_EQ(masked, taken) << pattern << " behind " << at << " in round " << round;
        if (!state->accept(text[at]).is_ok()) break;
      }
    }
  }
}

TEST(Grammar, TellsWholeTextsFromBeginnings) {
  using Verdict = GrammarState::Verdict;
  EXPECT_EQ(*begin(GrammarKind::kRegex, "abc?")->accept_text("ab"), Verdict::kWhole);
  EXPECT_EQ(*begin(GrammarKind::kRegex, "abc")->accept_text("ab"), Verdict::kBegins);
  EXPECT_EQ(*begin(GrammarKind::kRegex, "abc")->accept_text("ax"), Verdict::kNo);
}

TEST(Grammar, RefusesWhatItCannotServe) {
  const auto tokenizer = byte_level_tokenizer();
  EXPECT_FALSE(GrammarFactory::create(tokenizer, std::vector<TokenId>{100000}).is_ok());
  EXPECT_FALSE(GrammarFactory::create(tokenizer, {}).is_ok());
  const auto compile = [](GrammarKind kind, std::string_view text) {
    return make_factory()->compile({kind, std::string(text)}).status();
  };
  EXPECT_FALSE(compile(GrammarKind::kJsonSchema, "not json").is_ok());
  EXPECT_FALSE(compile(GrammarKind::kJsonSchema, R"({"type":"no such type"})").is_ok());
  EXPECT_FALSE(compile(GrammarKind::kLark, "start: nothing").is_ok());
  EXPECT_FALSE(compile(GrammarKind::kRegex, "(").is_ok());
  for (const Status& status : {compile(GrammarKind::kLark, "start: nothing"),
                               compile(GrammarKind::kRegex, "(")}) {
    EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
  }
  EXPECT_FALSE(begin(GrammarKind::kJsonSchema, kSchema)->accept('x').is_ok());
}

}  // namespace
}  // namespace quire
