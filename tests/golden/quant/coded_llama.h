// A small llama for tests of quantized checkpoints: which matrices of it are codes, what is a float
// in every form, and what it answers.
// Header only, test code only.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "formats/testing/quantized_writer.h"
#include "lab/eval.h"
#include "model/model_files.h"
#include "testbed.h"
#include "tiny_compare.h"

namespace quire::testing {

inline constexpr double kLogitErrorMax = 2e-3;
inline constexpr const char* kCodedLlama =
    R"({"architectures":["LlamaForCausalLM"],"model_type":"llama",
"hidden_size":128,"intermediate_size":192,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"vocab_size":96,"max_position_embeddings":128,"rms_norm_eps":1e-6,
"hidden_act":"silu","tie_word_embeddings":false,"bos_token_id":1,"eos_token_id":2)";

struct Projection {
  std::string name;
  std::size_t rows, columns;
};

inline std::vector<Projection> projections(bool with_head) {
  std::vector<Projection> all;
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    for (const Projection& part : std::vector<Projection>{{"self_attn.q_proj", 128, 128},
                                              {"self_attn.k_proj", 64, 128},
                                              {"self_attn.v_proj", 64, 128},
                                              {"self_attn.o_proj", 128, 128},
                                              {"mlp.gate_proj", 192, 128},
                                              {"mlp.up_proj", 192, 128},
                                              {"mlp.down_proj", 128, 192}}) {
      all.push_back({prefix + part.name, part.rows, part.columns});
    }
  }
  if (with_head) all.push_back({"lm_head", 96, 128});
  return all;
}

// What is a float in every form.
inline void add_rest(bool with_head, SafetensorsWriter& writer) {
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& shape, float mean,
                       float scale) {
    std::size_t count = 1;
    for (const std::size_t size : shape) count *= size;
    std::vector<float> values(count);
    std::uint32_t state = static_cast<std::uint32_t>(name.size()) * 77777u;
    for (float& value : values) {
      state = state * 1664525u + 1013904223u;
      value = mean + scale * (static_cast<float>(state >> 8) * 0x1p-23f - 1);
    }
    writer.add(name, "F32", shape, values);
  };
  add("model.embed_tokens.weight", {96, 128}, 0, 1);
  add("model.norm.weight", {128}, 1, 0.25f);
  if (with_head) add("lm_head.weight", {96, 128}, 0, 0.15f);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    add(prefix + "input_layernorm.weight", {128}, 1, 0.25f);
    add(prefix + "post_attention_layernorm.weight", {128}, 1, 0.25f);
  }
}

inline std::vector<float> logits_of(const ModelFiles& files, WeightScheme weights) {
  const auto executor =
      executor_of(files, {.kv_dtype = DType::kF32, .weights = weights});
  std::vector<TokenId> text;
  for (int i = 0; i < 48; ++i) text.push_back(static_cast<TokenId>((i * i * 5 + 3 * i + 1) % 96));
  std::vector<float> all;
  compute_logits(*executor, text, ~0u, [&](std::size_t, std::span<const float> logits) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  return all;
}

inline double largest_error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  EXPECT_GE(a.size(), std::size_t{40 * 96});
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double error = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = std::isnan(error) ? HUGE_VAL : std::max(largest, error);
  }
  return largest;
}

}  // namespace quire::testing
