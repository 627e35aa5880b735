// Attention with sinks and a window, far behind the rotary tables: against a naive version that
// lays sinks and window side by side and turns everything anew at each position, with the same bits
// in every chunking and crowd, and with blocks between sinks and window that hold nothing but NaN.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "backend/testing/one_op.h"
#include "kernels/reference.h"
#include "kernels/select.h"

namespace quire {
namespace {

constexpr int kRows = 48;  // positions of the tables
constexpr int kWindow = 40, kSinks = 5;
constexpr int kHeads = 4, kDim = 16;
constexpr float kScale = 0.25f;

enum class Kind { kHalves, kAdjacent, kPart, kBiases, kLatent };

std::vector<double> frequencies_of(int dims) {
  std::vector<double> frequencies;
  for (int i = 0; i < dims / 2; ++i) frequencies.push_back(std::pow(100.0, -2.0 * i / dims));
  return frequencies;
}

// Sequences of random queries, keys and values of one layer. In a latent the first half of a head
// is not turned, and is the value.
class Layer {
 public:
  Layer(Backend& backend, Kind kind, int sequences, int length, KvTypes types)
      : backend_(backend),
        kind_(kind),
        length_(length),
        kv_heads_(kind == Kind::kLatent ? 1 : 2),
        v_dim_(kind == Kind::kLatent ? kDim / 2 : kDim) {
    std::mt19937 engine(7);
    std::normal_distribution<float> normal;
    const auto fill = [&](std::vector<float>& x, int width) {
      x.resize(static_cast<std::size_t>(sequences * length * width));
      for (float& value : x) value = normal(engine);
    };
    fill(q_, kHeads * kDim);
    fill(k_, kv_heads_ * kDim);
    fill(v_, kv_heads_ * kDim);
    KvGroupShape group;
    group.layers = 1;
    group.kv_heads = kv_heads_;
    group.k_dim = kDim;
    group.v_dim = kind == Kind::kLatent ? 0 : kDim;
    group.types = types;
    group.window = kWindow;
    group.sinks = kSinks;
    blocks_ = (length + kBlockTokens - 1) / kBlockTokens;
    group.blocks = sequences * blocks_ + 1;
    kv_ = backend.kv_store({&group, 1}).value();
    const CpuKvGroup& memory = static_cast<CpuKvStore&>(*kv_).memory[0];
    std::memset(memory.data.get(), 0xFF, memory.layer_bytes);
    make_rope();
    attend_.heads = kHeads;
    attend_.kv_heads = kv_heads_;
    attend_.k_dim = kDim;
    attend_.v_dim = v_dim_;
    attend_.scale = kScale;
    if (kind == Kind::kBiases) attend_.slopes = backend.vector(slopes_);
  }

  struct Row {
    int sequence, first, count;
  };

  // [tokens of the rows, heads * v_dim]
  std::vector<float> step(const std::vector<Row>& rows) {
    std::vector<std::int32_t> positions, begins = {0}, lengths, tables = {0}, table, slots;
    std::vector<float> q, k, v;
    for (const Row& row : rows) {
      for (int t = row.first; t < row.first + row.count; ++t) {
        positions.push_back(t);
        slots.push_back(block(row.sequence, t / 32) * 32 + t % 32);
        append(q, q_, row.sequence, t, kHeads * kDim);
        append(k, k_, row.sequence, t, kv_heads_ * kDim);
        append(v, v_, row.sequence, t, kv_heads_ * kDim);
      }
      begins.push_back(static_cast<std::int32_t>(positions.size()));
      lengths.push_back(row.first + row.count);
      const int behind = std::max(0, row.first - kWindow + 1) / 32;  // whole blocks
      for (int b = 0; b * 32 < lengths.back(); ++b) {
        table.push_back(b >= 1 && b < behind ? 0 : block(row.sequence, b));
      }
      tables.push_back(static_cast<std::int32_t>(table.size()));
    }
    const std::vector<std::int32_t> ids(positions.size());
    const GroupView view{slots, lengths, tables, table};
    run({ids, positions, begins, {}, {}, {&view, 1}, nullptr}, q, k, v);
    return ::quire::testing::read(out_, static_cast<int>(ids.size()));
  }

  // What the paper says, in double.  [heads * v_dim]
  std::vector<double> naive(int sequence, int position) const {
    const int begin = std::max(0, position - kWindow + 1), sinks = std::min(kSinks, begin);
    std::vector<int> seen(static_cast<std::size_t>(sinks + position - begin + 1));
    std::iota(seen.begin(), seen.begin() + sinks, 0);
    std::iota(seen.begin() + sinks, seen.end(), begin);
    const int own = static_cast<int>(seen.size()) - 1;
    std::vector<double> out;
    for (int head = 0; head < kHeads; ++head) {
      const int of = head / (kHeads / kv_heads_);
      const auto query = turned(at(q_, sequence, position, kHeads, head), own);
      std::vector<double> scores;
      for (int i = 0; i <= own; ++i) {
        const int from = seen[static_cast<std::size_t>(i)];
        const auto key = turned(at(k_, sequence, from, kv_heads_, of), i);
        double score = kScale * std::inner_product(query.begin(), query.end(), key.begin(), 0.0);
        if (kind_ == Kind::kBiases) score += slopes_[static_cast<std::size_t>(head)] * (i - own);
        scores.push_back(std::exp(score));
      }
      const double total = std::accumulate(scores.begin(), scores.end(), 0.0);
      for (int d = 0; d < v_dim_; ++d) {
        double sum = 0;
        for (int i = 0; i <= own; ++i) {
          const std::vector<float>& from = kind_ == Kind::kLatent ? k_ : v_;
          sum += scores[static_cast<std::size_t>(i)] *
                 at(from, sequence, seen[static_cast<std::size_t>(i)], kv_heads_, of)[d];
        }
        out.push_back(sum / total);
      }
    }
    return out;
  }

 private:
  std::int32_t block(int sequence, int index) const { return 1 + index + sequence * blocks_; }
  void append(std::vector<float>& to, const std::vector<float>& from, int sequence, int t,
              int width) const {
    const auto begin = from.begin() + (std::ptrdiff_t{sequence} * length_ + t) * width;
    to.insert(to.end(), begin, begin + width);
  }
  const float* at(const std::vector<float>& x, int sequence, int t, int heads, int head) const {
    return x.data() + ((std::ptrdiff_t{sequence} * length_ + t) * heads + head) * kDim;
  }

  void make_rope() {
    const int dims = kind_ == Kind::kPart || kind_ == Kind::kLatent ? kDim / 2 : kDim;
    rope_.dims = dims;
    rope_.begin = kind_ == Kind::kPart ? 3 : 0;
    rope_.pairing = kind_ == Kind::kAdjacent ? RopePairing::kAdjacent : RopePairing::kHalfSplit;
    rope_.frequencies = frequencies_of(dims);
    rope_.magnitude = kind_ == Kind::kPart ? 1.25f : 1;
    std::vector<float> cosines, sines;
    for (int position = 0; position < kRows; ++position) {
      for (const double frequency : rope_.frequencies) {
        cosines.push_back(static_cast<float>(rope_.magnitude * std::cos(position * frequency)));
        sines.push_back(static_cast<float>(rope_.magnitude * std::sin(position * frequency)));
      }
    }
    rope_.cosines = backend_.vector(cosines);
    rope_.sines = backend_.vector(sines);
    q_rope_ = rope_;
    q_rope_.begin += kind_ == Kind::kLatent ? 2 : 0;  // behind what nobody reads of the part
  }

  std::vector<double> turned(const float* x, int position) const {
    std::vector<double> y(x, x + kDim);
    if (kind_ == Kind::kBiases) return y;
    const int begin = kind_ == Kind::kLatent ? kDim / 2 : rope_.begin, half = rope_.dims / 2;
    for (int i = 0; i < half; ++i) {
      const bool is_adjacent = kind_ == Kind::kAdjacent;
      double& a = y[static_cast<std::size_t>(begin + (is_adjacent ? 2 * i : i))];
      double& b = y[static_cast<std::size_t>(begin + (is_adjacent ? 2 * i + 1 : i + half))];
      const double angle = position * rope_.frequencies[static_cast<std::size_t>(i)];
      const double c = rope_.magnitude * std::cos(angle), s = rope_.magnitude * std::sin(angle);
      const double turned_a = a * c - b * s;
      b = a * s + b * c;
      a = turned_a;
    }
    return y;
  }

  // Of each head of x the values [begin, end), behind `lead` that are NaN.
  static std::vector<float> part(const std::vector<float>& x, int begin, int end, int lead) {
    std::vector<float> y;
    for (std::size_t head = 0; head < x.size(); head += kDim) {
      y.insert(y.end(), static_cast<std::size_t>(lead), std::nanf(""));
      y.insert(y.end(), x.begin() + static_cast<std::ptrdiff_t>(head) + begin,
               x.begin() + static_cast<std::ptrdiff_t>(head) + end);
    }
    return y;
  }

  void run(const BatchView& batch, const std::vector<float>& q, const std::vector<float>& k,
           const std::vector<float>& v) {
    const int tokens = batch.tokens(), half = kDim / 2;
    const auto buffer = [&](int columns, const std::vector<float>& values) {
      Buffer made = backend_.buffer(Rows::kTokens, tokens, columns);
      ::quire::testing::fill(made, values);
      return made;
    };
    out_ = backend_.buffer(Rows::kTokens, tokens, kHeads * v_dim_);
    ::quire::testing::want(out_);
    Program p;
    if (kind_ == Kind::kLatent) {
      const Buffer q_first = buffer(kHeads * half, part(q, 0, half, 0));
      const Buffer q_rest = buffer(kHeads * (half + 2), part(q, half, kDim, 2));
      const Buffer k_first = buffer(half, part(k, 0, half, 0));
      const Buffer k_rest = buffer(half, part(k, half, kDim, 0));
      p.rotate(q_rest, kHeads, q_rope_);
      p.rotate(k_rest, 1, rope_);
      p.add(StoreOp{&k_first, &k_rest, nullptr, {}});
      p.add(AttendOp{&q_first, &attend_, &out_, &q_rest});
      return backend_.run(p, batch, *kv_);
    }
    const Buffer queries = buffer(kHeads * kDim, q), keys = buffer(kv_heads_ * kDim, k);
    const Buffer values = buffer(kv_heads_ * kDim, v);
    if (kind_ != Kind::kBiases) {
      p.rotate(queries, kHeads, q_rope_);
      p.rotate(keys, kv_heads_, rope_);
    }
    p.store(keys, values, {});
    p.attend(queries, attend_, out_);
    backend_.run(p, batch, *kv_);
  }

  Backend& backend_;
  Kind kind_;
  int length_, kv_heads_, v_dim_, blocks_ = 0;
  std::vector<float> q_, k_, v_, slopes_ = {0.5f, 0.25f, 0.125f, 0.0625f};
  Rope rope_, q_rope_;
  Attend attend_;
  Buffer out_;
  std::unique_ptr<KvStore> kv_;
};

class SinksTest : public ::testing::TestWithParam<const KernelTable*> {};

constexpr Kind kKinds[] = {Kind::kHalves, Kind::kAdjacent, Kind::kPart, Kind::kBiases,
                           Kind::kLatent};

std::vector<float> in_chunks(const KernelTable& table, Kind kind, int threads, int length,
                             std::vector<int> chunks, KvTypes types) {
  CpuBackend backend(table, threads);
  Layer layer(backend, kind, 1, length, types);
  std::vector<float> all;
  std::size_t turn = 0;
  for (int at = 0; at < length; ++turn) {
    const int count = std::min(chunks[turn % chunks.size()], length - at);
    const std::vector<float> out = layer.step({{0, at, count}});
    all.insert(all.end(), out.begin(), out.end());
    at += count;
  }
  return all;
}

TEST_P(SinksTest, EqualSinksAndWindowSideBySide) {
  constexpr int kLength = 700;
  for (const Kind kind : kKinds) {
    SCOPED_TRACE(static_cast<int>(kind));
    CpuBackend backend(*GetParam(), 2);
    const Layer layer(backend, kind, 1, kLength, DType::kF32);
    const std::vector<float> out =
        in_chunks(*GetParam(), kind, 2, kLength, {1, 33, 200}, DType::kF32);
    const std::size_t width = out.size() / kLength;
    for (int position = 0; position < kLength; position += position < 100 ? 1 : 37) {
      const std::vector<double> expected = layer.naive(0, position);
      ASSERT_EQ(expected.size(), width);
      for (std::size_t i = 0; i < width; ++i) {
        ASSERT_NEAR(out[static_cast<std::size_t>(position) * width + i], expected[i], 2e-5)
            << GetParam()->name << " position " << position << " value " << i;
      }
    }
  }
}

TEST_P(SinksTest, HaveTheSameBitsInEveryChunking) {
  constexpr int kLength = 400;
  for (const Kind kind : kKinds) {
    for (const KvTypes types : {KvTypes(DType::kF16), KvTypes(DType::kI8), KvTypes(DType::kQ4_1)}) {
      const auto alone = in_chunks(*GetParam(), kind, 1, kLength, {1}, types);
      EXPECT_EQ(alone, in_chunks(*GetParam(), kind, 3, kLength, {1}, types));
      EXPECT_EQ(alone, in_chunks(*GetParam(), kind, 2, kLength, {64, 1, 7}, types));
      EXPECT_EQ(alone, in_chunks(*GetParam(), kind, 2, kLength, {kLength}, types));
      EXPECT_EQ(alone, in_chunks(kScalarKernels, kind, 1, kLength, {5}, types));
    }
  }
}

TEST_P(SinksTest, HaveTheSameBitsInACrowd) {
  constexpr int kLength = 600, kSequences = 5;
  for (const Kind kind : kKinds) {
    CpuBackend backend(*GetParam(), 2);
    Layer alone(backend, kind, kSequences, kLength, DType::kF16);
    Layer crowd(backend, kind, kSequences, kLength, DType::kF16);
    for (int at = 0; at < kLength; at += 50) {
      std::vector<Layer::Row> rows;
      std::vector<float> one_by_one;
      for (int s = 0; s < kSequences; ++s) {  // decodes among chunks
        for (const Layer::Row& row : s % 2 == 0
                 ? std::vector<Layer::Row>{{s, at, 49}, {s, at + 49, 1}}
                 : std::vector<Layer::Row>{{s, at, 50}}) {
          const std::vector<float> out = alone.step({row});
          if (row.count == 49) {
            crowd.step({row});
            continue;
          }
          one_by_one.insert(one_by_one.end(), out.begin(), out.end());
          rows.push_back(row);
        }
      }
      EXPECT_EQ(crowd.step(rows), one_by_one) << static_cast<int>(kind) << " at " << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, SinksTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
