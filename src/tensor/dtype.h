// DType: the element types that files, weights and KV caches hold, with their block sizes. A block
// type stores `block_elements` values in `block_bytes` bytes; plain types are blocks of one.
// The table below is the only list; quant_blocks.h has the byte layouts. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace quire {

enum class DType : std::uint8_t {
  kF32, kF16, kBF16,
  kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0,
  kQ4_K, kQ5_K, kQ6_K,
  kQ2_K, kQ3_K, kIQ4_NL, kIQ4_XS, kMXFP4,
  kTQ1_0, kTQ2_0, kIQ1_S, kIQ1_M,
  kIQ2_XXS, kIQ2_XS, kIQ2_S, kIQ3_XXS, kIQ3_S,
  kI8,
  kF8, kI8A16, kNVFP4, kNF4, kFP4, kQ4_Z, kQ4_F, kQ1_0, kQ2_0,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;         // as `quire show` prints it
  std::size_t block_elements;    // values per block
  std::size_t block_bytes;       // bytes per block
  int gguf_type;                 // ggml_type number in GGUF files; -1: not read from them
  bool has_scales_beside = false;  // codes, whose scales are those of the TensorView
};

inline constexpr DTypeInfo kDTypes[] = {
    {DType::kF32, "F32", 1, 4, 0},       {DType::kF16, "F16", 1, 2, 1},
    {DType::kBF16, "BF16", 1, 2, 30},    {DType::kQ4_0, "Q4_0", 32, 18, 2},
    {DType::kQ4_1, "Q4_1", 32, 20, 3},   {DType::kQ5_0, "Q5_0", 32, 22, 6},
    {DType::kQ5_1, "Q5_1", 32, 24, 7},   {DType::kQ8_0, "Q8_0", 32, 34, 8},
    {DType::kQ4_K, "Q4_K", 256, 144, 12}, {DType::kQ5_K, "Q5_K", 256, 176, 13},
    {DType::kQ6_K, "Q6_K", 256, 210, 14},
    {DType::kQ2_K, "Q2_K", 256, 84, 10}, {DType::kQ3_K, "Q3_K", 256, 110, 11},
    {DType::kIQ4_NL, "IQ4_NL", 32, 18, 20}, {DType::kIQ4_XS, "IQ4_XS", 256, 136, 23},
    {DType::kMXFP4, "MXFP4", 32, 17, 39},
    {DType::kTQ1_0, "TQ1_0", 256, 54, 34}, {DType::kTQ2_0, "TQ2_0", 256, 66, 35},
    {DType::kIQ1_S, "IQ1_S", 256, 50, 19}, {DType::kIQ1_M, "IQ1_M", 256, 56, 29},
    {DType::kIQ2_XXS, "IQ2_XXS", 256, 66, 16}, {DType::kIQ2_XS, "IQ2_XS", 256, 74, 17},
    {DType::kIQ2_S, "IQ2_S", 256, 82, 22}, {DType::kIQ3_XXS, "IQ3_XXS", 256, 98, 18},
    {DType::kIQ3_S, "IQ3_S", 256, 110, 21},
    {DType::kI8, "I8", 1, 1, -1, true},  // a scale for each row; activations become int8, too
    {DType::kF8, "F8_E4M3", 1, 1, -1, true}, {DType::kI8A16, "I8_A16", 1, 1, -1, true},
    {DType::kNVFP4, "NVFP4", 64, 36, 40}, {DType::kNF4, "NF4", 64, 36, -1},
    {DType::kFP4, "FP4", 64, 36, -1},    {DType::kQ4_Z, "Q4_Z", 32, 20, -1},
    {DType::kQ4_F, "Q4_F", 64, 40, -1},  {DType::kQ1_0, "Q1_0", 128, 18, 41},
    {DType::kQ2_0, "Q2_0", 64, 18, 42},
};

constexpr const DTypeInfo& dtype_info(DType dtype) {
  return kDTypes[static_cast<std::size_t>(dtype)];
}

constexpr bool has_scales_beside(DType dtype) { return dtype_info(dtype).has_scales_beside; }

constexpr std::string_view dtype_name(DType dtype) { return dtype_info(dtype).name; }

// Bytes of a row of `elements` values; elements must be whole blocks.
constexpr std::size_t row_bytes(DType dtype, std::size_t elements) {
  const DTypeInfo& info = dtype_info(dtype);
  return elements / info.block_elements * info.block_bytes;
}

constexpr std::optional<DType> dtype_from_gguf(std::uint32_t type) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.gguf_type >= 0 && info.gguf_type == static_cast<int>(type)) return info.dtype;
  }
  return std::nullopt;
}

namespace internal {
constexpr bool dtypes_are_in_order() {
  for (std::size_t i = 0; i < std::size(kDTypes); ++i) {
    if (static_cast<std::size_t>(kDTypes[i].dtype) != i) return false;
  }
  return true;
}
static_assert(dtypes_are_in_order(), "kDTypes is indexed by DType");
}  // namespace internal

}  // namespace quire
