// Golden test of quantized checkpoints: a small llama whose projections are codes, written in each
// format from its published layout by the tests' own writer, against the same model with the
// dequantized weights in float32. Products are in float32 in both, so that only reading differs;
// what the usual products of the tiles make of it, with rounded activations, is printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "formats/testing/quantized_writer.h"
#include "formats/testing/temp_folder.h"
#include "model/describe.h"
#include "model/model_files.h"
#include "quant/coded_llama.h"

namespace quire {
namespace {

using testing::kCodedLlama;
using testing::kLogitErrorMax;
using testing::largest_error;
using testing::logits_of;
using testing::Projection;
using testing::QuantizedMatrix;
using testing::SafetensorsWriter;
using testing::TempFolder;
using testing::TensorPart;

struct Form {
  const char* name;
  const char* quantization;  // quantization_config
  unsigned bits;
  std::size_t group;
  bool is_symmetric;
  bool is_head_quantized;
  bool is_rounded;  // held in BF16
  std::vector<TensorPart> (*parts)(const std::string& module, const QuantizedMatrix& matrix);
};

std::vector<TensorPart> gptq(const std::string& module, const QuantizedMatrix& matrix) {
  return testing::gptq_parts(module, matrix);
}
std::vector<TensorPart> gptq_2(const std::string& module, const QuantizedMatrix& matrix) {
  return testing::gptq_parts(module, matrix, 2);
}
std::vector<TensorPart> gptq_scattered(const std::string& module, const QuantizedMatrix& matrix) {
  return testing::gptq_parts(module, matrix);
}

std::vector<TensorPart> awq(const std::string& module, const QuantizedMatrix& matrix) {
  return testing::awq_parts(module, matrix);
}
std::vector<TensorPart> packed(const std::string& module, const QuantizedMatrix& matrix) {
  return testing::packed_parts(module, matrix, true);
}
std::vector<TensorPart> packed_with_zeros(const std::string& module,
                                          const QuantizedMatrix& matrix) {
  return testing::packed_parts(module, matrix, false);
}

constexpr const char* kPacked4 = R"({"quant_method":"compressed-tensors","format":"pack-quantized",
"ignore":["lm_head"],"config_groups":{"group_0":{"targets":["Linear"],"input_activations":null,
"weights":{"num_bits":4,"type":"int","symmetric":true,"strategy":"group","group_size":64}}}})";
constexpr const char* kPacked4Zeros = R"({"quant_method":"compressed-tensors",
"format":"pack-quantized","ignore":[],"config_groups":{"group_0":{"targets":["Linear"],
"input_activations":null,"weights":{"num_bits":4,"type":"int","symmetric":false,
"strategy":"group","group_size":32}}}})";
constexpr const char* kPacked8 = R"({"quant_method":"compressed-tensors","format":"pack-quantized",
"ignore":["lm_head"],"config_groups":{"group_0":{"targets":["Linear"],"input_activations":null,
"weights":{"num_bits":8,"type":"int","symmetric":true,"strategy":"group","group_size":32}}}})";

const std::vector<Form>& forms() {
  static const std::vector<Form> all = {
      {"gptq 4 bits", R"({"quant_method":"gptq","bits":4,"group_size":32,"sym":true})", 4, 32, true,
       false, false, gptq},
      {"gptq 4 bits with zeros",
       R"({"quant_method":"gptq","bits":4,"group_size":64,"sym":false,"lm_head":true})", 4, 64,
       false, true, false, gptq},
      {"gptq_v2 2 bits",
       R"({"quant_method":"gptq","bits":2,"group_size":32,"checkpoint_format":"gptq_v2"})", 2, 32,
       false, false, false, gptq_2},
      {"gptq 3 bits", R"({"quant_method":"gptq","bits":3,"group_size":32})", 3, 32, false, false,
       false, gptq},
      {"gptq 8 bits", R"({"quant_method":"gptq","bits":8,"group_size":64})", 8, 64, true, false,
       false, gptq},
      {"gptq 4 bits in act-order",
       R"({"quant_method":"gptq","bits":4,"group_size":32,"desc_act":true})", 4, 32, true, false,
       false, gptq_scattered},
      {"auto-round 4 bits",
       R"({"quant_method":"auto-round","packing_format":"auto_round:auto_gptq","bits":4,
"group_size":64,"sym":true,"data_type":"int"})", 4, 64, true, false, false, gptq},
      {"awq", R"({"quant_method":"awq","bits":4,"group_size":64,"zero_point":true,
"version":"gemm","modules_to_not_convert":null})", 4, 64, false, false, false, awq},
      {"compressed-tensors W4A16", kPacked4, 4, 64, true, false, false, packed},
      {"compressed-tensors W4A16 with zeros", kPacked4Zeros, 4, 32, false, true, false,
       packed_with_zeros},
      {"compressed-tensors W8A16", kPacked8, 8, 32, true, false, false, packed},
  };
  return all;
}

QuantizedMatrix matrix_of(const Form& form, const Projection& part, std::uint32_t seed) {
  const float step = 0.5f / static_cast<float>(1 << form.bits);
  QuantizedMatrix matrix = testing::make_quantized(
      {part.rows, part.columns, form.group, form.bits, form.is_symmetric, step}, seed);
  if (form.parts != gptq_scattered) return matrix;
  for (std::size_t i = 0; i < part.columns; ++i) matrix.group_of[i] = (i * 7 + 1) % matrix.groups();
  return matrix;
}

// The same model twice: as codes and as floats.
void write_both(const Form& form, const TempFolder& codes, const TempFolder& floats) {
  SafetensorsWriter coded, plain;
  std::uint32_t seed = 0;
  for (const Projection& part : testing::projections(form.is_head_quantized)) {
    const QuantizedMatrix matrix = matrix_of(form, part, ++seed);
    testing::add_parts(form.parts(part.name, matrix), coded);
    std::vector<float> values = matrix.values();
    if (form.is_rounded) {
      for (float& value : values) value = bf16_to_float(float_to_bf16(value));
    }
    plain.add(part.name + ".weight", "F32", {part.rows, part.columns}, values);
  }
  testing::add_rest(!form.is_head_quantized, coded);
  testing::add_rest(!form.is_head_quantized, plain);
  codes.write("config.json",
              std::string(kCodedLlama) + ",\"quantization_config\":" + form.quantization + "}");
  codes.write("model.safetensors", coded.bytes());
  floats.write("config.json", std::string(kCodedLlama) + "}");
  floats.write("model.safetensors", plain.bytes());
}

TEST(QuantizedTest, EveryFormGivesTheLogitsOfItsDequantizedWeights) {
  for (const Form& form : forms()) {
    TempFolder codes, floats;
    write_both(form, codes, floats);
    const auto coded = open_model(codes.path());
    ASSERT_TRUE(coded.is_ok()) << form.name << ": " << coded.status().message();
    const auto plain = open_model(floats.path());
    ASSERT_TRUE(plain.is_ok()) << plain.status().message();
    const auto expected = logits_of(**plain, WeightScheme::kFloat32);
    const double error =
        largest_error(logits_of(**coded, WeightScheme::kFloat32), expected);
    const double size = largest_error(expected, std::vector<float>(expected.size()));
    EXPECT_GT(size, 1);
    std::printf("FIGURE %s: largest error of a logit %.2e (below %.0e), %.2e with rounded "
                "activations, of logits up to %.1f; weights %s\n", form.name, error,
                kLogitErrorMax,
                largest_error(logits_of(**coded, WeightScheme::kAsStored), expected), size,
                (*coded)->facts().weight_types.c_str());
    EXPECT_LT(error, kLogitErrorMax) << form.name;
    const auto first = (*coded)->find("layers.0.gate").value();
    const std::string before(reinterpret_cast<const char*>(first.data), first.bytes());
    (*coded)->drop_resident();
    const auto again = (*coded)->find("layers.0.gate").value();
    EXPECT_EQ(before, std::string(reinterpret_cast<const char*>(again.data), again.bytes()));
    const auto shown = describe_model(codes.path());
    ASSERT_TRUE(shown.is_ok()) << shown.status().message();
    EXPECT_THAT(*shown, ::testing::HasSubstr("quantized"));
    EXPECT_EQ(shown->find("warning") != std::string::npos, form.is_rounded) << *shown;
  }
}

}  // namespace
}  // namespace quire
