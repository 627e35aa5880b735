// Attention's variants on every supported table: K and V of different widths, V as a part of K,
// soft caps, slopes, biases, sinks, windows, and queries that see more or less than their own past.
// Against the oracle, among stale NaN, and with the same bits on all tables.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernels_for_tests.h"
#include "kernels/reference.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

using testing::Random;

// Of keys and of values.
struct Types {
  DType k, v;
  Types(DType both) : k(both), v(both) {}  // NOLINT: one type is a choice of both
  Types(DType keys, DType values) : k(keys), v(values) {}
};

struct Case {
  Types types = DType::kF32;
  int k_dim = 16, v_dim = 16;
  bool is_latent = false;  // V is a part of K
  int length = 70;         // positions that exist
  std::vector<int> positions = {69};  // of the queries
  std::optional<int> last;            // what all of them see; else each its past
  int window = 0;
  float softcap = 0;
  bool has_slopes = false, has_biases = false, has_sinks = false;
};

class AttentionTest : public testing::KernelTest {};

// One sequence in scattered blocks; whatever is not written is NaN (of int8: stale codes).
class Memory {
 public:
  explicit Memory(const Case& c) : c_(c), random_(static_cast<unsigned>(c.length + c.k_dim)) {
    const auto n = static_cast<std::size_t>(c.length);
    const int blocks = (c.length + 31) / 32;
    for (int b = 0; b < blocks; ++b) blocks_.push_back(1 + (b * 5 + 2) % (blocks * 5));
    blocks_.push_back(0);
    k_bytes_ = side_bytes(c.types.k, c.k_dim);
    stride_ = k_bytes_ + side_bytes(c.types.v, c.v_dim) + 64;
    const int most = *std::max_element(blocks_.begin(), blocks_.end());
    bytes_ = AlignedBuffer<std::byte>(stride_ * static_cast<std::size_t>(most + 1));
    std::memset(bytes_.data(), 0xFF, bytes_.count());
    k_ = random_.normal(n * static_cast<std::size_t>(c.k_dim));
    v_ = random_.normal(n * static_cast<std::size_t>(c.v_dim));
    for (int t = 0; t < c.length; ++t) {
      float* key = &k_[static_cast<std::size_t>(t * c.k_dim)];
      float* value = &v_[static_cast<std::size_t>(t * c.v_dim)];
      put(t, true, key, c.k_dim);
      if (c.is_latent) {
        std::copy(key, key + c.v_dim, value);
      } else {
        put(t, false, value, c.v_dim);
      }
    }
  }

  AttentionTask task() const {
    AttentionTask task;
    task.k_dim = c_.k_dim;
    task.v_dim = c_.v_dim;
    task.k_dtype = c_.types.k;
    task.v_dtype = c_.types.v;
    task.k = bytes_.data();
    task.v = c_.is_latent ? nullptr : bytes_.data() + k_bytes_;
    task.block_stride = stride_;
    task.blocks = blocks_.data();
    return task;
  }
  // As the cache returns them.
  const std::vector<float>& keys() const { return k_; }
  const std::vector<float>& values() const { return v_; }
  Random& random() { return random_; }

 private:
  static std::size_t side_bytes(DType dtype, int dim) {
    const auto padded = static_cast<std::size_t>(attention_padded_dim(dim));
    const auto wide = static_cast<std::size_t>(attention_widened_dim(dim));
    if (dtype == DType::kI8) return 32 * padded + 32 * sizeof(float);
    if (dtype == DType::kF8) return 32 * (static_cast<std::size_t>(dim) + sizeof(float));
    if (dtype == DType::kQ4_1) return 32 * wide / 32 * 20;
    return 32 * static_cast<std::size_t>(dim) * (dtype == DType::kF32 ? 4 : 2);
  }

  // Writes token t's key or value, and leaves in x what can be read again.
  void put(int t, bool is_key, float* x, int dim) {
    const std::size_t block = static_cast<std::size_t>(blocks_[static_cast<std::size_t>(t / 32)]);
    std::byte* at = bytes_.data() + block * stride_ + (is_key ? 0 : k_bytes_);
    const auto offset = static_cast<std::size_t>(t % 32);
    switch (is_key ? c_.types.k : c_.types.v) {
      case DType::kI8: return put_int8(at, offset, is_key, x, dim);
      case DType::kF8: return put_e4m3(at, offset, is_key, x, dim);
      case DType::kQ4_1: return put_nibbles(at, offset, is_key, x, dim);
      default: return put_floats(at, offset, is_key, x, dim);
    }
  }
  static void put_int8(std::byte* at, std::size_t offset, bool is_key, float* x, int dim) {
    const auto padded = static_cast<std::size_t>(attention_padded_dim(dim));
    std::vector<std::int8_t> codes(static_cast<std::size_t>(dim));
    const float scale = kScalarKernels.quantize_head(x, dim, codes.data());
    std::memcpy(at + 32 * padded + offset * 4, &scale, sizeof scale);
    for (std::size_t d = 0; d < codes.size(); ++d) {
      const std::size_t index =
          is_key ? d / 4 * 128 + offset * 4 + d % 4 : (offset / 4 * padded + d) * 4 + offset % 4;
      at[index] = static_cast<std::byte>(is_key ? codes[d] + 128 : codes[d]);
      x[d] = scale * static_cast<float>(codes[d]);
    }
  }
  static void put_e4m3(std::byte* at, std::size_t offset, bool is_key, float* x, int dim) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(dim));
    const float scale = kScalarKernels.quantize_e4m3(x, dim, codes.data());
    std::memcpy(at + 32 * codes.size() + offset * 4, &scale, sizeof scale);
    for (std::size_t d = 0; d < codes.size(); ++d) {
      at[is_key ? d * 32 + offset : offset * codes.size() + d] = static_cast<std::byte>(codes[d]);
      x[d] = scale / 256 * e4m3_to_float(codes[d]);
    }
  }
  static void put_nibbles(std::byte* at, std::size_t offset, bool is_key, float* x, int dim) {
    const auto wide = static_cast<std::size_t>(attention_widened_dim(dim)), groups = wide / 32;
    std::vector<std::int8_t> codes(wide);
    std::vector<std::uint16_t> scales(groups), minima(groups);
    kScalarKernels.quantize_nibbles(x, dim, codes.data(), scales.data(), minima.data());
    for (std::size_t g = 0; g < groups; ++g) {
      std::memcpy(at + wide * 16 + (g * 32 + offset) * 2, &scales[g], 2);
      std::memcpy(at + wide * 16 + ((groups + g) * 32 + offset) * 2, &minima[g], 2);
    }
    for (std::size_t d = 0; d < wide; ++d) {
      const std::size_t index =
          is_key ? d / 8 * 128 + offset * 4 + d % 4
                 : (offset / 4 * wide / 2 + d / 32 * 16 + d % 16) * 4 + offset % 4;
      const bool is_high = is_key ? d % 8 >= 4 : d % 32 >= 16;
      const auto before = static_cast<unsigned>(at[index]) & (is_high ? 0x0Fu : 0xF0u);
      const auto code = static_cast<unsigned>(codes[d]);
      at[index] = static_cast<std::byte>(before | (is_high ? code << 4 : code));
      if (d >= static_cast<std::size_t>(dim)) continue;
      x[d] = bf16_to_float(minima[d / 32]) +
             bf16_to_float(scales[d / 32]) * static_cast<float>(codes[d]);
    }
  }
  void put_floats(std::byte* at, std::size_t offset, bool is_key, float* x, int dim) {
    const DType dtype = is_key ? c_.types.k : c_.types.v;
    for (int d = 0; d < dim; ++d) {
      const std::size_t index = static_cast<std::size_t>(d) * (is_key ? 32 : 1) +
                                offset * (is_key ? 1 : static_cast<std::size_t>(dim));
      if (dtype == DType::kF32) {
        std::memcpy(at + index * 4, &x[d], 4);
      } else {
        const bool is_half = dtype == DType::kF16;
        const std::uint16_t bits = is_half ? float_to_half(x[d]) : float_to_bf16(x[d]);
        std::memcpy(at + index * 2, &bits, 2);
        x[d] = is_half ? half_to_float(bits) : bf16_to_float(bits);
      }
    }
  }

  Case c_;
  Random random_;
  std::vector<std::int32_t> blocks_;
  std::size_t k_bytes_ = 0, stride_ = 0;
  AlignedBuffer<std::byte> bytes_;
  std::vector<float> k_, v_;
};

// The queries of a case and what they bring.
struct Queries {
  std::vector<float> q, slopes, sinks, table;
  std::vector<std::int32_t> positions, lasts;
  std::vector<const float*> biases;

  Queries(const Case& c, Random& random) {
    const std::size_t n = c.positions.size();
    q = random.normal(n * static_cast<std::size_t>(c.k_dim),
                      2.0f / std::sqrt(static_cast<float>(c.k_dim)));
    table = random.normal(static_cast<std::size_t>(2 * c.length + 1));
    slopes = random.normal(n, 0.1f);
    sinks = random.normal(n, 2);
    for (int position : c.positions) {
      positions.push_back(position);
      lasts.push_back(c.last.value_or(position));
      biases.push_back(&table[static_cast<std::size_t>(c.length)]);
    }
  }
  void add_to(AttentionTask& task, const Case& c) const {
    task.q = q.data();
    task.queries = static_cast<int>(positions.size());
    task.positions = lasts.data();
    if (c.last.has_value()) task.query_positions = positions.data();
    task.window = c.window;
    task.softcap = c.softcap;
    if (c.has_slopes) task.slopes = slopes.data();
    if (c.has_biases) task.biases = biases.data();
  }
};

std::vector<float> attend(const KernelTable& kernels, const Case& c, AttentionTask task,
                          const Queries& queries) {
  queries.add_to(task, c);
  const int count = task.queries;
  AlignedBuffer<float> scratch(
      static_cast<std::size_t>(attention_scratch_floats(count, c.k_dim, c.v_dim)));
  const auto floats = static_cast<std::size_t>(attention_state_floats(count, c.v_dim));
  std::vector<float> total(floats), next(floats);
  const AttentionState sums = attention_state(total.data(), count, c.v_dim);
  task.scratch = scratch.data();
  task.states = next.data();
  kernels.attention_clear(sums, count, c.v_dim);
  const int last = *std::max_element(queries.lasts.begin(), queries.lasts.end());
  for (task.split = 0; task.split <= last / 256; ++task.split) {
    kernels.attention_split(task);
    kernels.attention_fold(sums, attention_state(next.data(), count, c.v_dim), count, c.v_dim);
  }
  std::vector<float> out(static_cast<std::size_t>(count * c.v_dim));
  kernels.attention_finish(sums, c.has_sinks ? queries.sinks.data() : nullptr, count, c.v_dim,
                           out.data());
  return out;
}

void expect(const KernelTable& kernels, const Case& c) {
  SCOPED_TRACE(fmt::format("{} {} {} {}/{} latent {} queries {} window {} cap {} last {}",
                           kernels.name, dtype_name(c.types.k), dtype_name(c.types.v), c.k_dim,
                           c.v_dim, c.is_latent,
                           c.positions.size(), c.window, c.softcap, c.last.value_or(-1)));
  Memory memory(c);
  const Queries queries(c, memory.random());
  const std::vector<float> out = attend(kernels, c, memory.task(), queries);
  // Queries are codes where keys are, and weights where values are.
  const bool has_query_codes =
      c.types.k == DType::kI8 || (c.types.k == DType::kQ4_1 && !c.is_latent);
  const DType kept = c.is_latent ? c.types.k : c.types.v;
  const bool has_codes = has_query_codes || kept == DType::kI8 || kept == DType::kQ4_1;
  for (std::size_t i = 0; i < c.positions.size(); ++i) {
    const int position = c.positions[i], last = queries.lasts[i];
    const int first = c.window > 0 ? std::max(0, position - c.window + 1) : 0;
    reference::ScoreTerms terms{c.v_dim, position, c.softcap};
    if (c.has_slopes) terms.slope = queries.slopes[i];
    if (c.has_biases) terms.bias = queries.biases[i];
    if (c.has_sinks) terms.sink = &queries.sinks[i];
    const auto dim = static_cast<std::size_t>(c.k_dim);
    std::vector<float> q(&queries.q[i * dim], &queries.q[i * dim] + dim);
    if (has_query_codes) {
      std::vector<std::int8_t> codes(dim);
      const float scale = kScalarKernels.quantize_head(q.data(), c.k_dim, codes.data());
      for (std::size_t d = 0; d < dim; ++d) q[d] = scale * static_cast<float>(codes[d]);
    }
    const std::vector<double> expected = reference::attention(
        q, memory.keys(), memory.values(), c.k_dim, first, last, 1, terms);
    for (std::size_t d = 0; d < expected.size(); ++d) {
      ASSERT_NEAR(out[i * expected.size() + d], expected[d], has_codes ? 1e-3 : 1e-5)
          << "query " << i << " dim " << d;
    }
  }
  const std::vector<float> portable = attend(kScalarKernels, c, memory.task(), queries);
  EXPECT_EQ(std::memcmp(out.data(), portable.data(), out.size() * sizeof(float)), 0);
}

const Types kTypes[] = {DType::kF32,
                        DType::kF16,
                        DType::kBF16,
                        DType::kF8,
                        DType::kI8,
                        DType::kQ4_1,
                        {DType::kI8, DType::kQ4_1},
                        {DType::kQ4_1, DType::kF8},
                        {DType::kF16, DType::kI8},
                        {DType::kF8, DType::kF32}};

TEST_P(AttentionTest, KeysAndValuesOfDifferentWidths) {
  for (const Types& types : kTypes) {
    for (auto [k_dim, v_dim] : {std::pair{192, 128}, {24, 16}, {16, 40}, {10, 7}, {64, 1}}) {
      expect(kernels(), {types, k_dim, v_dim});
      expect(kernels(), {types, k_dim, v_dim, false, 300, {299, 3, 280, 31, 32, 64, 63, 255, 256}});
    }
  }
}

TEST_P(AttentionTest, ValuesThatAreAPartOfTheKeys) {
  for (const Types& types : kTypes) {
    if (types.k != types.v) continue;  // a latent has one type
    for (auto [k_dim, v_dim] : {std::pair{576, 512}, {48, 32}, {20, 18}, {9, 9}, {16, 3}}) {
      std::vector<int> many;
      for (int i = 0; i < 20; ++i) many.push_back(280 + i % 3);
      expect(kernels(), {types, k_dim, v_dim, true});
      expect(kernels(), {types, k_dim, v_dim, true, 290, many});
    }
  }
}

// What is cached once gives the bits of what is cached twice.
TEST_P(AttentionTest, ALatentEqualsItsCopy) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    const Case latent{dtype, 80, 64, true, 280, {279, 100, 40}};
    Memory memory(latent);
    const Queries queries(latent, memory.random());
    const std::vector<float> once = attend(kernels(), latent, memory.task(), queries);
    const int blocks = (280 + 31) / 32;
    AttentionTask task = memory.task();
    const std::size_t element = dtype == DType::kF32 ? 4 : 2, v_bytes = 32 * 64 * element;
    std::vector<std::byte> copy(memory.task().block_stride * static_cast<std::size_t>(5 * blocks));
    for (int b = 0; b < blocks; ++b) {
      const std::size_t at = static_cast<std::size_t>(task.blocks[b]) * task.block_stride;
      for (std::size_t d = 0; d < 64; ++d) {
        for (std::size_t t = 0; t < 32; ++t) {
          std::memcpy(&copy[at + (t * 64 + d) * element], task.k + at + (d * 32 + t) * element,
                      element);
        }
      }
      ASSERT_LE(at + v_bytes, copy.size());
    }
    task.v = copy.data();
    const std::vector<float> twice = attend(kernels(), latent, task, queries);
    EXPECT_EQ(std::memcmp(once.data(), twice.data(), once.size() * sizeof(float)), 0);
  }
}

TEST_P(AttentionTest, CapsSlopesBiasesAndSinks) {
  for (const Types& types : kTypes) {
    for (int kind = 0; kind < 16; ++kind) {
      Case c{types, 24, 24, false, 300, {299, 298, 12, 0, 150, 33, 31, 255, 256, 270}};
      c.softcap = (kind & 1) != 0 ? 1.5f : 0;
      c.has_slopes = (kind & 2) != 0;
      c.has_biases = (kind & 4) != 0;
      c.has_sinks = (kind & 8) != 0;
      expect(kernels(), c);
      c.window = 40;
      expect(kernels(), c);
    }
  }
}

// Encoders and cross attention: the end that a query sees is not its own position.
TEST_P(AttentionTest, QueriesSeeUpToAGivenPosition) {
  for (const Types& types : kTypes) {
    Case c{types, 16, 16, false, 290, {0, 5, 31, 32, 100, 289}, 289};
    expect(kernels(), c);
    c.has_biases = c.has_slopes = true;
    expect(kernels(), c);
    c.window = 300;
    c.has_sinks = true;
    expect(kernels(), c);
    expect(kernels(), {types, 16, 16, false, 70, {3, 60, 69}, 69, 35});
  }
}

TEST_P(AttentionTest, SinksAloneAndLargeOnes) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> states(static_cast<std::size_t>(attention_state_floats(3, 8)));
  const AttentionState state = attention_state(states.data(), 3, 8);
  kernels().attention_clear(state, 3, 8);
  for (int query : {1, 2}) {
    state.peaks[query] = 1;
    state.sums[query] = 2;
    for (int d = 0; d < 8; ++d) state.values[query * 16 + d] = static_cast<float>(d);
  }
  std::vector<float> out(24);
  const float sinks[] = {5, 200, -infinity};  // nothing seen; all weight; none
  kernels().attention_finish(state, sinks, 3, 8, out.data());
  for (std::size_t d = 0; d < 8; ++d) {
    EXPECT_EQ(out[d], 0);
    EXPECT_EQ(out[8 + d], 0);
    EXPECT_EQ(out[16 + d], static_cast<float>(d) / 2);
  }
  const float none[] = {-infinity, 1, 1};
  kernels().attention_finish(state, none, 3, 8, out.data());
  EXPECT_TRUE(std::isnan(out[0]));  // as without sinks: nothing divided by nothing
  EXPECT_FLOAT_EQ(out[8 + 3], 1.0f);
}

// Every query together with others gives the bits that it has alone.
TEST_P(AttentionTest, QueriesDoNotSeeEachOther) {
  for (const Types& types : kTypes) {
    for (bool is_latent : {false, true}) {
      if (is_latent && types.k != types.v) continue;
      Case c{types, 48, 32, is_latent, 300, {}};
      for (int i = 0; i < 19; ++i) c.positions.push_back((i * 37 + 11) % 300);
      c.softcap = 2;
      c.has_slopes = c.has_biases = c.has_sinks = true;
      Memory memory(c);
      const Queries queries(c, memory.random());
      const std::vector<float> together = attend(kernels(), c, memory.task(), queries);
      for (std::size_t i = 0; i < c.positions.size(); ++i) {
        Queries alone = queries;
        alone.q.assign(&queries.q[i * 48], &queries.q[i * 48] + 48);
        alone.positions = {queries.positions[i]};
        alone.lasts = {queries.lasts[i]};
        alone.slopes = {queries.slopes[i]};
        alone.sinks = {queries.sinks[i]};
        alone.biases = {queries.biases[i]};
        const std::vector<float> one = attend(kernels(), c, memory.task(), alone);
        EXPECT_EQ(std::memcmp(one.data(), &together[i * 32], 32 * sizeof(float)), 0) << i;
      }
    }
  }
}

// Codes come back within half a step, and equal on all tables; what is not finite is shown.
TEST_P(AttentionTest, HeadsAreKeptToTheNearestCode) {
  Random random(3);
  const KernelTable& k = kernels();
  for (int count : {1, 7, 16, 31, 32, 33, 64, 80, 100}) {
    const auto n = static_cast<std::size_t>(count);
    const std::vector<float> x = random.normal(n, 3);
    std::vector<std::uint8_t> e4m3(n), e4m3_scalar(n);
    const float scale = k.quantize_e4m3(x.data(), count, e4m3.data());
    EXPECT_EQ(scale, kScalarKernels.quantize_e4m3(x.data(), count, e4m3_scalar.data()));
    EXPECT_EQ(e4m3, e4m3_scalar);
    const std::size_t wide = static_cast<std::size_t>(attention_widened_dim(count));
    std::vector<std::int8_t> codes(wide), codes_scalar(wide);
    std::vector<std::uint16_t> scales(wide / 32), minima(wide / 32), s2(wide / 32), m2(wide / 32);
    k.quantize_nibbles(x.data(), count, codes.data(), scales.data(), minima.data());
    kScalarKernels.quantize_nibbles(x.data(), count, codes_scalar.data(), s2.data(), m2.data());
    EXPECT_EQ(codes, codes_scalar);
    EXPECT_EQ(scales, s2);
    EXPECT_EQ(minima, m2);
    for (std::size_t d = 0; d < wide; ++d) {
      if (d >= n) {
        EXPECT_EQ(codes[d], 0) << d;
        continue;
      }
      const float large = std::abs(x[d]);
      EXPECT_NEAR(scale / 256 * e4m3_to_float(e4m3[d]), x[d],
                  std::max(large / 16, scale / 256 / 1024) * 1.01f);
      const float step = bf16_to_float(scales[d / 32]), least = bf16_to_float(minima[d / 32]);
      const float off = std::abs(least) / 256 + step * 15 / 256;  // both were rounded
      EXPECT_NEAR(least + step * static_cast<float>(codes[d]), x[d], step / 2 * 1.01f + off);
    }
  }
  for (const float wrong : {std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    const float x[] = {1, wrong, 2};
    std::uint8_t e4m3[3];
    std::int8_t codes[32];
    std::uint16_t scale = 0, least = 0;
    EXPECT_TRUE(std::isnan(k.quantize_e4m3(x, 3, e4m3)));
    k.quantize_nibbles(x, 3, codes, &scale, &least);
    EXPECT_TRUE(std::isnan(bf16_to_float(scale)) && std::isnan(bf16_to_float(least)));
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, AttentionTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
