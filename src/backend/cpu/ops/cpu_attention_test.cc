// Attention against the oracle: scattered blocks among stale NaN, every head size, group and KV
// type, 32,768 positions; and rows that share blocks against each of them alone, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "backend/testing/one_op.h"
#include "backend/testing/tiny_model.h"
#include "kernels/reference.h"
#include "kernels/select.h"

namespace quire {
namespace {

constexpr DType kKvTypes[] = {DType::kF32, DType::kF16, DType::kBF16,
                              DType::kF8,  DType::kI8,  DType::kQ4_1};

std::vector<float> normal(std::mt19937& engine, std::size_t count, float scale = 1) {
  std::normal_distribution<float> distribution(0, scale);
  std::vector<float> x(count);
  for (float& value : x) value = distribution(engine);
  return x;
}

// Codes with scales, by the kernels that the kernels' own tests check.
std::vector<float> as_codes(DType dtype, std::span<const float> x) {
  const int count = static_cast<int>(x.size());
  std::vector<float> y;
  if (dtype == DType::kF8) {
    std::vector<std::uint8_t> codes(x.size());
    const float scale = kScalarKernels.quantize_e4m3(x.data(), count, codes.data());
    for (const std::uint8_t code : codes) y.push_back(scale / 256 * e4m3_to_float(code));
    return y;
  }
  const auto padded = static_cast<std::size_t>(attention_widened_dim(count));
  std::vector<std::int8_t> codes(padded);
  std::vector<std::uint16_t> scales(padded / 32), minima(padded / 32);
  kScalarKernels.quantize_nibbles(x.data(), count, codes.data(), scales.data(), minima.data());
  for (std::size_t d = 0; d < x.size(); ++d) {
    y.push_back(bf16_to_float(minima[d / 32]) +
                bf16_to_float(scales[d / 32]) * static_cast<float>(codes[d]));
  }
  return y;
}

// The head at x as the cache returns it.
std::vector<float> as_stored(DType dtype, std::span<const float> x) {
  if (dtype == DType::kF8 || dtype == DType::kQ4_1) return as_codes(dtype, x);
  std::vector<float> y(x.begin(), x.end());
  float largest = 0;
  for (float value : x) largest = std::max(largest, std::abs(value));
  const float inverse = 127.0f / largest, scale = largest / 127.0f;
  for (float& value : y) {
    if (dtype == DType::kF16) value = half_to_float(float_to_half(value));
    if (dtype == DType::kBF16) value = bf16_to_float(float_to_bf16(value));
    if (dtype == DType::kI8) value = std::nearbyint(value * inverse) * scale;
  }
  return y;
}

struct AttentionCase {
  int heads, kv_heads, head_dim, length, window;
  DType kv;
  int ahead = 0;  // of who sees what comes after it
};

// Tokens [first, first + count) of a sequence that reads the blocks of `table`.
struct QueryRow {
  int first, count;
  std::vector<std::int32_t> table;
};

// One sequence of random K, V and queries in scattered blocks; all other memory holds NaN.
class Sequence {
 public:
  Sequence(Backend& backend, const AttentionCase& c)
      : backend_(backend),
        c_(c),
        dim_(static_cast<std::size_t>(c.head_dim)),
        width_(static_cast<std::size_t>(c.heads) * dim_),
        kv_width_(static_cast<std::size_t>(c.kv_heads) * dim_) {
    std::mt19937 engine(static_cast<unsigned>(c.length + c.head_dim));
    const auto n = static_cast<std::size_t>(c.length);
    q_ = normal(engine, n * width_, 2);
    k_ = normal(engine, n * kv_width_);
    v_ = normal(engine, n * kv_width_);
    const int blocks = (c.length + 31) / 32;
    KvGroupShape group;
    group.layers = 2;
    group.kv_heads = c.kv_heads;
    group.k_dim = group.v_dim = c.head_dim;
    group.types = c.kv;
    group.blocks = blocks + 2;
    kv_ = backend.kv_store({&group, 1}).value();
    const CpuKvGroup& memory = static_cast<CpuKvStore&>(*kv_).memory[0];
    std::memset(memory.data.get(), 0xFF, 2 * memory.layer_bytes);
    for (int block = 0; block < blocks; ++block) table_.push_back(blocks - block);
    write();
  }

  const std::vector<std::int32_t>& table() const { return table_; }

  // out: [tokens of all rows, heads * head_dim]
  std::vector<float> attend(const std::vector<QueryRow>& rows) {
    std::vector<std::int32_t> positions, begins = {0}, lengths, tables = {0}, table;
    std::vector<float> q;
    for (const QueryRow& row : rows) {
      for (int t = row.first; t < row.first + row.count; ++t) {
        positions.push_back(t);
        const auto at =
            q_.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(t) * width_);
        q.insert(q.end(), at, at + static_cast<std::ptrdiff_t>(width_));
      }
      begins.push_back(static_cast<std::int32_t>(positions.size()));
      lengths.push_back(row.first + row.count);
      table.insert(table.end(), row.table.begin(), row.table.end());
      tables.push_back(static_cast<std::int32_t>(table.size()));
    }
    const std::vector<std::int32_t> ids(positions.size());
    const GroupView view{{}, lengths, tables, table};
    const BatchView batch{ids, positions, begins, {}, {}, {&view, 1}, nullptr};
    const Attend attend = shape();
    const auto tokens = static_cast<int>(ids.size()), width = static_cast<int>(width_);
    const Buffer queries = backend_.buffer(Rows::kTokens, tokens, width);
    const Buffer out = backend_.buffer(Rows::kTokens, tokens, width);
    const int heads = c_.heads, first = c_.head_dim - rest_;
    const Buffer beginnings = backend_.buffer(Rows::kTokens, tokens, heads * first);
    const Buffer ends = backend_.buffer(Rows::kTokens, tokens, heads * (rest_ + 3));
    ::quire::testing::fill(queries, q);
    ::quire::testing::want(out);
    Program program;
    if (rest_ == 0) {
      program.attend(queries, attend, out);
    } else {
      split(q, beginnings, ends);
      program.add(AttendOp{&beginnings, &attend, &out, &ends});
    }
    backend_.run(program, batch, *kv_);
    return ::quire::testing::read(out, tokens);
  }

  // Queries come in two buffers from now on, the last `count` values of a head in the second.
  void split_queries(int count) { rest_ = count; }

  // q: [tokens, heads, head_dim]. Before a head's end lie three values that nobody may read.
  void split(const std::vector<float>& q, const Buffer& beginnings, const Buffer& ends) {
    std::vector<float> first, second;
    for (std::size_t at = 0; at < q.size(); at += dim_) {
      const std::size_t middle = at + dim_ - static_cast<std::size_t>(rest_);
      first.insert(first.end(), q.begin() + at, q.begin() + middle);
      second.insert(second.end(), 3, std::numeric_limits<float>::quiet_NaN());
      second.insert(second.end(), q.begin() + middle, q.begin() + at + dim_);
    }
    ::quire::testing::fill(beginnings, first);
    ::quire::testing::fill(ends, second);
  }

  void expect(int position, std::span<const float> out) {
    const bool is_int8 = c_.kv == DType::kI8 || c_.kv == DType::kQ4_1;  // queries are codes too
    // A step of 4 bits is large, and so is what a weight of 14 bits may be off by: 2.2e-3 here.
    const double error = c_.kv == DType::kQ4_1 ? 3e-3 : is_int8 ? 1e-3 : 2e-5;
    const int last = std::min(c_.length - 1, position + c_.ahead);
    for (int head = 0; head < c_.heads; ++head) {
      std::vector<float> keys, values;
      const auto at = static_cast<std::size_t>(head / (c_.heads / c_.kv_heads)) * dim_;
      for (std::size_t t = 0; t <= static_cast<std::size_t>(last); ++t) {
        const auto key = as_stored(c_.kv, std::span(k_).subspan(t * kv_width_ + at, dim_));
        const auto value = as_stored(c_.kv, std::span(v_).subspan(t * kv_width_ + at, dim_));
        keys.insert(keys.end(), key.begin(), key.end());
        values.insert(values.end(), value.begin(), value.end());
      }
      const auto own = static_cast<std::size_t>(head) * dim_;
      const std::vector<float> query =
          as_stored(is_int8 ? DType::kI8 : DType::kF32,
                    std::span(q_).subspan(static_cast<std::size_t>(position) * width_ + own, dim_));
      const int first = c_.window > 0 ? std::max(0, position - c_.window + 1) : 0;
      const std::vector<double> expected =
          reference::attention(query, keys, values, c_.head_dim, first, last, 0.25);
      for (std::size_t d = 0; d < dim_; ++d) {
        ASSERT_NEAR(out[own + d], expected[d], error)
            << backend_.isa() << " heads " << c_.heads << "/" << c_.kv_heads << " of "
            << c_.head_dim << ", " << c_.length << " positions, window " << c_.window << ", "
            << dtype_name(c_.kv) << ", token " << position << " head " << head << " dim " << d;
      }
    }
  }

 private:
  Attend shape() const {
    Attend attend;
    attend.heads = c_.heads;
    attend.kv_heads = c_.kv_heads;
    attend.k_dim = attend.v_dim = c_.head_dim;
    attend.scale = 0.25f;
    attend.window = c_.window;
    attend.is_causal = c_.ahead == 0;
    attend.ahead = c_.ahead;
    attend.cache = {0, 1};
    return attend;
  }

  void write() {  // no rotation
    const auto n = static_cast<std::size_t>(c_.length);
    std::vector<std::int32_t> ids(n), positions(n), slots(n);
    std::iota(positions.begin(), positions.end(), 0);
    for (std::size_t t = 0; t < n; ++t) {
      slots[t] = table_[t / 32] * 32 + static_cast<std::int32_t>(t % 32);
    }
    const std::vector<std::int32_t> begin = {0, c_.length}, length = {c_.length},
                                    tables = {0, static_cast<std::int32_t>(table_.size())};
    const GroupView view{slots, length, tables, table_};
    const BatchView batch{ids, positions, begin, {}, {}, {&view, 1}, nullptr};
    const auto width = static_cast<int>(kv_width_);
    const Buffer k = backend_.buffer(Rows::kTokens, c_.length, width);
    const Buffer v = backend_.buffer(Rows::kTokens, c_.length, width);
    ::quire::testing::fill(k, k_);
    ::quire::testing::fill(v, v_);
    Program program;
    program.store(k, v, {0, 1});
    backend_.run(program, batch, *kv_);
  }

  Backend& backend_;
  AttentionCase c_;
  std::size_t dim_, width_, kv_width_;
  std::vector<float> q_, k_, v_;
  int rest_ = 0;  // of a head, in a buffer of its own
  std::vector<std::int32_t> table_;
  std::unique_ptr<KvStore> kv_;
};

// All positions in one prefill.
void expect_attention(Backend& backend, const AttentionCase& c) {
  Sequence sequence(backend, c);
  const std::vector<float> out = sequence.attend({{0, c.length, sequence.table()}});
  const std::size_t width = out.size() / static_cast<std::size_t>(c.length);
  for (int t = 0; t<c.length; t += c.length> 100 ? 23 : 1) {
    sequence.expect(t, std::span(out).subspan(static_cast<std::size_t>(t) * width, width));
  }
}

class CpuAttentionTest : public ::testing::TestWithParam<const KernelTable*> {};

TEST_P(CpuAttentionTest, EveryHeadSizeGroupAndKvType) {
  CpuBackend backend(*GetParam(), 2);
  for (int head_dim : {2, 8, 10, 16, 64, 80, 96, 112, 128, 256}) {
    expect_attention(backend, {4, 2, head_dim, 37, 0, DType::kF16});
    expect_attention(backend, {3, 3, head_dim, 65, 20, DType::kF32});
    expect_attention(backend, {5, 1, head_dim, 66, 0, DType::kBF16});
    expect_attention(backend, {6, 2, head_dim, 70, 33, DType::kI8});
    expect_attention(backend, {6, 2, head_dim, 70, 33, DType::kQ4_1});
    expect_attention(backend, {6, 3, head_dim, 70, 0, DType::kF8});
  }
  for (DType kv : kKvTypes) {
    expect_attention(backend, {9, 3, 64, 530, 0, kv});
    expect_attention(backend, {4, 1, 16, 300, 270, kv});
    for (int group = 1; group <= 9; ++group) expect_attention(backend, {group, 1, 32, 3, 0, kv});
    for (int length : {1, 31, 32, 33, 256, 257}) {
      expect_attention(backend, {2, 2, 16, length, 0, kv});
    }
  }
  expect_attention(backend, {71, 1, 16, 40, 0, DType::kF16});  // more heads than one item holds
  expect_attention(backend, {300, 1, 16, 3, 0, DType::kI8});
}

TEST_P(CpuAttentionTest, AWindowMayReachToBothSides) {
  for (const int threads : {1, 2}) {
    CpuBackend backend(*GetParam(), threads);
    for (DType kv : kKvTypes) {
      for (const int reach : {3, 64, 300}) {
        expect_attention(backend, {4, 2, 16, 600, reach + 1, kv, reach});
        expect_attention(backend, {4, 2, 16, 1, reach + 1, kv, reach});
      }
    }
  }
}

TEST_P(CpuAttentionTest, DecodesAt32768Positions) {
  CpuBackend backend(*GetParam(), 2);
  for (DType kv : kKvTypes) {
    for (int window : {0, 5000}) {
      Sequence sequence(backend, {3, 1, 16, 32768, window, kv});
      sequence.expect(32767, sequence.attend({{32767, 1, sequence.table()}}));
      const std::vector<float> chunk = sequence.attend({{32700, 3, sequence.table()}});
      sequence.expect(32702, std::span(chunk).last(48));
    }
  }
}

// Tables that begin alike, some of them alike for longer, some shorter than what the others share.
TEST_P(CpuAttentionTest, RowsThatShareBlocksEqualEachAlone) {
  for (DType kv : kKvTypes) {
    for (int window : {0, 400}) {
      CpuBackend backend(*GetParam(), 2);
      Sequence sequence(backend, {3, 1, 16, 1120, window, kv});
      std::vector<QueryRow> rows;
      for (int i = 0; i < 30; ++i) {
        const int position = i % 7 == 0 ? 200 + 13 * i : 1099 - 11 * i;
        rows.push_back({position, 1, sequence.table()});
        const int alike = i % 3 == 0 ? 8 : i % 3 == 1 ? 20 : 40;  // blocks; then blocks of its own
        std::vector<std::int32_t>& table = rows.back().table;
        if (alike < 35)
          std::rotate(table.begin() + alike, table.begin() + alike + 1 + i % 5, table.end());
      }
      rows.insert(rows.begin() + 5, {700, 9, sequence.table()});  // a chunk of a prompt among them
      const std::vector<float> together = sequence.attend(rows);
      std::size_t at = 0;
      for (const QueryRow& row : rows) {
        const std::vector<float> alone = sequence.attend({row});
        EXPECT_EQ(std::memcmp(alone.data(), &together[at], alone.size() * sizeof(float)), 0)
            << dtype_name(kv) << " window " << window << " position " << row.first;
        at += alone.size();
      }
      sequence.expect(1099 - 22, std::span(together).subspan(2 * 48, 48));
    }
  }
}

TEST_P(CpuAttentionTest, QueriesInTwoPartsAreTheSame) {
  CpuBackend backend(*GetParam(), 2);
  Sequence sequence(backend, {6, 2, 24, 70, 0, DType::kF16});
  const std::vector<float> whole = sequence.attend({{0, 70, sequence.table()}});
  sequence.split_queries(8);
  EXPECT_EQ(sequence.attend({{0, 70, sequence.table()}}), whole);
}

TEST_P(CpuAttentionTest, Int8HeadsKeepWhatIsNotFinite) {
  std::vector<float> x(19, 1.0f);
  std::int8_t codes[19];
  EXPECT_EQ(GetParam()->quantize_head(x.data(), 19, codes), 1.0f / 127);
  EXPECT_EQ(codes[18], 127);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    x[17] = bad;
    EXPECT_TRUE(std::isnan(GetParam()->quantize_head(x.data(), 19, codes)));
  }
  const std::vector<float> zeros(19);
  EXPECT_EQ(GetParam()->quantize_head(zeros.data(), 19, codes), 0);
  EXPECT_EQ(codes[0], 0);
}

INSTANTIATE_TEST_SUITE_P(Isa, CpuAttentionTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

// A plan reads what rows share once: 16 rows of 600 positions of which 512 are alike.
TEST(AttentionPlanTest, SharedSplitsAreOneItemPerHead) {
  const int rows = 16, blocks = 19;
  std::vector<std::int32_t> ids(rows), positions(rows, 599), begins(rows + 1), lengths(rows, 600),
      tables(rows + 1), table;
  for (int row = 0; row < rows; ++row) {
    begins[static_cast<std::size_t>(row + 1)] = row + 1;
    for (int block = 0; block < blocks; ++block) {
      table.push_back(block < 16 ? 1 + block : 100 + row * blocks + block);
    }
    tables[static_cast<std::size_t>(row + 1)] = static_cast<std::int32_t>(table.size());
  }
  const GroupView view{{}, lengths, tables, table};
  const BatchView batch{ids, positions, begins, {}, {}, {&view, 1}, nullptr};
  AttentionPlan plan;
  Attend shape;
  shape.heads = 32;
  shape.kv_heads = 8;
  shape.k_dim = shape.v_dim = 64;
  plan.make(shape, batch, view, 2);
  int shared = 0, alone = 0;
  for (const AttentionItem& item : plan.items) {
    if (item.split < 2) {
      EXPECT_EQ(item.count, 16);
      ++shared;
    } else {
      EXPECT_EQ(item.count, 1);
      ++alone;
    }
  }
  EXPECT_EQ(shared, 2 * 8);
  EXPECT_EQ(alone, 16 * 8);
}

}  // namespace
}  // namespace quire
