// One mask under a JSON schema.
#include "text/grammar.h"

#include <gtest/gtest.h>

#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

constexpr TokenId kEnd = 257;
constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"he":{"type":"integer"}},"required":["he"],)"
    R"("additionalProperties":false})";

bool is_allowed(std::span<const std::uint32_t> words, TokenId token) {
  return (words[static_cast<std::size_t>(token) / 32] >> (token % 32) & 1) != 0;
}

TEST(Grammar, MasksWhatTheSchemaForbids) {
  const auto tokenizer = byte_level_tokenizer();
  auto factory = GrammarFactory::create(*tokenizer, kEnd);
  ASSERT_TRUE(factory.is_ok()) << factory.status().message();
  auto grammar = (*factory)->from_schema(kSchema);
  ASSERT_TRUE(grammar.is_ok()) << grammar.status().message();

  std::vector<std::uint32_t> words((tokenizer->vocab_size() + 31) / 32);
  ASSERT_TRUE((*grammar)->write_mask(words).is_ok());
  EXPECT_TRUE(is_allowed(words, '{'));
  EXPECT_FALSE(is_allowed(words, 'x'));
  EXPECT_FALSE(is_allowed(words, kEnd));

  for (const TokenId token : {TokenId{'{'}, TokenId{'"'}}) {
    ASSERT_TRUE((*grammar)->accept(token).is_ok());
  }
  ASSERT_TRUE((*grammar)->write_mask(words).is_ok());
  EXPECT_TRUE(is_allowed(words, 256));  // "he" in one token
  EXPECT_TRUE(is_allowed(words, 'h'));
  EXPECT_FALSE(is_allowed(words, 'e'));

  for (const TokenId token :
       {TokenId{256}, TokenId{'"'}, TokenId{':'}, TokenId{'7'}, TokenId{'}'}}) {
    ASSERT_TRUE((*grammar)->accept(token).is_ok());
  }
  ASSERT_TRUE((*grammar)->write_mask(words).is_ok());
  EXPECT_TRUE(is_allowed(words, kEnd));
  EXPECT_FALSE(is_allowed(words, '7'));
}

TEST(Grammar, RefusesWhatItCannotServe) {
  const auto tokenizer = byte_level_tokenizer();
  EXPECT_FALSE(GrammarFactory::create(*tokenizer, 100000).is_ok());
  const auto no_brace =
      tokenizer_of(R"({"version":"1.0","added_tokens":[],"model":{"type":"BPE",)"
                   R"("vocab":{"a":0,"b":1},"merges":[]}})");
  EXPECT_FALSE(GrammarFactory::create(*no_brace, 1).is_ok());

  auto factory = GrammarFactory::create(*tokenizer, kEnd);
  ASSERT_TRUE(factory.is_ok());
  EXPECT_FALSE((*factory)->from_schema("not json").is_ok());
  EXPECT_FALSE((*factory)->from_schema(R"({"type":"no such type"})").is_ok());
  auto grammar = (*factory)->from_schema(kSchema);
  ASSERT_TRUE(grammar.is_ok());
  EXPECT_FALSE((*grammar)->accept('x').is_ok());
}

}  // namespace
}  // namespace quire
