// A whole file: what is kept, what is said anew, that the number of threads changes nothing, and
// what is refused with which words.
#include "formats/quantize/gguf_quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/testing/temp_folder.h"
#include "formats/testing/tiny_models.h"

namespace quire {
namespace {

using testing::GgufWriter;
using testing::TempFolder;

constexpr std::size_t kRows = 300, kColumns = 512;

std::vector<float> waves(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = static_cast<float>(i);
    values[i] = 0.05f * std::sin(at * 0.37f) * std::cos(at * 0.011f);
  }
  return values;
}

GgufWriter small_model(std::uint64_t alignment = 32) {
  GgufWriter writer(3, alignment);
  writer.set("general.architecture", "llama").set("general.file_type", std::uint32_t{0});
  if (alignment != 32) {
    writer.set("general.alignment", static_cast<std::uint32_t>(alignment));
  }
  writer.set("zebra.last", std::vector<std::string>{"a", "", "bc"})
      .set("apple.first", 2.5f)
      .set("some.flags", std::vector<bool>())
      .set("llama.attention.head_count", std::uint32_t{8});
  writer.add_tensor("token_embd.weight", {kRows, kColumns}, waves(kRows * kColumns));
  writer.add_tensor("blk.0.attn_norm.weight", {kColumns}, waves(kColumns));
  writer.add_tensor("blk.0.ffn_up.weight", {3, kColumns}, waves(3 * kColumns));
  return writer;
}

class GgufQuantizeTest : public ::testing::Test {
 protected:
  GgufFile source(const GgufWriter& writer) {
    return GgufFile::open(folder_.write("source.gguf", writer.bytes())).value();
  }
  // The new file's bytes, or why there are none.
  Result<std::string> made(const GgufFile& source, std::string_view type, int threads = 1) {
    QUIRE_ASSIGN_OR_RETURN(const FileType wanted, parse_file_type(type));
    QUIRE_ASSIGN_OR_RETURN(const QuantizePlan plan, plan_quantization(source, wanted));
    std::string bytes;
    std::uint64_t read = 0;
    QuantizeSink sink;
    sink.write = [&](std::span<const std::byte> piece) {
      bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return ok_status();
    };
    sink.advance = [&](std::uint64_t done) { read = done; };
    sink.stop = &stop_;
    QUIRE_RETURN_IF_ERROR(quantize_gguf(source, plan, threads, sink));
    EXPECT_EQ(bytes.size(), plan.bytes);
    EXPECT_EQ(read, plan.source_bytes);
    return bytes;
  }
  GgufFile opened(const std::string& bytes) {
    auto file = GgufFile::open(folder_.write("made.gguf", bytes));
    EXPECT_TRUE(file.is_ok()) << file.status().message();
    return std::move(file).value();
  }

  TempFolder folder_;
  std::atomic<bool> stop_{false};
};

TEST_F(GgufQuantizeTest, KeepsWhatTheFileSaysAndSaysItsTypeAnew) {
  for (const std::uint64_t alignment : {32, 128}) {
    const GgufFile from = source(small_model(alignment));
    const GgufFile to = opened(*made(from, "q4_K_M"));
    EXPECT_EQ(to.u64("general.file_type")->value_or(0), 15u);
    EXPECT_EQ(to.u64("general.quantization_version")->value_or(0), 2u);
    EXPECT_EQ(to.strings("zebra.last")->at(2), "bc");
    EXPECT_EQ(to.f64("apple.first")->value_or(0), 2.5);
    EXPECT_EQ(to.find_entry("some.flags")->count, 0u);
    EXPECT_EQ(to.entries().size(), from.entries().size() + 1);
    EXPECT_LT(to.find_entry("zebra.last")->offset, to.find_entry("apple.first")->offset)
        << "in the order of the file";
    ASSERT_EQ(to.tensors().size(), 3u);
    EXPECT_EQ(to.find_tensor("token_embd.weight")->dtype, DType::kQ6_K);
    EXPECT_EQ(to.find_tensor("blk.0.ffn_up.weight")->dtype, DType::kQ4_K);
    const TensorView* norm = to.find_tensor("blk.0.attn_norm.weight");
    ASSERT_EQ(norm->dtype, DType::kF32);
    EXPECT_EQ(std::memcmp(norm->data, waves(kColumns).data(), kColumns * 4), 0);
  }
}

TEST_F(GgufQuantizeTest, TheNumberOfThreadsChangesNothing) {
  const GgufFile from = source(small_model());
  for (const char* type : {"q8_0", "q4_0", "q3_K_M", "q5_K_M", "bf16"}) {
    const std::string alone = *made(from, type, 1);
    EXPECT_EQ(*made(from, type, 2), alone) << type;
    EXPECT_EQ(*made(from, type, 7), alone) << type;
  }
}

TEST_F(GgufQuantizeTest, PartsBecomeOneFile) {
  const auto part = [](std::uint16_t number, const char* tensor) {
    GgufWriter writer;
    writer.set("general.architecture", "llama").set("split.no", number);
    writer.set("split.count", std::uint16_t{2}).set("split.tensors.count", std::int32_t{2});
    writer.add_tensor(tensor, {4, 64}, waves(4 * 64));
    return writer.bytes();
  };
  folder_.write("m-00002-of-00002.gguf", part(1, "b.weight"));
  const auto from = GgufFile::open(folder_.write("m-00001-of-00002.gguf", part(0, "a.weight")));
  const GgufFile to = opened(*made(*from, "q8_0"));
  EXPECT_EQ(to.find_entry("split.count"), nullptr);
  EXPECT_EQ(to.find_tensor("a.weight")->dtype, DType::kQ8_0);
  EXPECT_EQ(to.find_tensor("b.weight")->dtype, DType::kQ8_0);
}

TEST_F(GgufQuantizeTest, WhatIsQuantizedAlreadyIsRefusedByName) {
  const GgufFile once = opened(*made(source(small_model()), "q8_0"));
  const auto twice = made(once, "q4_0");
  ASSERT_FALSE(twice.is_ok());
  EXPECT_EQ(twice.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(twice.status().message(),
            "quantization is only supported for F16, BF16 and F32 models; tensor "
            "'token_embd.weight' is Q8_0");
}

TEST_F(GgufQuantizeTest, ValuesThatNoBlockHoldsAreNamed) {
  for (const float value : {std::nanf(""), 1e30f, -INFINITY}) {
    std::vector<float> values = waves(40 * 32);
    values[7 * 32 + 5] = values[30 * 32] = value;
    GgufWriter writer;
    writer.add_tensor("x.weight", {40, 32}, values);
    const auto refused = made(source(writer), "q8_0", 3);
    ASSERT_FALSE(refused.is_ok());
    EXPECT_EQ(refused.status().code(), StatusCode::kCorrupt);
    EXPECT_TRUE(refused.status().message().starts_with("tensor 'x.weight' has "));
    EXPECT_TRUE(refused.status().message().ends_with(
        " at row 7, column 5, which Q8_0 cannot hold")) << refused.status().message();
    EXPECT_EQ(made(source(writer), "bf16").is_ok(), value == 1e30f);
  }
}

TEST_F(GgufQuantizeTest, ItEndsWhenItIsToldTo) {
  const GgufFile from = source(small_model());
  stop_ = true;
  EXPECT_EQ(made(from, "q8_0").status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace quire
