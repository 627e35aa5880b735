// Golden test of checkpoints of small floats: a small llama written in each form from its published
// layout, against the same model with the dequantized weights in float32. Products are in float32
// in both, so that only reading differs; what the usual products of the tiles make of it is
// printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "formats/testing/temp_folder.h"
#include "model/describe.h"
#include "quant/coded_llama.h"
#include "quant/float_forms.h"
#include "tiny_checkpoint.h"

namespace quire {
namespace {

using testing::FloatForm;
using testing::FloatMatrix;
using testing::largest_error;
using testing::logits_of;
using testing::SafetensorsWriter;
using testing::TempFolder;

FloatMatrix matrix_of(const testing::Projection& part, std::uint32_t seed) {
  FloatMatrix matrix{part.rows, part.columns, {}};
  std::uint32_t state = seed * 2654435761u + 1;
  const auto draw = [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(state >> 8) * 0x1p-23f - 1;
  };
  for (std::size_t i = 0; i < part.rows * part.columns; ++i) {
    matrix.values.push_back(0.15f * (draw() + draw()));
  }
  return matrix;
}

void write_both(const FloatForm& form, const TempFolder& codes, const TempFolder& floats) {
  SafetensorsWriter coded, plain;
  std::uint32_t seed = 0;
  for (const testing::Projection& part : testing::projections(false)) {
    const testing::WrittenMatrix written = form.write(part.name, matrix_of(part, ++seed));
    testing::add_parts(written.parts, coded);
    plain.add(part.name + ".weight", "F32", {part.rows, part.columns}, written.values);
  }
  testing::add_rest(true, coded);
  testing::add_rest(true, plain);
  codes.write("config.json", std::string(testing::kCodedLlama) + ",\"quantization_config\":" +
                                 form.quantization + "}");
  codes.write("model.safetensors", coded.bytes());
  floats.write("config.json", std::string(testing::kCodedLlama) + "}");
  floats.write("model.safetensors", plain.bytes());
}

TEST(FloatFormsTest, EveryFormGivesTheLogitsOfItsDequantizedWeights) {
  std::vector<FloatForm> forms = testing::float_forms();
  for (FloatForm& form : testing::byte_forms()) forms.push_back(std::move(form));
  for (const FloatForm& form : forms) {
    TempFolder codes, floats;
    write_both(form, codes, floats);
    const auto coded = open_model(codes.path());
    ASSERT_TRUE(coded.is_ok()) << form.name << ": " << coded.status().message();
    const auto plain = open_model(floats.path());
    ASSERT_TRUE(plain.is_ok()) << plain.status().message();
    EXPECT_EQ((*coded)->find("layers.1.down")->dtype, form.tile) << form.name;
    const auto expected = logits_of(**plain, WeightScheme::kFloat32);
    const double error = largest_error(logits_of(**coded, WeightScheme::kFloat32), expected);
    const double size = largest_error(expected, std::vector<float>(expected.size()));
    const double usual = largest_error(logits_of(**coded, WeightScheme::kAsStored), expected);
    EXPECT_GT(size, 1);
    std::printf("FIGURE %s: largest error of a logit %.2e (below %.0e), %.2e with the usual "
                "products, of logits up to %.1f\n", form.name.c_str(), error,
                testing::kLogitErrorMax, usual, size);
    EXPECT_LT(error, testing::kLogitErrorMax) << form.name;
    const bool has_float_activations = form.tile == DType::kF8 || form.tile == DType::kI8A16;
    EXPECT_LT(usual, has_float_activations ? testing::kLogitErrorMax : 0.1 * size) << form.name;
    const auto shown = describe_model(codes.path());
    ASSERT_TRUE(shown.is_ok()) << shown.status().message();
    EXPECT_THAT(*shown, ::testing::HasSubstr("quantized"));
    const std::string& asked = (*coded)->facts().asked_activations;
    EXPECT_EQ(shown->find("--activations as-asked") != shown->npos, !asked.empty()) << *shown;
    const auto rounded = logits_of(**coded, WeightScheme::kAsAsked);
    const double error_as_asked = largest_error(rounded, expected);
    if (!asked.empty()) {
      std::printf("FIGURE %s: %.2e with activations as asked (%s)\n", form.name.c_str(),
                  error_as_asked, asked.c_str());
      EXPECT_GT(error_as_asked, usual) << form.name;
      EXPECT_LT(error_as_asked, (has_float_activations ? 0.4 : 1) * size) << form.name;  // or FP4
    } else {
      EXPECT_EQ(error_as_asked, usual) << form.name;
    }
    EXPECT_THAT(*shown, ::testing::HasSubstr(std::string(dtype_name(form.tile))));
    EXPECT_EQ(shown->find("warning") != shown->npos, form.tile == DType::kBF16) << *shown;
  }
}

// Architectures that take rows out of a weave, or read matrices with rows and columns exchanged, of
// FP8 in blocks: what is exchanged is rounded to BF16, and said so.
TEST(FloatFormsTest, RearrangedCodesOfFp8KeepTheirScales) {
  const std::string quantization =
      R"({"quant_method":"fp8","fmt":"e4m3","weight_block_size":[24,16]})";
  for (const char* name : {"deepseek_v3", "qwen3_next"}) {
    const testing::TinyFixture fixture = testing::read_tiny(name);
    const TempFolder codes, floats;
    SafetensorsWriter coded, plain;
    for (const auto& tensor : fixture.tensors) {
      const std::vector<float> values = testing::tiny_values(fixture.seed, tensor);
      const bool is_coded = tensor.shape.size() == 2 && tensor.name.ends_with("_proj.weight");
      if (!is_coded) {
        coded.add(tensor.name, "F32", tensor.shape, values);
        plain.add(tensor.name, "F32", tensor.shape, values);
        continue;
      }
      const std::string module = tensor.name.substr(0, tensor.name.size() - 7);
      const testing::WrittenMatrix written = testing::write_fp8(
          module, {tensor.shape[0], tensor.shape[1], values}, {24, 16, "_scale_inv"});
      testing::add_parts(written.parts, coded);
      plain.add(tensor.name, "F32", tensor.shape, written.values);
    }
    Json config = fixture.spellings.front().config;
    floats.write("config.json", dump(config));
    floats.write("model.safetensors", plain.bytes());
    config.set("quantization_config", *parse_json(quantization));
    codes.write("config.json", dump(config));
    codes.write("model.safetensors", coded.bytes());
    const auto from_codes = open_model(codes.path());
    ASSERT_TRUE(from_codes.is_ok()) << name << ": " << from_codes.status().message();
    const auto from_floats = open_model(floats.path());
    ASSERT_TRUE(from_floats.is_ok()) << name << ": " << from_floats.status().message();
    const auto expected = logits_of(**from_floats, WeightScheme::kFloat32);
    const double error =
        largest_error(logits_of(**from_codes, WeightScheme::kFloat32), expected);
    const bool is_exchanged = std::string_view(name) == "deepseek_v3";
    std::printf("FIGURE %s in FP8: largest error of a logit %.2e\n", name, error);
    EXPECT_LT(error, is_exchanged ? 5e-2 : testing::kLogitErrorMax);
    const auto shown = describe_model(codes.path());
    ASSERT_TRUE(shown.is_ok());
    EXPECT_EQ(shown->find("rows and columns exchanged") != shown->npos, is_exchanged) << *shown;
  }
}

}  // namespace
}  // namespace quire
