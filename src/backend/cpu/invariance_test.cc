// Batch invariance, bit for bit: a token's logits are the same alone, in a batch, in one prefill,
// in chunks, with any number of threads; for every weight type, KV type and instruction set. A
// planted product that sums in another order when it has company must be caught.
#include <gtest/gtest.h>

#include "backend/testing/tiny_model.h"
#include "kernels/select.h"

namespace quire {
namespace {

using ::quire::testing::TinyModel;
using ::quire::testing::TinyRow;
using ::quire::testing::TinyShape;

using Hashes = std::vector<std::uint64_t>;

// Feeds tokens [0, length) of sequence 0 in chunks, the last one repeated as needed.
Hashes feed_in_chunks(const KernelTable& kernels, int threads, const TinyShape& shape, int length,
                      const std::vector<int>& chunks) {
  CpuBackend backend(kernels, threads);
  TinyModel model(backend, shape);
  Hashes all;
  std::size_t next = 0;
  for (int begin = 0; begin < length;) {
    const int count = std::min(chunks[std::min(next++, chunks.size() - 1)], length - begin);
    const Hashes hashes = model.step({{0, begin, count}});
    all.insert(all.end(), hashes.begin(), hashes.end());
    begin += count;
  }
  EXPECT_TRUE(model.all_finite());
  return all;
}

// Sequence 0 decodes from `prompt` on while others come, prefill and go in the same steps.
Hashes feed_in_a_crowd(const KernelTable& kernels, int threads, const TinyShape& shape, int length,
                       int prompt) {
  CpuBackend backend(kernels, threads);
  TinyModel model(backend, shape);
  Hashes mine;
  const auto take = [&](const std::vector<TinyRow>& rows, int skip, int count) {
    const Hashes hashes = model.step(rows);
    mine.insert(mine.end(), hashes.begin() + skip, hashes.begin() + skip + count);
  };
  take({{1, 0, 40}, {0, 0, prompt}, {2, 0, 3}}, 40, prompt);
  for (int position = prompt; position < length; ++position) {
    const int step = position - prompt;
    std::vector<TinyRow> rows;
    if (step < 100) rows.push_back({1, 40 + step, 1});
    if (step >= 10 && step < 20) rows.push_back({3, (step - 10) * 17, 17});
    int skip = 0;
    for (const TinyRow& row : rows) skip += row.count;
    rows.push_back({0, position, 1});
    if (step % 3 == 0) rows.push_back({2, 3 + step / 3, 1});
    take(rows, skip, 1);
  }
  EXPECT_TRUE(model.all_finite());
  return mine;
}

class Invariance : public ::testing::TestWithParam<const KernelTable*> {};

TEST_P(Invariance, EveryWeightType) {
  const int length = 45;
  for (const DTypeInfo& info : kDTypes) {
    SCOPED_TRACE(info.name);
    TinyShape shape;
    shape.weights = info.dtype;
    const Hashes alone = feed_in_chunks(*GetParam(), 1, shape, length, {1});
    EXPECT_EQ(alone, feed_in_chunks(*GetParam(), 2, shape, length, {length}));
    EXPECT_EQ(alone, feed_in_chunks(*GetParam(), 3, shape, length, {3, 16, 9, 2, 7}));
    EXPECT_EQ(alone, feed_in_a_crowd(*GetParam(), 2, shape, length, 30));
  }
}

TEST_P(Invariance, W8A8WithAScaleForTheInput) {
  const int length = 45;
  TinyShape shape;
  shape.weights = DType::kI8;
  shape.input_scale = 0.02f;
  const Hashes alone = feed_in_chunks(*GetParam(), 1, shape, length, {1});
  EXPECT_EQ(alone, feed_in_chunks(*GetParam(), 3, shape, length, {3, 16, 9, 2, 7}));
  EXPECT_EQ(alone, feed_in_a_crowd(*GetParam(), 2, shape, length, 30));
}

// Inputs in another order, and rounded in every way.
TEST_P(Invariance, InputsByRules) {
  using Rounding = InputRule::Rounding;
  const int length = 45;
  const std::pair<DType, InputRule> rules[] = {
      {DType::kQ4_0, {}},
      {DType::kQ4_Z, {.rounding = Rounding::kInt8, .scale = 0.02f}},
      {DType::kF8, {.rounding = Rounding::kE4M3}},
      {DType::kF8, {.rounding = Rounding::kE4M3, .group = 128}},
      {DType::kNVFP4, {.rounding = Rounding::kNvfp4, .scale = 0.001f}},
      {DType::kMXFP4, {.rounding = Rounding::kMxfp4}},
      {DType::kI8A16, {.rounding = Rounding::kInt8, .threshold = 2}},
      {DType::kBF16, {.rounding = Rounding::kNvfp4}},
  };
  for (const auto& [dtype, rule] : rules) {
    SCOPED_TRACE(dtype_name(dtype));
    TinyShape shape;
    shape.weights = dtype;
    shape.input = rule;
    shape.is_scattered = has_scales_beside(dtype) == false;
    const Hashes alone = feed_in_chunks(*GetParam(), 1, shape, length, {1});
    EXPECT_EQ(alone, feed_in_chunks(*GetParam(), 3, shape, length, {3, 16, 9, 2, 7}));
    EXPECT_EQ(alone, feed_in_a_crowd(*GetParam(), 2, shape, length, 30));
  }
}

TEST_P(Invariance, LongContextsOfEveryKvType) {
  const int length = 530;  // three splits
  for (DType kv : {DType::kF32, DType::kF16, DType::kBF16, DType::kF8, DType::kI8, DType::kQ4_1}) {
    for (int window : {0, 100, 300}) {
      SCOPED_TRACE(fmt::format("{} window {}", dtype_name(kv), window));
      TinyShape shape;
      shape.kv = kv;
      shape.window = window;
      shape.layers = 1;
      shape.heads = kv == DType::kF16 ? 4 : 3;
      shape.kv_heads = kv == DType::kF16 ? 2 : 1;
      shape.head_dim = kv == DType::kF16 ? 64 : 80;
      if (kv != DType::kF16) shape.weights = DType::kF32;  // 3 * 80 is no multiple of 32
      const Hashes alone = feed_in_chunks(*GetParam(), 1, shape, length, {1});
      EXPECT_EQ(alone, feed_in_chunks(*GetParam(), 2, shape, length, {1}));  // splits over threads
      EXPECT_EQ(alone, feed_in_chunks(*GetParam(), 3, shape, length, {length}));
      EXPECT_EQ(alone, feed_in_chunks(*GetParam(), 2, shape, length, {16, 64, 250, 1, 1, 64}));
      EXPECT_EQ(alone, feed_in_a_crowd(*GetParam(), 2, shape, length, 270));
    }
  }
}

// One machine's tokens are another's. bf16 products are the exception: vdpbf16ps rounds in its own
// way, and only the widest table has it.
TEST(InstructionSets, AgreeBitForBit) {
  const auto hashes_of = [](const KernelTable& kernels, const TinyShape& shape) {
    return feed_in_chunks(kernels, 2, shape, 40, {25, 1});
  };
  for (const DTypeInfo& info : kDTypes) {
    if (info.dtype == DType::kBF16) continue;
    TinyShape shape;
    shape.weights = info.dtype;
    const Hashes expected = hashes_of(kScalarKernels, shape);
    for (const KernelTable* kernels : all_supported()) {
      EXPECT_EQ(hashes_of(*kernels, shape), expected) << kernels->name << " " << info.name;
    }
  }
  for (DType kv : {DType::kF32, DType::kBF16, DType::kF8, DType::kI8, DType::kQ4_1}) {
    TinyShape shape;
    shape.kv = kv;
    const Hashes expected = hashes_of(kScalarKernels, shape);
    for (const KernelTable* kernels : all_supported()) {
      EXPECT_EQ(hashes_of(*kernels, shape), expected) << kernels->name << " " << dtype_name(kv);
    }
  }
}

// float32 tiles are [K][tile_rows]. With company the sum runs backwards.
void matmul_that_sees_its_batch(const MatmulTask& task) {
  const int lanes = all_supported().front()->tile_rows;
  for (int row = task.tile_begin * lanes; row < std::min(task.rows, task.tile_end * lanes); ++row) {
    const auto* tile = reinterpret_cast<const float*>(
        task.tiles + static_cast<std::size_t>(row / lanes) * task.bytes_per_tile);
    for (int token = 0; token < task.tokens; ++token) {
      const auto* x =
          reinterpret_cast<const float*>(task.x + static_cast<std::size_t>(token) * task.x_stride);
      float sum = 0;
      for (int i = 0; i < task.columns; ++i) {
        const int k = task.tokens > 1 ? task.columns - 1 - i : i;
        sum += tile[k * lanes + row % lanes] * x[k];
      }
      float& out = task.out[static_cast<std::ptrdiff_t>(token) * task.out_stride + row];
      out = task.accumulate ? out + sum : sum;
    }
  }
}

TEST(Planted, AProductThatSumsByBatchSizeIsCaught) {
  KernelTable planted = *all_supported().front();
  planted.matmul[static_cast<int>(DType::kF32)] = matmul_that_sees_its_batch;
  TinyShape shape;
  shape.weights = DType::kF32;
  const Hashes alone = feed_in_chunks(planted, 1, shape, 20, {1});
  EXPECT_EQ(alone, feed_in_chunks(planted, 2, shape, 20, {1}));
  EXPECT_NE(alone, feed_in_chunks(planted, 1, shape, 20, {20}));
  EXPECT_NE(alone, feed_in_a_crowd(planted, 1, shape, 20, 10));
}

// The same in every build: tests compare this line between presets.
TEST_P(Invariance, PrintsItsHash) {
  std::uint64_t hash = 0;
  for (const DTypeInfo& info : kDTypes) {
    TinyShape shape;
    shape.weights = info.dtype;
    for (std::uint64_t token : feed_in_chunks(*GetParam(), 2, shape, 40, {25, 1})) {
      hash = mix64(hash ^ token);
    }
  }
  EXPECT_NE(hash, 0u);
  std::printf("logits hash %s %016llx\n", std::string(GetParam()->name).c_str(),
              static_cast<unsigned long long>(hash));
}

INSTANTIATE_TEST_SUITE_P(Isa, Invariance, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
