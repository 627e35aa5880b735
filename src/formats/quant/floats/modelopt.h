// NVIDIA's ModelOpt: FP8 (X.weight E4M3 with X.weight_scale, one for the matrix) and NVFP4
// (X.weight U8 [out, in / 2], X.weight_scale E4M3 [out, in / 16], X.weight_scale_2 F32). Older
// checkpoints have hf_quant_config.json instead of quantization_config. X.input_scale is
// what the inputs are rounded with, where that is asked for.
// Pure functions; any thread. Used by quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

// quantization_config, or the whole of hf_quant_config.json.
Result<Quantization> read_modelopt(const Json& config);

}  // namespace quire
