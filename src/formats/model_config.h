// ModelConfig: what a model file says about its model, checked and in one vocabulary whatever the
// format. Every number is in the range below, every product fits, heads divide: code behind it
// trusts it. What a file asks for and we do not do (a scaling, a soft cap, a bias) is an error
// where the file is read, never ignored. Plain value; any thread. Filled by config/*_config, read
// by model, runtime, lab, apps, serve.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"

namespace quire {

// Which two values of a head a rotation turns: x[2i] and x[2i+1], or x[i] and x[i + head_dim/2].
enum class RopePairs { kAdjacent, kHalfSplit };

enum class RopeScaling {
  kNone,
  kLinear,  // positions divided by `factor`
  kLlama3,  // long wavelengths divided by `factor`, short ones kept
};

struct RopeConfig {
  float theta = 10000;  // base of the frequencies
  RopePairs pairing = RopePairs::kHalfSplit;
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1;
  float low_freq_factor = 1;   // llama3: wavelengths above original_context / low are divided
  float high_freq_factor = 4;  // llama3: those below original_context / high are kept
  float original_context = 0;  // llama3: positions it was first trained for
  std::vector<float> frequency_factors;  // [head_dim / 2] divisors of the frequencies, or empty
};

// Sampling values that a model's authors suggest (generation_config.json); negative: not given.
struct GenerationDefaults {
  float temperature = -1;
  float top_p = -1;
  int top_k = -1;
  float repetition_penalty = -1;
};

struct ModelConfig {
  std::string architecture;  // one of known_architectures()
  std::string name;          // as the file calls itself; may be empty
  int layers = 0;
  int d_model = 0;
  int ffn = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int vocab = 0;
  int context_max = 0;  // positions it was trained for
  float rms_eps = 1e-5f;
  RopeConfig rope;
  int sliding_window = 0;  // 0: every position sees all before it
  bool tied_head = false;  // logits use the embedding matrix
  bool qkv_bias = false;
  bool qk_norm = false;  // RMS norm of each query and key head

  TokenId bos_id = -1;  // -1: none
  std::vector<TokenId> eos_ids;
  std::string bos_text;
  std::string eos_text;
  bool add_bos = false;
  bool add_eos = false;
  std::string chat_template;  // Jinja; empty: none
  GenerationDefaults generation;

  std::uint64_t parameters = 0;    // of all tensors, a tied head counted once
  std::uint64_t weight_bytes = 0;  // of all tensors in the file
  std::string weight_types;        // "Q4_1 211, F32 61": tensors of each type, most first
};

std::span<const std::string_view> known_architectures();

// Whether every value is in its range and they fit each other. Errors name the field.
Status check_model_config(const ModelConfig& config);

// An error that lists the known ones.
Status check_architecture(std::string_view architecture);

}  // namespace quire
