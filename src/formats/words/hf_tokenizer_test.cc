// Which of two statements counts: transformers' LlamaTokenizerFast builds the post-processor from
// the switches of tokenizer_config.json, PreTrainedTokenizerFast takes that of tokenizer.json.
#include "formats/words/hf_tokenizer.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "formats/testing/temp_folder.h"

namespace quire {
namespace {

const std::string kNone = R"({"version":"1.0","model":{"vocab":{"post_processor":0,"a\"":1}},)"
                          R"("post_processor": null, "added_tokens":[{"id":7,"content":"<s>"},)"
                          R"({"id":8,"content":"</s>"}]})";
const std::string kWithBos =
    R"({"added_tokens":[{"id":7,"content":"<s>"}],"post_processor":{"type":"TemplateProcessing",)"
    R"("single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]},)"
    R"("model":{}})";

class HfTokenizerTest : public ::testing::Test {
 protected:
  std::string followed(const std::string& tokenizer, const std::string& config) {
    folder_.write("tokenizer_config.json", config);
    const auto json = follow_tokenizer_class(tokenizer, folder_.path());
    EXPECT_TRUE(json.is_ok());
    EXPECT_TRUE(parse_json(*json).is_ok()) << *json;
    return *json;
  }
  bool adds_bos(const std::string& tokenizer, const std::string& config) {
    return tokenizer_adds(followed(tokenizer, config), "<s>");
  }

  quire::testing::TempFolder folder_;
};

TEST_F(HfTokenizerTest, SwitchesDecideForClassesOfTheLlamaKind) {
  for (const char* name : {"LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer",
                           "GemmaTokenizerFast", "CohereTokenizerFast"}) {
    const std::string head = R"({"bos_token":"<s>","eos_token":{"content":"</s>"},)"
                             R"("tokenizer_class":")" + std::string(name) + "\"";
    EXPECT_TRUE(adds_bos(kNone, head + "}")) << name;
    EXPECT_TRUE(adds_bos(kNone, head + R"(,"add_bos_token":true})")) << name;
    EXPECT_FALSE(adds_bos(kWithBos, head + R"(,"add_bos_token":false})")) << name;
    const std::string both = followed(kNone, head + R"(,"add_eos_token":true})");
    EXPECT_NE(both.find(R"({"SpecialToken":{"id":"</s>","type_id":0}}])"), std::string::npos);
    EXPECT_NE(both.find(R"("</s>":{"id":"</s>","ids":[8])"), std::string::npos) << both;
  }
}

TEST_F(HfTokenizerTest, TheFileDecidesForAllOthers) {
  for (const char* name : {"PreTrainedTokenizerFast", "GPT2Tokenizer", "Qwen2Tokenizer"}) {
    const std::string config = R"({"bos_token":"<s>","add_bos_token":true,"tokenizer_class":")" +
                               std::string(name) + "\"}";
    EXPECT_EQ(followed(kNone, config), kNone);
  }
  EXPECT_TRUE(adds_bos(kWithBos, R"({"bos_token":"<s>","add_bos_token":false})"));
  EXPECT_FALSE(adds_bos(kNone, R"({"bos_token":"<s>","add_bos_token":true})"));
}

TEST_F(HfTokenizerTest, ATokenThatIsNotThereIsNotAdded) {
  EXPECT_FALSE(adds_bos(kNone, R"({"tokenizer_class":"LlamaTokenizer"})"));
  EXPECT_FALSE(adds_bos(kNone, R"({"tokenizer_class":"LlamaTokenizer","bos_token":"<x>"})"));
  folder_.write("special_tokens_map.json", R"({"bos_token":"<s>"})");
  EXPECT_TRUE(adds_bos(kNone, R"({"tokenizer_class":"LlamaTokenizer"})"));
}

TEST_F(HfTokenizerTest, OtherProcessorsAreUnderstood) {
  EXPECT_TRUE(tokenizer_adds(R"({"post_processor":{"type":"RobertaProcessing","cls":["<s>",0]}})",
                             "<s>"));
  EXPECT_TRUE(tokenizer_adds(
      R"({"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},)"
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}]}]}})", "<s>"));
  EXPECT_FALSE(tokenizer_adds(R"({"post_processor":{"type":"ByteLevel"}})", "<s>"));
  EXPECT_FALSE(tokenizer_adds("{}", "<s>"));
}

}  // namespace
}  // namespace quire
