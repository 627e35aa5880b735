// Every form of small floats and of int8 for float activations that checkpoints come in, as tests
// write it: its quantization_config, the tile that it becomes, and what writes a matrix so.
// Header only, test code only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "formats/testing/float_writer.h"
#include "tensor/dtype.h"

namespace quire::testing {

struct FloatForm {
  std::string name;
  std::string quantization;  // quantization_config
  DType tile;
  std::function<WrittenMatrix(const std::string& module, const FloatMatrix&)> write;
};

inline std::string compressed_config(const char* format, const char* weights,
                                     const char* inputs = "null") {
  return fmt::format(R"({{"quant_method":"compressed-tensors","format":"{}","ignore":["lm_head"],)"
                     R"("config_groups":{{"group_0":{{"targets":["Linear"],)"
                     R"("input_activations":{},"weights":{{{}}}}}}}}})",
                     format, inputs, weights);
}

inline FloatForm fp8_form(const char* name, std::string quantization, Fp8Form form) {
  return {name, std::move(quantization), DType::kF8,
          [form](const std::string& module, const FloatMatrix& matrix) {
            return write_fp8(module, matrix, form);
          }};
}
inline FloatForm bitsandbytes_form(const char* name, BitsAndBytesForm form) {
  return {name,
          fmt::format(R"({{"quant_method":"bitsandbytes","load_in_4bit":true,)"
                      R"("_load_in_4bit":true,"bnb_4bit_quant_type":"{}",)"
                      R"("bnb_4bit_use_double_quant":{}}})",
                      form.is_nf4 ? "nf4" : "fp4", form.is_double),
          form.is_nf4 ? DType::kNF4 : DType::kFP4,
          [form](const std::string& module, const FloatMatrix& matrix) {
            return write_bitsandbytes(module, matrix, form);
          }};
}
inline FloatForm int8_form(const char* name, std::string quantization, bool is_llm_int8) {
  return {name, std::move(quantization), DType::kI8A16,
          [is_llm_int8](const std::string& module, const FloatMatrix& matrix) {
            return write_int8_rows(module, matrix, is_llm_int8);
          }};
}
inline FloatForm small_float_form(const char* name, std::string quantization,
                                  SmallFloatForm form) {
  return {name, std::move(quantization), form.is_nvfp4 ? DType::kNVFP4 : DType::kMXFP4,
          [form](const std::string& module, const FloatMatrix& matrix) {
            return write_small_floats(module, matrix, form);
          }};
}

inline std::vector<FloatForm> float_forms() {
  constexpr std::size_t kAll = std::size_t{1} << 20;
  const char* const inputs = R"({"num_bits":8,"type":"float","dynamic":true,"strategy":"token"})";
  return {
      fp8_form("FP8 (`fp8`, blocks of 128 x 128)",
               R"({"quant_method":"fp8","fmt":"e4m3","activation_scheme":"dynamic",)"
               R"("weight_block_size":[128,128]})",
               {128, 128, "_scale_inv"}),
      fp8_form("FP8 (`fp8`, one scale)", R"({"quant_method":"fp8","activation_scheme":"static"})",
               {kAll, kAll, "_scale", "F32", {1}}),
      fp8_form("FP8 (`fbgemm_fp8`)",
               R"({"quant_method":"fbgemm_fp8","activation_scale_ub":1200.0,)"
               R"("modules_to_not_convert":["lm_head"]})",
               {1, kAll, "_scale"}),
      fp8_form("FP8 (compressed-tensors, rows)",
               compressed_config("float-quantized",
                                 R"("num_bits":8,"type":"float","strategy":"channel")", inputs),
               {1, kAll, "_scale", "BF16"}),
      fp8_form("FP8 (compressed-tensors, blocks)",
               compressed_config("float-quantized",
                                 R"("num_bits":8,"type":"float","strategy":"block",)"
                                 R"("block_structure":[128,128])", inputs),
               {128, 128, "_scale", "BF16"}),
      fp8_form("FP8 (`modelopt`)", R"({"quant_method":"modelopt","quant_algo":"FP8",)"
                                   R"("producer":{"name":"modelopt"},"ignore":["lm_head"]})",
               {kAll, kAll, "_scale", "F32", {1}}),
      bitsandbytes_form("NF4 (bitsandbytes)", {true, false, 64}),
      bitsandbytes_form("NF4 (bitsandbytes, scales quantized)", {true, true, 64}),
      bitsandbytes_form("FP4 (bitsandbytes)", {false, false, 64}),
      int8_form("int8 (bitsandbytes)",
                R"({"quant_method":"bitsandbytes","load_in_8bit":true,"llm_int8_threshold":6.0})",
                true),
      int8_form("int8 W8A16 (compressed-tensors)",
                compressed_config("int-quantized",
                                  R"("num_bits":8,"type":"int","strategy":"channel")"), false),
      small_float_form("NVFP4 (compressed-tensors)",
                       compressed_config("nvfp4-pack-quantized",
                                         R"("num_bits":4,"type":"float",)"
                                         R"("strategy":"tensor_group","group_size":16)"),
                       {true, false}),
      small_float_form("NVFP4 (`modelopt`)",
                       R"({"quant_method":"modelopt","quant_algo":"NVFP4","group_size":16})",
                       {true, true}),
      small_float_form("MXFP4 (compressed-tensors)",
                       compressed_config("mxfp4-pack-quantized",
                                         R"("num_bits":4,"type":"float","strategy":"group",)"
                                         R"("group_size":32)"),
                       {false, false}),
  };
}

}  // namespace quire::testing
