// Graphs of ensembles: what a sound one becomes, and every way to be wrong, each told with the step
// and the tensor.
#include "host/repository/ensemble/ensemble_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <sstream>

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The models that steps may name.
const std::map<std::string, std::string>& configs() {
  static const std::map<std::string, std::string> all = {
      {"words", R"(input { name: "text" data_type: TYPE_STRING dims: 1 }
                   output { name: "ids" data_type: TYPE_INT64 dims: -1 })"},
      {"llm", R"(max_batch_size: 8
                 input [ { name: "input_ids" data_type: TYPE_INT64 dims: -1 },
                         { name: "bias" data_type: TYPE_FP32 dims: 1 optional: true } ]
                 output { name: "logits" data_type: TYPE_FP32 dims: [ -1, 100 ] })"},
      {"pick", R"(input { name: "logits" data_type: TYPE_FP32 dims: [ -1, -1, 100 ] }
                  output [ { name: "text" data_type: TYPE_STRING dims: 1 },
                           { name: "score" data_type: TYPE_FP32 dims: 1 } ])"},
      {"two", R"(input [ { name: "x" data_type: TYPE_STRING dims: 1 },
                         { name: "y" data_type: TYPE_STRING dims: 1 } ]
                 output { name: "z" data_type: TYPE_STRING dims: 1 })"},
      {"streams", R"(model_transaction_policy { decoupled: true }
                     input { name: "text" data_type: TYPE_STRING dims: 1 }
                     output { name: "text" data_type: TYPE_STRING dims: 1 })"},
      {"any", ""},
  };
  return all;
}

Result<ModelConfig> find_model(const std::string& name, std::uint64_t version) {
  const auto found = configs().find(name);
  if (found == configs().end()) return error(StatusCode::kNotFound, "there is no '{}'", name);
  if (version > 2) return error(StatusCode::kNotFound, "there is no version {}", version);
  return parse_model_config(found->second, name);
}

constexpr const char* kEnds = R"(platform: "ensemble"
  input { name: "IN" data_type: TYPE_STRING dims: 1 }
  output { name: "OUT" data_type: TYPE_STRING dims: 1 } )";

std::string step(const std::string& model, const std::string& in, const std::string& out,
                 const std::string& more = "") {
  const auto maps = [](const std::string& field, const std::string& pairs) {  // "a=A b=B"
    std::string text;
    std::istringstream words(pairs);
    for (std::string word; words >> word;) {
      const std::size_t middle = word.find('=');
      text += fmt::format("{} {{ key: \"{}\" value: \"{}\" }} ", field, word.substr(0, middle),
                          word.substr(middle + 1));
    }
    return text;
  };
  return fmt::format("step {{ model_name: \"{}\" {} {} {} }} ", model, maps("input_map", in),
                     maps("output_map", out), more);
}

Result<EnsembleGraph> read(const std::string& steps, const std::string& ends = kEnds) {
  const auto config = parse_model_config(ends + "ensemble_scheduling { " + steps + "}", "e");
  if (!config.is_ok()) return config.status();
  EXPECT_TRUE(is_ensemble(*config));
  return read_ensemble(*config, find_model);
}

std::string refusal(const std::string& steps, const std::string& ends = kEnds) {
  const auto graph = read(steps, ends);
  EXPECT_EQ(graph.status().code(), StatusCode::kInvalidArgument) << steps;
  return std::string(graph.status().message());
}

TEST(EnsembleGraphTest, StepsAreInTheOrderInWhichTheyNeedEachOther) {
  const auto graph = read(step("pick", "logits=LOGITS", "text=OUT score=SCORE") +
                          step("llm", "input_ids=IDS", "logits=LOGITS", "model_version: 2") +
                          step("words", "text=IN", "ids=IDS", "model_version: -1") +
                          "max_inflight_requests: 3");
  ASSERT_TRUE(graph.is_ok()) << graph.status().message();
  EXPECT_THAT(graph->order, ElementsAre(2, 1, 0));
  EXPECT_EQ(graph->steps[1].model, "llm");
  EXPECT_EQ(graph->steps[1].version, 2u);
  EXPECT_EQ(graph->steps[2].version, 0u);
  EXPECT_THAT(graph->steps[0].outputs, ElementsAre(std::pair("text", "OUT"),
                                                   std::pair("score", "SCORE")));
}

TEST(EnsembleGraphTest, BranchesMeetAndUnusedOutputsAreFine) {
  const auto graph = read(step("two", "x=A y=B", "z=OUT") + step("two", "x=IN y=IN", "z=B") +
                          step("two", "x=IN y=B", "z=A") + step("two", "x=A y=A", "z=NOBODYS"));
  ASSERT_TRUE(graph.is_ok()) << graph.status().message();
  EXPECT_THAT(graph->order, ElementsAre(1, 2, 0, 3));
}

TEST(EnsembleGraphTest, WhereAConfigNamesNoTensorsTheOthersSayWhatTheyAre) {
  EXPECT_TRUE(read(step("any", "text_input=IN", "text_output=T") + step("any", "a=T", "b=OUT"))
                  .is_ok());
  EXPECT_THAT(refusal(step("any", "a=IN", "b=T") + step("llm", "input_ids=T", "logits=L") +
                      step("two", "x=T y=T", "z=OUT")),
              HasSubstr("tensor 'T': inconsistent data type: TYPE_INT64 of step 1 (model 'llm'), "
                        "TYPE_STRING of step 2 (model 'two')"));
}

TEST(EnsembleGraphTest, WhoIsMissingIsToldByStep) {
  EXPECT_EQ(refusal(step("nobody", "a=IN", "b=OUT")),
            "in ensemble 'e', step 0 (model 'nobody'): there is no 'nobody'");
  EXPECT_THAT(refusal(step("any", "a=IN", "b=T") +
                      step("any", "a=T", "b=OUT", "model_version: 7")),
              HasSubstr("step 1 (model 'any'): there is no version 7"));
  EXPECT_THAT(refusal(step("e", "a=IN", "b=OUT")), HasSubstr("step 0 (model 'e'): it is the "
                                                             "ensemble itself"));
  EXPECT_THAT(refusal(step("streams", "text=IN", "text=OUT")), HasSubstr("decoupled"));
  EXPECT_THAT(refusal(step("", "a=IN", "b=OUT")),
              HasSubstr("'ensemble_scheduling.step' 0: 'model_name' is missing"));
  EXPECT_THAT(refusal(step("any", "a=IN", "b=OUT", "model_version: -2")),
              HasSubstr("'model_version'"));
  EXPECT_THAT(refusal(step("any", "", "b=OUT")), HasSubstr("'input_map' is missing"));
  EXPECT_THAT(refusal(step("any", "a=IN", "")), HasSubstr("'output_map' is missing"));
  EXPECT_THAT(refusal(step("any", "a=", "b=OUT")), HasSubstr("'input_map' has an entry without a "
                                                             "value"));
  EXPECT_THAT(refusal(step("any", "a=IN", "=OUT")), HasSubstr("'output_map' has an entry without "
                                                              "a key"));
  EXPECT_THAT(refusal(""), HasSubstr("1 to 64 steps, not 0"));
}

TEST(EnsembleGraphTest, TensorsThatTheModelsDoNotHave) {
  EXPECT_THAT(refusal(step("words", "txt=IN", "ids=IDS")),
              HasSubstr("step 0 (model 'words'): tensor 'IN' is mapped to input 'txt', which the "
                        "model does not have"));
  EXPECT_THAT(refusal(step("words", "text=IN", "id=IDS")),
              HasSubstr("step 0 (model 'words'): tensor 'IDS' is mapped from output 'id', which "
                        "the model does not have"));
  EXPECT_THAT(refusal(step("two", "x=IN", "z=OUT")),
              HasSubstr("step 0 (model 'two'): input 'y' of the model is not mapped to a tensor"));
}

TEST(EnsembleGraphTest, TensorsThatNobodyOrTwoProduceOrNobodyUses) {
  EXPECT_THAT(refusal(step("two", "x=IN y=T", "z=OUT")),
              HasSubstr("step 0 (model 'two'): tensor 'T', which is mapped to input 'y', is "
                        "produced by no step and is no input of the ensemble"));
  EXPECT_THAT(refusal(step("any", "a=IN", "b=T")), HasSubstr("output 'OUT' is produced by no "
                                                             "step"));
  EXPECT_THAT(refusal(step("any", "a=OUT", "b=T") + step("any", "a=T", "b=OUT")),
              HasSubstr("input 'IN' is used by no step"));
  EXPECT_THAT(refusal(step("any", "a=IN", "b=OUT") + step("two", "x=IN y=IN", "z=OUT")),
              HasSubstr("step 1 (model 'two'): tensor 'OUT' is produced already, by step 0 (model "
                        "'any')"));
  EXPECT_THAT(refusal(step("any", "a=IN", "b=OUT c=OUT")),
              HasSubstr("tensor 'OUT' is produced already, by step 0"));
  EXPECT_THAT(refusal(step("any", "a=IN", "b=IN c=OUT")),
              HasSubstr("tensor 'IN' is produced already, by the ensemble's input"));
  const std::string input = R"(input { name: "IN" data_type: TYPE_STRING dims: 1 } )";
  const std::string output = R"(output { name: "OUT" data_type: TYPE_STRING dims: 1 } )";
  const std::string steps = step("any", "a=IN", "b=OUT");
  EXPECT_THAT(refusal(steps, "platform: \"ensemble\" " + output), HasSubstr("no 'input'"));
  EXPECT_THAT(refusal(steps, "platform: \"ensemble\" " + input), HasSubstr("no 'output'"));
}

TEST(EnsembleGraphTest, Circles) {
  EXPECT_THAT(refusal(step("two", "x=IN y=T", "z=T") + step("any", "a=T", "b=OUT")),
              HasSubstr("step 0 (model 'two'): tensor 'T' depends on itself, by way of step 0 "
                        "(model 'two')"));
  EXPECT_THAT(refusal(step("any", "a=IN", "b=OUT") + step("any", "a=C", "b=A") +
                      step("any", "a=A", "b=B") + step("any", "a=B", "b=C")),
              HasSubstr("step 1 (model 'any'): tensor 'C' depends on itself, by way of step 3"));
}

TEST(EnsembleGraphTest, TypesAndShapesAgree) {
  EXPECT_THAT(refusal(step("llm", "input_ids=IN", "logits=L") + step("any", "a=L", "b=OUT")),
              HasSubstr("tensor 'IN': inconsistent data type: TYPE_STRING of the ensemble's "
                        "input, TYPE_INT64 of step 0 (model 'llm')"));
  const std::string wide = R"(platform: "ensemble"
    input { name: "IN" data_type: TYPE_FP32 dims: [ 5, -1, 99 ] }
    output { name: "OUT" data_type: TYPE_STRING dims: 1 } )";
  EXPECT_THAT(refusal(step("pick", "logits=IN", "text=OUT"), wide),
              HasSubstr("tensor 'IN': inconsistent shape: [5,-1,99] of the ensemble's input, "
                        "[-1,-1,100] of step 0 (model 'pick')"));
  // One model's batch is another one's dimension.
  EXPECT_TRUE(read(step("any", "a=IN", "b=IDS") + step("llm", "input_ids=IDS", "logits=L") +
                   step("pick", "logits=L", "text=OUT")).is_ok());
  const std::string batched = std::string(kEnds) + "max_batch_size: 9 ";
  EXPECT_THAT(refusal(step("any", "a=IN", "b=IDS") + step("llm", "input_ids=IDS", "logits=L") +
                      step("any", "a=L", "b=OUT"), batched),
              HasSubstr("step 1 (model 'llm'): the ensemble allows 'max_batch_size' 9, but the "
                        "model 8"));
}

TEST(EnsembleGraphTest, SizesAreBounded) {
  std::string steps = step("any", "a=IN", "b=OUT");
  for (std::size_t i = 1; i < kEnsembleStepsMax; ++i) {
    steps += step("any", "a=IN", fmt::format("b=T{}", i));
  }
  EXPECT_TRUE(read(steps).is_ok());
  EXPECT_THAT(refusal(steps + step("any", "a=IN", "b=U")), HasSubstr("1 to 64 steps, not 65"));
  std::string outputs = "b=OUT";
  for (std::size_t i = 0; i < kEnsembleTensorsMax; ++i) outputs += fmt::format(" o{0}=T{0}", i);
  EXPECT_THAT(refusal(step("any", "a=IN", outputs)), HasSubstr("over 1024 tensors"));
}

// Graphs of chance: sound ones have an order in which every step finds what it needs.
TEST(EnsembleGraphTest, WhatIsFoundSoundCanBeRun) {
  std::mt19937 random(3);
  int sound = 0;
  for (int i = 0; i < 2000; ++i) {
    const unsigned count = 1 + random() % 5;
    std::string steps;
    const auto name = [&] { return "T" + std::to_string(random() % 6); };
    for (unsigned k = 0; k < count; ++k) {
      const std::string from = random() % 2 == 0 ? "IN" : name();
      const std::string to = k + 1 == count ? "OUT" : "T" + std::to_string(k);
      steps += step("two", "x=" + from + " y=" + (random() % 3 == 0 ? name() : "IN"), "z=" + to);
    }
    const auto graph = read(steps);
    if (!graph.is_ok()) continue;
    ++sound;
    std::set<std::string> there = {"IN"};
    for (const std::size_t at : graph->order) {
      for (const auto& [_, tensor] : graph->steps[at].inputs) {
        EXPECT_TRUE(there.contains(tensor)) << steps;
      }
      for (const auto& [_, tensor] : graph->steps[at].outputs) there.insert(tensor);
    }
    EXPECT_EQ(graph->order.size(), count);
    EXPECT_TRUE(there.contains("OUT"));
  }
  EXPECT_GT(sound, 200);
  EXPECT_LT(sound, 1900);
}

}  // namespace
}  // namespace quire
