// ModelConfig: what an architecture needs to know about a model, whatever file it came from. Every
// value was range-checked by the reader; counts are per model, widths in elements.
// Plain values; filled by formats/, read by model/ and the front door.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"

namespace quire {

enum class RopePairs { kAdjacent, kHalfSplit };          // (2i, 2i+1) or (i, i + head_dim/2)
enum class RopeScaling { kNone, kLinear, kLlama3 };

struct RopeConfig {
  float theta = 10000;                 // base of the frequencies
  RopePairs pairing = RopePairs::kAdjacent;
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1;                    // linear and Llama 3
  float low_freq_factor = 1;           // Llama 3
  float high_freq_factor = 4;          // Llama 3
  float original_context = 0;          // Llama 3: positions it was trained for
  std::vector<float> frequency_factors;  // [head_dim / 2] divisors given by a file, or empty
};

// Sampling values that a model's authors suggest (generation_config.json); negative: not given.
struct GenerationDefaults {
  float temperature = -1;
  float top_p = -1;
  int top_k = -1;
  float repetition_penalty = -1;
};

struct ModelConfig {
  std::string architecture;  // "llama", "mistral", "qwen2", "qwen3"
  std::string name;          // what the file calls it; may be empty
  int layers = 0;
  int d_model = 0;
  int ffn = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int vocab = 0;
  int context_max = 0;       // positions
  float rms_eps = 1e-5f;
  RopeConfig rope;
  int sliding_window = 0;    // positions that a token sees; 0: all
  bool tied_head = false;    // the head is the embedding
  bool qkv_bias = false;
  bool qk_norm = false;

  TokenId bos_id = -1;             // -1: none
  std::vector<TokenId> eos_ids;    // any of them ends a text
  bool add_bos = false;
  bool add_eos = false;
  std::string bos_text, eos_text;  // as templates see them
  std::string chat_template;       // Jinja source; empty: none
  GenerationDefaults generation;
};

}  // namespace quire
