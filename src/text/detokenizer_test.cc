// Detokenizer: examples, and equality with the whole decode for random tokens.
#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                     DetokenizerOptions options) {
  Detokenizer detokenizer(tokenizer, options);
  std::string text;
  for (const TokenId id : ids) text += detokenizer.append(id);
  return text + detokenizer.flush();
}

TEST(Detokenizer, HoldsHalfACharacterBack) {
  const auto tokenizer = byte_level_tokenizer();
  Detokenizer detokenizer(*tokenizer, {});
  EXPECT_EQ(detokenizer.append(0xF0), "");
  EXPECT_EQ(detokenizer.append(0x9F), "");
  EXPECT_EQ(detokenizer.append(0x99), "");
  EXPECT_FALSE(detokenizer.is_between_characters());
  EXPECT_EQ(detokenizer.append(0x82), "🙂");
  EXPECT_TRUE(detokenizer.is_between_characters());
  EXPECT_EQ(detokenizer.append(0xE2), "");
  EXPECT_EQ(detokenizer.append('a'), "\uFFFDa");
  EXPECT_EQ(detokenizer.append(0xE2), "");
  EXPECT_EQ(detokenizer.flush(), "\uFFFD");
}

TEST(Detokenizer, JoinsByteFallbackTokens) {
  const auto tokenizer = sentencepiece_tokenizer();
  EXPECT_EQ(streamed(*tokenizer, {2 + 0xC3, 2 + 0xA9, 262}, {}), "éhi");
}

TEST(Detokenizer, DropsTheFirstSpaceOnlyAtTheStartOfAText) {
  const auto tokenizer = sentencepiece_tokenizer();
  EXPECT_EQ(streamed(*tokenizer, {1, 259, 259}, {.is_start_of_text = true}), "hi hi");
  EXPECT_EQ(streamed(*tokenizer, {258, 258, 262}, {.is_start_of_text = true}), " hi");
  EXPECT_EQ(streamed(*tokenizer, {262, 259}, {.is_start_of_text = true}), "hi hi");
  // A completion: the prompt ended in a word, this one begins with a space.
  EXPECT_EQ(streamed(*tokenizer, {259}, {.is_start_of_text = false}), " hi");
  EXPECT_EQ(streamed(*byte_level_tokenizer(), {' ', 'a'}, {.is_start_of_text = true}), " a");
}

TEST(Detokenizer, SkipsOrShowsSpecialTokens) {
  const auto tokenizer = byte_level_tokenizer();
  EXPECT_EQ(streamed(*tokenizer, {'a', 257, 258, 'b'}, {}), "a<tool>b");
  EXPECT_EQ(streamed(*tokenizer, {'a', 257, 'b'}, {.shows_special = true}), "a<|end|>b");
}

TEST(Detokenizer, EqualsTheWholeDecodeAndIsAlwaysUtf8) {
  std::mt19937 random(11);
  const auto byte_level = byte_level_tokenizer();
  const auto pieces = sentencepiece_tokenizer();
  for (int round = 0; round < 4000; ++round) {
    const Tokenizer& tokenizer = round % 2 == 0 ? *byte_level : *pieces;
    Detokenizer detokenizer(tokenizer, {});
    std::string text;
    std::string bytes;
    for (unsigned i = random() % 64; i > 0; --i) {
      // Beyond the vocabulary, too: models may have more rows than tokens.
      const auto id = static_cast<TokenId>(random() % (tokenizer.vocab_size() + 3));
      const std::string piece = detokenizer.append(id);
      ASSERT_FALSE(first_invalid_utf8(piece));
      text += piece;
      if (!tokenizer.is_special(id)) bytes += tokenizer.token_bytes(id);
    }
    text += detokenizer.flush();
    Utf8Stream whole;
    std::string expected;
    whole.append(bytes, expected);
    whole.flush(expected);
    ASSERT_EQ(text, expected);
  }
}

}  // namespace
}  // namespace quire
