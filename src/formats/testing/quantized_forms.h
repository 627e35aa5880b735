// One matrix in every form that quantized checkpoints come in: its quantization_config, the tile
// that it becomes, and what writes it. Tests read each form back value for value, and break it.
// Header only, test code only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "formats/testing/integer_writer.h"
#include "tensor/dtype.h"

namespace quire::testing {

inline constexpr const char* kModule = "model.layers.0.mlp.up_proj";

inline FloatMatrix make_matrix(std::size_t rows, std::size_t columns) {
  FloatMatrix matrix{rows, columns, {}};
  std::uint32_t state = 12345;
  for (std::size_t i = 0; i < rows * columns; ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = static_cast<float>(state >> 8) * 0x1p-23f - 1;
    matrix.values.push_back(0.1f * value * value * value);
  }
  return matrix;
}

struct QuantizedForm {
  const char* name;
  std::string config;
  DType tile;
  std::function<WrittenMatrix(const FloatMatrix&)> write;
  std::size_t rows = 64, columns = 192;
};

inline QuantizedForm fp8(const char* name, const char* config, Fp8Form form) {
  return {name, config, DType::kF8,
          [form](const FloatMatrix& m) { return write_fp8(kModule, m, form); }};
}
inline QuantizedForm four_bits(const char* name, BitsAndBytesForm form, DType tile,
                               std::size_t columns = 192) {
  return {name,
          fmt::format(R"({{"quant_method":"bitsandbytes","load_in_4bit":true,)"
                      R"("load_in_8bit":false,"bnb_4bit_quant_type":"{}",)"
                      R"("bnb_4bit_use_double_quant":{}}})",
                      form.is_nf4 ? "nf4" : "fp4", form.is_double),
          tile,
          [form](const FloatMatrix& m) { return write_bitsandbytes(kModule, m, form); },
          64, columns};
}
inline QuantizedForm small(const char* name, const std::string& config, SmallFloatForm form,
                           DType tile, std::size_t columns = 192) {
  return {name, config, tile,
          [form](const FloatMatrix& m) { return write_small_floats(kModule, m, form); },
          64, columns};
}

inline std::string compressed(const char* format, const char* weights,
                              const char* inputs = "null") {
  return fmt::format(R"({{"quant_method":"compressed-tensors","format":"{}","ignore":["lm_head"],)"
                     R"("config_groups":{{"group_0":{{"targets":["Linear"],)"
                     R"("input_activations":{},"weights":{{{}}}}}}}}})",
                     format, inputs, weights);
}
// Codes drawn at random, not those of the matrix.
template <typename Parts>
QuantizedForm of_integers(const char* name, std::string config, DType tile, MatrixShape shape,
                          Parts parts) {
  shape.rows = 64;
  shape.columns = 192;
  return {name, std::move(config), tile, [shape, parts](const FloatMatrix&) {
            const QuantizedMatrix matrix = make_quantized(shape);
            return WrittenMatrix{parts(matrix), matrix.values()};
          }};
}
inline QuantizedForm of_hqq(const char* name, HqqForm form, DType tile) {
  return {name, R"({"quant_method":"hqq","quant_config":{"weight_quant_params":{"nbits":4}}})",
          tile, [form](const FloatMatrix& m) { return write_hqq(kModule, m, form); }};
}

inline constexpr std::size_t kAll = 1 << 20;

inline std::vector<QuantizedForm> quantized_forms() {
  const std::string nvfp4 =
      compressed("nvfp4-pack-quantized",
                 R"("num_bits":4,"type":"float","strategy":"tensor_group","group_size":16)");
  const std::string mxfp4 = compressed(
      "mxfp4-pack-quantized", R"("num_bits":4,"type":"float","strategy":"group","group_size":32)");
  const std::string per_row = compressed(
      "float-quantized", R"("num_bits":8,"type":"float","strategy":"channel")");
  const std::string int8 = compressed("int-quantized",
                                      R"("num_bits":8,"type":"int","strategy":"channel")");
  return {
      fp8("blocks", R"({"quant_method":"fp8","fmt":"e4m3","activation_scheme":"dynamic",)"
                    R"("weight_block_size":[48,128]})", {48, 128, "_scale_inv"}),
      fp8("one scale", R"({"quant_method":"fp8","activation_scheme":"static"})",
          {kAll, kAll, "_scale", "F32", {1}}),
      fp8("fbgemm", R"({"quant_method":"fbgemm_fp8","activation_scale_ub":1200.0})",
          {1, kAll, "_scale"}),
      fp8("compressed", per_row.c_str(), {1, kAll, "_scale", "BF16"}),
      fp8("modelopt", R"({"quant_method":"modelopt","quant_algo":"FP8"})",
          {kAll, kAll, "_scale", "F32", {1}}),
      four_bits("nf4", {true, false, 64}, DType::kNF4),
      four_bits("nf4 in blocks of 128", {true, false, 128}, DType::kNF4),
      four_bits("nf4 twice", {true, true, 64}, DType::kNF4),
      four_bits("fp4", {false, false, 64}, DType::kFP4),
      four_bits("nf4 of odd rows", {true, false, 64}, DType::kBF16, 96),
      {"llm.int8", R"({"quant_method":"bitsandbytes","load_in_8bit":true})", DType::kI8A16,
       [](const FloatMatrix& m) { return write_int8_rows(kModule, m, true); }},
      {"int8", int8, DType::kI8A16,
       [](const FloatMatrix& m) { return write_int8_rows(kModule, m, false); }},
      small("nvfp4", nvfp4, {true, false}, DType::kNVFP4),
      small("nvfp4 of odd rows", nvfp4, {true, false}, DType::kBF16, 80),
      small("nvfp4 of modelopt", R"({"quant_method":"modelopt","quant_algo":"NVFP4"})",
            {true, true}, DType::kNVFP4),
      small("mxfp4", mxfp4, {false, false}, DType::kMXFP4),
  };
}

inline std::vector<QuantizedForm> integer_forms() {
  const std::string packed =
      R"("num_bits":4,"type":"int","strategy":"group","group_size":32,"symmetric":)";
  const auto gptq = [](const QuantizedMatrix& m) { return gptq_parts(kModule, m); };
  return {
      of_integers("gptq", R"({"quant_method":"gptq","bits":4,"group_size":32})", DType::kQ4_0,
                  {.group = 32}, gptq),
      of_integers("gptq, 2 bits", R"({"quant_method":"gptq","bits":2,"group_size":64})",
                  DType::kQ4_0, {.group = 64, .bits = 2, .is_symmetric = false}, gptq),
      of_integers("gptq, 3 bits", R"({"quant_method":"gptq","bits":3,"group_size":96})",
                  DType::kQ4_0, {.group = 96, .bits = 3, .is_symmetric = false}, gptq),
      of_integers("gptq, 8 bits", R"({"quant_method":"gptq","bits":8,"group_size":32})",
                  DType::kQ8_0, {.group = 32, .bits = 8}, gptq),
      of_integers("gptq, scales that are no halves",
                  R"({"quant_method":"gptq","bits":4,"group_size":64})", DType::kQ4_F,
                  {.group = 64, .is_symmetric = false, .scale = 1e-9f},
                  [](const QuantizedMatrix& m) { return gptq_parts(kModule, m, 1, "BF16"); }),
      of_integers("awq", R"({"quant_method":"awq","bits":4,"group_size":64})", DType::kQ4_Z,
                  {.group = 64, .is_symmetric = false},
                  [](const QuantizedMatrix& m) { return awq_parts(kModule, m); }),
      of_integers("packed", compressed("pack-quantized", (packed + "true").c_str()),
                  DType::kQ4_0, {.group = 32},
                  [](const QuantizedMatrix& m) { return packed_parts(kModule, m, true); }),
      of_integers("packed with zeros", compressed("pack-quantized", (packed + "false").c_str()),
                  DType::kQ4_Z, {.group = 32, .is_symmetric = false},
                  [](const QuantizedMatrix& m) { return packed_parts(kModule, m, false); }),
      {"w8a8",
       compressed("int-quantized", R"("num_bits":8,"type":"int","strategy":"channel")",
                  R"({"num_bits":8,"type":"int","dynamic":true,"strategy":"token"})"),
       DType::kI8, [](const FloatMatrix& m) { return write_int8_rows(kModule, m, false); }},
      of_hqq("hqq", {4, 64, 1, true}, DType::kQ4_Z),
      of_hqq("hqq, zeros between", {4, 64, 1, false}, DType::kQ4_F),
      of_hqq("hqq, zeros between, bf16", {4, 192, 1, false, "BF16"}, DType::kQ4_F),
      of_hqq("hqq, zeros between, groups of 32", {4, 32, 1, false}, DType::kBF16),
      of_hqq("hqq, rows that share groups", {4, 128, 1, true}, DType::kBF16),
      of_hqq("hqq, axis 0", {4, 64, 0, false, "BF16"}, DType::kBF16),
      of_hqq("hqq, 8 bits", {8, 64, 1, false, "F32"}, DType::kBF16),
      of_hqq("hqq, 3 bits", {3, 96, 1, true}, DType::kQ4_0),
      of_hqq("hqq, 2 bits", {2, 32, 1, true}, DType::kQ4_0),
      of_hqq("hqq, 1 bit", {1, 32, 1, false}, DType::kBF16),
      {"eetq", R"({"quant_method":"eetq","weights":"int8"})", DType::kI8A16,
       [](const FloatMatrix& m) { return write_eetq(kModule, m); }},
      {"torchao", R"({"quant_method":"torchao","quant_type":{"default":{"_type":)"
                  R"("Int8WeightOnlyConfig","_data":{}}}})", DType::kI8A16,
       [](const FloatMatrix& m) { return write_torchao_int8(kModule, m, 192, false); }},
      {"torchao in groups", R"({"quant_method":"torchao","quant_type":{"default":{"_type":)"
                            R"("Int8WeightOnlyConfig","_data":{}}}})", DType::kI8A16,
       [](const FloatMatrix& m) { return write_torchao_int8(kModule, m, 64, true); }},
      {"torchao, 4 bits", R"({"quant_method":"torchao","quant_type":{"default":{"_type":)"
                          R"("Int4WeightOnlyConfig","_data":{"int4_packing_format":"plain"}}}})",
       DType::kQ4_F, [](const FloatMatrix& m) { return write_torchao_int4(kModule, m, 64); }},
      {"bitnet", R"({"quant_method":"bitnet","linear_class":"autobitlinear"})", DType::kTQ2_0,
       [](const FloatMatrix& m) { return write_bitnet(kModule, m, false); }, 64, 256},
      {"bitnet of odd rows", R"({"quant_method":"bitnet"})", DType::kI8A16,
       [](const FloatMatrix& m) { return write_bitnet(kModule, m, true); }},
  };
}

inline std::vector<QuantizedForm> all_quantized_forms() {
  std::vector<QuantizedForm> all = quantized_forms();
  for (QuantizedForm& form : integer_forms()) all.push_back(std::move(form));
  return all;
}

}  // namespace quire::testing
