// Recurrences and short convolutions on every supported table: against the oracle; whole runs, runs
// in chunks and states per token give the same bits, as do all tables.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "kernels/kernels_for_tests.h"
#include "kernels/reference.h"

namespace quire {
namespace {

using testing::Random;

class RecurrenceTest : public testing::KernelTest {};

bool is_equal(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// A run of tokens, three heads side by side of which one is looked at.
struct TokenRun {
  int tokens, k_dim, v_dim;
  bool is_delta;
  std::vector<float> q, k, v, decays, gains, start;

  TokenRun(int tokens, int k_dim, int v_dim, bool is_delta)
      : tokens(tokens), k_dim(k_dim), v_dim(v_dim), is_delta(is_delta) {
    Random random(static_cast<unsigned>(tokens + k_dim * 7 + v_dim));
    const auto n = static_cast<std::size_t>(3 * tokens);
    const float size = 1 / std::sqrt(static_cast<float>(k_dim));
    q = random.normal(n * static_cast<std::size_t>(k_dim), size);
    k = random.normal(n * static_cast<std::size_t>(k_dim), size);
    v = random.normal(n * static_cast<std::size_t>(v_dim));
    for (float g : random.normal(n)) decays.push_back(std::exp(-std::abs(g)));
    for (float b : random.normal(n)) gains.push_back(1 / (1 + std::exp(-b)));
    start.resize(static_cast<std::size_t>(scan_state_floats(k_dim, v_dim)));
    const std::vector<float> values = random.normal(start.size());
    for (int row = 0; row < k_dim; ++row) {
      for (int column = 0; column < v_dim; ++column) {
        start[at(row, column)] = values[at(row, column)];
      }
    }
  }
  std::size_t at(int row, int column) const {
    return static_cast<std::size_t>(column / 16 * 16 * k_dim + row * 16 + column % 16);
  }
  ScanTask task(int first, int count, float* state, std::vector<float>& out) const {
    ScanTask task;
    task.tokens = count;
    task.k_dim = k_dim;
    task.v_dim = v_dim;
    task.q_stride = task.k_stride = 3 * k_dim;
    task.v_stride = 3 * v_dim;
    task.out_stride = v_dim;
    task.decay_stride = task.gain_stride = 3;
    task.q = &q[static_cast<std::size_t>(k_dim + first * task.q_stride)];
    task.k = &k[static_cast<std::size_t>(k_dim + first * task.k_stride)];
    task.v = &v[static_cast<std::size_t>(v_dim + first * task.v_stride)];
    task.decays = &decays[static_cast<std::size_t>(1 + 3 * first)];
    task.gains = &gains[static_cast<std::size_t>(1 + 3 * first)];
    task.skip = is_delta ? 0 : 0.7f;
    task.is_delta = is_delta;
    task.state = state;
    task.out = &out[static_cast<std::size_t>(first * v_dim)];
    return task;
  }
  std::vector<float> outputs() const {
    return std::vector<float>(static_cast<std::size_t>(tokens * v_dim));
  }

  void expect(const std::vector<float>& out, const std::vector<float>& state) const {
    std::vector<double> exact;
    for (int row = 0; row < k_dim; ++row) {
      for (int column = 0; column < v_dim; ++column) exact.push_back(start[at(row, column)]);
    }
    const auto rows = static_cast<std::size_t>(k_dim), columns = static_cast<std::size_t>(v_dim);
    for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t) {
      const std::size_t head = 3 * t + 1;
      const std::vector<double> y =
          reference::scan({std::span(q).subspan(head * rows, rows),
                           std::span(k).subspan(head * rows, rows),
                           std::span(v).subspan(head * columns, columns), decays[head], gains[head],
                           is_delta ? 0 : 0.7f, is_delta},
                          exact);
      for (std::size_t j = 0; j < columns; ++j) {
        ASSERT_NEAR(out[t * columns + j], y[j], 1e-5) << "token " << t << " column " << j;
      }
    }
    for (int row = 0; row < k_dim; ++row) {
      for (int column = 0; column < v_dim; ++column) {
        ASSERT_NEAR(state[at(row, column)], exact[static_cast<std::size_t>(row * v_dim + column)],
                    1e-5);
      }
    }
  }
};

TEST_P(RecurrenceTest, RunsChunksAndStatesPerToken) {
  for (bool is_delta : {true, false}) {
    for (auto [k_dim, v_dim] :
         {std::pair{128, 128}, {128, 64}, {16, 16}, {7, 5}, {33, 40}, {4, 17}}) {
      SCOPED_TRACE(fmt::format("{} {} x {} delta {}", kernels().name, k_dim, v_dim, is_delta));
      const TokenRun run(13, k_dim, v_dim, is_delta);
      std::vector<float> out = run.outputs(), state = run.start;
      kernels().scan(run.task(0, 13, state.data(), out));
      run.expect(out, state);

      std::vector<float> chunked = run.outputs(), carried = run.start;
      for (auto [first, count] : {std::pair{0, 1}, {1, 7}, {8, 5}}) {
        kernels().scan(run.task(first, count, carried.data(), chunked));
      }
      EXPECT_TRUE(is_equal(chunked, out));
      EXPECT_TRUE(is_equal(carried, state));

      // The state before the run and after each of the last four tokens are kept: entry 0 is both.
      std::vector<std::vector<float>> entries(4, run.start);
      std::vector<float*> places;
      for (int t = 0; t < 13; ++t) {
        places.push_back(entries[static_cast<std::size_t>(std::max(0, t - 9))].data());
      }
      std::vector<float> kept = run.outputs();
      ScanTask task = run.task(0, 13, entries[0].data(), kept);
      task.states = places.data();
      kernels().scan(task);
      EXPECT_TRUE(is_equal(kept, out));
      EXPECT_TRUE(is_equal(entries[3], state));
      std::vector<float> early = run.outputs(), before = run.start;
      kernels().scan(run.task(0, 11, before.data(), early));
      EXPECT_TRUE(is_equal(entries[1], before));

      std::vector<float> portable = run.outputs(), portable_state = run.start;
      kScalarKernels.scan(run.task(0, 13, portable_state.data(), portable));
      EXPECT_TRUE(is_equal(portable, out));
      EXPECT_TRUE(is_equal(portable_state, state));
    }
  }
}

// A head cut at a multiple of 16 columns, as two workers would.
TEST_P(RecurrenceTest, ColumnsDoNotSeeEachOther) {
  const TokenRun run(5, 32, 48, true);
  std::vector<float> out = run.outputs(), state = run.start, cut = run.outputs(),
                     cut_state = run.start;
  kernels().scan(run.task(0, 5, state.data(), out));
  for (auto [first, count] : {std::pair{0, 16}, {16, 32}}) {
    ScanTask task = run.task(0, 5, cut_state.data() + first * 32, cut);
    task.v += first;
    task.out += first;
    task.v_dim = count;
    kernels().scan(task);
  }
  EXPECT_TRUE(is_equal(cut, out));
  EXPECT_TRUE(is_equal(cut_state, state));
}

// Kimi's delta rule: a decay of each row.
TEST_P(RecurrenceTest, RowsDecayEachInTheirOwnWay) {
  for (auto [k_dim, v_dim] : {std::pair{128, 128}, {16, 20}, {7, 5}, {33, 40}}) {
    SCOPED_TRACE(fmt::format("{} {} x {}", kernels().name, k_dim, v_dim));
    const TokenRun run(9, k_dim, v_dim, true);
    const auto rows = static_cast<std::size_t>(k_dim), columns = static_cast<std::size_t>(v_dim);
    std::vector<float> decays;
    for (float g : Random(5).normal(9 * rows)) decays.push_back(std::exp(-std::abs(g)));
    const auto task_of = [&](int first, int count, float* state, std::vector<float>& out) {
      ScanTask task = run.task(first, count, state, out);
      task.row_decays = &decays[static_cast<std::size_t>(first) * rows];
      task.decay_stride = k_dim;
      return task;
    };
    std::vector<float> out = run.outputs(), state = run.start;
    kernels().scan(task_of(0, 9, state.data(), out));
    std::vector<double> exact;
    for (int row = 0; row < k_dim; ++row) {
      for (int column = 0; column < v_dim; ++column) {
        exact.push_back(run.start[run.at(row, column)]);
      }
    }
    for (std::size_t t = 0; t < 9; ++t) {
      const std::size_t head = 3 * t + 1;
      const std::vector<double> y = reference::scan(
          {std::span(run.q).subspan(head * rows, rows), std::span(run.k).subspan(head * rows, rows),
           std::span(run.v).subspan(head * columns, columns), 1, run.gains[head], 0, true,
           std::span(decays).subspan(t * rows, rows)},
          exact);
      for (std::size_t j = 0; j < columns; ++j) {
        ASSERT_NEAR(out[t * columns + j], y[j], 1e-5) << "token " << t << " column " << j;
      }
    }
    std::vector<float> chunked = run.outputs(), carried = run.start;
    for (auto [first, count] : {std::pair{0, 1}, {1, 5}, {6, 3}}) {
      kernels().scan(task_of(first, count, carried.data(), chunked));
    }
    EXPECT_TRUE(is_equal(chunked, out));
    EXPECT_TRUE(is_equal(carried, state));
    std::vector<std::vector<float>> entries(3, run.start);
    std::vector<float*> places;
    for (int t = 0; t < 9; ++t) {
      places.push_back(entries[static_cast<std::size_t>(std::max(0, t - 6))].data());
    }
    std::vector<float> kept = run.outputs();
    ScanTask task = task_of(0, 9, entries[0].data(), kept);
    task.states = places.data();
    kernels().scan(task);
    EXPECT_TRUE(is_equal(kept, out));
    EXPECT_TRUE(is_equal(entries[2], state));
    std::vector<float> portable = run.outputs(), portable_state = run.start;
    kScalarKernels.scan(task_of(0, 9, portable_state.data(), portable));
    EXPECT_TRUE(is_equal(portable, out));
    EXPECT_TRUE(is_equal(portable_state, state));
  }
}

struct Convolution {
  int tokens, channels, width;
  std::vector<float> x, weights, bias, start;

  Convolution(int tokens, int channels, int width)
      : tokens(tokens), channels(channels), width(width) {
    Random random(static_cast<unsigned>(channels + width));
    const auto c = static_cast<std::size_t>(channels), w = static_cast<std::size_t>(width);
    x = random.normal(static_cast<std::size_t>(tokens) * (c + 3));
    weights = random.normal(w * c);
    bias = random.normal(c);
    start = random.normal((w - 1) * c);
  }
  ConvTask task(int first, int count, bool is_silu, float* state, std::vector<float>& out) const {
    ConvTask task;
    task.tokens = count;
    task.channels = task.channel_end = channels;
    task.width = width;
    task.x = &x[static_cast<std::size_t>(first * (channels + 3))];
    task.x_stride = channels + 3;
    task.weights = weights.data();
    if (is_silu) task.bias = bias.data();
    task.is_silu = is_silu;
    task.out = &out[static_cast<std::size_t>(first * channels)];
    task.out_stride = channels;
    task.state = state;
    return task;
  }
  std::vector<float> outputs() const {
    return std::vector<float>(static_cast<std::size_t>(tokens * channels));
  }
  double input(int t, int c) const {
    return t < 0 ? start[static_cast<std::size_t>((t + width - 1) * channels + c)]
                 : x[static_cast<std::size_t>(t * (channels + 3) + c)];
  }
  void expect(const std::vector<float>& out, bool is_silu) const {
    for (int t = 0; t < tokens; ++t) {
      for (int c = 0; c < channels; ++c) {
        double sum = is_silu ? bias[static_cast<std::size_t>(c)] : 0;
        for (int i = 0; i < width; ++i) {
          sum += weights[static_cast<std::size_t>(i * channels + c)] * input(t - width + 1 + i, c);
        }
        if (is_silu) sum = reference::activation(Activation::kSilu, sum);
        ASSERT_NEAR(out[static_cast<std::size_t>(t * channels + c)], sum, 5e-6) << t << " " << c;
      }
    }
  }
};

TEST_P(RecurrenceTest, ConvolutionsOfRunsChunksAndStatesPerToken) {
  for (auto [channels, width] :
       {std::pair{200, 4}, {64, 3}, {1, 2}, {77, 1}, {130, kConvWidthMax}}) {
    for (bool is_silu : {true, false}) {
      SCOPED_TRACE(fmt::format("{} {} x {} {}", kernels().name, channels, width, is_silu));
      const Convolution all(9, channels, width);
      std::vector<float> out = all.outputs(), state = all.start;
      kernels().conv(all.task(0, 9, is_silu, state.data(), out));
      all.expect(out, is_silu);
      for (int i = 0; i < (width - 1) * channels; ++i) {
        ASSERT_EQ(state[static_cast<std::size_t>(i)],
                  static_cast<float>(all.input(10 - width + i / channels, i % channels)));
      }

      std::vector<float> chunked = all.outputs(), carried = all.start;
      for (auto [first, count] : {std::pair{0, 1}, {1, 1}, {2, 5}, {7, 2}}) {
        ConvTask task = all.task(first, count, is_silu, carried.data(), chunked);
        for (int begin = 0; begin < channels; begin += 96) {  // two workers
          task.channel_begin = begin;
          task.channel_end = std::min(channels, begin + 96);
          kernels().conv(task);
        }
      }
      EXPECT_TRUE(is_equal(chunked, out));
      EXPECT_TRUE(is_equal(carried, state));

      std::vector<std::vector<float>> entries(3, all.start);
      std::vector<float*> places;
      for (int t = 0; t < 9; ++t) {
        places.push_back(entries[static_cast<std::size_t>(std::max(0, t - 6))].data());
      }
      std::vector<float> kept = all.outputs(), early = all.outputs(), before = all.start;
      ConvTask task = all.task(0, 9, is_silu, entries[0].data(), kept);
      task.states = places.data();
      kernels().conv(task);
      kernels().conv(all.task(0, 8, is_silu, before.data(), early));
      EXPECT_TRUE(is_equal(kept, out));
      EXPECT_TRUE(is_equal(entries[2], state));
      EXPECT_TRUE(is_equal(entries[1], before));

      std::vector<float> portable = all.outputs(), portable_state = all.start;
      kScalarKernels.conv(all.task(0, 9, is_silu, portable_state.data(), portable));
      EXPECT_TRUE(is_equal(portable, out));
      EXPECT_TRUE(is_equal(portable_state, state));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, RecurrenceTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
