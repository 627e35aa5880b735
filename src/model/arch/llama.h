// What files of the Llama family say: pre-norm decoder layers of rotary attention and a gated MLP
// (Touvron et al., "LLaMA", 2023). Mistral (a sliding window), Qwen2 (biases on q, k, v) and Qwen3
// (head norms) differ in LlamaTraits. The rows are kLlama, kMistral, kQwen2 and kQwen3 of the
// registry; this header is for the tests of what is read.
#pragma once

#include "model/arch/decoder.h"

namespace quire {

// In what the members of the family differ before a file says anything.
struct LlamaTraits {
  bool has_qkv_bias = false;
  bool has_head_norms = false;
  bool is_woven_in_gguf = false;   // rows of q and k lie for adjacent rotary pairs
  bool has_window_switch = false;  // a window only where use_sliding_window says so
  int window_default = 0;          // where the file does not speak of one
};

DecoderConfig read_llama(const ConfigFields& fields, int vocab, const LlamaTraits& traits);

}  // namespace quire
