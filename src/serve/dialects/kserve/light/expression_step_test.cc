// Models of expressions over HTTP: alone, and between others: ids -> logits -> the next id -> text
// is what the model itself says.
#include "serve/dialects/kserve/light/expression_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_light_model.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

std::string parameter(const std::string& name, const std::string& text) {
  return fmt::format("parameters {{ key: \"{}\" value {{ string_value: \"{}\" }} }} ", name, text);
}

class ExpressionStepTest : public LightModelTest {
 protected:
  void expressions(const std::string& name, const std::string& more, int batch_max = 8) {
    there_.write(name + "/config.pbtxt",
                 fmt::format("backend: \"quire_expression\" max_batch_size: {} {}", batch_max,
                             more));
    there_.write(name + "/1/README", "x");
  }
};

TEST_F(ExpressionStepTest, EachOutputIsAnExpressionOfTheInputs) {
  expressions("x", test_tensor("input", "A", "INT32", "-1") +
                       test_tensor("input", "T", "STRING") +
                       test_tensor("output", "SUM", "INT64") +
                       test_tensor("output", "HALF", "FP32", "-1") +
                       test_tensor("output", "IS", "BOOL", "-1") +
                       test_tensor("output", "SAID", "STRING") +
                       parameter("SUM", "reshape(sum(A), -1, 1)") + parameter("HALF", "A / 2") +
                       parameter("IS", "A > 2") +
                       parameter("SAID", "T + ': ' + join(text(A), ', ')"));
  const std::string inputs = input("A", "INT32", "[2,2]", "[1,2,3,4]") + "," +
                             input("T", "BYTES", "[2,1]", R"(["a","b"])");
  EXPECT_EQ(tensors(infer("x", inputs)),
            R"(SUM INT64 [2,1] [3,7]; HALF FP32 [2,2] [0.5,1,1.5,2]; )"
            R"(IS BOOL [2,2] [false,false,true,true]; SAID BYTES [2,1] ["a: 1, 2","b: 3, 4"]; )");
  EXPECT_EQ(tensors(infer("x", inputs, R"(,"outputs":[{"name":"SUM"}])")),
            "SUM INT64 [2,1] [3,7]; ");
  const Json stats = *parse_json(server_->client().get("/v2/models/x/stats").body);
  EXPECT_EQ(stats.find("model_stats")->items().at(0).find("inference_count")->as_int(), 4);
}

TEST_F(ExpressionStepTest, AValueThatIsNotAsDeclaredIsToldByOutput) {
  expressions("x", test_tensor("input", "A", "INT64", "-1") +
                       test_tensor("output", "SMALL", "INT8", "-1") +
                       test_tensor("output", "ONE", "INT64") + parameter("SMALL", "A * 2") +
                       parameter("ONE", "sum(A)"));
  const std::string small = R"(,"outputs":[{"name":"SMALL"}])";
  EXPECT_EQ(tensors(infer("x", input("A", "INT64", "[1,2]", "[63,-64]"), small)),
            "SMALL INT8 [1,2] [126,-128]; ");
  EXPECT_EQ(refusal(infer("x", input("A", "INT64", "[1,1]", "[64]"), small)),
            "output 'SMALL': 128 is no element of TYPE_INT8");
  EXPECT_EQ(refusal(infer("x", input("A", "INT64", "[2,1]", "[1,2]"),
                          R"(,"outputs":[{"name":"ONE"}])")),
            "output 'ONE': its value has the shape [2], declared is [-1,1] with a batch of 2");
  EXPECT_EQ(refusal(infer("x", input("A", "INT64", "[1,1]", "[9223372036854775807]"), small)),
            "output 'SMALL': at character 3: '*': 9223372036854775807 and 2 make no integer of 64 "
            "bits");
}

// Only that becomes a value: of a large tensor the rest is never looked at.
TEST_F(ExpressionStepTest, TheLastOfAnInputIsThatOfTheWhole) {
  expressions("x", test_tensor("input", "A", "FP32", "-1, -1") +
                       test_tensor("input", "T", "STRING", "-1") +
                       test_tensor("output", "ROW", "FP32", "1, -1") +
                       test_tensor("output", "ROW2", "FP32", "1, -1") +
                       test_tensor("output", "COLUMN", "FP32", "-1, 1") +
                       test_tensor("output", "TEXT", "STRING") + parameter("ROW", "last(A, 1)") +
                       parameter("ROW2", "slice(A, -1, 99, 1)") + parameter("COLUMN", "last(A)") +
                       parameter("TEXT", "last(T, -1)"));
  EXPECT_EQ(tensors(infer("x", input("A", "FP32", "[2,2,3]", "[1,2,3,4,5,6,7,8,9,10,11,12]") + "," +
                                   input("T", "BYTES", "[2,2]", R"(["a","b","c","d"])"))),
            "ROW FP32 [2,1,3] [4,5,6,10,11,12]; ROW2 FP32 [2,1,3] [4,5,6,10,11,12]; "
            R"(COLUMN FP32 [2,2,1] [3,6,9,12]; TEXT BYTES [2,1] ["b","d"]; )");
  EXPECT_THAT(refusal(infer("x", input("A", "FP32", "[1,0,3]", "[]") + "," +
                                     input("T", "BYTES", "[1,1]", R"(["a"])"))),
              HasSubstr("output 'ROW': at character 1: 'last': there is no last one of none"));
}

TEST_F(ExpressionStepTest, AConfigThatIsNoneIsRefusedByField) {
  const std::string ends = test_tensor("input", "A", "INT64", "-1") +
                           test_tensor("output", "B", "INT64", "-1");
  expressions("good", ends + parameter("B", "A"));
  infer("good", "");
  const auto refuse = [&](const std::string& config) {
    expressions("x", config);
    const std::string told = there_.repository().load("x").message();
    const std::string place = "version 1: ";
    return told.starts_with(place) ? told.substr(place.size()) : told;
  };
  EXPECT_EQ(refuse(ends), "'parameters[B]' is missing: the expression of output 'B'");
  EXPECT_EQ(refuse(ends + parameter("B", "A + C")),
            "'parameters[B]', at character 5: there is no input 'C'");
  EXPECT_EQ(refuse(ends + parameter("B", "text(A)")),
            "'parameters[B]' makes a value of kind text, which is not TYPE_INT64");
  EXPECT_EQ(refuse(ends + parameter("B", "1")), "'input' 'A' is in no expression");
  EXPECT_EQ(refuse(ends + parameter("B", "A") + parameter("C", "A")),
            "'parameters[C]' is not known: there is no such output");
  EXPECT_EQ(refuse(test_tensor("input", "A", "FP16") + test_tensor("output", "B", "FP32") +
                   parameter("B", "A")),
            "'input.data_type' of 'A': expressions do not know TYPE_FP16");
  EXPECT_EQ(refuse(parameter("B", "A")), "'input' is missing: expressions make outputs of inputs");
  EXPECT_THAT(refuse(ends + "model_transaction_policy { decoupled: true } " + parameter("B", "A")),
              HasSubstr("'model_transaction_policy.decoupled'"));
  EXPECT_EQ(refuse(ends + parameter("B", "A")), "");
}

TEST_F(ExpressionStepTest, IdsLogitsNextIdAndItsTextAreAnEnsemble) {
  const std::string words = parameter("model", "words.gguf");
  there_.version("llm", 1);
  there_.write("pre/config.pbtxt", "backend: \"quire_tokenizer\" max_batch_size: 8 " + words +
                                       test_tensor("input", "TEXT", "STRING") +
                                       test_tensor("output", "IDS", "INT32", "-1"));
  there_.write("pre/1/words.gguf", "x");
  there_.write("post/config.pbtxt", "backend: \"quire_tokenizer\" max_batch_size: 8 " + words +
                                        test_tensor("input", "IDS", "INT64", "-1") +
                                        test_tensor("output", "TEXT", "STRING"));
  there_.write("post/1/words.gguf", "x");
  expressions("pick", test_tensor("input", "LOGITS", "FP32", "-1, 258") +
                          test_tensor("output", "NEXT", "INT64") +
                          parameter("NEXT", "argmax(last(LOGITS, 1))"));
  there_.write("e/1/README", "x");
  there_.write("e/config.pbtxt",
               test_ensemble(test_text_ends() + test_tensor("output", "NEXT", "INT64"),
                             test_step("pre", "TEXT=IN", "IDS=IDS") +
                                 test_step("llm", "input_ids=IDS", "logits=LOGITS") +
                                 test_step("pick", "LOGITS=LOGITS", "NEXT=NEXT") +
                                 test_step("post", "IDS=NEXT", "TEXT=OUT")));
  const TestResponse made = infer("e", input("IN", "BYTES", "[1,1]", R"(["AB"])"));
  ASSERT_EQ(made.status, 200) << made.body;
  const Json body = *parse_json(made.body);
  // By hand: the largest of the last position's logits.
  const Json own = *parse_json(infer("llm", input("input_ids", "INT32", "[1,2]", "[65,66]")).body);
  const std::vector<Json>& logits = own.find("outputs")->items().at(0).find("data")->items();
  ASSERT_EQ(logits.size(), 2u * 258);
  std::size_t best = 0;
  for (std::size_t i = 0; i < 258; ++i) {
    if (logits[258 + i].as_double() > logits[258 + best].as_double()) best = i;
  }
  EXPECT_EQ(body.find("outputs")->items().at(1).find("data")->items().at(0).as_int(),
            static_cast<std::int64_t>(best));
  const Json text = *parse_json(infer("post", input("IDS", "INT64", "[1,1]",
                                                    "[" + std::to_string(best) + "]")).body);
  EXPECT_EQ(dump(*body.find("outputs")->items().at(0).find("data")),
            dump(*text.find("outputs")->items().at(0).find("data")));
}

}  // namespace
}  // namespace quire
