// FP8 weights (E4M3) as Hugging Face directories have them:
//   fp8         DeepSeek, Qwen: X.weight_scale_inv [out / 128, in / 128], or one for the matrix
//   fbgemm_fp8  X.weight_scale [out, 1]
// What activation_scheme says becomes the rule of the weights' input: E4M3 with a scale that each
// module states (static), or with one for each token, or for its columns of a block.
// Pure functions; any thread. Used by quant_methods.
#pragma once

#include "base/json.h"
#include "formats/quant/quantization.h"

namespace quire {

Result<Quantization> read_fp8(const Json& quantization_config);
Result<Quantization> read_fbgemm_fp8(const Json& quantization_config);

// FP8 weights with scales of these blocks (0: none), for other methods that have them, too.
struct Fp8Blocks {
  std::size_t rows = 0, columns = 0;
};
Result<ScaledTensors> apply_fp8(Fp8Blocks blocks, const AskedInput& asked, const FileTensors& file);

// FP8 for what is multiplied with the weights: with a scale for each token, or for so many columns
// of it, or with one that each module states.
AskedInput asked_fp8(std::size_t group, bool is_stated);

}  // namespace quire
