// FP8 weights (E4M3) as Hugging Face directories have them:
//   fp8         DeepSeek, Qwen: X.weight_scale_inv [out / 128, in / 128], or one for the matrix
//   fbgemm_fp8  X.weight_scale [out, 1]
// Activations stay floats, whatever activation_scheme says; `show` tells so.
// Pure functions; any thread. Used by quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_fp8(const Json& quantization_config);
Result<Quantization> read_fbgemm_fp8(const Json& quantization_config);

// FP8 weights with scales of these blocks (0: none), for other methods that have them, too.
Result<ScaledTensors> apply_fp8(std::size_t block_rows, std::size_t block_columns,
                                const FileTensors& file);

}  // namespace quire
