// Adapters as their files have them: both kinds, their scales, and what is refused by name.
#include "formats/adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/gguf_writer.h"
#include "formats/testing/safetensors_writer.h"
#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"

namespace quire {
namespace {

using ::testing::HasSubstr;
using testing::GgufWriter;
using testing::SafetensorsWriter;
using testing::tiny_weights;

class AdapterFileTest : public ::testing::Test {
 protected:
  std::string write(const GgufWriter& writer) { return folder_.write("a.gguf", writer.bytes()); }
  std::string write(const std::string& config, const SafetensorsWriter& writer) {
    folder_.write("peft/adapter_model.safetensors", writer.bytes());
    folder_.write("peft/adapter_config.json", config);
    return folder_.path() + "/peft";
  }
  static std::string refusal(const std::string& path) {
    const auto adapter = AdapterFile::open(path);
    return adapter.is_ok() ? "accepted" : adapter.status().message();
  }

  testing::TempFolder folder_;
};

GgufWriter gguf_head(float alpha = 8) {
  GgufWriter writer;
  writer.set("general.architecture", "llama").set("general.type", "adapter");
  writer.set("adapter.type", "lora").set("adapter.lora.alpha", alpha);
  return writer;
}
GgufWriter gguf_pair(GgufWriter writer, const std::string& target = "blk.0.attn_q.weight") {
  writer.add_tensor(target + ".lora_a", {2, 8}, tiny_weights(16));
  writer.add_tensor(target + ".lora_b", {8, 2}, tiny_weights(16));
  return writer;
}

constexpr const char* kModule = "base_model.model.model.layers.0.self_attn.q_proj";
std::string peft_config(const std::string& more = "") {
  return R"({"peft_type":"LORA","task_type":"CAUSAL_LM","r":2,"lora_alpha":8,"bias":"none",)"
         R"("target_modules":["q_proj"],"lora_dropout":0.05,"base_model_name_or_path":"x/y",)"
         R"("inference_mode":true,"modules_to_save":null,"use_dora":false)" + more + "}";
}
SafetensorsWriter peft_pair(const std::string& module = kModule) {
  SafetensorsWriter writer;
  writer.add(module + ".lora_A.weight", "F32", {2, 8}, tiny_weights(16));
  writer.add(module + ".lora_B.weight", "F32", {8, 2}, tiny_weights(16));
  return writer;
}

TEST_F(AdapterFileTest, GgufHasPairsByTheNamesOfItsTensors) {
  const auto adapter = AdapterFile::open(write(gguf_pair(gguf_head())));
  ASSERT_TRUE(adapter.is_ok()) << adapter.status().message();
  EXPECT_EQ(adapter->naming, Naming::kGguf);
  EXPECT_EQ(adapter->architecture, "llama");
  ASSERT_EQ(adapter->pairs.size(), 1u);
  EXPECT_EQ(adapter->pairs[0].target, "blk.0.attn_q.weight");
  EXPECT_FLOAT_EQ(adapter->pairs[0].scale, 8.0f / 2);
  EXPECT_NE(adapter->stamp, 0u);
}

// llama.cpp takes an alpha of 0, or none, for a scale of 1.
TEST_F(AdapterFileTest, GgufWithoutAlphaIsNotScaled) {
  EXPECT_FLOAT_EQ(AdapterFile::open(write(gguf_pair(gguf_head(0))))->pairs[0].scale, 1);
}

TEST_F(AdapterFileTest, GgufThatIsNoLoraAdapterIsRefusedByItsKey) {
  EXPECT_THAT(refusal(write(testing::tiny_gguf())), HasSubstr("general.type"));
  GgufWriter other;
  other.set("general.type", "adapter").set("adapter.type", "control_vector");
  EXPECT_THAT(refusal(write(gguf_pair(other))), HasSubstr("adapter.type: \"control_vector\""));
  GgufWriter late = gguf_head();
  late.set("adapter.alora.invocation_tokens", std::vector<std::int32_t>{1, 2});
  EXPECT_THAT(refusal(write(gguf_pair(late))), HasSubstr("adapter.alora.invocation_tokens"));
}

TEST_F(AdapterFileTest, TensorsThatAreNoPairAreRefusedByName) {
  EXPECT_THAT(refusal(write(gguf_head())), HasSubstr("without a pair of matrices"));
  GgufWriter half = gguf_head();
  half.add_tensor("blk.0.attn_q.weight.lora_a", {2, 8}, tiny_weights(16));
  EXPECT_THAT(refusal(write(half)), HasSubstr("'blk.0.attn_q.weight.lora_a': it has no matrix B"));
  half.add_tensor("blk.0.attn_q.weight.lora_b", {8, 3}, tiny_weights(24));
  EXPECT_THAT(refusal(write(half)), HasSubstr("are no pair for 'blk.0.attn_q.weight'"));
  GgufWriter norm = gguf_pair(gguf_head());
  norm.add_tensor("blk.0.attn_norm.weight", {8}, tiny_weights(8));
  EXPECT_THAT(refusal(write(norm)), HasSubstr("tensor 'blk.0.attn_norm.weight' at offset"));
  std::vector<float> values = tiny_weights(16);
  values[5] = std::numeric_limits<float>::quiet_NaN();
  GgufWriter nan = gguf_head();
  nan.add_tensor("blk.0.attn_q.weight.lora_a", {2, 8}, values);
  nan.add_tensor("blk.0.attn_q.weight.lora_b", {8, 2}, tiny_weights(16));
  EXPECT_THAT(refusal(write(nan)), HasSubstr("element 5 is nan"));
}

TEST_F(AdapterFileTest, PeftHasPairsByModules) {
  const auto adapter = AdapterFile::open(write(peft_config(), peft_pair()));
  ASSERT_TRUE(adapter.is_ok()) << adapter.status().message();
  EXPECT_EQ(adapter->naming, Naming::kHuggingFace);
  ASSERT_EQ(adapter->pairs.size(), 1u);
  EXPECT_EQ(adapter->pairs[0].target, "model.layers.0.self_attn.q_proj.weight");
  EXPECT_FLOAT_EQ(adapter->pairs[0].scale, 8.0f / 2);
  const auto by_file = AdapterFile::open(folder_.path() + "/peft/adapter_model.safetensors");
  EXPECT_TRUE(by_file.is_ok()) << by_file.status().message();
}

TEST_F(AdapterFileTest, PeftScalesAsItsConfigSays) {
  const auto scale = [&](const std::string& more) {
    const auto adapter = AdapterFile::open(write(peft_config(more), peft_pair()));
    return adapter.is_ok() ? adapter->pairs[0].scale : -1;
  };
  EXPECT_FLOAT_EQ(scale(R"(,"use_rslora":true)"), 8 / std::sqrt(2.0f));
  EXPECT_FLOAT_EQ(scale(R"(,"alpha_pattern":{"self_attn.q_proj":6},"rank_pattern":{"q_proj":2})"),
                  3);
  EXPECT_FLOAT_EQ(scale(R"(,"alpha_pattern":{"v_proj":6})"), 4);
  EXPECT_FLOAT_EQ(scale(R"(,"alpha_pattern":{"q_proj":6,"layers.0.self_attn.q_proj":2})"), 3)
      << "the first of several";
}

TEST_F(AdapterFileTest, ATableIsTurned) {
  SafetensorsWriter writer;
  const std::string module = "base_model.model.model.embed_tokens";
  writer.add(module + ".lora_embedding_A", "F32", {2, 5}, tiny_weights(10));
  writer.add(module + ".lora_embedding_B", "F32", {8, 2}, tiny_weights(16));
  const auto adapter = AdapterFile::open(write(peft_config(), writer));
  ASSERT_TRUE(adapter.is_ok()) << adapter.status().message();
  const AdapterPair& pair = adapter->pairs[0];
  EXPECT_TRUE(pair.is_of_table);
  EXPECT_THAT(pair.a.shape, ::testing::ElementsAre(5, 2));
  float row[2];
  read_floats(pair.a, 3 * 2, 2, row);
  EXPECT_FLOAT_EQ(row[0], tiny_weights(10)[3]);
  EXPECT_FLOAT_EQ(row[1], tiny_weights(10)[5 + 3]);
}

TEST_F(AdapterFileTest, PeftOptionsThatAreNotComputedAreRefusedByName) {
  for (const auto& [more, word] :
       {std::pair{R"(,"use_dora":true)", "use_dora"},
        {R"(,"layer_replication":[[0,4]])", "layer_replication"},
        {R"(,"target_parameters":["experts"])", "target_parameters"},
        {R"(,"init_lora_weights":"pissa")", "init_lora_weights"},
        {R"(,"alpha_pattern":{"layers.[0-9]+":4})", "alpha_pattern"},
        {R"(,"alora_invocation_tokens":[1])", "alora_invocation_tokens"},
        {R"(,"lora_bias":true)", "lora_bias"},
        {R"(,"something_new":1)", "something_new"}}) {
    // The later of two keys would be refused as a duplicate.
    std::string config = peft_config();
    for (const char* key : {R"(,"use_dora":false)", R"("modules_to_save":null,)"}) {
      if (const auto at = config.find(key); at != config.npos) config.erase(at, std::strlen(key));
    }
    config.insert(config.size() - 1, more);
    EXPECT_THAT(refusal(write(config, peft_pair())), HasSubstr(word)) << config;
  }
  EXPECT_THAT(refusal(write(R"({"peft_type":"IA3"})", peft_pair())), HasSubstr("peft_type"));
  EXPECT_THAT(refusal(write(R"({"r":2})", peft_pair())), HasSubstr("peft_type"));
  EXPECT_THAT(refusal(write("[]", peft_pair())), HasSubstr("adapter_config.json is no object"));
}

// PEFT saves the table and the head with their pairs, and what was trained as a whole.
TEST_F(AdapterFileTest, WholeTensorsBesideThePairs) {
  SafetensorsWriter writer = peft_pair();
  writer.add("base_model.model.lm_head.weight", "F32", {8, 8}, tiny_weights(64));
  writer.add("base_model.model.model.embed_tokens.base_layer.weight", "F32", {8, 8},
             tiny_weights(64));
  const auto adapter = AdapterFile::open(write(peft_config(), writer));
  ASSERT_TRUE(adapter.is_ok()) << adapter.status().message();
  ASSERT_EQ(adapter->wholes.size(), 2u);
  EXPECT_EQ(adapter->wholes[0].target, "lm_head.weight");
  EXPECT_EQ(adapter->wholes[1].target, "model.embed_tokens.weight");
  EXPECT_EQ(adapter->pairs.size(), 1u);
}

TEST_F(AdapterFileTest, WhatIsNeitherIsRefusedByName) {
  for (const char* name : {"base_model.model.lm_head.bias", "lm_head.weight",
                           "base_model.model.h.0.attn.lora_magnitude_vector.weight"}) {
    SafetensorsWriter writer = peft_pair();
    writer.add(name, "F32", {8}, tiny_weights(8));
    EXPECT_THAT(refusal(write(peft_config(), writer)), HasSubstr(fmt::format("'{}'", name)));
  }
}

TEST_F(AdapterFileTest, TwoForOnePlaceAreRefused) {
  SafetensorsWriter writer = peft_pair();
  writer.add(std::string(kModule) + ".lora_A.default.weight", "F32", {2, 8}, tiny_weights(16));
  EXPECT_THAT(refusal(write(peft_config(), writer)), HasSubstr("are for the same place"));
}

TEST_F(AdapterFileTest, WhatIsNoAdapterSaysWhatOneIs) {
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("adapter_config.json"));
  EXPECT_THAT(refusal(folder_.write("x.txt", "hello")), HasSubstr("x.txt"));
  EXPECT_THAT(refusal(folder_.path() + "/nothing"), HasSubstr("nothing"));
  folder_.write("pickle/adapter_config.json", peft_config());
  folder_.write("pickle/adapter_model.bin", "PK");
  EXPECT_THAT(refusal(folder_.path() + "/pickle"), HasSubstr("is a pickle"));
}

}  // namespace
}  // namespace quire
