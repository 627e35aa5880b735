// Packed weights of compressed-tensors by example: matrices written from the published layout,
// compared value for value, and broken ones, each of which must be refused by name.
#include "formats/quant/packed_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/quantized_values.h"

namespace quire {
namespace {

using testing::late_values;
using testing::make_quantized;
using testing::open_quantized;
using testing::packed_parts;
using testing::QuantizedMatrix;
using testing::quantized_refusal;
using testing::TempFolder;
using testing::TensorPart;
using ::testing::HasSubstr;

constexpr const char* kModule = "model.layers.0.mlp.up_proj";
constexpr const char* kWeight = "model.layers.0.mlp.up_proj.weight";

// A group of 0: a scale for each row.
std::string config(unsigned bits, std::size_t group, bool is_symmetric,
                   const std::string& rest = "", const std::string& ignored = "lm_head") {
  return fmt::format(
      R"({{"quant_method":"compressed-tensors","format":"pack-quantized","ignore":["{}"],)"
      R"("config_groups":{{"group_0":{{"targets":["Linear"],"input_activations":null,)"
      R"("output_activations":null,"weights":{{"num_bits":{},"type":"int","symmetric":{},)"
      R"("strategy":"{}","group_size":{},"dynamic":false,"actorder":null{}}}}}}}}})",
      ignored, bits, is_symmetric, group == 0 ? "channel" : "group",
      group == 0 ? std::string("null") : std::to_string(group), rest);
}

TEST(PackedTensorsTest, EveryValueIsThatOfTheLayout) {
  TempFolder folder;
  for (const auto& [bits, is_symmetric, group, expected] :
       std::vector<std::tuple<unsigned, bool, std::size_t, DType>>{
           {4, true, 32, DType::kQ4_0},
           {4, true, 128, DType::kQ4_0},
           {4, false, 64, DType::kQ4_Z},
           {8, true, 32, DType::kQ8_0},
           {8, false, 32, DType::kBF16},
           {4, true, 16, DType::kBF16},
       }) {
    const QuantizedMatrix matrix = make_quantized({64, 128, group, bits, is_symmetric});
    for (const std::size_t stated : {group, std::size_t{0}}) {
      if (stated == 0 && group != 128) continue;
      const auto checkpoint = open_quantized(folder, config(bits, stated, is_symmetric),
                                             packed_parts(kModule, matrix, is_symmetric));
      ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
      EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, expected) << bits << " bits";
      EXPECT_EQ(checkpoint->tensors.size(), 1u);
      EXPECT_EQ(late_values(*checkpoint, kWeight),
                expected == DType::kBF16 ? rounded_values(matrix) : matrix.values())
          << bits << " bits";
    }
  }
}

TEST(PackedTensorsTest, ZerosMayBeBytes) {
  TempFolder folder;
  const QuantizedMatrix matrix = make_quantized({64, 128, 32, 4, false});
  std::vector<TensorPart> parts = packed_parts(kModule, matrix, true);
  std::vector<std::int8_t> zeros;
  for (const unsigned zero : matrix.zeros) {
    zeros.push_back(static_cast<std::int8_t>(static_cast<int>(zero) - 8));
  }
  parts.push_back(
      testing::part_of(std::string(kModule) + ".weight_zero_point", "I8", {64, 4}, zeros));
  const auto checkpoint = open_quantized(folder, config(4, 32, false), parts);
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(late_values(*checkpoint, kWeight), matrix.values());
}

TEST(PackedTensorsTest, ActOrderKeepsItsCodes) {
  TempFolder folder;
  QuantizedMatrix matrix = make_quantized({64, 128, 32});
  for (std::size_t i = 0; i < 128; ++i) matrix.group_of[i] = (i * 3 + 1) % 4;
  std::vector<TensorPart> parts = packed_parts(kModule, matrix, true);
  const std::vector<std::int32_t> order(matrix.group_of.begin(), matrix.group_of.end());
  parts.push_back(testing::part_of(std::string(kModule) + ".weight_g_idx", "I32", {128}, order));
  const auto checkpoint = open_quantized(folder, config(4, 32, true), parts);
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, DType::kQ4_0);
  EXPECT_EQ(late_values(*checkpoint, kWeight), matrix.values());
  EXPECT_TRUE(checkpoint->rounded.empty()) << checkpoint->rounded;
}

TEST(PackedTensorsTest, BrokenTensorsAreRefusedByName) {
  TempFolder folder;
  const auto whole = packed_parts(kModule, make_quantized({64, 128, 32, 4, false}), false);
  ASSERT_EQ(quantized_refusal(folder, config(4, 32, false), whole), "accepted");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<TensorPart> parts = whole;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_THAT(quantized_refusal(folder, config(4, 32, false), parts),
                HasSubstr(i == 0 ? "weight_packed" : whole[i].name));
    for (const std::vector<std::size_t>& shape : std::vector<std::vector<std::size_t>>{
             {0}, {1}, {0, 64}, {64, 0}, {3, 4}, {1, 64}, {64, 1}, {2, 2, 2}, {17, 63}}) {
      parts = whole;
      parts[i].shape = shape;
      std::size_t bytes = parts[i].dtype == "BF16" ? 2 : parts[i].dtype == "I64" ? 8 : 4;
      for (const std::size_t size : shape) bytes *= size;
      parts[i].bytes.resize(bytes);
      EXPECT_THAT(quantized_refusal(folder, config(4, 32, false), parts), HasSubstr(kModule));
    }
  }
  for (const std::int64_t size : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63},
                                  std::int64_t{1} << 40, INT64_MAX}) {
    std::vector<TensorPart> parts = whole;
    std::memcpy(&parts[2].bytes[0], &size, sizeof(size));
    EXPECT_THAT(quantized_refusal(folder, config(4, 32, false), parts), HasSubstr(kModule));
  }
  std::vector<TensorPart> parts = whole;
  const std::uint16_t infinite = 0x7F80;
  std::memcpy(&parts[1].bytes[8], &infinite, sizeof(infinite));
  EXPECT_THAT(quantized_refusal(folder, config(4, 32, false), parts), HasSubstr(whole[1].name));
}

TEST(PackedTensorsTest, ConfigurationsAndListsAreChecked) {
  TempFolder folder;
  auto parts = packed_parts(kModule, make_quantized({64, 128, 32}), true);
  EXPECT_THAT(quantized_refusal(folder, config(3, 32, true), parts), HasSubstr("num_bits"));
  EXPECT_THAT(quantized_refusal(folder, config(4, 48, true), parts), HasSubstr("groups of 48"));
  EXPECT_THAT(quantized_refusal(folder, config(8, 32, true), parts), HasSubstr("weight_packed"));
  EXPECT_THAT(quantized_refusal(folder, config(4, 32, true, "", kModule), parts),
              HasSubstr("ignore"));
  EXPECT_THAT(quantized_refusal(folder, config(4, 32, true, R"(,"block_structure":"2x4")"), parts),
              HasSubstr("block_structure"));
  parts.push_back(testing::part_of("lm_head.weight", "F32", {8, 128}, std::vector<float>(1024)));
  EXPECT_EQ(quantized_refusal(folder, config(4, 32, true), parts), "accepted");
  EXPECT_THAT(quantized_refusal(folder, config(4, 32, true, "", "other"), parts),
              HasSubstr("lm_head.weight"));
}

}  // namespace
}  // namespace quire
