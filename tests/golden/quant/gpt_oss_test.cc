// gpt-oss as it was published: stacks of experts in MXFP4, not transposed, against the same model
// with the experts as transformers writes them in floats, transposed. Their values are the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/temp_folder.h"
#include "model/describe.h"
#include "quant/coded_llama.h"

namespace quire {
namespace {

using testing::SafetensorsWriter;

constexpr std::size_t kHidden = 64, kFfn = 32, kExperts = 4, kVocab = 96;
constexpr const char* kConfig = R"({"architectures":["GptOssForCausalLM"],"model_type":"gpt_oss",
"attention_bias":true,"hidden_size":64,"intermediate_size":32,"head_dim":16,"hidden_act":"silu",
"num_attention_heads":4,"num_key_value_heads":2,"num_hidden_layers":2,"num_local_experts":4,
"num_experts_per_tok":2,"experts_per_token":2,"sliding_window":24,"swiglu_limit":7.0,
"layer_types":["sliding_attention","full_attention"],"rms_norm_eps":1e-5,"rope_theta":150000,
"max_position_embeddings":256,"tie_word_embeddings":false,"vocab_size":96,"eos_token_id":2)";

class Numbers {
 public:
  float operator()() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(state_ >> 8) * 0x1p-23f - 1;
  }
  std::vector<float> many(std::size_t count, float mean, float scale) {
    std::vector<float> all(count);
    for (float& value : all) value = mean + scale * (*this)();
    return all;
  }

 private:
  std::uint32_t state_ = 4711;
};

// A stack [experts, rows, columns]: as blocks in one file, transposed as floats in the other.
void add_stack(const std::string& name, std::size_t rows, std::size_t columns, Numbers& draw,
               SafetensorsWriter& coded, SafetensorsWriter& plain) {
  constexpr float kSizes[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  std::vector<std::uint8_t> blocks, scales;
  std::vector<float> floats(kExperts * rows * columns);
  std::size_t at = 0;
  for (std::size_t expert = 0; expert < kExperts; ++expert) {
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column, ++at) {
        if (column % 32 == 0) scales.push_back(static_cast<std::uint8_t>(124 + (draw() > 0)));
        const auto code = static_cast<std::uint8_t>((draw() + 1) * 7.99f);
        if (at % 2 == 0) blocks.push_back(code);
        else blocks.back() = static_cast<std::uint8_t>(blocks.back() | code << 4);
        const float size = std::ldexp(kSizes[code % 8], scales.back() - 127);
        floats[(expert * columns + column) * rows + row] = code < 8 ? size : -size;
      }
    }
  }
  coded.add(name + "_blocks", "U8", {kExperts, rows, columns / 32, 16}, blocks);
  coded.add(name + "_scales", "U8", {kExperts, rows, columns / 32}, scales);
  plain.add(name, "F32", {kExperts, columns, rows}, floats);
}

void write_both(const testing::TempFolder& codes, const testing::TempFolder& floats) {
  SafetensorsWriter coded, plain;
  Numbers draw;
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape, float mean,
                       float scale) {
    std::size_t count = 1;
    for (const std::size_t size : shape) count *= size;
    const std::vector<float> values = draw.many(count, mean, scale);
    coded.add(name, "F32", shape, values);
    plain.add(name, "F32", shape, values);
  };
  add("model.embed_tokens.weight", {kVocab, kHidden}, 0, 1);
  add("lm_head.weight", {kVocab, kHidden}, 0, 0.2f);
  add("model.norm.weight", {kHidden}, 1, 0.25f);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    for (const auto& [name, rows] : std::vector<std::pair<const char*, std::size_t>>{
             {"self_attn.q_proj", 64}, {"self_attn.k_proj", 32}, {"self_attn.v_proj", 32},
             {"self_attn.o_proj", 64}}) {
      add(layer + name + ".weight", {rows, kHidden}, 0, 0.2f);
      add(layer + name + ".bias", {rows}, 0, 0.2f);
    }
    add(layer + "mlp.router.weight", {kExperts, kHidden}, 0, 2);  // hardly two of them tie
    add(layer + "mlp.router.bias", {kExperts}, 0, 0.2f);
    add(layer + "self_attn.sinks", {4}, 0, 1);
    add(layer + "input_layernorm.weight", {kHidden}, 1, 0.25f);
    add(layer + "post_attention_layernorm.weight", {kHidden}, 1, 0.25f);
    add_stack(layer + "mlp.experts.gate_up_proj", 2 * kFfn, kHidden, draw, coded, plain);
    add_stack(layer + "mlp.experts.down_proj", kHidden, kFfn, draw, coded, plain);
    add(layer + "mlp.experts.gate_up_proj_bias", {kExperts, 2 * kFfn}, 0, 0.2f);
    add(layer + "mlp.experts.down_proj_bias", {kExperts, kHidden}, 0, 0.2f);
  }
  codes.write("config.json",
              std::string(kConfig) + R"(,"quantization_config":{"quant_method":"mxfp4",)"
                                     R"("modules_to_not_convert":["model.layers.*.self_attn",)"
                                     R"("model.layers.*.mlp.router","lm_head"]}})");
  codes.write("model.safetensors", coded.bytes());
  floats.write("config.json", std::string(kConfig) + "}");
  floats.write("model.safetensors", plain.bytes());
}

TEST(GptOssQuantizedTest, ExpertsInMxfp4AreTheFloatsThatTheyStandFor) {
  const testing::TempFolder codes, floats;
  write_both(codes, floats);
  const auto coded = open_model(codes.path());
  ASSERT_TRUE(coded.is_ok()) << coded.status().message();
  const auto plain = open_model(floats.path());
  ASSERT_TRUE(plain.is_ok()) << plain.status().message();
  EXPECT_EQ((*coded)->find("layers.0.experts_gate.3")->dtype, DType::kMXFP4);
  EXPECT_EQ((*coded)->find("layers.0.experts_down.0")->dtype, DType::kMXFP4);
  const auto expected = testing::logits_of(**plain, WeightScheme::kFloat32);
  const double error =
      testing::largest_error(testing::logits_of(**coded, WeightScheme::kFloat32), expected);
  const double usual =
      testing::largest_error(testing::logits_of(**coded, WeightScheme::kAsStored), expected);
  std::printf("FIGURE gpt-oss in MXFP4: largest error of a logit %.2e, %.2e with the usual "
              "products\n", error, usual);
  EXPECT_LT(error, testing::kLogitErrorMax);
  EXPECT_LT(usual, 0.5);
  const auto shown = describe_model(codes.path());
  ASSERT_TRUE(shown.is_ok()) << shown.status().message();
  EXPECT_THAT(*shown, ::testing::HasSubstr("mxfp4, groups of 32"));
}

// What was made of a rule's tensors is given back and made anew.
TEST(GptOssQuantizedTest, WovenExpertsAreLetGo) {
  const testing::TempFolder codes, floats;
  write_both(codes, floats);
  const auto coded = open_model(codes.path());
  ASSERT_TRUE(coded.is_ok()) << coded.status().message();
  for (const char* rule : {"layers.0.experts_gate", "layers.0.experts_down"}) {
    const std::string name = std::string(rule) + ".2";
    const TensorView first = (*coded)->find(name).value();
    const std::string before(reinterpret_cast<const char*>(first.data), first.bytes());
    (*coded)->let_go(rule);
    const TensorView again = (*coded)->find(name).value();
    EXPECT_EQ(before, std::string(reinterpret_cast<const char*>(again.data), again.bytes()));
  }
}

}  // namespace
}  // namespace quire
