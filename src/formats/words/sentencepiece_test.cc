// SentencePiece files, written here byte by byte: fields, defaults, and every truncation.
#include "formats/words/sentencepiece.h"

#include <gtest/gtest.h>

#include <cstring>

namespace quire {
namespace {

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string number_field(unsigned number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}

std::string bytes_field(unsigned number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}

std::string piece(const std::string& text, float score, unsigned type) {
  std::string raw(4, '\0');
  std::memcpy(raw.data(), &score, 4);
  return bytes_field(1, bytes_field(1, text) + varint(2 << 3 | 5) + raw + number_field(3, type));
}

std::string small_model(const std::string& trainer, const std::string& normalizer) {
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("a", -1, 1) +
         bytes_field(2, trainer) + bytes_field(3, normalizer) + bytes_field(99, "later versions");
}

Result<GgufVocabulary> read(const std::string& file) {
  return read_sentencepiece(std::as_bytes(std::span(file)));
}

TEST(SentencePiece, ReadsPiecesAndSpecs) {
  const auto vocabulary = read(small_model(
      number_field(3, 2) + number_field(42, 3) + number_field(43, static_cast<std::uint64_t>(-1)),
      number_field(3, 0) + number_field(4, 0)));
  ASSERT_TRUE(vocabulary.is_ok()) << vocabulary.status().message();
  EXPECT_EQ(vocabulary->tokens, (std::vector<std::string>{"<unk>", "<s>", "</s>", "a"}));
  EXPECT_EQ(vocabulary->scores[3], -1.0f);
  EXPECT_EQ(vocabulary->token_types, (std::vector<std::int32_t>{2, 3, 3, 1}));
  EXPECT_EQ(vocabulary->unknown, 0u);
  EXPECT_EQ(vocabulary->bos, 1u);
  EXPECT_EQ(vocabulary->eos, 3u);
  EXPECT_EQ(vocabulary->padding, std::nullopt);
  EXPECT_EQ(vocabulary->add_space_prefix, false);
  EXPECT_FALSE(vocabulary->removes_extra_spaces);
}

TEST(SentencePiece, HasTheDefaultsOfTheMessage) {
  const auto vocabulary = read(small_model(number_field(3, 2), ""));
  ASSERT_TRUE(vocabulary.is_ok());
  EXPECT_EQ(vocabulary->add_space_prefix, true);
  EXPECT_TRUE(vocabulary->removes_extra_spaces);
  EXPECT_EQ(vocabulary->eos, 2u);
}

TEST(SentencePiece, ReadsUnigramAndRefusesWhatIsNeither) {
  const auto unigram = read(small_model(number_field(3, 1), ""));
  ASSERT_TRUE(unigram.is_ok()) << unigram.status().message();
  EXPECT_EQ(unigram->model, "t5");
  EXPECT_FALSE(*unigram->add_bos);
  for (const auto& [trainer, normalizer, named] :
       {std::tuple{number_field(3, 3), std::string(), "model_type 3"},
        std::tuple{number_field(3, 1) + number_field(24, 1), std::string(), "as_suffix"},
        std::tuple{number_field(3, 1), number_field(5, 0), "escape_whitespaces"}}) {
    const auto vocabulary = read(small_model(trainer, normalizer));
    ASSERT_FALSE(vocabulary.is_ok()) << named;
    EXPECT_EQ(vocabulary.status().code(), StatusCode::kUnsupported);
    EXPECT_NE(vocabulary.status().message().find(named), std::string::npos)
        << vocabulary.status().message();
  }
}

TEST(SentencePiece, RefusesBrokenFiles) {
  for (const std::string& file :
       {std::string(), std::string("\x0A\xFF\xFF\xFF\xFF\x0F"), std::string("\x0B"),
        std::string(20, '\xFF'), piece("a", 0, 9), piece("a", 0, 1)}) {
    const auto vocabulary = read(file);
    ASSERT_FALSE(vocabulary.is_ok());
    EXPECT_EQ(vocabulary.status().code(), StatusCode::kCorrupt);
  }
  const std::string file = small_model(number_field(3, 2) + number_field(41, 1000), "");
  const auto outside = sentencepiece_to_json(std::as_bytes(std::span(file)));
  EXPECT_FALSE(outside.is_ok());
}

TEST(SentencePiece, SurvivesEveryTruncation) {
  const std::string whole = small_model(number_field(3, 2), number_field(3, 1));
  ASSERT_TRUE(read(whole).is_ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto vocabulary = read(whole.substr(0, size));
    if (vocabulary.is_ok()) {
      EXPECT_EQ(vocabulary->tokens.size(), 4u);
    } else {
      EXPECT_FALSE(vocabulary.status().message().empty());
    }
  }
}

}  // namespace
}  // namespace quire
