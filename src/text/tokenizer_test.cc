// Tokenizer on tiny vocabularies; real ones are in lab/tokenizer_vectors_test.cc.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

using Ids = std::vector<TokenId>;

Ids ids_of(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  Result<Ids> ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids.is_ok()) << ids.status().message();
  return ids.is_ok() ? *ids : Ids();
}

TEST(Tokenizer, EncodesBytesAndMerges) {
  const auto tokenizer = byte_level_tokenizer();
  EXPECT_EQ(ids_of(*tokenizer, "hehé"), (Ids{256, 'h', 0xC3, 0xA9}));
  EXPECT_EQ(ids_of(*tokenizer, ""), Ids());
  EXPECT_EQ(ids_of(*tokenizer, std::string("a\0b", 3)), (Ids{'a', 0, 'b'}));
}

TEST(Tokenizer, IgnoresTheTruncationThatAFileAsksFor) {
  EXPECT_EQ(ids_of(*byte_level_tokenizer(), "abcdefgijk").size(), 10u);
}

TEST(Tokenizer, TakesSpecialTokensOnlyWhenAsked) {
  const auto tokenizer = byte_level_tokenizer();
  EXPECT_EQ(ids_of(*tokenizer, "a<|end|>", {.parse_special = true}), (Ids{'a', 257}));
  EXPECT_EQ(ids_of(*tokenizer, "a<|end|>", {.parse_special = false}).size(), 8u);
  EXPECT_EQ(tokenizer->special_tokens(), Ids{257});
  EXPECT_TRUE(tokenizer->is_special(257));
  EXPECT_FALSE(tokenizer->is_special(258));
}

TEST(Tokenizer, AddsWhatItsTemplateSays) {
  const auto tokenizer = sentencepiece_tokenizer();
  EXPECT_EQ(ids_of(*tokenizer, "hi", {.add_special = true}), (Ids{1, 259}));
  EXPECT_EQ(ids_of(*tokenizer, "hi", {.add_special = false}), (Ids{259}));
}

TEST(Tokenizer, KnowsEachTokensBytes) {
  const auto bytes = byte_level_tokenizer();
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(bytes->token_bytes(byte), std::string(1, static_cast<char>(byte))) << byte;
  }
  EXPECT_EQ(bytes->token_bytes(256), "he");
  EXPECT_EQ(bytes->token_bytes(257), "<|end|>");
  EXPECT_FALSE(bytes->strips_leading_space());

  const auto pieces = sentencepiece_tokenizer();
  EXPECT_EQ(pieces->token_bytes(2 + 0xE2), "\xE2");
  EXPECT_EQ(pieces->token_text(2 + 0xE2), "<0xE2>");
  EXPECT_EQ(pieces->token_bytes(259), " hi");
  EXPECT_EQ(pieces->token_text(259), "▁hi");
  EXPECT_TRUE(pieces->strips_leading_space());
}

TEST(Tokenizer, AnswersForIdsOutsideTheVocabulary) {
  const auto tokenizer = byte_level_tokenizer();
  EXPECT_EQ(tokenizer->vocab_size(), 259u);
  for (const TokenId id : {-1, 259, 1 << 30}) {
    EXPECT_EQ(tokenizer->token_bytes(id), "");
    EXPECT_FALSE(tokenizer->is_special(id));
    EXPECT_FALSE(tokenizer->is_present(id));
  }
  EXPECT_EQ(tokenizer->find("he"), 256);
  EXPECT_EQ(tokenizer->find("not there"), std::nullopt);
}

TEST(Tokenizer, BoundsTheNumberOfTokensFromBelow) {
  const auto tokenizer = byte_level_tokenizer();
  EXPECT_EQ(tokenizer->token_size_max(), 7u);  // <|end|>
  EXPECT_EQ(tokenizer->tokens_min(""), 0u);
  EXPECT_EQ(tokenizer->tokens_min(std::string(700, 'x')), 100u);
  EXPECT_EQ(tokenizer->tokens_min(std::string(701, 'x')), 101u);
}

TEST(Tokenizer, RefusesTextThatIsNoUtf8) {
  const Result<Ids> ids = byte_level_tokenizer()->encode("ok \xFF", {});
  ASSERT_FALSE(ids.is_ok());
  EXPECT_EQ(ids.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ids.status().message(), "the text is not valid UTF-8 at byte 3");
}

TEST(Tokenizer, RefusesBrokenFiles) {
  for (const char* json :
       {"", "{", "[]", "{}", R"({"model":{"type":"BPE","vocab":{},"merges":[]}})",
        R"({"version":"1.0","added_tokens":[],"model":{"type":"BPE",)"
        R"("vocab":{"a":4294967295},"merges":[]}})"}) {
    EXPECT_FALSE(Tokenizer::from_json(json).is_ok()) << json;
  }
}

// Work that grows with the square of the text would make this test take minutes.
TEST(Tokenizer, EncodesLongMonotonousTexts) {
  for (const auto& tokenizer : {byte_level_tokenizer(), sentencepiece_tokenizer()}) {
    for (const std::string unit :
         {"h", "hi", " ", "\n", "_", "é", "\u200D", "\u0301", "\uFDFA", "1"}) {
      std::string text;
      while (text.size() < 300'000) text += unit;
      const auto ids = ids_of(*tokenizer, text, {.add_special = false});
      EXPECT_GE(ids.size(), tokenizer->tokens_min(text));
    }
  }
}

}  // namespace
}  // namespace quire
