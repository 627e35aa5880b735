// llama2.c tokenizer files, written here: what the ids mean, spaces, and every truncation.
#include "formats/words/llama2c_tokenizer.h"

#include <gtest/gtest.h>

#include <cstring>

namespace quire {
namespace {

std::string int_bytes(std::int32_t value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

std::string token(const std::string& text, float score) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &score, 4);
  return bytes + int_bytes(static_cast<std::int32_t>(text.size())) + text;
}

std::string small_file() {
  return int_bytes(7) + token("<unk>", 0) + token("\n<s>\n", 0) + token("\n</s>\n", 0) +
         token("<0x00>", 0) + token(" a", -1);
}

Result<GgufVocabulary> read(const std::string& file, std::size_t vocab_size) {
  return read_llama2c_tokenizer(std::as_bytes(std::span(file)), vocab_size);
}

TEST(Llama2cTokenizer, ReadsTokens) {
  const auto vocabulary = read(small_file(), 5);
  ASSERT_TRUE(vocabulary.is_ok()) << vocabulary.status().message();
  EXPECT_EQ(vocabulary->tokens,
            (std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x00>", "\u2581a"}));
  EXPECT_EQ(vocabulary->token_types, (std::vector<std::int32_t>{2, 3, 3, 6, 1}));
  EXPECT_EQ(vocabulary->scores.back(), -1.0f);
  EXPECT_EQ(vocabulary->bos, 1u);
  EXPECT_TRUE(adds_bos(*vocabulary));
}

TEST(Llama2cTokenizer, RefusesWhatDoesNotFit) {
  const auto more = read(small_file(), 6);
  ASSERT_FALSE(more.is_ok());
  EXPECT_EQ(more.status().message(), "llama2.c tokenizer: ends at offset 68 before token 5 of 6");
  EXPECT_FALSE(read(small_file(), 0).is_ok());
  EXPECT_FALSE(read(int_bytes(7) + int_bytes(0) + int_bytes(-1) + "abc", 3).is_ok());
  EXPECT_FALSE(read(int_bytes(7) + int_bytes(0) + int_bytes(0x7FFFFFFF) + "abc", 3).is_ok());
}

TEST(Llama2cTokenizer, SurvivesEveryTruncation) {
  const std::string whole = small_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read(whole.substr(0, size), 5).is_ok()) << size;
  }
}

}  // namespace
}  // namespace quire
