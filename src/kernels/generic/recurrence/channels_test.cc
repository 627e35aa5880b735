// The selective scan and the gated unit on every supported table: against the oracle; runs in
// chunks, cut channels and states per token give the same bits as whole runs, as do all tables.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/kernels_for_tests.h"
#include "kernels/reference.h"

namespace quire {
namespace {

using testing::Random;

class ChannelsTest : public testing::KernelTest {};

constexpr int kTokens = 9;
constexpr int kCut = 32;  // channels of one of two workers: whole vectors of every table

bool is_equal(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<float> decays_of(std::vector<float> x) {
  for (float& value : x) value = -std::exp(value);
  return x;
}

struct Channels {
  int channels, rows;
  std::vector<float> x, a, b, keys, queries, bias, gate_bias, rates, skip, start;

  Channels(int channels, int rows) : channels(channels), rows(rows) {
    Random random(static_cast<unsigned>(channels + rows));
    const auto c = static_cast<std::size_t>(channels), n = static_cast<std::size_t>(rows);
    x = random.normal(kTokens * c);
    a = random.normal(kTokens * c);
    b = random.normal(kTokens * c);
    keys = random.normal(kTokens * n);
    queries = random.normal(kTokens * n);
    bias = random.normal(c);
    gate_bias = random.normal(c);
    rates = decays_of(random.normal(n * c));
    skip = random.normal(c);
    start = random.normal(n * c);
  }
  std::span<const float> row(const std::vector<float>& values, int t, int width) const {
    return std::span(values).subspan(static_cast<std::size_t>(t * width),
                                     static_cast<std::size_t>(width));
  }
  std::vector<float> outputs() const {
    return std::vector<float>(static_cast<std::size_t>(kTokens * channels));
  }
  SelectiveTask selective(int first, int count, float* state, std::vector<float>& out) const {
    SelectiveTask task;
    task.tokens = count;
    task.channels = task.channel_end = channels;
    task.rows = rows;
    task.x = x.data() + first * channels;
    task.steps = a.data() + first * channels;
    task.keys = keys.data() + first * rows;
    task.queries = queries.data() + first * rows;
    task.bias = bias.data(), task.rates = rates.data(), task.skip = skip.data();
    task.out = out.data() + first * channels;
    task.x_stride = task.step_stride = task.out_stride = channels;
    task.key_stride = task.query_stride = rows;
    task.state = state;
    return task;
  }
  GatedUnitTask gated(int first, int count, float* state, std::vector<float>& out) const {
    GatedUnitTask task;
    task.tokens = count;
    task.channel_end = channels;
    task.x = x.data() + first * channels;
    task.inputs = a.data() + first * channels;
    task.gates = b.data() + first * channels;
    task.input_bias = bias.data(), task.gate_bias = gate_bias.data(), task.rates = rates.data();
    task.out = out.data() + first * channels;
    task.x_stride = task.input_stride = task.gate_stride = task.out_stride = channels;
    task.is_new = first == 0;
    task.state = state;
    return task;
  }
};

// `task_of(first, count, state, out)` cut in every way that a step may cut it.
template <typename MakeTask, typename Kernel>
void expect_the_same(const Channels& run, const std::vector<float>& start, const MakeTask& task_of,
                     const Kernel& kernel, const Kernel& portable) {
  std::vector<float> out = run.outputs(), state = start;
  kernel(task_of(0, kTokens, state.data(), out));

  std::vector<float> chunked = run.outputs(), carried = start;
  for (auto [first, count] : {std::pair{0, 1}, {1, 1}, {2, 5}, {7, 2}}) {
    auto task = task_of(first, count, carried.data(), chunked);
    for (int begin = 0; begin < run.channels; begin += kCut) {
      task.channel_begin = begin;
      task.channel_end = std::min(run.channels, begin + kCut);
      kernel(task);
    }
  }
  EXPECT_TRUE(is_equal(chunked, out));
  EXPECT_TRUE(is_equal(carried, state));

  std::vector<std::vector<float>> entries(3, start);
  std::vector<float*> places;
  for (int t = 0; t < kTokens; ++t) {
    places.push_back(entries[static_cast<std::size_t>(std::max(0, t - 6))].data());
  }
  std::vector<float> kept = run.outputs(), early = run.outputs(), before = start;
  auto task = task_of(0, kTokens, entries[0].data(), kept);
  task.states = places.data();
  kernel(task);
  kernel(task_of(0, kTokens - 1, before.data(), early));
  EXPECT_TRUE(is_equal(kept, out));
  EXPECT_TRUE(is_equal(entries[2], state));
  EXPECT_TRUE(is_equal(entries[1], before));

  std::vector<float> plain = run.outputs(), plain_state = start;
  portable(task_of(0, kTokens, plain_state.data(), plain));
  EXPECT_TRUE(is_equal(plain, out));
  EXPECT_TRUE(is_equal(plain_state, state));
}

TEST_P(ChannelsTest, SelectiveScans) {
  for (auto [channels, rows] : {std::pair{96, 16}, {77, 5}, {1, 1}, {130, 8}}) {
    SCOPED_TRACE(fmt::format("{} {} channels of {}", kernels().name, channels, rows));
    const Channels run(channels, rows);
    std::vector<float> out = run.outputs(), state = run.start;
    kernels().selective(run.selective(0, kTokens, state.data(), out));
    std::vector<double> exact(run.start.begin(), run.start.end());
    for (int t = 0; t < kTokens; ++t) {
      const std::vector<double> y = reference::selective(
          {run.row(run.x, t, channels), run.row(run.a, t, channels), run.bias, run.skip,
           run.row(run.keys, t, rows), run.row(run.queries, t, rows), run.rates},
          exact);
      for (int c = 0; c < channels; ++c) {
        ASSERT_NEAR(out[static_cast<std::size_t>(t * channels + c)], y[static_cast<std::size_t>(c)],
                    2e-5) << t << " " << c;
      }
    }
    for (std::size_t i = 0; i < state.size(); ++i) ASSERT_NEAR(state[i], exact[i], 1e-5);
    expect_the_same(
        run, run.start,
        [&](int first, int count, float* s, std::vector<float>& o) {
          return run.selective(first, count, s, o);
        },
        kernels().selective, kScalarKernels.selective);
  }
}

TEST_P(ChannelsTest, GatedUnits) {
  for (int channels : {96, 77, 1, 130}) {
    SCOPED_TRACE(fmt::format("{} {} channels", kernels().name, channels));
    const Channels run(channels, 1);
    std::vector<float> out = run.outputs(), state = run.start;
    kernels().gated_unit(run.gated(0, kTokens, state.data(), out));
    std::vector<double> exact(run.start.begin(), run.start.end());
    for (int t = 0; t < kTokens; ++t) {
      reference::gated_unit({run.row(run.x, t, channels), run.row(run.a, t, channels),
                             run.row(run.b, t, channels), run.bias, run.gate_bias, run.rates,
                             t == 0},
                            exact);
      for (int c = 0; c < channels; ++c) {
        ASSERT_NEAR(out[static_cast<std::size_t>(t * channels + c)],
                    exact[static_cast<std::size_t>(c)], 1e-5) << t << " " << c;
      }
    }
    expect_the_same(
        run, run.start,
        [&](int first, int count, float* s, std::vector<float>& o) {
          return run.gated(first, count, s, o);
        },
        kernels().gated_unit, kScalarKernels.gated_unit);
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, ChannelsTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
