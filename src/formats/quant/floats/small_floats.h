// Weights of E2M1 floats, two in a byte (the earlier one in the low half), with a scale for some of
// them in a tensor of its own:
//   MXFP4  32 values, a power of two (E8M0)
//   NVFP4  16 values, E4M3, and one float32 for the matrix
// They become the blocks of these names; a matrix of NVFP4 whose rows are no whole blocks of 64 is
// rounded to BF16.
// Pure functions; any thread. Used by the methods of this folder and by compressed_tensors.
#pragma once

#include <string>

#include "base/json.h"
#include "formats/quant/module_tensors.h"

namespace quire {

struct SmallFloats {
  std::string name;                // of the weight that they become
  std::vector<std::size_t> shape;  // of its values, at least two
  DType dtype = DType::kMXFP4;     // or NVFP4
  std::string scales_name;
  const std::uint8_t* codes = nullptr;
  const std::uint8_t* scales = nullptr;
  float matrix_scale = 1;          // of NVFP4
  InputRule input;
};

// The weight in the place of its parts. An error names a scale that is no number.
// REQUIRES: shapes fit; columns are whole groups.
Status put_small_floats(SmallFloats weight, ModuleTensors& tensors);

// X`codes_ending`, U8 [out, in / 2], with X.weight_scale [out, groups] of bytes; of NVFP4 with the
// scale of the matrix in X`matrix_ending`, by which values are divided if `is_divided`.
struct SmallFloatModules {
  DType dtype = DType::kNVFP4;
  std::string_view codes_ending = ".weight_packed";
  std::string_view matrix_ending = ".weight_global_scale";
  bool is_divided = true;  // so is the scale that a module states for its input
  AskedInput asked{};
};

// FP4 for what is multiplied with weights of this type, in groups as theirs; of NVFP4 with a scale
// that each module states for all of it.
AskedInput asked_fp4(DType dtype);

Result<ScaledTensors> apply_small_floats(const SmallFloatModules& layout, const FileTensors& file);

// gpt-oss: X_blocks U8 [experts, out, in / 32, 16] with X_scales U8 [experts, out, in / 32] become
// X.weight [experts, out, in].
Result<Quantization> read_mxfp4(const Json& quantization_config);

}  // namespace quire
