// Forms of grouped integers on a real model's matrices: rounded to nearest between the smallest and
// the largest of each group, then written by quantized_writer. Beside float_forms.h.
// Header only, test code only.
#pragma once

#include "quant/float_forms.h"

namespace quire::testing {

struct IntegerRounding {
  unsigned bits = 4;
  std::size_t group = 64;
  bool is_symmetric = true;
  std::string scale_type = "F16";
};

inline QuantizedMatrix round_to_integers(const FloatMatrix& matrix, const IntegerRounding& how) {
  QuantizedMatrix out;
  out.rows = matrix.rows;
  out.columns = matrix.columns;
  out.group = how.group;
  out.bits = how.bits;
  const float most = static_cast<float>((1u << how.bits) - 1);
  for (std::size_t i = 0; i < matrix.columns; ++i) out.group_of.push_back(i / how.group);
  for (std::size_t first = 0; first < matrix.values.size(); first += how.group) {
    const auto begin = matrix.values.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(how.group);
    const auto [low, high] = std::minmax_element(begin, end);
    const float least = std::min(*low, 0.0f), largest = std::max(*high, 0.0f);
    const float wanted = how.is_symmetric ? 2 * std::max(-least, largest) / most
                                          : (largest - least) / most;
    const float floor = std::max(wanted, 1e-5f);
    const float scale = how.scale_type == "F16" ? half_to_float(float_to_half(floor))
                                                : bf16_to_float(float_to_bf16(floor));
    const float zero = how.is_symmetric ? (most + 1) / 2
                                        : std::clamp(std::nearbyint(-least / scale), 0.0f, most);
    out.scales.push_back(scale);
    out.zeros.push_back(static_cast<unsigned>(zero));
    for (std::size_t i = first; i < first + how.group; ++i) {
      const float code = std::nearbyint(matrix.values[i] / scale) + zero;
      out.codes.push_back(static_cast<unsigned>(std::clamp(code, 0.0f, most)));
    }
  }
  return out;
}

template <typename Parts>
FloatForm integer_form(const char* name, std::string quantization, DType tile,
                       IntegerRounding how, Parts parts) {
  return {name, std::move(quantization), tile,
          [how, parts](const std::string& module, const FloatMatrix& matrix) {
            const QuantizedMatrix rounded = round_to_integers(matrix, how);
            return WrittenMatrix{parts(module, rounded), rounded.values()};
          }};
}

inline std::vector<FloatForm> integer_forms() {
  const auto gptq = [](const std::string& module, const QuantizedMatrix& matrix) {
    return gptq_parts(module, matrix);
  };
  const auto awq = [](const std::string& module, const QuantizedMatrix& matrix) {
    return awq_parts(module, matrix);
  };
  const auto packed = [](const std::string& module, const QuantizedMatrix& matrix) {
    return packed_parts(module, matrix, true);
  };
  return {
      integer_form("GPTQ, 4 bits, groups of 64", R"({"quant_method":"gptq","bits":4,)"
                   R"("group_size":64,"sym":true})", DType::kQ4_0, {4, 64, true}, gptq),
      integer_form("GPTQ, 8 bits, groups of 64", R"({"quant_method":"gptq","bits":8,)"
                   R"("group_size":64,"sym":true})", DType::kQ8_0, {8, 64, true}, gptq),
      integer_form("AWQ's layout, groups of 64", R"({"quant_method":"awq","bits":4,)"
                   R"("group_size":64,"zero_point":true,"version":"gemm"})", DType::kQ4_Z,
                   {4, 64, false}, awq),
      integer_form("W4A16 (compressed-tensors), groups of 64",
                   compressed_config("pack-quantized", R"("num_bits":4,"type":"int",)"
                                     R"("symmetric":true,"strategy":"group","group_size":64)"),
                   DType::kQ4_0, {4, 64, true, "BF16"}, packed),
  };
}

}  // namespace quire::testing
