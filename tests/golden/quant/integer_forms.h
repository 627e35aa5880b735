// Forms of grouped integers on a real model's matrices: rounded to nearest between the smallest and
// the largest of each group, then written by quantized_writer. Beside float_forms.h. In act-order a
// group's inputs lie apart; which ones belong together matters little to what rounding costs.
// Header only, test code only.
#pragma once

#include "quant/float_forms.h"

namespace quire::testing {

struct IntegerRounding {
  unsigned bits = 4;
  std::size_t group = 64;
  bool is_symmetric = true;
  std::string scale_type = "F16";
  bool is_act_order = false;
};

inline QuantizedMatrix round_to_integers(const FloatMatrix& matrix, const IntegerRounding& how) {
  QuantizedMatrix out;
  out.rows = matrix.rows;
  out.columns = matrix.columns;
  out.group = how.group;
  out.bits = how.bits;
  const float most = static_cast<float>((1u << how.bits) - 1);
  const std::size_t groups = matrix.columns / how.group;
  for (std::size_t i = 0; i < matrix.columns; ++i) {
    out.group_of.push_back(how.is_act_order ? (i * 7 + 1) % groups : i / how.group);
  }
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    const float* values = &matrix.values[row * matrix.columns];
    std::vector<float> least(groups, 0), largest(groups, 0);
    for (std::size_t i = 0; i < matrix.columns; ++i) {
      float& low = least[out.group_of[i]];
      float& high = largest[out.group_of[i]];
      low = std::min(low, values[i]);
      high = std::max(high, values[i]);
    }
    const std::size_t first = out.scales.size();
    for (std::size_t g = 0; g < groups; ++g) {
      const float wanted = how.is_symmetric ? 2 * std::max(-least[g], largest[g]) / most
                                            : (largest[g] - least[g]) / most;
      const float floor = std::max(wanted, 1e-5f);
      out.scales.push_back(how.scale_type == "F16" ? half_to_float(float_to_half(floor))
                                                   : bf16_to_float(float_to_bf16(floor)));
      const float lifted = std::nearbyint(-least[g] / out.scales.back());
      const float zero = how.is_symmetric ? (most + 1) / 2 : std::clamp(lifted, 0.0f, most);
      out.zeros.push_back(static_cast<unsigned>(zero));
    }
    for (std::size_t i = 0; i < matrix.columns; ++i) {
      const std::size_t at = first + out.group_of[i];
      const float code =
          std::nearbyint(values[i] / out.scales[at]) + static_cast<float>(out.zeros[at]);
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
      integer_form("GPTQ, 4 bits, groups of 64, act-order", R"({"quant_method":"gptq","bits":4,)"
                   R"("group_size":64,"sym":true,"desc_act":true})", DType::kQ4_0,
                   {4, 64, true, "F16", true}, gptq),
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
