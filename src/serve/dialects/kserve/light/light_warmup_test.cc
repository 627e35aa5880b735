// Warm-ups of models without an engine: what a config describes is computed before the model is
// served, and one that cannot be keeps it from being so.
#include "serve/dialects/kserve/light/light_warmup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/testing/test_ensemble.h"
#include "serve/testing/test_light_model.h"

namespace quire {
namespace {

using ::testing::HasSubstr;

class LightWarmupTest : public LightModelTest {
 protected:
  // Loads a model of which Y = `text`, of A (INT64, [-1]) and T (STRING, [1]).
  std::string load(const std::string& warmup, const std::string& text = "A + length(T)",
                   int batch_max = 8) {
    there_.write("x/config.pbtxt",
                 fmt::format("backend: \"quire_expression\" max_batch_size: {} ", batch_max) +
                     test_tensor("input", "A", "INT64", "-1") +
                     test_tensor("input", "T", "STRING") +
                     test_tensor("output", "Y", "INT64", "-1") +
                     "parameters { key: \"Y\" value { string_value: \"" + text + "\" } } " +
                     warmup);
    there_.write("x/1/README", "x");
    if (server_ == nullptr) {
      there_.version("other", 1);
      server_ = &there_.serve();
      return "served";
    }
    const TestResponse loaded = server_->client().post("/v2/repository/models/x/load", "");
    if (loaded.status == 200) return "served";
    return parse_json(loaded.body)->find("error")->as_string();
  }
  static std::string entry(const std::string& a, const std::string& t,
                           const std::string& more = "batch_size: 1") {
    const auto one = [](const char* name, const std::string& value) {
      return value.empty() ? std::string()
                           : fmt::format("inputs {{ key: \"{}\" value {{ {} }} }} ", name, value);
    };
    return "model_warmup { name: \"w\" " + more + " " + one("A", a) + one("T", t) + "} ";
  }

  static constexpr const char* kZeros = "data_type: TYPE_INT64 dims: [ 3 ] zero_data: true";
  static constexpr const char* kEmpty = "data_type: TYPE_STRING dims: [ 1 ] zero_data: true";
};

TEST_F(LightWarmupTest, InputsAreZerosDrawnOrOfAFile) {
  load("");
  EXPECT_EQ(load(entry(kZeros, kEmpty)), "served");
  EXPECT_EQ(load(entry("data_type: TYPE_INT64 dims: [ 3 ] random_data: true", kEmpty,
                       "batch_size: 4 count: 3")), "served");
  there_.write("x/warmup/numbers", std::string(24, '\1'));
  there_.write("x/warmup/text", "a text as it is");
  there_.write("x/warmup/raw", std::string("\3\0\0\0abc", 7));
  const std::string file = "data_type: TYPE_STRING dims: [ 1 ] input_data_file: ";
  EXPECT_EQ(load(entry("data_type: TYPE_INT64 dims: [ 3 ] input_data_file: \"numbers\"",
                       file + "\"text\"")), "served");
  EXPECT_EQ(load(entry(kZeros, file + "\"raw\"", "batch_size: 2")), "served");
  EXPECT_EQ(load(entry(kZeros, kEmpty, "batch_size: 3"), "A + length(T)", 0), "served");
}

TEST_F(LightWarmupTest, ItIsComputed) {
  load("");
  const std::string divides = "A // length(T)";
  EXPECT_THAT(load(entry(kZeros, kEmpty), divides),
              HasSubstr("version 1: 'model_warmup' 'w' failed: output 'Y': "));
  EXPECT_EQ(tensors(infer("x", input("A", "INT64", "[1,1]", "[6]") + "," +
                                   input("T", "BYTES", "[1,1]", R"(["ab"])"))),
            "Y INT64 [1,1] [8]; ") << "the version before serves on";
  EXPECT_EQ(load(entry(kZeros, kEmpty, "batch_size: 0"), divides), "served") << "as in Triton";
  const Json stats = *parse_json(server_->client().get("/v2/models/x/stats").body);
  EXPECT_EQ(stats.find("model_stats")->items().at(0).find("inference_count")->as_int(), 0)
      << "nobody has asked";
}

TEST_F(LightWarmupTest, WhatAnEntryHasWrongIsToldByName) {
  load("");
  there_.write("x/warmup/short", "1234");
  const auto wrong = [&](const std::string& a, const std::string& t,
                         const std::string& more = "batch_size: 1") {
    return load(entry(a, t, more));
  };
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ 3 ]", kEmpty),
              HasSubstr("input 'A': one of 'zero_data', 'random_data' and 'input_data_file'"));
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ -1 ] zero_data: true", kEmpty),
              HasSubstr("input 'A': 'dims' has -1; they must be positive"));
  EXPECT_THAT(wrong("dims: [ 1 ] zero_data: true", kEmpty),
              HasSubstr("input 'A': 'data_type' is missing"));
  EXPECT_THAT(wrong("data_type: TYPE_FP32 dims: [ 3 ] zero_data: true", kEmpty),
              HasSubstr("inference input 'A' data-type is 'FP32', but model 'x' expects 'INT64'"));
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ 3, 3 ] zero_data: true", kEmpty),
              HasSubstr("unexpected shape for input 'A'"));
  EXPECT_THAT(wrong(kZeros, ""), HasSubstr("missing required input(s) ['T']"));
  EXPECT_THAT(wrong(kZeros, kEmpty, "batch_size: 9"), HasSubstr("must be from 1 to 8"));
  EXPECT_THAT(wrong(kZeros, kEmpty, "batch_size: 8 count: 126"), HasSubstr("at most 1000"));
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ 67108865 ] zero_data: true", kEmpty),
              HasSubstr("no more than 67108864 elements"));
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ 67108864 ] zero_data: true", kEmpty),
              HasSubstr("more than 67108864 bytes"));
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ 3 ] input_data_file: \"short\"", kEmpty),
              HasSubstr("'input_data_file' 'short' has 4 bytes where 24 are expected"));
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ 3 ] input_data_file: \"../x\"", kEmpty),
              HasSubstr("is no name of a file"));
  EXPECT_THAT(wrong("data_type: TYPE_INT64 dims: [ 3 ] input_data_file: \"none\"", kEmpty),
              HasSubstr("none"));
}

}  // namespace
}  // namespace quire
