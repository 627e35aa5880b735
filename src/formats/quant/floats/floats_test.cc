// Checkpoints of small floats and of int8 by example: matrices rounded and written from the
// published layouts, compared value for value; and broken ones, each of which must be refused by
// the name of a tensor, with little more memory than the file takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <new>

#include "formats/testing/float_writer.h"
#include "formats/testing/quantized_values.h"

#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // ours are malloc and free
// Bytes that this thread asked for, ever: what a case takes is counted, not timed.
static thread_local std::size_t asked_bytes = 0;
__attribute__((noinline)) void* operator new(std::size_t size) {
  asked_bytes += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  asked_bytes += size;
  return std::malloc(size == 0 ? 1 : size);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace quire {
namespace {

using testing::FloatMatrix;
using testing::late_values;
using testing::open_quantized;
using testing::quantized_refusal;
using testing::TempFolder;
using testing::TensorPart;
using testing::WrittenMatrix;
using ::testing::HasSubstr;

constexpr const char* kModule = "model.layers.0.mlp.up_proj";
constexpr const char* kWeight = "model.layers.0.mlp.up_proj.weight";
constexpr std::size_t kMemoryMax = std::size_t{16} << 20;

FloatMatrix make_matrix(std::size_t rows, std::size_t columns) {
  FloatMatrix matrix{rows, columns, {}};
  std::uint32_t state = 12345;
  for (std::size_t i = 0; i < rows * columns; ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = static_cast<float>(state >> 8) * 0x1p-23f - 1;
    matrix.values.push_back(0.1f * value * value * value);
  }
  return matrix;
}

struct Form {
  const char* name;
  std::string config;
  DType tile;
  std::function<WrittenMatrix(const FloatMatrix&)> write;
  std::size_t rows = 64, columns = 192;
};

Form fp8(const char* name, const char* config, testing::Fp8Form form) {
  return {name, config, DType::kF8,
          [form](const FloatMatrix& m) { return testing::write_fp8(kModule, m, form); }};
}
Form four_bits(const char* name, testing::BitsAndBytesForm form, DType tile,
               std::size_t columns = 192) {
  return {name,
          fmt::format(R"({{"quant_method":"bitsandbytes","load_in_4bit":true,)"
                      R"("load_in_8bit":false,"bnb_4bit_quant_type":"{}",)"
                      R"("bnb_4bit_use_double_quant":{}}})",
                      form.is_nf4 ? "nf4" : "fp4", form.is_double),
          tile,
          [form](const FloatMatrix& m) { return testing::write_bitsandbytes(kModule, m, form); },
          64, columns};
}
Form small(const char* name, const std::string& config, testing::SmallFloatForm form, DType tile,
           std::size_t columns = 192) {
  return {name, config, tile,
          [form](const FloatMatrix& m) { return testing::write_small_floats(kModule, m, form); },
          64, columns};
}

std::string compressed(const char* format, const char* weights) {
  return fmt::format(R"({{"quant_method":"compressed-tensors","format":"{}","ignore":["lm_head"],)"
                     R"("config_groups":{{"group_0":{{"targets":["Linear"],)"
                     R"("input_activations":null,"weights":{{{}}}}}}}}})",
                     format, weights);
}

constexpr std::size_t kAll = 1 << 20;

std::vector<Form> forms() {
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
       [](const FloatMatrix& m) { return testing::write_int8_rows(kModule, m, true); }},
      {"int8", int8, DType::kI8A16,
       [](const FloatMatrix& m) { return testing::write_int8_rows(kModule, m, false); }},
      small("nvfp4", nvfp4, {true, false}, DType::kNVFP4),
      small("nvfp4 of odd rows", nvfp4, {true, false}, DType::kBF16, 80),
      small("nvfp4 of modelopt", R"({"quant_method":"modelopt","quant_algo":"NVFP4"})",
            {true, true}, DType::kNVFP4),
      small("mxfp4", mxfp4, {false, false}, DType::kMXFP4),
  };
}

TEST(FloatsTest, EveryValueIsThatOfTheLayout) {
  TempFolder folder;
  for (const Form& form : forms()) {
    const WrittenMatrix written = form.write(make_matrix(form.rows, form.columns));
    const auto checkpoint = open_quantized(folder, form.config, written.parts);
    ASSERT_TRUE(checkpoint.is_ok()) << form.name << ": " << checkpoint.status().message();
    EXPECT_EQ(checkpoint->tensors.size(), 1u) << form.name;
    EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, form.tile) << form.name;
    EXPECT_EQ(checkpoint->rounded.empty(), form.tile != DType::kBF16) << checkpoint->rounded;
    const std::vector<float> values = late_values(*checkpoint, kWeight);
    ASSERT_EQ(values.size(), written.values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float exact = written.values[i];
      const float allowed = form.tile == DType::kBF16 ? 0.004f : 3e-7f;
      ASSERT_NEAR(values[i], exact, allowed * std::abs(exact)) << form.name << " value " << i;
    }
  }
}

TEST(FloatsTest, WhatIsAskedOfActivationsIsSaid) {
  TempFolder folder;
  const Form form = forms().front();
  std::vector<TensorPart> parts = form.write(make_matrix(64, 192)).parts;
  parts.push_back(testing::part_of(std::string(kModule) + ".input_scale", "F32", {1},
                                   std::vector<float>{0.01f}));
  const auto checkpoint = open_quantized(folder, form.config, parts);
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors.size(), 1u);
  EXPECT_THAT(checkpoint->activations, HasSubstr("activation_scheme is 'dynamic'"));
  EXPECT_EQ(checkpoint->quantization, "fp8, e4m3, blocks of 48 x 128");
}

// gpt-oss as published: stacks of blocks.
TEST(FloatsTest, StacksOfMxfp4) {
  TempFolder folder;
  const std::string config = R"({"quant_method":"mxfp4","modules_to_not_convert":["lm_head"]})";
  const std::string stack = "model.layers.0.mlp.experts.down_proj";
  std::vector<std::uint8_t> codes, scales;
  std::vector<float> expected;
  constexpr float kSmall[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  for (std::size_t i = 0; i < 3 * 8 * 64; ++i) {
    if (i % 32 == 0) scales.push_back(static_cast<std::uint8_t>(118 + i / 32 % 7));
    const auto code = static_cast<std::uint8_t>(i * 7 % 16);
    if (i % 2 == 0) codes.push_back(0);
    codes.back() |= static_cast<std::uint8_t>(code << (i % 2 * 4));
    const float size = kSmall[code % 8] * std::ldexp(1.0f, scales.back() - 127);
    expected.push_back(code < 8 ? size : -size);
  }
  const std::vector<TensorPart> whole = {
      testing::part_of(stack + "_blocks", "U8", {3, 8, 2, 16}, codes),
      testing::part_of(stack + "_scales", "U8", {3, 8, 2}, scales)};
  const auto checkpoint = open_quantized(folder, config, whole);
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  const TensorView& view = checkpoint->tensors.at(stack + ".weight");
  EXPECT_EQ(view.dtype, DType::kMXFP4);
  EXPECT_EQ(view.shape, (std::vector<std::size_t>{3, 8, 64}));
  EXPECT_EQ(late_values(*checkpoint, stack + ".weight"), expected);
  std::vector<TensorPart> parts = whole;
  parts[1].bytes[5] = '\xFF';
  EXPECT_THAT(quantized_refusal(folder, config, parts), HasSubstr("_scales': scale 5"));
  EXPECT_THAT(quantized_refusal(folder, config, {whole[0]}), HasSubstr("_scales': missing"));
  EXPECT_THAT(quantized_refusal(folder, config, {whole[1]}), HasSubstr("_blocks"));
  parts = whole;
  parts[0].shape = {3, 8, 4, 8};
  EXPECT_THAT(quantized_refusal(folder, config, parts), HasSubstr("blocks of 8 bytes"));
}

std::size_t width_of(const std::string& dtype) {
  if (dtype == "F32" || dtype == "I32") return 4;
  return dtype == "BF16" || dtype == "F16" ? 2 : dtype == "I64" ? 8 : 1;
}

// A refusal names the module and takes little memory.
void expect_refused(const TempFolder& folder, const Form& form,
                    const std::vector<TensorPart>& parts, const std::string& what) {
  std::size_t file = 0;
  for (const TensorPart& part : parts) file += part.bytes.size();
  const std::size_t before = asked_bytes;
  const std::string refusal = quantized_refusal(folder, form.config, parts);
  // The test's own writer holds the file four times.
  EXPECT_LE(asked_bytes - before, 8 * file + kMemoryMax) << form.name << ": " << what;
  EXPECT_NE(refusal, "accepted") << form.name << ": " << what;
  EXPECT_TRUE(refusal.find(kModule) != refusal.npos || refusal.find("no tensor") != refusal.npos ||
              refusal.find("no weight") != refusal.npos)
      << form.name << ": " << what << ": " << refusal;
}

TEST(FloatsTest, BrokenTensorsAreRefusedByName) {
  TempFolder folder;
  for (const Form& form : forms()) {
    const std::vector<TensorPart> whole = form.write(make_matrix(form.rows, form.columns)).parts;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const bool is_note = whole[i].name.ends_with("weight_format");
      std::vector<TensorPart> parts = whole;
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
      if (!is_note) expect_refused(folder, form, parts, "without " + whole[i].name);
      for (const std::vector<std::size_t>& shape : std::vector<std::vector<std::size_t>>{
               {0}, {3}, {0, 64}, {64, 0}, {3, 7}, {2, 2, 3}, {17, 63}, {5000}}) {
        parts = whole;
        parts[i].shape = shape;
        std::size_t bytes = width_of(parts[i].dtype);
        for (const std::size_t size : shape) bytes *= size;
        parts[i].bytes.resize(bytes, '\x01');
        // A list of modules decides what is a code nowhere: another matrix with one scale is one.
        const bool is_other_matrix = parts[i].dtype == "F8_E4M3" && i == 0 && shape.size() > 1 &&
                                     whole[1].shape == std::vector<std::size_t>{1} &&
                                     shape[0] * shape[1] > 0;
        if (is_note || is_other_matrix) continue;
        expect_refused(folder, form, parts, whole[i].name + fmt::format(" as {}", shape.size()));
      }
      if (whole[i].dtype != "F32" && whole[i].dtype != "BF16") continue;
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                              std::numeric_limits<float>::infinity()}) {
        parts = whole;
        const std::uint16_t half = float_to_bf16(bad);
        if (parts[i].dtype == "F32") std::memcpy(parts[i].bytes.data(), &bad, sizeof bad);
        if (parts[i].dtype == "BF16") std::memcpy(parts[i].bytes.data(), &half, sizeof half);
        // Of 256 values of scales some are nobody's.
        if (whole[i].name.ends_with("nested_quant_map")) continue;
        expect_refused(folder, form, parts, fmt::format("{} in {}", bad, whole[i].name));
      }
    }
  }
}

TEST(FloatsTest, ZeroScalesOfFp8AndNanScalesOfSmallFloatsAreRefused) {
  TempFolder folder;
  for (const Form& form : forms()) {
    std::vector<TensorPart> parts = form.write(make_matrix(form.rows, form.columns)).parts;
    if (form.tile == DType::kF8) {
      std::fill(parts[1].bytes.begin(), parts[1].bytes.end(), '\0');
      EXPECT_THAT(quantized_refusal(folder, form.config, parts),
                  HasSubstr("not a positive number"));
    } else if (form.tile == DType::kNVFP4) {
      parts[1].bytes[2] = '\x7F';
      EXPECT_THAT(quantized_refusal(folder, form.config, parts), HasSubstr("no scale"));
      parts[1].bytes[2] = '\x85';
      EXPECT_THAT(quantized_refusal(folder, form.config, parts), HasSubstr("no scale"));
    }
  }
}

TEST(FloatsTest, StatesOfBitsAndBytesAreRead) {
  TempFolder folder;
  const Form form = four_bits("nf4", {true, false, 64}, DType::kNF4);
  const std::vector<TensorPart> whole = form.write(make_matrix(64, 192)).parts;
  ASSERT_TRUE(whole.back().name.ends_with("nf4"));
  for (const char* state :
       {"", "{", "[]", "{}", R"({"shape":[64,192]})", R"({"shape":[64],"blocksize":64})",
        R"({"shape":[64,190],"blocksize":64})", R"({"shape":[64,192],"blocksize":0})",
        R"({"shape":[64,192],"blocksize":32})",
        R"({"shape":[1073741824,1073741824],"blocksize":64})",
        R"({"shape":[-1,192],"blocksize":64})", R"({"shape":"x","blocksize":64})"}) {
    std::vector<TensorPart> parts = whole;
    parts.back().bytes = state;
    parts.back().shape = {parts.back().bytes.size()};
    expect_refused(folder, form, parts, state);
  }
}

TEST(FloatsTest, ConfigurationsAreRefusedByTheirKey) {
  TempFolder folder;
  const auto refusal = [&](const char* config) { return quantized_refusal(folder, config, {}); };
  EXPECT_THAT(refusal(R"({"quant_method":"fp8","fmt":"e5m2"})"), HasSubstr("fmt"));
  EXPECT_THAT(refusal(R"({"quant_method":"fp8","weight_block_size":[128]})"),
              HasSubstr("weight_block_size"));
  EXPECT_THAT(refusal(R"({"quant_method":"fp8","other":1})"), HasSubstr("other"));
  EXPECT_THAT(refusal(R"({"quant_method":"fbgemm_fp8","other":1})"), HasSubstr("other"));
  EXPECT_THAT(refusal(R"({"quant_method":"mxfp4","other":1})"), HasSubstr("other"));
  EXPECT_THAT(refusal(R"({"quant_method":"modelopt","quant_algo":"W4A8_AWQ"})"),
              HasSubstr("quant_algo"));
  EXPECT_THAT(refusal(R"({"quant_method":"bitsandbytes"})"), HasSubstr("load_in_4bit"));
  EXPECT_THAT(refusal(R"({"quant_method":"bitsandbytes","load_in_4bit":true,)"
                      R"("bnb_4bit_quant_storage":"bfloat16"})"),
              HasSubstr("bnb_4bit_quant_storage"));
  for (const char* method : {"hqq", "eetq", "torchao", "quanto", "aqlm"}) {
    EXPECT_THAT(refusal(fmt::format(R"({{"quant_method":"{}"}})", method).c_str()),
                HasSubstr(fmt::format("'{}' weights are not read", method)));
  }
}

}  // namespace
}  // namespace quire
