// Products over experts: equal to the plain sum over a token's experts, the same bits alone and in
// company for every type of weights, and each expert's weights read once for all rows sent there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <numeric>
#include <random>

#include "backend/testing/one_op.h"
#include "kernels/random_weights_for_tests.h"
#include "kernels/select.h"

namespace quire {
namespace {

using ::quire::testing::PlainBatch;

constexpr int kExperts = 8, kUsed = 3, kWidth = 64, kFfn = 96, kTokens = 32;

// One block of experts without what stands around it.
struct Block {
  Block(CpuBackend& backend, DType dtype, bool is_scattered = false)
      : backend(backend), dtype(dtype), is_scattered(is_scattered) {
    std::mt19937 engine(11);
    gate = add(engine, kFfn, kWidth), up = add(engine, kFfn, kWidth);
    down = add(engine, kWidth, kFfn);
    router.experts = kExperts;
    router.used = kUsed;
    router.is_renormalised = true;
    x = backend.buffer(Rows::kTokens, kTokens, kWidth);
    logits = backend.buffer(Rows::kTokens, kTokens, kExperts);
    routing = backend.buffer(Rows::kTokens, kTokens, kUsed);
    out = backend.buffer(Rows::kTokens, kTokens, kWidth);
    for (Buffer* one : {&gates, &ups, &gated}) {
      *one = backend.buffer(Rows::kRouted, kTokens, kFfn, kUsed);
    }
    routed = backend.buffer(Rows::kRouted, kTokens, kWidth, kUsed);
    program.add(RouteOp{&logits, &router, &routing});
    program.linear(x, {{&gate, &gates}, {&up, &ups}}, &routing);
    program.gate(Activation::kSilu, gates, ups, gated);
    program.linear(gated, {{&down, &routed}}, &routing);
    program.add(CombineOp{&routed, &routing, &out});
  }

  Weight add(std::mt19937& engine, std::size_t rows, std::size_t columns) {
    std::vector<TensorView> matrices;
    for (int e = 0; e < kExperts; ++e) {
      auto& data = bytes.emplace_back(rows * row_bytes(dtype, columns));
      ::quire::testing::fill_random_weights(dtype, engine, 0.1f, data);
      TensorView view = {"experts", dtype, {rows, columns}, data.data()};
      if (dtype == DType::kI8) {
        view.scales = {scales.emplace_back(rows, 0.001f).data()};
      }
      if (is_scattered) scatter(static_cast<std::uint32_t>(e), data, view);
      matrices.push_back(view);
    }
    Weight weight = backend.adopt(WeightView::of(matrices).value()).value();
    EXPECT_TRUE(backend.pack(weight).is_ok());
    return weight;
  }

  // Floats with their columns in an order of this expert's own, which its rule says.
  void scatter(std::uint32_t seed, std::vector<std::byte>& data, TensorView& view) {
    const std::size_t columns = view.columns();
    std::vector<std::uint32_t>& order = orders.emplace_back(columns);
    std::iota(order.begin(), order.end(), 0u);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    auto* values = reinterpret_cast<float*>(data.data());
    for (std::size_t row = 0; row < view.rows(); ++row) {
      const std::vector<float> as_was(values + row * columns, values + (row + 1) * columns);
      for (std::size_t i = 0; i < columns; ++i) values[row * columns + i] = as_was[order[i]];
    }
    view.input.order = order.data();
  }

  // values: [tokens, kWidth] and [tokens, kExperts]. Returns [tokens, kWidth].
  std::vector<float> run(const std::vector<float>& values, const std::vector<float>& scores) {
    const auto tokens = static_cast<int>(values.size()) / kWidth;
    testing::fill(x, values);
    testing::fill(logits, scores);
    testing::fill(out, std::vector<float>(values.size(), 0));
    PlainBatch(tokens).run(backend, program);
    return testing::read(out, tokens);
  }

  CpuBackend& backend;
  DType dtype;
  bool is_scattered;
  std::deque<std::vector<std::uint32_t>> orders;
  std::vector<std::vector<std::byte>> bytes;
  std::vector<std::vector<float>> scales;
  Weight gate, up, down;
  Router router;
  Buffer x, logits, routing, gates, ups, gated, routed, out;
  Program program;
};

struct Input {
  std::vector<float> values, scores;
};
Input random_input(int tokens) {
  std::mt19937 engine(5);
  std::normal_distribution<float> normal;
  Input input;
  input.values.resize(static_cast<std::size_t>(tokens) * kWidth);
  input.scores.resize(static_cast<std::size_t>(tokens) * kExperts);
  for (float& value : input.values) value = normal(engine);
  for (float& score : input.scores) score = normal(engine);
  return input;
}

double dot(const std::vector<std::byte>& matrix, int row, const std::vector<double>& x) {
  const auto* values = reinterpret_cast<const float*>(matrix.data()) + row * x.size();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += values[i] * x[i];
  return sum;
}

TEST(CpuExpertsTest, EqualTheSumOverTheChosen) {
  CpuBackend backend(*all_supported().back(), 2);
  Block block(backend, DType::kF32);
  const Input input = random_input(kTokens);
  const std::vector<float> out = block.run(input.values, input.scores);
  for (int t = 0; t < kTokens; ++t) {
    const std::vector<double> x(input.values.begin() + t * kWidth,
                                input.values.begin() + (t + 1) * kWidth);
    std::vector<std::pair<double, int>> ranked;
    for (int e = 0; e < kExperts; ++e) {
      ranked.emplace_back(-std::exp(input.scores[static_cast<std::size_t>(t * kExperts + e)]), e);
    }
    std::sort(ranked.begin(), ranked.end());
    double total = 0;
    for (int i = 0; i < kUsed; ++i) total += ranked[static_cast<std::size_t>(i)].first;
    std::vector<double> expected(kWidth);
    for (int i = 0; i < kUsed; ++i) {
      const auto [score, expert] = ranked[static_cast<std::size_t>(i)];
      const auto e = static_cast<std::size_t>(expert);
      std::vector<double> hidden(kFfn);
      for (int r = 0; r < kFfn; ++r) {
        const double gate = dot(block.bytes[e], r, x);
        hidden[static_cast<std::size_t>(r)] =
            gate / (1 + std::exp(-gate)) * dot(block.bytes[kExperts + e], r, x);
      }
      for (int r = 0; r < kWidth; ++r) {
        expected[static_cast<std::size_t>(r)] +=
            score / total * dot(block.bytes[2 * kExperts + e], r, hidden);
      }
    }
    for (int r = 0; r < kWidth; ++r) {
      EXPECT_NEAR(out[static_cast<std::size_t>(t * kWidth + r)],
                  expected[static_cast<std::size_t>(r)], 1e-4);
    }
  }
}

// Each expert may want its rows arranged in its own way.
TEST(CpuExpertsTest, EachArrangesItsRows) {
  CpuBackend backend(*all_supported().back(), 2);
  Block plain(backend, DType::kF32), scattered(backend, DType::kF32, true);
  const Input input = random_input(kTokens);
  const std::vector<float> expected = plain.run(input.values, input.scores);
  const std::vector<float> out = scattered.run(input.values, input.scores);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-5) << i;
  for (int t = 0; t < kTokens; ++t) {
    const auto first = input.values.begin() + t * kWidth;
    const auto score = input.scores.begin() + t * kExperts;
    const std::vector<float> alone =
        scattered.run({first, first + kWidth}, {score, score + kExperts});
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), out.begin() + t * kWidth)) << t;
  }
}

TEST(CpuExpertsTest, AreTheSameAloneAndInCompany) {
  const Input input = random_input(kTokens);
  for (const KernelTable* table : all_supported()) {
    for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kI8}) {
      SCOPED_TRACE(dtype_name(dtype));
      CpuBackend alone(*table, 1), crowd(*table, 2);
      Block one(alone, dtype), all(crowd, dtype);
      const std::vector<float> together = all.run(input.values, input.scores);
      for (int t = 0; t < kTokens; ++t) {
        const auto out = one.run({input.values.begin() + t * kWidth,
                                  input.values.begin() + (t + 1) * kWidth},
                                 {input.scores.begin() + t * kExperts,
                                  input.scores.begin() + (t + 1) * kExperts});
        EXPECT_TRUE(std::equal(out.begin(), out.end(), together.begin() + t * kWidth));
      }
    }
  }
}

// Heads of a wider x: each reads the beginning of its part.
TEST(CpuExpertsTest, HeadsReadTheBeginningOfTheirPart) {
  constexpr int kHeads = 3, kRows = 40, kColumns = 32, kPart = 64;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    CpuBackend backend(*all_supported().back(), 2);
    std::mt19937 engine(3);
    std::vector<std::vector<std::byte>> bytes;
    std::vector<TensorView> matrices;
    for (int h = 0; h < kHeads; ++h) {
      auto& data = bytes.emplace_back(kRows * row_bytes(dtype, kColumns));
      ::quire::testing::fill_random_weights(dtype, engine, 0.1f, data);
      matrices.push_back({"heads", dtype, {kRows, kColumns}, data.data()});
    }
    const Weight all = backend.adopt(WeightView::of(matrices).value()).value();
    ASSERT_TRUE(backend.pack(all).is_ok());
    const Buffer x = backend.buffer(Rows::kTokens, 2, kHeads * kPart);
    const Buffer out = backend.buffer(Rows::kTokens, 2, kHeads * kRows);
    const Input input = random_input(2 * kHeads * kPart / kWidth);
    testing::fill(x, input.values);
    Program program;
    program.add(HeadLinearOp{&x, {&all, &out, 0, kRows}});
    PlainBatch(2).run(backend, program);
    const std::vector<float> together = testing::read(out, 2);
    for (int h = 0; h < kHeads; ++h) {
      const Weight one = backend.adopt(matrices[static_cast<std::size_t>(h)]).value();
      ASSERT_TRUE(backend.pack(one).is_ok());
      const Buffer part = backend.buffer(Rows::kTokens, 1, kColumns);
      const Buffer product = backend.buffer(Rows::kTokens, 1, kRows);
      for (int t = 0; t < 2; ++t) {
        const auto from = input.values.begin() + (t * kHeads + h) * kPart;
        testing::fill(part, std::vector<float>(from, from + kColumns));
        Program alone;
        alone.linear(part, {{&one, &product}});
        PlainBatch(1).run(backend, alone);
        const std::vector<float> expected = testing::read(product, 1);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                               together.begin() + (t * kHeads + h) * kRows));
      }
    }
  }
}

// How often each packed tile was read.
std::mutex reads_mutex;
std::map<const std::byte*, int> reads;
const KernelTable* counted_table;

void counted_product(const MatmulTask& task) {
  {
    const std::lock_guard lock(reads_mutex);
    for (int tile = task.tile_begin; tile < task.tile_end; ++tile) {
      ++reads[task.tiles + static_cast<std::size_t>(tile) * task.bytes_per_tile];
    }
  }
  counted_table->matmul[static_cast<std::size_t>(DType::kF32)](task);
}

TEST(CpuExpertsTest, DecodeOf32RowsReadsEachExpertOnce) {
  counted_table = all_supported().back();
  KernelTable table = *counted_table;
  table.matmul[static_cast<std::size_t>(DType::kF32)] = counted_product;
  CpuBackend backend(table, 2);
  Block block(backend, DType::kF32);
  const Input input = random_input(kTokens);
  reads.clear();
  block.run(input.values, input.scores);
  int most = 0;
  std::size_t bytes = 0;
  const auto tile = static_cast<const CpuPacked&>(*block.gate.packed).bytes_per_tile;
  const auto down_tile = static_cast<const CpuPacked&>(*block.down.packed).bytes_per_tile;
  const std::byte* down = static_cast<const CpuPacked&>(*block.down.packed).data.get();
  for (const auto& [at, count] : reads) {
    most = std::max(most, count);
    bytes += at >= down && at < down + block.down.bytes ? down_tile : tile;
  }
  EXPECT_EQ(most, 1);
  EXPECT_LE(bytes, block.gate.bytes + block.up.bytes + block.down.bytes);
  std::printf("FIGURE %d rows through %d of %d experts each: every tile read at most %d time, "
              "%zu of %zu bytes\n", kTokens, kUsed, kExperts, most, bytes,
              block.gate.bytes + block.up.bytes + block.down.bytes);
}

}  // namespace
}  // namespace quire
