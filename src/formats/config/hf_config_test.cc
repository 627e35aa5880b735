// What config.json and generation_config.json say of how a decoder's text begins.
#include "formats/config/hf_config.h"

#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/temp_folder.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Result<HfConfig> read(std::string_view config, std::string_view generation = "{}") {
  const testing::TempFolder folder;
  folder.write("config.json", config);
  folder.write("generation_config.json", generation);
  return read_hf_config(folder.path());
}

TEST(HfConfigTest, DecodersBeginWithTheirStartAndWhatIsForced) {
  const auto plain = read(R"({"model_type":"t5","vocab_size":40,"decoder_start_token_id":3})");
  ASSERT_TRUE(plain.is_ok()) << plain.status().message();
  EXPECT_THAT(plain->words.decoder_start, ElementsAre(3));
  const auto forced = read(R"({"model_type":"mbart","vocab_size":40,"decoder_start_token_id":2,
                               "forced_bos_token_id":7})",
                           R"({"forced_bos_token_id":30})");
  ASSERT_TRUE(forced.is_ok()) << forced.status().message();
  EXPECT_THAT(forced->words.decoder_start, ElementsAre(2, 30));
  const auto old = read(R"({"model_type":"bart","vocab_size":40,"decoder_start_token_id":2,
                            "bos_token_id":0,"force_bos_token_to_be_generated":true})");
  ASSERT_TRUE(old.is_ok()) << old.status().message();
  EXPECT_THAT(old->words.decoder_start, ElementsAre(2, 0));
  const auto none = read(R"({"model_type":"llama","vocab_size":40,"forced_bos_token_id":null})");
  ASSERT_TRUE(none.is_ok()) << none.status().message();
  EXPECT_THAT(none->words.decoder_start, IsEmpty());
}

// As Python writes a bound that there is not; in a string it is a word.
TEST(HfConfigTest, ABareInfinityIsABoundThatThereIsNot) {
  const auto config = read(R"({"model_type":"mamba2","vocab_size":40,"x":"\"Infinity",
                               "time_step_limit":[0.0, Infinity]})");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  const ConfigFields fields = config->fields(nullptr);
  const std::vector<double> bounds = fields.numbers("time_step_limit", 0, INFINITY);
  EXPECT_THAT(bounds, ElementsAre(0, INFINITY));
  EXPECT_EQ(fields.string("x"), "\"Infinity");
  for (const char* number : {"-Infinity", "NaN", "Infinit"}) {
    EXPECT_FALSE(read(fmt::format(R"({{"model_type":"mamba2","vocab_size":40,"x":{}}})", number))
                     .is_ok()) << number;
  }
}

TEST(HfConfigTest, IdsOfAStartAreInsideTheVocabulary) {
  const auto config = read(R"({"model_type":"t5","vocab_size":40,"decoder_start_token_id":40})");
  ASSERT_FALSE(config.is_ok());
  EXPECT_THAT(config.status().message(), HasSubstr("decoder_start_token_id in config.json: 40"));
}

TEST(HfConfigTest, TokensThatAreToBeSuppressedAreNamed) {
  const auto config = read(R"({"model_type":"marian","vocab_size":40,"bad_words_ids":[[39]],
                               "suppress_tokens":[]})");
  ASSERT_TRUE(config.is_ok()) << config.status().message();
  EXPECT_THAT(config->words.warnings, ElementsAre(HasSubstr("bad_words_ids in config.json")));
}

}  // namespace
}  // namespace quire
