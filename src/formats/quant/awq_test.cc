// AWQ by example: matrices written from the published layout, compared value for value, and broken
// ones, each of which must be refused with the tensor's name or the key's.
#include "formats/quant/awq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/quantized_values.h"

namespace quire {
namespace {

using testing::awq_parts;
using testing::late_values;
using testing::make_quantized;
using testing::open_quantized;
using testing::QuantizedMatrix;
using testing::quantized_refusal;
using testing::TempFolder;
using testing::TensorPart;
using ::testing::HasSubstr;

constexpr const char* kModule = "model.layers.0.mlp.up_proj";
constexpr const char* kWeight = "model.layers.0.mlp.up_proj.weight";

std::string config(int group, const std::string& rest = "") {
  return fmt::format(R"({{"quant_method":"awq","bits":4,"group_size":{},"zero_point":true,)"
                     R"("version":"gemm"{}}})",
                     group, rest);
}

TEST(AwqTest, EveryValueIsThatOfTheLayout) {
  TempFolder folder;
  for (const auto& [is_symmetric, type, group, expected] :
       std::vector<std::tuple<bool, const char*, std::size_t, DType>>{
           {false, "F16", 32, DType::kQ4_Z},
           {false, "BF16", 128, DType::kQ4_Z},
           {true, "F16", 64, DType::kQ4_0},
           {false, "F16", 16, DType::kBF16},
       }) {
    const QuantizedMatrix matrix = make_quantized({64, 128, group, 4, is_symmetric});
    const auto checkpoint = open_quantized(folder, config(static_cast<int>(group)),
                                           awq_parts(kModule, matrix, type));
    ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
    EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, expected) << group;
    EXPECT_EQ(late_values(*checkpoint, kWeight),
              expected == DType::kBF16 ? rounded_values(matrix) : matrix.values())
        << group;
  }
  const QuantizedMatrix matrix = make_quantized({32, 96, 96, 4, false});
  const auto checkpoint = open_quantized(folder, config(-1), awq_parts(kModule, matrix));
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(late_values(*checkpoint, kWeight), matrix.values());
  EXPECT_EQ(checkpoint->quantization, "awq, 4 bits, a scale for each row");
}

TEST(AwqTest, BrokenTensorsAreRefusedByName) {
  TempFolder folder;
  const std::vector<TensorPart> whole = awq_parts(kModule, make_quantized({64, 128, 32}));
  ASSERT_EQ(quantized_refusal(folder, config(32), whole), "accepted");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<TensorPart> parts = whole;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(quantized_refusal(folder, config(32), parts), HasSubstr(i == 0 ? "qweight"
                                                                              : whole[i].name));
    for (const std::vector<std::size_t>& shape : std::vector<std::vector<std::size_t>>{
             {0}, {1}, {0, 64}, {64, 0}, {3, 4}, {1, 64}, {64, 1}, {2, 2, 2}, {17, 63}}) {
      parts = whole;
      parts[i].shape = shape;
      std::size_t bytes = parts[i].dtype == "F16" ? 2 : 4;
      for (const std::size_t size : shape) bytes *= size;
      parts[i].bytes.resize(bytes);
      EXPECT_THAT(quantized_refusal(folder, config(32), parts), HasSubstr(kModule));
    }
  }
  std::vector<TensorPart> parts = whole;
  const std::uint16_t bits = 0x7E00;
  std::memcpy(&parts[2].bytes[8], &bits, sizeof(bits));
  EXPECT_THAT(quantized_refusal(folder, config(32), parts), HasSubstr(whole[2].name));
}

TEST(AwqTest, ConfigurationsAreRefusedByTheNameOfTheKey) {
  TempFolder folder;
  const auto parts = awq_parts(kModule, make_quantized({64, 128, 32}));
  const auto refusal = [&](const char* text) { return quantized_refusal(folder, text, parts); };
  EXPECT_EQ(refusal(R"({"quant_method":"awq","w_bit":4,"q_group_size":32,"version":"GEMM",
"modules_to_not_convert":["visual"],"no_such_key":false})"), "accepted");
  for (const auto& [key, text] : std::vector<std::pair<const char*, const char*>>{
           {"bits", R"({"quant_method":"awq","bits":3,"group_size":32})"},
           {"bits", R"({"quant_method":"awq","group_size":32})"},
           {"group_size", R"({"quant_method":"awq","bits":4})"},
           {"group_size", R"({"quant_method":"awq","bits":4,"group_size":0})"},
           {"no whole groups of 48", R"({"quant_method":"awq","bits":4,"group_size":48})"},
           {"version", R"({"quant_method":"awq","bits":4,"group_size":32,"version":"gemv"})"},
           {"no_such_key", R"({"quant_method":"awq","bits":4,"group_size":32,"no_such_key":1})"},
           {"modules_to_not_convert", R"({"quant_method":"awq","bits":4,"group_size":32,
"modules_to_not_convert":["up_proj"]})"},
       }) {
    EXPECT_THAT(refusal(text), HasSubstr(key)) << text;
  }
}

}  // namespace
}  // namespace quire
