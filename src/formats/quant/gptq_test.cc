// GPTQ by example: matrices written from the published layout, compared value for value; and a
// corpus of broken ones, each of which must be refused with the tensor's name.
#include "formats/quant/gptq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/testing/quantized_values.h"

namespace quire {
namespace {

using testing::gptq_parts;
using testing::late_values;
using testing::make_quantized;
using testing::open_quantized;
using testing::QuantizedMatrix;
using testing::quantized_refusal;
using testing::TempFolder;
using testing::TensorPart;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kModule = "model.layers.0.mlp.up_proj";
constexpr const char* kWeight = "model.layers.0.mlp.up_proj.weight";

std::string config(unsigned bits, int group, const std::string& rest = "") {
  return fmt::format(R"({{"quant_method":"gptq","bits":{},"group_size":{},"desc_act":false,)"
                     R"("sym":true,"true_sequential":true,"damp_percent":0.01{}}})",
                     bits, group, rest);
}

struct Case {
  unsigned bits;
  bool is_symmetric;
  int version;
  const char* scale_type;
  std::size_t group;
  DType expected;
};

TEST(GptqTest, EveryValueIsThatOfTheLayout) {
  TempFolder folder;
  for (const Case& c : std::vector<Case>{
           {4, true, 1, "F16", 32, DType::kQ4_0},   {4, true, 2, "BF16", 128, DType::kQ4_0},
           {4, true, 1, "F32", 64, DType::kQ4_0},   {4, false, 1, "F16", 32, DType::kQ4_Z},
           {4, false, 2, "F16", 64, DType::kQ4_Z},  {2, true, 1, "F16", 32, DType::kQ4_0},
           {2, false, 2, "F16", 32, DType::kQ4_0},  {3, true, 1, "F16", 32, DType::kQ4_0},
           {3, false, 1, "F16", 128, DType::kQ4_0}, {8, true, 1, "F16", 32, DType::kQ8_0},
           {8, true, 2, "BF16", 128, DType::kQ8_0}, {8, false, 1, "F16", 32, DType::kBF16},
           {4, true, 1, "F16", 16, DType::kBF16},
       }) {
    const QuantizedMatrix matrix = make_quantized({64, 128, c.group, c.bits, c.is_symmetric});
    const auto checkpoint = open_quantized(
        folder, config(c.bits, static_cast<int>(c.group),
                       c.version == 2 ? R"(,"checkpoint_format":"gptq_v2")" : ""),
        gptq_parts(kModule, matrix, c.version, c.scale_type));
    ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
    const TensorView& view = checkpoint->tensors.at(kWeight);
    EXPECT_EQ(view.dtype, c.expected) << c.bits << " bits in groups of " << c.group;
    EXPECT_EQ(view.shape, (std::vector<std::size_t>{64, 128}));
    EXPECT_EQ(late_values(*checkpoint, kWeight),
              c.expected == DType::kBF16 ? rounded_values(matrix) : matrix.values())
        << c.bits << " bits in groups of " << c.group;
    EXPECT_EQ(checkpoint->rounded.empty(), c.expected != DType::kBF16);
    EXPECT_EQ(checkpoint->tensors.size(), 1u);
    EXPECT_THAT(checkpoint->quantization, HasSubstr(fmt::format("gptq, {} bits", c.bits)));
  }
}

TEST(GptqTest, OneScaleForARow) {
  TempFolder folder;
  const QuantizedMatrix matrix = make_quantized({32, 96, 96, 4, false});
  auto parts = gptq_parts(kModule, matrix);
  parts.pop_back();  // g_idx
  const auto checkpoint = open_quantized(folder, config(4, -1), parts);
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(late_values(*checkpoint, kWeight), matrix.values());
}

TEST(GptqTest, ActOrderKeepsItsCodes) {
  TempFolder folder;
  QuantizedMatrix matrix = make_quantized({64, 128, 32, 4, false});
  for (std::size_t i = 0; i < 128; ++i) matrix.group_of[i] = (i * 5 + 1) % 4;
  const auto checkpoint = open_quantized(folder, config(4, 32), gptq_parts(kModule, matrix));
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  const TensorView& view = checkpoint->tensors.at(kWeight);
  EXPECT_EQ(view.dtype, DType::kQ4_Z);
  ASSERT_NE(view.input.order, nullptr);
  for (std::size_t i = 0; i < 128; ++i) {
    EXPECT_EQ(matrix.group_of[view.input.order[i]], i / 32) << "columns of a group lie together";
  }
  EXPECT_EQ(late_values(*checkpoint, kWeight), matrix.values());
  EXPECT_TRUE(checkpoint->rounded.empty()) << checkpoint->rounded;
  // Who wants the values one by one has them in the places of the file.
  const LateTensor& late = *checkpoint->late.at(kWeight);
  ASSERT_NE(late.in_bf16(), nullptr);
  const auto* halves = reinterpret_cast<const std::uint16_t*>(late.in_bf16()->bytes());
  const std::vector<float> rounded = rounded_values(matrix);
  for (std::size_t i = 0; i < rounded.size(); ++i) {
    ASSERT_EQ(bf16_to_float(halves[i]), rounded[i]) << i;
  }
}

TEST(GptqTest, GroupsOfSeveralSizesAreHeldInBf16AndSaidSo) {
  TempFolder folder;
  QuantizedMatrix matrix = make_quantized({64, 128, 32, 4, false});
  matrix.group_of[0] = 3;
  const auto checkpoint = open_quantized(folder, config(4, 32), gptq_parts(kModule, matrix));
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, DType::kBF16);
  EXPECT_EQ(late_values(*checkpoint, kWeight), rounded_values(matrix));
  EXPECT_THAT(checkpoint->rounded,
              AllOf(HasSubstr("1 of 1"), HasSubstr(kWeight), HasSubstr("g_idx")));
}

// Many rows are made by several threads, each row by itself.
TEST(GptqTest, LargeMatricesAreMadeInParts) {
  TempFolder folder;
  QuantizedMatrix matrix = make_quantized({1088, 512, 128, 4, true});
  for (std::size_t i = 0; i < 512; ++i) matrix.group_of[i] = (i * 7 + 1) % 4;
  const auto checkpoint = open_quantized(folder, config(4, 128), gptq_parts(kModule, matrix));
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, DType::kQ4_0);
  EXPECT_EQ(late_values(*checkpoint, kWeight), matrix.values());
}

TEST(GptqTest, ScalesThatAreNoHalvesAreHeldInBf16) {
  TempFolder folder;
  QuantizedMatrix matrix = make_quantized({64, 128, 32});
  matrix.scales[7] = 0x1.555p-30f;  // and groups are of less than 64 columns
  const auto checkpoint =
      open_quantized(folder, config(4, 32), gptq_parts(kModule, matrix, 1, "F32"));
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, DType::kBF16);
  EXPECT_EQ(late_values(*checkpoint, kWeight), rounded_values(matrix));
}

TEST(GptqTest, AScaleOfZeroIsNoScale) {
  TempFolder folder;
  QuantizedMatrix matrix = make_quantized({64, 128, 32});
  matrix.scales[3] = 0;
  const auto checkpoint = open_quantized(folder, config(4, 32), gptq_parts(kModule, matrix));
  ASSERT_FALSE(checkpoint.is_ok());
  EXPECT_THAT(checkpoint.status().message(),
              HasSubstr(".scales': the scale of row 0 and group 3 is 0"));
}

TEST(GptqTest, BrokenTensorsAreRefusedByName) {
  TempFolder folder;
  const QuantizedMatrix matrix = make_quantized({64, 128, 32});
  const std::vector<TensorPart> whole = gptq_parts(kModule, matrix);
  ASSERT_EQ(quantized_refusal(folder, config(4, 32), whole), "accepted");
  std::size_t refused = 0;
  const auto expect = [&](const std::vector<TensorPart>& parts, const std::string& name) {
    EXPECT_THAT(quantized_refusal(folder, config(4, 32), parts), HasSubstr(name));
    ++refused;
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<TensorPart> parts = whole;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < 3) expect(parts, i == 0 ? ".qweight" : whole[i].name);  // g_idx may be absent
    for (const std::vector<std::size_t>& shape : std::vector<std::vector<std::size_t>>{
             {0}, {1}, {0, 64}, {64, 0}, {4, 4}, {1, 64}, {64, 1}, {2, 2, 2}, {17, 63}}) {
      parts = whole;
      parts[i].shape = shape;
      std::size_t bytes = parts[i].dtype == "F16" ? 2 : 4;
      for (const std::size_t size : shape) bytes *= size;
      parts[i].bytes.resize(bytes);
      expect(parts, kModule);
    }
    for (const char* dtype : {"I64", "F32", "I8", "U32"}) {
      parts = whole;
      if (i == 2 && std::string(dtype) == "F32") continue;  // scales may be
      parts[i].dtype = dtype;
      const std::size_t size = std::string(dtype) == "I64" ? 8 : *dtype == 'I' ? 1 : 4;
      parts[i].bytes.resize(parts[i].bytes.size() / (i == 2 ? 2 : 4) * size);
      expect(parts, whole[i].name);
    }
  }
  for (const std::uint16_t bits : {0x7C00, 0xFC00, 0x7E00}) {  // infinite, NaN
    std::vector<TensorPart> parts = whole;
    std::memcpy(&parts[2].bytes[10], &bits, sizeof(bits));
    expect(parts, whole[2].name);
  }
  for (const std::int32_t group : {4, 1 << 30, -1}) {
    std::vector<TensorPart> parts = whole;
    std::memcpy(&parts[3].bytes[36], &group, sizeof(group));
    expect(parts, whole[3].name);
  }
  std::vector<TensorPart> parts = whole;
  parts.push_back(testing::part_of(kWeight, "F32", {64, 128}, std::vector<float>(64 * 128)));
  expect(parts, kWeight);
  parts = whole;
  parts.push_back(testing::part_of("x.qstuff", "I32", {1}, std::vector<std::int32_t>(1)));
  expect(parts, "x.qstuff");
  EXPECT_GE(refused, 60u);
}

TEST(GptqTest, CutFilesAreRefused) {
  TempFolder folder;
  const auto parts = gptq_parts(kModule, make_quantized({32, 64, 32}));
  ASSERT_EQ(quantized_refusal(folder, config(4, 32), parts), "accepted");
  const std::string whole = read_file(folder.path() + "/model.safetensors", 1 << 20).value();
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    folder.write("model.safetensors", whole.substr(0, size));
    EXPECT_FALSE(Checkpoint::open(folder.path()).is_ok()) << size;
  }
}

TEST(GptqTest, ConfigurationsAreRefusedByTheNameOfTheKey) {
  TempFolder folder;
  const auto parts = gptq_parts(kModule, make_quantized({64, 128, 32}));
  for (const auto& [key, rest] : std::vector<std::pair<std::string, std::string>>{
           {"checkpoint_format", R"(,"checkpoint_format":"marlin")"},
           {"is_marlin_format", R"(,"is_marlin_format":true)"},
           {"pack_dtype", R"(,"pack_dtype":"int64")"},
           {"dynamic", R"(,"dynamic":{"+:.*up.*":{"bits":8}})"},
           {"extra_config", R"(,"extra_config":{"a":{"bits":8}})"},
           {"act_bits", R"(,"act_bits":8)"},
           {"no_such_key", R"(,"no_such_key":3)"},
       }) {
    EXPECT_THAT(quantized_refusal(folder, config(4, 32, rest), parts), HasSubstr(key));
  }
  EXPECT_EQ(quantized_refusal(folder, config(4, 32, R"(,"dynamic":{"-:.*gate.*":{}})"), parts),
            "accepted");
  EXPECT_EQ(quantized_refusal(folder, config(4, 32, R"(,"no_such_key":null)"), parts), "accepted");
  for (const unsigned bits : {1u, 5u, 6u, 7u, 16u}) {
    EXPECT_THAT(quantized_refusal(folder, config(bits, 32), parts), HasSubstr("bits"));
  }
  EXPECT_THAT(quantized_refusal(folder, config(4, 0), parts), HasSubstr("group_size"));
  EXPECT_THAT(quantized_refusal(folder, config(4, -2), parts), HasSubstr("group_size"));
  EXPECT_THAT(quantized_refusal(folder, config(4, 48), parts), HasSubstr("no whole groups of 48"));
  EXPECT_THAT(quantized_refusal(folder, config(4, 64), parts), HasSubstr("qzeros"));
  EXPECT_THAT(quantized_refusal(folder, config(3, 32), parts), HasSubstr("qweight"));
  const auto head = gptq_parts("lm_head", make_quantized({64, 128, 32}));
  EXPECT_EQ(quantized_refusal(folder, config(4, 32, R"(,"lm_head":true)"), head), "accepted");
  EXPECT_THAT(quantized_refusal(folder, config(4, 32, R"(,"lm_head":false)"), head),
              HasSubstr("lm_head.qweight"));
}

}  // namespace
}  // namespace quire
