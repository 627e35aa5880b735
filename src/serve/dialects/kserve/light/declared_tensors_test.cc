// What is declared of tensors holds while an ensemble runs: outputs of steps, inputs of the next
// ones, outputs of the whole; and batches are put before shapes, or taken off, as Triton does.
#include "serve/dialects/kserve/light/declared_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_light_model.h"

namespace quire {
namespace {

using ::testing::HasSubstr;
using Shape = std::vector<std::int64_t>;

TEST(DeclaredTensorsTest, ABatchOfOneIsPutBeforeAShapeOrTakenOff) {
  const ModelTensor three{.name = "x", .data_type = "TYPE_FP32", .dims = {3}};
  const ModelTensor any{.name = "x", .data_type = "TYPE_FP32", .dims = {-1, 2}};
  EXPECT_EQ(declared_shape(three, true, {3}, false), Shape({1, 3}));
  EXPECT_EQ(declared_shape(three, true, {2, 3}, false), Shape({2, 3})) << "it has a batch already";
  EXPECT_EQ(declared_shape(three, false, {1, 3}, true), Shape({3}));
  EXPECT_EQ(declared_shape(three, false, {2, 3}, true), Shape({2, 3})) << "two do not fit into one";
  EXPECT_EQ(declared_shape(any, false, {1, 2}, true), Shape({1, 2})) << "it fits as it is";
  EXPECT_EQ(declared_shape(any, false, {1, 5, 2}, true), Shape({5, 2}));
  EXPECT_EQ(declared_shape(three, true, {1, 3}, true), Shape({1, 3}));
  EXPECT_EQ(declared_shape(three, false, {}, true), Shape());
}

TEST(DeclaredTensorsTest, WhatDoesNotFitIsASentence) {
  const ModelTensor three{.name = "x", .data_type = "TYPE_FP32", .dims = {-1, 3}};
  EXPECT_EQ(find_misfit(three, true, TensorType::kFp32, {2, 7, 3}, "input 'x'"), std::nullopt);
  EXPECT_EQ(find_misfit(three, true, TensorType::kFp32, {7, 3}, "input 'x'"),
            "unexpected shape for input 'x'. Expected [-1,-1,3], got [7,3].");
  EXPECT_EQ(find_misfit(three, false, TensorType::kInt32, {7, 3}, "input 'x'"),
            "unexpected datatype TYPE_INT32 for input 'x', which expects TYPE_FP32");
}

class DeclaredStepsTest : public LightModelTest {
 protected:
  // Y = A, of these dimensions.
  void copy(const std::string& name, const std::string& in, const std::string& out,
            int batch_max = 8) {
    there_.write(name + "/config.pbtxt",
                 fmt::format("backend: \"quire_expression\" max_batch_size: {} ", batch_max) +
                     test_tensor("input", "A", "INT64", in) +
                     test_tensor("output", "Y", "INT64", out) +
                     "parameters { key: \"Y\" value { string_value: \"A\" } }");
    there_.write(name + "/1/README", "x");
  }
  void ensemble(const std::string& steps, const std::string& ends, int batch_max = 8) {
    there_.write("e/config.pbtxt", test_ensemble(ends, steps, batch_max));
    there_.write("e/1/README", "x");
  }
  static std::string numbers(const std::string& shape, const std::string& data) {
    return input("IN", "INT64", shape, data);
  }
  static std::string ends(const std::string& in = "-1", const std::string& out = "-1") {
    return test_tensor("input", "IN", "INT64", in) + test_tensor("output", "OUT", "INT64", out);
  }
  static std::string told(const TestResponse& answer, int status) {
    EXPECT_EQ(answer.status, status) << answer.body;
    const Json body = *parse_json(answer.body);
    return body.find("error") == nullptr ? answer.body : body.find("error")->as_string();
  }
  static std::string chain() {
    return test_step("first", "A=IN", "Y=MID") + test_step("second", "A=MID", "Y=OUT");
  }
};

TEST_F(DeclaredStepsTest, AnInputThatDoesNotFitTheNextStepIsToldWithStepModelAndTensor) {
  copy("first", "-1", "-1");
  copy("second", "3", "3");
  ensemble(chain(), ends());
  EXPECT_EQ(tensors(infer("e", numbers("[1,3]", "[1,2,3]"))), "OUT INT64 [1,3] [1,2,3]; ");
  EXPECT_EQ(told(infer("e", numbers("[1,4]", "[1,2,3,4]")), 400),
            "in ensemble 'e', step 1 (model 'second'): unexpected shape for input 'A' for model "
            "'second' (tensor 'MID' of step 0 (model 'first')). Expected [-1,3], got [1,4].");
}

TEST_F(DeclaredStepsTest, AClientsInputThatDoesNotFitItsStepIsToldAsTheEnsembles) {
  copy("first", "3", "3");
  copy("second", "-1", "-1");
  ensemble(chain(), ends());
  EXPECT_THAT(told(infer("e", numbers("[1,2]", "[1,2]")), 400),
              HasSubstr("in ensemble 'e', step 0 (model 'first'): unexpected shape for input 'A' "
                        "for model 'first' (the ensemble's input 'IN'). Expected [-1,3], got"));
}

TEST_F(DeclaredStepsTest, AnOutputThatIsNotAsTheEnsembleSaysFailsItsStep) {
  copy("first", "-1", "-1");
  copy("second", "-1", "-1");
  ensemble(chain(), ends("-1", "2"));
  EXPECT_EQ(tensors(infer("e", numbers("[2,2]", "[1,2,3,4]"))), "OUT INT64 [2,2] [1,2,3,4]; ");
  EXPECT_EQ(told(infer("e", numbers("[1,3]", "[1,2,3]")), 500),
            "in ensemble 'e', step 1 (model 'second'): unexpected shape for output 'Y' of the "
            "model (tensor 'OUT') as the ensemble's output. Expected [-1,2], got [1,3].");
}

// A model with an engine answers as it does, whatever its config says of shapes; of names and
// datatypes it says what is true, or is not loaded.
TEST_F(DeclaredStepsTest, AnOutputThatIsNotAsItsOwnConfigSaysFailsItsStep) {
  there_.version("a", 1);
  there_.write("a/config.pbtxt",
               "max_batch_size: 8 " + test_tensor("output", "text_output", "STRING", "2"));
  ensemble(test_step("a", "text_input=IN", "text_output=OUT"),
           test_tensor("input", "IN", "STRING") + test_tensor("output", "OUT", "STRING", "-1"));
  const std::string in = input("IN", "BYTES", "[1,1]", R"(["ab"])");
  EXPECT_EQ(told(infer("e", in, R"(,"parameters":{"max_tokens":2})"), 500),
            "in ensemble 'e', step 0 (model 'a'): unexpected shape for output "
            "'text_output' of the model (tensor 'OUT'). Expected [-1,2], got [1,1].");
}

TEST_F(DeclaredStepsTest, BatchesComeAndGoBetweenSteps) {
  copy("first", "3", "3", 0);
  copy("second", "3", "3", 8);
  ensemble(chain(), ends("3", "3"));
  EXPECT_EQ(tensors(infer("e", numbers("[1,3]", "[1,2,3]"))), "OUT INT64 [1,3] [1,2,3]; ");
  EXPECT_THAT(told(infer("e", numbers("[2,3]", "[1,2,3,4,5,6]")), 400),
              HasSubstr("step 0 (model 'first'): unexpected shape for input 'A'"));
}

TEST_F(DeclaredStepsTest, AnEnsembleWithoutBatchesStandsOnModelsWithThem) {
  copy("first", "3", "3", 8);
  copy("second", "-1", "-1", 0);
  ensemble(chain(), ends("3", "3"), 0);
  EXPECT_EQ(tensors(infer("e", numbers("[3]", "[1,2,3]"))), "OUT INT64 [3] [1,2,3]; ");
}

}  // namespace
}  // namespace quire
