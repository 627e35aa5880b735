// The backend of tokenizers over HTTP: alone, and before and behind a model.
#include "serve/dialects/kserve/light/tokenizer_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_light_model.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

class TokenizerStepTest : public LightModelTest {
 protected:
  void tokenizer(const std::string& name, const std::string& tensors,
                 const std::string& parameters = "", int batch_max = 8) {
    std::string text = fmt::format("backend: \"quire_tokenizer\" max_batch_size: {} {}", batch_max,
                                   tensors);
    std::istringstream words("model=words.gguf " + parameters);
    for (std::string word; words >> word;) {
      const std::size_t middle = word.find('=');
      text += fmt::format(" parameters {{ key: \"{}\" value {{ string_value: \"{}\" }} }}",
                          word.substr(0, middle), word.substr(middle + 1));
    }
    there_.write(name + "/config.pbtxt", text);
    there_.write(name + "/1/words.gguf", "x");
  }
  void encoder(const std::string& parameters = "", const std::string& type = "INT32") {
    tokenizer("pre", test_tensor("input", "TEXT", "STRING") +
                         test_tensor("output", "IDS", type, "-1") +
                         test_tensor("output", "COUNT", "INT32"), parameters);
  }
  void decoder(const std::string& parameters = "") {
    tokenizer("post", test_tensor("input", "IDS", "INT64", "-1") +
                          test_tensor("input", "COUNT", "INT64", "1", "optional: true") +
                          test_tensor("output", "TEXT", "STRING"), parameters);
  }
};

TEST_F(TokenizerStepTest, TextsBecomeIdsAndIdsTexts) {
  encoder("pad_id=0", "INT64");
  decoder();
  EXPECT_EQ(tensors(infer("pre", input("TEXT", "BYTES", "[2,1]", R"(["AB<|im_end|>","C"])"))),
            R"(IDS INT64 [2,3] [65,66,257,67,0,0]; COUNT INT32 [2,1] [3,1]; )");
  EXPECT_EQ(tensors(infer("post", input("IDS", "INT64", "[2,3]", "[65,66,257,67,0,0]") + "," +
                                      input("COUNT", "INT64", "[2,1]", "[3,1]"))),
            R"(TEXT BYTES [2,1] ["AB","C"]; )");
  EXPECT_EQ(tensors(infer("post", input("IDS", "INT64", "[1,2]", "[67,66]"))),
            R"(TEXT BYTES [1,1] ["CB"]; )");
  EXPECT_EQ(tensors(infer("post", input("IDS", "INT64", "[1,0]", "[]"))),
            R"(TEXT BYTES [1,1] [""]; )");
  EXPECT_EQ(tensors(infer("pre", input("TEXT", "BYTES", "[1,1]", R"(["A"])"),
                          R"(,"outputs":[{"name":"COUNT"}])")),
            "COUNT INT32 [1,1] [1]; ");
}

TEST_F(TokenizerStepTest, SpecialTokensAreTheConfigsChoice) {
  encoder("parse_special_tokens=false");
  decoder("skip_special_tokens=false");
  EXPECT_THAT(tensors(infer("pre", input("TEXT", "BYTES", "[1,1]", R"(["<|im_end|>"])"))),
              HasSubstr("COUNT INT32 [1,1] [10]"));
  EXPECT_EQ(tensors(infer("post", input("IDS", "INT64", "[1,2]", "[65,257]"))),
            R"(TEXT BYTES [1,1] ["A<|im_end|>"]; )");
}

TEST_F(TokenizerStepTest, WhatIsWrongIsToldByTensor) {
  encoder();
  decoder();
  EXPECT_EQ(refusal(infer("pre", input("TEXT", "BYTES", "[2,1]", R"(["AB","C"])"))),
            "text 1 of 'TEXT' has 1 tokens where another one has 2: give the model a parameter "
            "'pad_id', or send texts one by one");
  EXPECT_EQ(refusal(infer("post", input("IDS", "INT64", "[1,2]", "[65,258]"))),
            "'IDS' has 258 at position 1 of row 0, and token ids go from 0 to 257");
  EXPECT_EQ(refusal(infer("post", input("IDS", "INT64", "[1,2]", "[65,-1]"))),
            "'IDS' has -1 at position 1 of row 0, and token ids go from 0 to 257");
  EXPECT_EQ(refusal(infer("post", input("IDS", "INT64", "[1,2]", "[65,66]") + "," +
                                      input("COUNT", "INT64", "[1,1]", "[3]"))),
            "'COUNT' has 3 for row 0, which has 2 ids");
  EXPECT_THAT(refusal(infer("post", input("IDS", "INT32", "[1,1]", "[65]"))),
              HasSubstr("expects 'INT64'"));
  EXPECT_THAT(refusal(infer("pre", input("TEXT", "BYTES", "[1,1]", R"(["A"])"),
                            R"(,"parameters":{"max_tokens":1})")), HasSubstr("'max_tokens'"));
}

TEST_F(TokenizerStepTest, AConfigThatIsNoneIsRefusedByField) {
  const std::string ids = test_tensor("output", "IDS", "INT32", "-1");
  encoder();
  infer("pre", "");
  const auto refuse = [&](const std::string& tensors, const std::string& parameters = "") {
    tokenizer("x", tensors, parameters);
    return there_.repository().load("x").message();
  };
  EXPECT_THAT(refuse(""), HasSubstr("'input' is missing"));
  EXPECT_THAT(refuse(test_tensor("input", "A", "FP32") + ids), HasSubstr("'input' 'A'"));
  EXPECT_THAT(refuse(test_tensor("input", "A", "STRING", "-1") + ids), HasSubstr("one text"));
  EXPECT_THAT(refuse(test_tensor("input", "A", "STRING") + test_tensor("output", "N", "INT32")),
              HasSubstr("has no ids"));
  const std::string good = test_tensor("input", "A", "STRING") + ids;
  EXPECT_THAT(refuse(good, "skip_special_tokens=true"), HasSubstr("makes ids of texts"));
  EXPECT_THAT(refuse(good, "add_special_tokens=1"), HasSubstr("must be true or false"));
  EXPECT_THAT(refuse(good, "pad_id=-3"), HasSubstr("'parameters[pad_id]'"));
  EXPECT_THAT(refuse(good, "colour=red"), HasSubstr("'parameters[colour]' is not known"));
  EXPECT_EQ(refuse(good), "");
}

TEST_F(TokenizerStepTest, WordsModelWordsIsAnEnsemble) {
  encoder();
  decoder();
  there_.version("llm", 1);
  there_.write("e/1/README", "x");
  there_.write("e/config.pbtxt",
               test_ensemble(test_text_ends() + test_tensor("output", "LOGITS", "FP32", "-1, -1"),
                             test_step("pre", "TEXT=IN", "IDS=IDS") +
                                 test_step("llm", "input_ids=IDS", "logits=LOGITS") +
                                 test_step("llm", "text_input=IN", "text_output=OUT")));
  const std::string made = tensors(infer("e", input("IN", "BYTES", "[1,1]", R"(["AB"])"),
                                         R"(,"outputs":[{"name":"LOGITS"}])"));
  const std::string own = tensors(infer("llm", input("input_ids", "INT32", "[1,2]", "[65,66]")));
  ASSERT_THAT(own, HasSubstr("logits FP32 [1,2,258]"));
  EXPECT_EQ(made.substr(made.find(' ')), own.substr(own.find(' ')));
}

}  // namespace
}  // namespace quire
