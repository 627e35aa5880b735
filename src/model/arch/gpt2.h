// What GPT-2 (Radford et al., 2019) and those who follow it call their sizes and their tensors.
// Masks are implied. A reader whose names differ changes them afterwards.
// A value and a pure function; any thread. For gpt2.cc, gpt_bigcode.cc, gpt_neo.cc and gptj.cc.
#pragma once

#include "model/arch/decoder.h"

namespace quire {

inline constexpr DecoderKeys kGptKeys = {.layers = "n_layer", .d_model = "n_embd",
                                         .ffn = "n_inner", .heads = "n_head", .kv_heads = "",
                                         .head_dim = "", .context = "n_positions"};

// All but the queries', keys' and values'.
void set_gpt_names(DecoderNames& names);

}  // namespace quire
