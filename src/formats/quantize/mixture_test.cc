// Which tensor gets which type, by example: a llama of 16 layers, one with a tied table, rows that
// are no whole blocks, eight experts; and the names of file types.
#include "formats/quantize/mixture.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace quire {
namespace {

struct Shape {
  std::size_t layers = 16, width = 512;
  bool has_head = true;
};

std::vector<TensorView> tensors_of(const Shape& shape) {
  std::vector<TensorView> tensors;
  const auto add = [&](std::string name, std::vector<std::size_t> sizes) {
    tensors.push_back({.name = std::move(name), .dtype = DType::kF16, .shape = std::move(sizes)});
  };
  add("token_embd.weight", {1000, shape.width});
  for (std::size_t i = 0; i < shape.layers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_down", "ffn_up"}) {
      add(layer + name + ".weight", {shape.width, shape.width});
    }
    add(layer + "attn_norm.weight", {shape.width});
    add(layer + "attn_q.bias", {shape.width});
    add(layer + "ffn_gate_inp.weight", {8, shape.width});
  }
  add("output_norm.weight", {shape.width});
  if (shape.has_head) add("output.weight", {1000, shape.width});
  return tensors;
}

std::map<std::string, std::string> types_of(std::string_view type, const Shape& shape = {},
                                            const MixtureFacts& facts = {}) {
  const std::vector<TensorView> tensors = tensors_of(shape);
  const std::vector<DType> types = mixed_types(*parse_file_type(type), facts, tensors);
  std::map<std::string, std::string> named;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    named[tensors[i].name] = dtype_name(types[i]);
  }
  return named;
}

// Layers in which a tensor has that type: "0 1 4".
std::string layers_with(const std::map<std::string, std::string>& types, const std::string& name,
                        const std::string& type) {
  std::string layers;
  for (int i = 0; i < 16; ++i) {
    if (types.at("blk." + std::to_string(i) + "." + name) != type) continue;
    layers += (layers.empty() ? "" : " ") + std::to_string(i);
  }
  return layers;
}

TEST(Mixture, MediumGivesValuesAndTheWayDownMoreBitsInSomeLayers) {
  auto types = types_of("q4_K_M");
  EXPECT_EQ(types["output.weight"], "Q6_K");
  EXPECT_EQ(types["token_embd.weight"], "Q4_K");
  EXPECT_EQ(layers_with(types, "attn_v.weight", "Q6_K"), "0 1 4 7 10 13 14 15");
  EXPECT_EQ(layers_with(types, "ffn_down.weight", "Q6_K"), "0 1 4 7 10 13 14 15");
  EXPECT_EQ(layers_with(types, "ffn_up.weight", "Q4_K").size(), 37u) << "all of them";
  for (const char* kept : {"blk.3.attn_norm.weight", "blk.3.attn_q.bias", "output_norm.weight",
                           "blk.3.ffn_gate_inp.weight"}) {
    EXPECT_EQ(types[kept], "F16") << kept;
  }
  types = types_of("q5_k_m");
  EXPECT_EQ(types["blk.0.attn_v.weight"], "Q6_K");
  EXPECT_EQ(types["blk.2.attn_v.weight"], "Q5_K");
}

TEST(Mixture, SmallGivesThemToTheFirstLayers) {
  const auto types = types_of("Q4_K_S");
  EXPECT_EQ(layers_with(types, "attn_v.weight", "Q5_K"), "0 1 2 3");
  EXPECT_EQ(layers_with(types, "ffn_down.weight", "Q5_K"), "0 1");
  EXPECT_EQ(types.at("output.weight"), "Q6_K");
  EXPECT_EQ(layers_with(types_of("q3_K_M"), "attn_v.weight", "Q5_K"), "0 1");
  EXPECT_EQ(layers_with(types_of("q3_K_M"), "ffn_down.weight", "Q5_K"), "0");
  EXPECT_EQ(types_of("q3_K_L").at("blk.9.attn_output.weight"), "Q5_K");
  EXPECT_EQ(types_of("q3_K_S").at("blk.9.attn_v.weight"), "Q3_K");
  EXPECT_EQ(types_of("q2_K").at("blk.9.attn_v.weight"), "Q3_K");
  EXPECT_EQ(types_of("q2_K", {}, {.heads = 8, .kv_heads = 2}).at("blk.9.attn_v.weight"), "Q4_K");
}

TEST(Mixture, ATiedTableIsTheHead) {
  EXPECT_EQ(types_of("q4_K_M", {.has_head = false}).at("token_embd.weight"), "Q6_K");
  EXPECT_EQ(types_of("q4_0", {.has_head = false}).at("token_embd.weight"), "Q6_K");
  EXPECT_EQ(types_of("q8_0", {.has_head = false}).at("token_embd.weight"), "Q8_0");
}

TEST(Mixture, RowsThatAreNoWholeBlocksFallBack) {
  const auto types = types_of("q4_K_M", {.width = 576});
  EXPECT_EQ(types.at("blk.3.ffn_up.weight"), "Q5_0");
  EXPECT_EQ(types.at("blk.0.attn_v.weight"), "Q8_0");
  EXPECT_EQ(types.at("output.weight"), "Q8_0");
  EXPECT_EQ(types_of("q5_K_S", {.width = 576}).at("blk.3.ffn_up.weight"), "Q5_1");
  EXPECT_EQ(types_of("q3_K_S", {.width = 576}).at("blk.3.ffn_up.weight"), "IQ4_NL");
  EXPECT_EQ(types_of("q8_0", {.width = 24}).at("blk.3.ffn_up.weight"), "F16");
}

TEST(Mixture, WithEightExpertsAttentionCostsNothing) {
  const auto types = types_of("q4_K_M", {}, {.experts = 8});
  EXPECT_EQ(types.at("blk.5.attn_v.weight"), "Q8_0");
  EXPECT_EQ(types.at("blk.5.attn_k.weight"), "Q8_0");
  EXPECT_EQ(types.at("blk.5.attn_output.weight"), "Q5_K");
  EXPECT_EQ(types.at("blk.5.attn_q.weight"), "Q4_K");
}

TEST(Mixture, FloatsAreOfOneKind) {
  const auto types = types_of("f32", {.width = 24});
  EXPECT_EQ(types.at("blk.3.ffn_up.weight"), "F32");
  EXPECT_EQ(types.at("token_embd.weight"), "F32");
}

TEST(Mixture, NamesOfTypesAreReadInAnyCase) {
  EXPECT_EQ(parse_file_type("Q4_k")->name, "Q4_K_M");
  EXPECT_EQ(parse_file_type("bf16")->number, 32u);
  EXPECT_EQ(file_type_name(15), "Q4_K_M");
  EXPECT_EQ(file_type_name(999), "");
  const auto unknown = parse_file_type("q9_9");
  ASSERT_FALSE(unknown.is_ok());
  EXPECT_TRUE(unknown.status().message().starts_with(
      "unsupported quantization type Q9_9 - supported types are F32, F16, BF16, Q8_0, "))
      << unknown.status().message();
  EXPECT_FALSE(parse_file_type("IQ1_S").is_ok()) << "it is read, and not made";
}

}  // namespace
}  // namespace quire
