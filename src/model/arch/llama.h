// The Llama family: pre-norm decoder layers of rotary attention and a gated MLP (Touvron et al.,
// "LLaMA", 2023). Mistral (a sliding window), Qwen2 (biases on q, k, v) and Qwen3 (head norms) are
// the same code with other values in LlamaConfig. The rows are kLlama, kMistral, kQwen2 and kQwen3
// of the registry; this header is for the tests of what is read.
#pragma once

#include "model/architecture.h"
#include "model/layers/rope_config.h"

namespace quire {

struct LlamaConfig {
  int layers = 0;
  int d_model = 0;
  int ffn = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int vocab = 0;
  int context_max = 0;
  float rms_eps = 1e-5f;
  RopeConfig rope;
  std::vector<int> windows;    // [layers] positions that a position sees; 0: all before it
  bool has_tied_head = false;  // logits use the embedding matrix
  bool has_qkv_bias = false;
  bool has_o_bias = false;
  bool has_mlp_bias = false;
  bool has_head_norms = false;  // RMS norm of each query and key head

  int window() const;  // the largest of them; 0: none
};

// In what the members of the family differ before a file says anything.
struct LlamaTraits {
  bool has_qkv_bias = false;
  bool has_head_norms = false;
  bool is_woven_in_gguf = false;   // rows of q and k lie for adjacent rotary pairs
  bool has_window_switch = false;  // a window only where use_sliding_window says so
  int window_default = 0;          // where the file does not speak of one
};

LlamaConfig read_llama(const ConfigFields& fields, int vocab, const LlamaTraits& traits);

}  // namespace quire
