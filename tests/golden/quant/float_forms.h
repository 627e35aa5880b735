// Every form of small floats and of int8 for float activations that checkpoints come in, as tests
// write it: its quantization_config, the tile that it becomes, and what writes a matrix so.
// Header only, test code only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "formats/testing/integer_writer.h"
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

// What no tile keeps is compared with values that are rounded once.
inline FloatForm byte_form(const char* name, std::string quantization, DType tile,
                           std::function<WrittenMatrix(const std::string&, const FloatMatrix&)>
                               write) {
  return {name, std::move(quantization), tile,
          [tile, write = std::move(write)](const std::string& module, const FloatMatrix& matrix) {
            WrittenMatrix written = write(module, matrix);
            for (float& value : written.values) {
              if (tile == DType::kBF16) value = bf16_to_float(float_to_bf16(value));
            }
            return written;
          }};
}
inline FloatForm hqq_form(const char* name, HqqForm form, DType tile) {
  return byte_form(name,
                   fmt::format(R"({{"quant_method":"hqq","skip_modules":["lm_head"],)"
                               R"("quant_config":{{"weight_quant_params":{{"nbits":{},)"
                               R"("group_size":{},"axis":{},"view_as_float":false}},)"
                               R"("scale_quant_params":null,"zero_quant_params":null,)"
                               R"("offload_meta":false}}}})",
                               form.bits, form.group, form.axis),
                   tile, [form](const std::string& module, const FloatMatrix& matrix) {
                     return write_hqq(module, matrix, form);
                   });
}
inline std::string torchao_config(const char* type, const char* data = "{}") {
  return fmt::format(R"({{"quant_method":"torchao","quant_type":{{"default":{{"_type":"{}",)"
                     R"("_version":2,"_data":{}}}}},"modules_to_not_convert":["lm_head"]}})",
                     type, data);
}

inline std::vector<FloatForm> byte_forms() {
  const char* const plain =
      R"({"group_size":64,"int4_packing_format":{"_type":"Int4PackingFormat","_data":"PLAIN"}})";
  const auto rows = [](const std::string& module, const FloatMatrix& matrix) {
    return write_torchao_int8(module, matrix, matrix.columns, false);
  };
  return {
      hqq_form("HQQ, 8 bits, groups of 64", {8, 64, 1, true}, DType::kBF16),
      hqq_form("HQQ, 4 bits, groups of 64, whole zeros", {4, 64, 1, true}, DType::kQ4_Z),
      hqq_form("HQQ, 4 bits, groups of 64", {4, 64, 1, false}, DType::kQ4_F),
      hqq_form("HQQ, 4 bits, groups of 64 across rows (axis 0)", {4, 64, 0, false, "BF16"},
               DType::kBF16),
      hqq_form("HQQ, 3 bits, groups of 64, whole zeros", {3, 64, 1, true}, DType::kQ4_0),
      hqq_form("HQQ, 2 bits, groups of 32, whole zeros", {2, 32, 1, true}, DType::kQ4_0),
      hqq_form("HQQ, 1 bit, groups of 32", {1, 32, 1, false}, DType::kBF16),
      byte_form("int8 (EETQ, [in, out])", R"({"quant_method":"eetq","weights":"int8",)"
                R"("modules_to_not_convert":["lm_head"]})", DType::kI8A16, write_eetq),
      byte_form("int8 (torchao)", torchao_config("Int8WeightOnlyConfig"), DType::kI8A16, rows),
      byte_form("int8 (torchao, groups of 64)", torchao_config("Int8WeightOnlyConfig"),
                DType::kI8A16,
                [](const std::string& module, const FloatMatrix& matrix) {
                  return write_torchao_int8(module, matrix, 64, true);
                }),
      byte_form("W8A8 (torchao)", torchao_config("Int8DynamicActivationInt8WeightConfig"),
                DType::kI8, rows),
      byte_form("int4 (torchao, groups of 64)", torchao_config("Int4WeightOnlyConfig", plain),
                DType::kQ4_F,
                [](const std::string& module, const FloatMatrix& matrix) {
                  return write_torchao_int4(module, matrix, 64);
                }),
      byte_form("ternary (`bitnet`)", R"({"quant_method":"bitnet","linear_class":"autobitlinear",)"
                R"("quantization_mode":"offline"})", DType::kI8A16,
                [](const std::string& module, const FloatMatrix& matrix) {
                  return write_bitnet(module, matrix, false);
                }),
  };
}

}  // namespace quire::testing
