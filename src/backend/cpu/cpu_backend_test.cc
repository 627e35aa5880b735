// The backend's ops against the oracles: gather, linear; what it refuses. Attention and draws have
// files of their own.
#include "backend/cpu/cpu_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

#include "backend/testing/one_op.h"
#include "backend/testing/tiny_model.h"
#include "kernels/dequantize.h"
#include "kernels/reference.h"
#include "kernels/select.h"

namespace quire {
namespace {

class CpuBackendTest : public ::testing::TestWithParam<const KernelTable*> {};

std::vector<float> normal(std::mt19937& engine, std::size_t count, float scale = 1) {
  std::normal_distribution<float> distribution(0, scale);
  std::vector<float> x(count);
  for (float& value : x) value = distribution(engine);
  return x;
}

TensorView view_of(const char* name, DType dtype, std::size_t rows, std::size_t columns,
                   const void* data) {
  return {name, dtype, {rows, columns}, static_cast<const std::byte*>(data)};
}

KvGroupShape group_of(int layers, int kv_heads, int head_dim, int blocks, DType dtype) {
  KvGroupShape shape;
  shape.layers = layers;
  shape.kv_heads = kv_heads;
  shape.k_dim = shape.v_dim = head_dim;
  shape.blocks = blocks;
  shape.types = dtype;
  return shape;
}

TEST_P(CpuBackendTest, GatherEqualsTheProductWithAUnitVector) {
  CpuBackend backend(*GetParam(), 2);
  std::mt19937 engine(3);
  for (const DTypeInfo& info : kDTypes) {
    const std::size_t rows = 21, columns = 256;
    std::vector<std::byte> bytes(rows * row_bytes(info.dtype, columns));
    ::quire::testing::fill_random_weights(info.dtype, engine, 0.05f, bytes);
    TensorView view = view_of("table", info.dtype, rows, columns, bytes.data());
    const std::vector<float> scales = ::quire::testing::random_row_scales(rows, engine);
    if (has_scales_beside(info.dtype)) view.scales = {scales.data()};
    const Weight table = backend.adopt(view).value();
    const std::vector<std::int32_t> ids = {20, 0, 7, 7};
    ASSERT_TRUE(backend.pack(table).is_ok());
    const auto width = static_cast<int>(columns);
    const Buffer rows_of_table = backend.buffer(Rows::kTokens, 4, width);
    Program gather;
    gather.gather(table, rows_of_table);
    ::quire::testing::PlainBatch(ids).run(backend, gather);
    const std::vector<float> gathered = ::quire::testing::read(rows_of_table, 4);
    // One value at column k that every form holds exactly: in int8 the peak of its group or token,
    // which becomes `code` at a scale of 1. So the product is exact too.
    const bool is_int8 = activation_form(info.dtype) == ActivationForm::kInt8;
    const float code = is_int8 ? std::nearbyint(kActivationPeak) : 127;
    std::vector<float> unit(columns);
    const Buffer x = backend.buffer(Rows::kTokens, 1, width);
    const Buffer product = backend.buffer(Rows::kTokens, 1, static_cast<int>(rows));
    Program program;
    program.linear(x, {{&table, &product}});
    for (std::size_t k = 0; k < columns; k += 37) {
      std::fill(unit.begin(), unit.end(), 0.0f);
      unit[k] = is_int8 ? kActivationPeak : code;
      ::quire::testing::fill(x, unit);
      ::quire::testing::PlainBatch(1).run(backend, program);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        const float expected = gathered[i * columns + k];
        const double share = info.dtype == DType::kNF4 ? 1e-4 : 2e-7;  // its products have 15 bits
        EXPECT_NEAR(cpu(product).floats(0)[ids[i]] / code, expected,
                    share * (std::abs(expected) + 0.1))
            << info.name;
      }
    }
  }
}

TEST_P(CpuBackendTest, UnpackedWeightsAreTheDequantizedValues) {
  CpuBackend backend(*GetParam(), 2);
  std::mt19937 engine(4);
  const std::size_t rows = 13, columns = 96;
  std::vector<std::byte> bytes(rows * row_bytes(DType::kQ4_1, columns));
  ::quire::testing::fill_random_weights(DType::kQ4_1, engine, 0.05f, bytes);
  const Weight exact =
      backend.adopt(view_of("w", DType::kQ4_1, rows, columns, bytes.data()), WeightScheme::kFloat32)
          .value();
  ASSERT_TRUE(backend.pack(exact).is_ok());
  const Buffer x = backend.buffer(Rows::kTokens, 1, 96), y = backend.buffer(Rows::kTokens, 1, 13);
  const std::vector<float> values = normal(engine, columns), bias = normal(engine, rows);
  ::quire::testing::fill(x, values);
  const Vector biases = backend.vector(bias);
  Program program;
  program.linear(x, {{&exact, &y, &biases}});
  ::quire::testing::PlainBatch(1).run(backend, program);
  const std::vector<float> out = ::quire::testing::read(y, 1);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::byte* weights = bytes.data() + row * row_bytes(DType::kQ4_1, columns);
    EXPECT_NEAR(out[row], reference::dot(DType::kQ4_1, weights, values) + bias[row], 1e-4);
  }
}

// Weights and activations quantized by hand, products in double.
TEST_P(CpuBackendTest, W8A8QuantizesRowsAndTokensToNearest) {
  CpuBackend backend(*GetParam(), 2);
  std::mt19937 engine(6);
  const std::size_t rows = 37, columns = 172;
  const std::vector<float> w = normal(engine, rows * columns), x = normal(engine, columns);
  const auto rounded = [](std::span<const float> values, float* scale) {
    float largest = 0;
    for (float value : values) largest = std::max(largest, std::abs(value));
    *scale = largest / 127;
    std::vector<std::int8_t> codes;
    for (float value : values) {
      codes.push_back(static_cast<std::int8_t>(std::nearbyint(value * (127 / largest))));
    }
    return codes;
  };
  std::vector<std::int8_t> codes;
  std::vector<float> scales(rows), sums(rows);
  float x_scale = 0;
  const std::vector<std::int8_t> x_codes = rounded(x, &x_scale);
  for (std::size_t row = 0; row < rows; ++row) {
    const auto part = rounded(std::span(w).subspan(row * columns, columns), &scales[row]);
    codes.insert(codes.end(), part.begin(), part.end());
    int sum = 0;
    for (std::size_t k = 0; k < columns; ++k) sum += part[k] * x_codes[k];
    sums[row] = static_cast<float>(sum) * (scales[row] * x_scale);
  }
  TensorView stored = view_of("stored", DType::kI8, rows, columns, codes.data());
  stored.scales = {scales.data()};
  const Weight quantized = backend.adopt(view_of("w", DType::kF32, rows, columns, w.data()),
                                         WeightScheme::kW8A8).value();
  const Weight packed = backend.adopt(stored, WeightScheme::kW8A8).value();
  EXPECT_EQ(quantized.bytes, packed.bytes);
  stored.input_scale = 0.02f;
  const Weight with_input_scale = backend.adopt(stored).value();
  stored.input_scale = x_scale;
  const Weight with_the_same_scale = backend.adopt(stored).value();
  const Weight* weights[] = {&quantized, &packed, &with_input_scale, &with_the_same_scale};
  const Buffer input = backend.buffer(Rows::kTokens, 3, static_cast<int>(columns));
  std::vector<float> thrice;
  for (int t = 0; t < 3; ++t) thrice.insert(thrice.end(), x.begin(), x.end());
  ::quire::testing::fill(input, thrice);
  std::vector<Buffer> buffers;
  for (const Weight* weight : weights) {
    ASSERT_TRUE(backend.pack(*weight).is_ok());
    buffers.push_back(backend.buffer(Rows::kTokens, 3, static_cast<int>(rows)));
  }
  Program program;
  program.linear(input, {{weights[0], &buffers[0]},
                         {weights[1], &buffers[1]},
                         {weights[2], &buffers[2]},
                         {weights[3], &buffers[3]}});
  ::quire::testing::PlainBatch(3).run(backend, program);
  std::vector<std::vector<float>> out;
  for (const Buffer& buffer : buffers) out.push_back(testing::read(buffer, 3));
  for (std::size_t i = 0; i < 3 * rows; ++i) {
    const std::size_t row = i % rows;
    EXPECT_EQ(out[0][i], sums[row]);
    EXPECT_EQ(out[1][i], sums[row]);
    EXPECT_NEAR(out[3][i], sums[row], 1e-4 * std::abs(sums[row]) + 0.02);  // 1 / scale is rounded
    int sum = 0;
    for (std::size_t k = 0; k < columns; ++k) {
      const float code = std::nearbyint(x[k] * (1 / 0.02f));
      sum += codes[row * columns + k] * static_cast<int>(std::clamp(code, -127.0f, 127.0f));
    }
    EXPECT_EQ(out[2][i], static_cast<float>(sum) * (scales[row] * 0.02f));
  }
}

// Codes whose columns were brought together give the bits of a plain weight that reads the same
// columns in that order; rows read one by one have them where they were.
TEST_P(CpuBackendTest, InputsAreArrangedAsAWeightWantsThem) {
  CpuBackend backend(*GetParam(), 2);
  std::mt19937 engine(8);
  const std::size_t rows = 37, columns = 256, tokens = 5;
  std::vector<std::uint32_t> order(columns);
  for (std::size_t i = 0; i < columns; ++i) order[i] = static_cast<std::uint32_t>(i * 9 % columns);
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_Z, DType::kQ8_0, DType::kBF16, DType::kF32}) {
    std::vector<std::byte> bytes(rows * row_bytes(dtype, columns));
    ::quire::testing::fill_random_weights(dtype, engine, 0.05f, bytes);
    TensorView view = view_of("w", dtype, rows, columns, bytes.data());
    const Weight plain = backend.adopt(view).value();
    view.input.order = order.data();
    const Weight arranged = backend.adopt(view).value();
    const Weight unpacked = backend.adopt(view, WeightScheme::kFloat32).value();
    for (const Weight* one : {&plain, &arranged, &unpacked}) {
      ASSERT_TRUE(backend.pack(*one).is_ok());
    }
    const std::vector<float> values = normal(engine, tokens * columns);
    std::vector<float> moved(values.size());
    for (std::size_t i = 0; i < moved.size(); ++i) {
      moved[i] = values[i / columns * columns + order[i % columns]];
    }
    const Buffer x = backend.buffer(Rows::kTokens, tokens, columns);
    const Buffer by_hand = backend.buffer(Rows::kTokens, tokens, columns);
    ::quire::testing::fill(x, values);
    ::quire::testing::fill(by_hand, moved);
    std::vector<Buffer> out;
    for (int i = 0; i < 4; ++i) out.push_back(backend.buffer(Rows::kTokens, tokens, rows));
    Program program;
    program.linear(by_hand, {{&plain, &out[0]}});
    program.linear(x, {{&arranged, &out[1]}, {&arranged, &out[2]}, {&unpacked, &out[3]}});
    ::quire::testing::PlainBatch(tokens).run(backend, program);
    const std::vector<float> expected = ::quire::testing::read(out[0], tokens);
    EXPECT_EQ(::quire::testing::read(out[1], tokens), expected) << dtype_name(dtype);
    EXPECT_EQ(::quire::testing::read(out[2], tokens), expected) << dtype_name(dtype);
    const std::vector<float> near = ::quire::testing::read(out[3], tokens);
    for (std::size_t i = 0; i < near.size(); ++i) ASSERT_NEAR(near[i], expected[i], 0.3);
  }
}

// What an adapter adds to a weight makes floats of its codes: the bits of a weight that holds the
// sums, in the products and where rows are gathered.
TEST_P(CpuBackendTest, AdaptedWeightsAreTheSums) {
  CpuBackend backend(*GetParam(), 2);
  std::mt19937 engine(10);
  const std::size_t rows = 37, columns = 256, tokens = 3, rank = 5;
  const std::vector<float> a = normal(engine, rank * columns), b = normal(engine, rows * rank);
  const std::vector<WeightDelta> deltas = {{a.data(), b.data(), rank}, {a.data(), b.data(), 1}};
  const std::vector<float> values = normal(engine, tokens * columns);
  const Buffer x = backend.buffer(Rows::kTokens, tokens, columns);
  ::quire::testing::fill(x, values);
  for (const auto& [dtype, held, scheme] :
       {std::tuple{DType::kF32, DType::kF32, WeightScheme::kAsStored},
        {DType::kF16, DType::kF16, WeightScheme::kAsStored},
        {DType::kBF16, DType::kBF16, WeightScheme::kAsStored},
        {DType::kQ8_0, DType::kBF16, WeightScheme::kAsStored},
        {DType::kQ4_K, DType::kBF16, WeightScheme::kAsStored},
        {DType::kI8, DType::kBF16, WeightScheme::kAsStored},
        {DType::kQ4_0, DType::kF32, WeightScheme::kFloat32},
        {DType::kF32, DType::kI8, WeightScheme::kW8A8}}) {
    std::vector<std::byte> bytes(rows * row_bytes(dtype, columns));
    ::quire::testing::fill_random_weights(dtype, engine, 0.05f, bytes);
    TensorView view = view_of("w", dtype, rows, columns, bytes.data());
    const std::vector<float> scales = ::quire::testing::random_row_scales(rows, engine);
    if (has_scales_beside(dtype)) view.scales = {scales.data()};
    std::vector<float> sums(rows * columns);
    for (std::size_t r = 0; r < rows; ++r) {
      read_row(view, 0, r, &sums[r * columns]);
      for (const WeightDelta& delta : deltas) add_delta(delta, r, columns, &sums[r * columns]);
    }
    std::vector<std::uint16_t> halves;
    for (const float sum : sums) {
      halves.push_back(held == DType::kF16 ? float_to_half(sum) : float_to_bf16(sum));
    }
    view.deltas = deltas;
    const bool is_half = held == DType::kF16 || held == DType::kBF16;
    const auto* data = is_half ? static_cast<const void*>(halves.data()) : sums.data();
    const Weight adapted = backend.adopt(view, scheme).value();
    const Weight summed =
        backend.adopt(view_of("w", is_half ? held : DType::kF32, rows, columns, data), scheme)
            .value();
    EXPECT_EQ(adapted.packed_dtype, held) << dtype_name(dtype);
    std::vector<Buffer> out;
    for (int i = 0; i < 2; ++i) out.push_back(backend.buffer(Rows::kTokens, tokens, rows));
    Program program;
    int i = 0;
    for (const Weight* weight : {&adapted, &summed}) {
      ASSERT_TRUE(backend.pack(*weight).is_ok());
      program.linear(x, {{weight, &out[static_cast<std::size_t>(i++)]}});
    }
    ::quire::testing::PlainBatch(tokens).run(backend, program);
    EXPECT_EQ(::quire::testing::read(out[0], tokens), ::quire::testing::read(out[1], tokens))
        << dtype_name(dtype);
    const Buffer gathered = backend.buffer(Rows::kTokens, 1, columns);
    Program gather;
    gather.gather(adapted, gathered);
    ::quire::testing::PlainBatch(std::vector<std::int32_t>{7}).run(backend, gather);
    const std::vector<float> row = ::quire::testing::read(gathered, 1);
    EXPECT_TRUE(std::equal(row.begin(), row.end(), &sums[7 * columns])) << dtype_name(dtype);
  }
}

// Rounding is a setting: float inputs are what they were, unless the weight is held as asked.
TEST_P(CpuBackendTest, InputsAreRoundedWhereThatIsAskedFor) {
  CpuBackend backend(*GetParam(), 2);
  std::mt19937 engine(9);
  const std::size_t rows = 16, columns = 64;
  const std::vector<float> w = normal(engine, rows * columns), values = normal(engine, columns);
  TensorView view = view_of("w", DType::kF32, rows, columns, w.data());
  const Weight plain = backend.adopt(view).value();
  view.input.rounding = InputRule::Rounding::kE4M3;
  const Weight left = backend.adopt(view).value();
  const Weight asked = backend.adopt(view, WeightScheme::kAsAsked).value();
  for (const Weight* one : {&plain, &left, &asked}) ASSERT_TRUE(backend.pack(*one).is_ok());
  std::vector<float> rounded(columns);
  follow(view.input, values.data(), columns, rounded.data());
  const Buffer x = backend.buffer(Rows::kTokens, 1, columns);
  const Buffer by_hand = backend.buffer(Rows::kTokens, 1, columns);
  ::quire::testing::fill(x, values);
  ::quire::testing::fill(by_hand, rounded);
  std::vector<Buffer> out;
  for (int i = 0; i < 4; ++i) out.push_back(backend.buffer(Rows::kTokens, 1, rows));
  Program program;
  program.linear(x, {{&plain, &out[0]}, {&left, &out[1]}, {&asked, &out[2]}});
  program.linear(by_hand, {{&plain, &out[3]}});
  ::quire::testing::PlainBatch(1).run(backend, program);
  const auto read = [&](int i) {
    return ::quire::testing::read(out[static_cast<std::size_t>(i)], 1);
  };
  EXPECT_EQ(read(1), read(0));
  EXPECT_EQ(read(2), read(3));
  EXPECT_NE(read(2), read(0));
}

TEST_P(CpuBackendTest, CopiesBlocksInOrder) {
  CpuBackend backend(*GetParam(), 2);
  const KvGroupShape shape = group_of(3, 2, 16, 6, DType::kF16);
  auto kv = backend.kv_store({&shape, 1}).value();
  const CpuKvGroup& store = static_cast<CpuKvStore&>(*kv).memory[0];
  EXPECT_EQ(kv_block_bytes(shape), 3u * 2 * 2 * 16 * 32 * 2);
  for (int layer = 0; layer < 3; ++layer) {
    for (int block = 0; block < 6; ++block) {
      std::memset(store.k(layer, block, 0), 10 * layer + block, store.block_bytes);
    }
  }
  // Each sees what the one before it left.
  const BlockMove moves[] = {{0, 1, 2}, {0, 2, 3}, {0, 5, 1}};
  backend.copy_blocks(*kv, moves);
  for (int layer = 0; layer < 3; ++layer) {
    const int expected[] = {0, 5, 1, 1, 4, 5};
    for (int block = 0; block < 6; ++block) {
      for (int head = 0; head < 2; ++head) {
        EXPECT_EQ(static_cast<int>(store.k(layer, block, head)[7]), 10 * layer + expected[block]);
        EXPECT_EQ(static_cast<int>(store.v(layer, block, head)[7]), 10 * layer + expected[block]);
      }
    }
  }
}

// Two matrices of 6 x 8 codes with a scale per 3 rows by 4 columns, of a larger tensor's rows from
// row 3 on: as float32 they are what codes times scales say; tiles of int8 have no room for that.
TEST_P(CpuBackendTest, ScalesMayLieOnAGrid) {
  CpuBackend backend(*GetParam(), 1);
  const std::size_t rows = 6, columns = 8;
  std::vector<std::int8_t> codes(2 * rows * columns);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::int8_t>(i);
  const std::vector<float> scales = {99, 99, 1, 2, 4, 8};  // [3, 2]
  std::vector<TensorView> matrices;
  for (int e = 0; e < 2; ++e) {
    matrices.push_back(view_of("w", DType::kI8, rows, columns, &codes[rows * columns * e]));
    matrices.back().scales = Scales{scales.data(), 3, 4}.from(3);
  }
  const WeightView view = WeightView::of(matrices).value();
  std::vector<float> row(columns);
  for (std::size_t e = 0; e < 2; ++e) {
    for (std::size_t r = 0; r < rows; ++r) {
      read_row(view, e, r, row.data());
      for (std::size_t k = 0; k < columns; ++k) {
        const float code = codes[(e * rows + r) * columns + k];
        EXPECT_EQ(row[k], code * scales[(r / 3 + 1) * 2 + k / 4]) << e << " " << r << " " << k;
      }
    }
  }
  const auto refused = backend.adopt(view);
  ASSERT_FALSE(refused.is_ok());
  EXPECT_NE(refused.status().message().find("a scale per 4 columns"), std::string::npos);
  const auto unpacked = backend.adopt(view, WeightScheme::kFloat32);
  ASSERT_TRUE(unpacked.is_ok());
  EXPECT_EQ(unpacked->experts, 2);
  EXPECT_EQ(unpacked->stored_bytes, codes.size());
}

TEST_P(CpuBackendTest, RefusesWhatItCannotHold) {
  CpuBackend backend(*GetParam(), 1);
  const std::vector<std::byte> bytes(4096);
  const auto odd = backend.adopt(view_of("blk.0.attn_q", DType::kQ8_0, 2, 33, bytes.data()));
  ASSERT_FALSE(odd.is_ok());
  EXPECT_NE(odd.status().message().find("blk.0.attn_q"), std::string::npos);
  EXPECT_FALSE(backend.adopt(view_of("empty", DType::kF32, 0, 4, bytes.data())).is_ok());
  EXPECT_FALSE(backend.adopt(view_of("no scales", DType::kI8, 2, 4, bytes.data())).is_ok());
  const auto q8 = backend.adopt(view_of("blk.0.attn_k", DType::kQ8_0, 2, 32, bytes.data()),
                                WeightScheme::kW8A8);
  ASSERT_FALSE(q8.is_ok());
  EXPECT_NE(q8.status().message().find("'blk.0.attn_k' is Q8_0"), std::string::npos);
  const float scale = 1;
  TensorView wide = view_of("wide", DType::kI8, 1, kChannelColumnsMax + 1, bytes.data());
  wide.scales = {&scale};
  EXPECT_FALSE(backend.adopt(wide).is_ok());
  for (const KvGroupShape& shape :
       {group_of(1, 1, 64, 4, DType::kQ8_0), group_of(1, 1, 2048, 4, DType::kF16),
        group_of(1 << 20, 1 << 20, 512, 1 << 30, DType::kF32)}) {
    EXPECT_FALSE(backend.kv_store({&shape, 1}).is_ok());
  }
  EXPECT_FALSE(make_cpu_backend({.threads = -1, .isa = ""}).is_ok());
  EXPECT_FALSE(make_cpu_backend({.threads = 1, .isa = "vax"}).is_ok());
}

// The kernel's flags of the mapping that holds `address`: "hg" huge pages asked for, "nh" refused.
std::string mapping_flags(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool is_inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &begin, &end) == 2) {
      is_inside = begin <= wanted && wanted < end;
    }
    if (is_inside && line.rfind("VmFlags:", 0) == 0) return line + " ";
  }
  return "";
}

TEST(HugeArena, AsksForHugePagesOrRefusesThem) {
  HugeArena with(true), without(false);
  const auto wide = with.allocate(100), narrow = without.allocate(100);
  for (const auto& memory : {wide, narrow}) {
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.get()) % 64, 0u);
    EXPECT_EQ(std::count(memory.get(), memory.get() + 100, std::byte{0}), 100);
  }
  // A kernel without huge pages, or one that does not say, has no more to show.
  if (mapping_flags(narrow.get()).find(" nh ") == std::string::npos) return;
  EXPECT_NE(mapping_flags(wide.get()).find(" hg "), std::string::npos);
  EXPECT_EQ(mapping_flags(wide.get()).find(" nh "), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Isa, CpuBackendTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(CpuBackendOps, JoinLaysTheRowsOfTwoBuffersSideBySide) {
  for (const int threads : {1, 3}) {
    CpuBackend backend(*all_supported().front(), threads);
    constexpr int kTokens = 37, kFirst = 5, kSecond = 130;
    const Buffer x = backend.buffer(Rows::kTokens, kTokens, kFirst);
    const Buffer y = backend.buffer(Rows::kTokens, kTokens, kSecond);
    const Buffer out = backend.buffer(Rows::kTokens, kTokens, kFirst + kSecond);
    std::vector<float> first(kTokens * kFirst), second(kTokens * kSecond), expected;
    std::iota(first.begin(), first.end(), 1.0f);
    std::iota(second.begin(), second.end(), 10000.0f);
    for (int t = 0; t < kTokens; ++t) {
      expected.insert(expected.end(), first.begin() + t * kFirst, first.begin() + (t + 1) * kFirst);
      expected.insert(expected.end(), second.begin() + t * kSecond,
                      second.begin() + (t + 1) * kSecond);
    }
    testing::fill(x, first);
    testing::fill(y, second);
    Program program;
    program.add(JoinOp{&x, &y, &out});
    testing::PlainBatch(kTokens).run(backend, program);
    EXPECT_EQ(testing::read(out, kTokens), expected);
    EXPECT_EQ(testing::read(x, kTokens), first);
    EXPECT_FALSE(cpu(out).is_fresh);  // products make their forms anew
  }
}

TEST(CpuBackendOps, JoinOfOtherColumnsEndsTheProcess) {
  CpuBackend backend(*all_supported().front(), 1);
  const Buffer x = backend.buffer(Rows::kTokens, 2, 3), y = backend.buffer(Rows::kTokens, 2, 4);
  const Buffer out = backend.buffer(Rows::kTokens, 2, 8);
  Program program;
  program.add(JoinOp{&x, &y, &out});
  EXPECT_DEATH(testing::PlainBatch(2).run(backend, program), "3 and 4 columns into 8");
}

// One head in one block, whose size the plan counts with.
TEST(KvTypesTest, AreCountedAsTheyAreLaidOut) {
  EXPECT_EQ(kv_head_bytes(DType::kF16, 64), 32u * 128);
  EXPECT_EQ(kv_head_bytes(DType::kF8, 64), 32u * 68);
  EXPECT_EQ(kv_head_bytes(DType::kI8, 80), 32u * 84);
  EXPECT_EQ(kv_head_bytes(DType::kQ4_1, 64), 32u * 40);
  EXPECT_EQ(kv_head_bytes(DType::kQ4_1, 80), 32u * 60);  // three groups
  EXPECT_EQ(kv_head_bytes(DType::kQ4_1, 0), 0u);
  KvGroupShape shape = group_of(1, 2, 64, 3, DType::kF16);
  shape.types = {DType::kI8, DType::kQ4_1};
  EXPECT_EQ(kv_block_bytes(shape), 2u * 32 * (68 + 40));
  EXPECT_EQ(kv_types_name(shape.types), "I8 keys, Q4_1 values");
  CpuBackend backend(*all_supported().front(), 1);
  EXPECT_TRUE(backend.kv_store({&shape, 1}).is_ok());
  shape.types = {DType::kI8, DType::kQ8_0};
  const auto refused = backend.kv_store({&shape, 1});
  ASSERT_FALSE(refused.is_ok());
  EXPECT_NE(refused.status().message().find("Q8_0"), std::string::npos);
}

}  // namespace
}  // namespace quire
