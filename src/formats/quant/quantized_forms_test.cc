// Quantized checkpoints of every method by example: matrices rounded and written from the published
// layouts, compared value for value; and broken ones, each of which must be refused by the name of
// a tensor, with little more memory than the file takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <new>

#include "formats/testing/quantized_forms.h"
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

using testing::four_bits;
using testing::kModule;
using testing::late_values;
using testing::make_matrix;
using testing::open_quantized;
using testing::all_quantized_forms;
using testing::QuantizedForm;
using testing::quantized_forms;
using testing::quantized_refusal;
using testing::TempFolder;
using testing::TensorPart;
using testing::WrittenMatrix;
using ::testing::HasSubstr;

constexpr const char* kWeight = "model.layers.0.mlp.up_proj.weight";
constexpr std::size_t kMemoryMax = std::size_t{16} << 20;

TEST(QuantizedFormsTest, EveryValueIsThatOfTheLayout) {
  TempFolder folder;
  for (const QuantizedForm& form : all_quantized_forms()) {
    const WrittenMatrix written = form.write(make_matrix(form.rows, form.columns));
    const auto checkpoint = open_quantized(folder, form.config, written.parts);
    ASSERT_TRUE(checkpoint.is_ok()) << form.name << ": " << checkpoint.status().message();
    EXPECT_EQ(checkpoint->tensors.size(), 1u) << form.name;
    EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, form.tile) << form.name;
    EXPECT_EQ(checkpoint->rounded.empty(), form.tile != DType::kBF16) << checkpoint->rounded;
    const std::vector<float> values = late_values(*checkpoint, kWeight);
    ASSERT_EQ(values.size(), written.values.size());
    float largest = 0;
    for (const float value : written.values) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float exact = written.values[i];
      // Of Q4_F the product and the sum are rounded, each about as large as the matrix's largest.
      const float size = form.tile == DType::kQ4_F ? largest : std::abs(exact);
      const float allowed = form.tile == DType::kBF16 ? 0.004f : 3e-7f;
      ASSERT_NEAR(values[i], exact, allowed * size) << form.name << " value " << i;
    }
  }
}

TEST(QuantizedFormsTest, WhatIsAskedOfActivationsIsSaid) {
  TempFolder folder;
  const QuantizedForm form = quantized_forms().front();
  std::vector<TensorPart> parts = form.write(make_matrix(64, 192)).parts;
  parts.push_back(testing::part_of(std::string(kModule) + ".input_scale", "F32", {1},
                                   std::vector<float>{0.01f}));
  const auto checkpoint = open_quantized(folder, form.config, parts);
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors.size(), 1u);
  EXPECT_EQ(checkpoint->activations, "FP8 with a scale for 128 columns of a token");
  const InputRule rule = checkpoint->tensors.at(kWeight).input;
  EXPECT_EQ(rule, (InputRule{.rounding = InputRule::Rounding::kE4M3, .group = 128}));
  EXPECT_EQ(checkpoint->quantization, "fp8, e4m3, blocks of 48 x 128");
}

TEST(QuantizedFormsTest, AStatedScaleOfTheInputIsTakenAndChecked) {
  TempFolder folder;
  for (const QuantizedForm& form : quantized_forms()) {
    const bool is_fp8 = form.config.find("\"static\"") != std::string::npos;
    const bool is_modelopt = form.config.find("NVFP4") != std::string::npos;
    if (!is_fp8 && !is_modelopt) continue;
    for (const float stated : {0.25f, -1.0f, NAN}) {
      std::vector<TensorPart> parts = form.write(make_matrix(64, 192)).parts;
      parts.push_back(testing::part_of(std::string(kModule) + ".input_scale", "F32", {1},
                                       std::vector<float>{stated}));
      if (stated != 0.25f) {
        EXPECT_THAT(quantized_refusal(folder, form.config, parts), HasSubstr("input_scale"));
        continue;
      }
      const auto checkpoint = open_quantized(folder, form.config, parts);
      ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
      EXPECT_EQ(checkpoint->tensors.at(kWeight).input.scale, 0.25f) << form.name;
      EXPECT_THAT(checkpoint->activations, HasSubstr("each module states"));
    }
  }
}

// gpt-oss as published: stacks of blocks.
TEST(QuantizedFormsTest, StacksOfMxfp4) {
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
void expect_refused(const TempFolder& folder, const QuantizedForm& form,
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

// What may be missing, or says nothing.
bool is_note_of(const std::string& name) {
  for (const char* ending : {"weight_format", ".g_idx", ".packing", ".view_as_float", ".optimize",
                             ".axis", ".group_size"}) {
    if (name.ends_with(ending)) return true;
  }
  return false;
}

// A list of modules decides what is a code nowhere: another matrix with one scale is one.
bool is_other_matrix(const std::vector<TensorPart>& whole, std::size_t i,
                     const std::vector<std::size_t>& shape) {
  const bool has_one_scale = i == 0 && whole[1].shape == std::vector<std::size_t>{1};
  const bool is_matrix = whole[i].dtype == "F8_E4M3" ? shape.size() > 1
                                                     : whole[i].dtype == "U8" && shape.size() == 2;
  return has_one_scale && is_matrix && shape[0] * shape[1] > 0;
}

TEST(QuantizedFormsTest, BrokenTensorsAreRefusedByName) {
  TempFolder folder;
  for (const QuantizedForm& form : all_quantized_forms()) {
    const std::vector<TensorPart> whole = form.write(make_matrix(form.rows, form.columns)).parts;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const bool is_note = is_note_of(whole[i].name);
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
        if (is_note || is_other_matrix(whole, i, shape)) continue;
        expect_refused(folder, form, parts, whole[i].name + fmt::format(" as {}", shape.size()));
      }
      const std::string type = whole[i].dtype;
      if (type != "F32" && type != "BF16" && type != "F16") continue;
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                              std::numeric_limits<float>::infinity()}) {
        parts = whole;
        const std::uint16_t half = type == "F16" ? float_to_half(bad) : float_to_bf16(bad);
        if (type == "F32") std::memcpy(parts[i].bytes.data(), &bad, sizeof bad);
        if (type != "F32") std::memcpy(parts[i].bytes.data(), &half, sizeof half);
        // Of 256 values of scales some are nobody's.
        if (whole[i].name.ends_with("nested_quant_map")) continue;
        expect_refused(folder, form, parts, fmt::format("{} in {}", bad, whole[i].name));
      }
    }
  }
}

TEST(QuantizedFormsTest, ZeroScalesOfFp8AndNanScalesOfSmallFloatsAreRefused) {
  TempFolder folder;
  for (const QuantizedForm& form : quantized_forms()) {
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

TEST(QuantizedFormsTest, ZeroScalesOfIntegersAreRefused) {
  TempFolder folder;
  for (const QuantizedForm& form : testing::integer_forms()) {
    std::vector<TensorPart> parts = form.write(make_matrix(form.rows, form.columns)).parts;
    for (TensorPart& part : parts) {
      const bool is_scale = part.name.find("scale") != part.name.npos && part.dtype != "I32";
      if (!is_scale) continue;
      std::fill(part.bytes.begin(), part.bytes.end(), '\0');
      expect_refused(folder, form, parts, "zeros in " + part.name);
    }
  }
}

TEST(QuantizedFormsTest, GroupsThatTheTensorsDoNotHaveAreRefused) {
  TempFolder folder;
  for (QuantizedForm form : testing::integer_forms()) {
    const std::size_t at = form.config.find("\"group_size\":");
    if (at == form.config.npos) continue;
    const std::size_t end = form.config.find_first_of(",}", at);
    const auto parts = form.write(make_matrix(form.rows, form.columns)).parts;
    for (const char* size : {"16", "48", "128", "192", "1048576", "-1"}) {
      QuantizedForm other = form;
      other.config.replace(at, end - at, std::string("\"group_size\":") + size);
      EXPECT_NE(quantized_refusal(folder, other.config, parts), "accepted") << form.name << size;
    }
  }
}

TEST(QuantizedFormsTest, NumbersOfHqqAreChecked) {
  TempFolder folder;
  for (const QuantizedForm& form : testing::integer_forms()) {
    if (std::string_view(form.name) != "hqq") continue;
    const std::vector<TensorPart> whole = form.write(make_matrix(form.rows, form.columns)).parts;
    const auto with = [&](const char* ending, std::vector<std::int64_t> values) {
      std::vector<TensorPart> parts = whole;
      for (TensorPart& part : parts) {
        if (!part.name.ends_with(ending)) continue;
        part.dtype = "I64";
        part.shape = {values.size()};
        part.bytes.assign(reinterpret_cast<const char*>(values.data()), 8 * values.size());
      }
      expect_refused(folder, form, parts, ending);
    };
    with(".shape", {64, 191});
    with(".shape", {-64, 192});
    with(".shape", {std::int64_t{1} << 30, std::int64_t{1} << 30});
    for (const std::int64_t bits : {0, -4, 5, 8, 2, 3}) with(".nbits", {bits});
    for (const std::int64_t group : {0, -64, 5, 32, 128}) with(".group_size", {group});
    for (const std::int64_t axis : {0, 2, -1}) with(".axis", {axis});
    with(".view_as_float", {1});
  }
}

TEST(QuantizedFormsTest, WeightsThatEetqRearrangedAreRefused) {
  TempFolder folder;
  for (const QuantizedForm& form : testing::integer_forms()) {
    if (std::string_view(form.name) != "eetq") continue;
    auto parts = form.write(make_matrix(form.rows, form.columns)).parts;
    parts[0].bytes[77] = '\x80';
    EXPECT_THAT(quantized_refusal(folder, form.config, parts), HasSubstr("CUDA kernels"));
  }
}

// Some layers in one way, some in another, some not at all; and scales of a KV cache beside them.
TEST(QuantizedFormsTest, GroupsOfACompressedCheckpointHaveTheirOwnFormats) {
  TempFolder folder;
  const std::string down = "model.layers.0.mlp.down_proj";
  const auto config = [](const char* target) {
    return fmt::format(
        R"({{"quant_method":"compressed-tensors","format":"mixed-precision","ignore":["lm_head"],)"
        R"("kv_cache_scheme":{{"num_bits":8,"type":"float"}},"config_groups":{{"a":{{)"
        R"("targets":["{}"],"format":"pack-quantized","weights":{{"num_bits":4,"type":"int",)"
        R"("symmetric":true,"strategy":"group","group_size":32}}}},"b":{{"targets":["Linear"],)"
        R"("format":"float-quantized","weights":{{"num_bits":8,"type":"float",)"
        R"("strategy":"channel"}}}}}}}})", target);
  };
  const auto matrix = testing::make_quantized({64, 192, 32, 4, true});
  std::vector<TensorPart> parts = testing::packed_parts(kModule, matrix, true);
  const auto written = testing::write_fp8(down, make_matrix(192, 64),
                                          {1, testing::kAll, "_scale", "BF16"});
  parts.insert(parts.end(), written.parts.begin(), written.parts.end());
  parts.push_back(testing::part_of("model.layers.0.self_attn.k_scale", "F32", {1},
                                   std::vector<float>{0.5f}));
  parts.push_back(testing::part_of("model.norm.weight", "F32", {1}, std::vector<float>{2}));
  for (const char* target : {"re:.*up_proj", kModule}) {
    const auto checkpoint = open_quantized(folder, config(target), parts);
    ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
    EXPECT_EQ(checkpoint->tensors.size(), 3u);
    EXPECT_EQ(checkpoint->tensors.at(kWeight).dtype, DType::kQ4_0);
    EXPECT_EQ(checkpoint->tensors.at(down + ".weight").dtype, DType::kF8);
    EXPECT_EQ(late_values(*checkpoint, kWeight), matrix.values());
    EXPECT_EQ(late_values(*checkpoint, down + ".weight"), written.values);
    EXPECT_THAT(checkpoint->cache, HasSubstr("kv_cache_scheme is float of 8 bits"));
    EXPECT_THAT(checkpoint->quantization, HasSubstr("4 bits, groups of 32; fp8"));
  }
  EXPECT_THAT(quantized_refusal(folder, config("re:.*gate_proj"), parts), HasSubstr(kModule));
  EXPECT_THAT(quantized_refusal(folder, config("Embedding"), parts), HasSubstr("targets"));
}

TEST(QuantizedFormsTest, StatesOfBitsAndBytesAreRead) {
  TempFolder folder;
  const QuantizedForm form = four_bits("nf4", {true, false, 64}, DType::kNF4);
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

TEST(QuantizedFormsTest, ConfigurationsAreRefusedByTheirKey) {
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
  for (const char* method : {"quanto", "aqlm", "vptq", "higgs", "spqr"}) {
    EXPECT_THAT(refusal(fmt::format(R"({{"quant_method":"{}"}})", method).c_str()),
                HasSubstr(fmt::format("'{}' weights are not read", method)));
  }
}

}  // namespace
}  // namespace quire
