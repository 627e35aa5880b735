// Every kernel of every supported table against the double-precision oracles, at odd sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/philox.h"
#include "kernels/dequantize.h"
#include "kernels/pack.h"
#include "kernels/random_weights_for_tests.h"
#include "kernels/reference.h"
#include "kernels/select.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::vector<float> normal(std::size_t count, float scale = 1) {
    std::normal_distribution<float> distribution(0, scale);
    std::vector<float> x(count);
    for (float& value : x) value = distribution(engine_);
    return x;
  }
  // A matrix of any type with random codes and reasonable scales; starts at an odd address.
  std::vector<std::byte> matrix(DType dtype, std::size_t rows, std::size_t columns) {
    std::vector<std::byte> bytes(1 + rows * row_bytes(dtype, columns));
    ::quire::testing::fill_random_weights(dtype, engine_, 0.1f, std::span(bytes).subspan(1));
    return bytes;
  }

 private:
  std::mt19937 engine_;
};

// The scales of the rows of an I8 matrix; 1 for other types.
std::vector<float> row_scales(DType dtype, std::size_t rows) {
  std::vector<float> scales(rows, 1);
  if (dtype != DType::kI8) return scales;
  for (std::size_t i = 0; i < rows; ++i) scales[i] = 0.0007f + 0.00011f * static_cast<float>(i % 7);
  return scales;
}

class Kernels : public ::testing::TestWithParam<const KernelTable*> {
 protected:
  const KernelTable& kernels() const { return *GetParam(); }
};

// The activations of `tokens` rows in the form that dtype reads, and the values behind that form.
struct Input {
  AlignedBuffer<std::byte> bytes;
  std::size_t stride = 0;
  std::vector<std::vector<float>> values;
};
Input make_input(const KernelTable& kernels, DType dtype, const std::vector<float>& x,
                 std::size_t columns) {
  Input input;
  const std::size_t tokens = x.size() / columns;
  input.stride = (columns + 48) * 4 / 64 * 64 + 64;
  input.bytes = AlignedBuffer<std::byte>(input.stride * tokens);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::span<const float> row(&x[t * columns], columns);
    std::byte* to = input.bytes.data() + t * input.stride;
    switch (activation_form(dtype)) {
      case ActivationForm::kF32:
        std::memcpy(to, row.data(), columns * 4);
        input.values.emplace_back(row.begin(), row.end());
        break;
      case ActivationForm::kBF16:
        kernels.narrow_bf16(row.data(), static_cast<int>(columns),
                            reinterpret_cast<std::uint16_t*>(to));
        input.values.push_back(reference::rounded_to_bf16(row));
        break;
      case ActivationForm::kInt8: {
        auto* blocks = reinterpret_cast<ActivationBlock*>(to);
        kernels.quantize_int8(row.data(), static_cast<int>(columns), blocks);
        input.values.push_back(reference::values({blocks, columns / 32}));
        break;
      }
      case ActivationForm::kInt8Token: {
        auto* token = reinterpret_cast<ChannelToken*>(to);
        kernels.quantize_token(row.data(), static_cast<int>(columns), 0, token);
        input.values.push_back(reference::values(*token, columns));
        break;
      }
    }
  }
  return input;
}

struct PackedMatrix {
  AlignedBuffer<std::byte> bytes;
  std::size_t bytes_per_tile = 0;
  int tiles = 0;
};
PackedMatrix pack(const KernelTable& kernels, DType dtype, const std::byte* matrix,
                  std::size_t rows, std::size_t columns) {
  PackedMatrix packed;
  const auto tile_rows = static_cast<std::size_t>(kernels.tile_rows);
  packed.bytes_per_tile = packed_tile_bytes(dtype, kernels.tile_rows, columns);
  packed.tiles = static_cast<int>((rows + tile_rows - 1) / tile_rows);
  packed.bytes =
      AlignedBuffer<std::byte>(packed.bytes_per_tile * static_cast<std::size_t>(packed.tiles));
  const std::vector<float> scales = row_scales(dtype, rows);
  for (int tile = 0; tile < packed.tiles; ++tile) {
    const std::size_t first = static_cast<std::size_t>(tile) * tile_rows;
    pack_tile(dtype, kernels.tile_rows, static_cast<int>(std::min(tile_rows, rows - first)),
              columns, matrix + first * row_bytes(dtype, columns),
              packed.bytes.data() + static_cast<std::size_t>(tile) * packed.bytes_per_tile,
              dtype == DType::kI8 ? &scales[first] : nullptr);
  }
  return packed;
}

// All rows of the matrix against the first tokens of the input, out without gaps.
MatmulTask task_of(const PackedMatrix& packed, const Input& input, int rows, int columns,
                   int tokens, float* out) {
  MatmulTask task;
  task.tiles = packed.bytes.data();
  task.bytes_per_tile = packed.bytes_per_tile;
  task.rows = rows;
  task.columns = columns;
  task.tile_end = packed.tiles;
  task.x = input.bytes.data();
  task.x_stride = input.stride;
  task.tokens = tokens;
  task.out = out;
  task.out_stride = rows;
  return task;
}

void expect_matmul(const KernelTable& kernels, DType dtype, int rows, int columns, int tokens) {
  SCOPED_TRACE(
      fmt::format("{} {} [{} x {}] x {}", kernels.name, dtype_name(dtype), rows, columns, tokens));
  Random random(static_cast<unsigned>(rows * 31 + columns + tokens));
  const auto r = static_cast<std::size_t>(rows), k = static_cast<std::size_t>(columns);
  const std::vector<std::byte> matrix = random.matrix(dtype, r, k);
  const std::vector<float> x = random.normal(k * static_cast<std::size_t>(tokens));
  const std::vector<float> bias = random.normal(r), before = random.normal(r + 3);
  const Input input = make_input(kernels, dtype, x, k);
  const PackedMatrix packed = pack(kernels, dtype, &matrix[1], r, k);
  const std::vector<float> scales = row_scales(dtype, r);
  std::vector<float> out;
  for (int t = 0; t < tokens; ++t) out.insert(out.end(), before.begin(), before.end());
  MatmulTask task = task_of(packed, input, rows, columns, tokens, out.data());
  task.out_stride = rows + 3;
  task.bias = bias.data();
  task.accumulate = true;
  kernels.matmul[static_cast<int>(dtype)](task);
  for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t) {
    for (std::size_t row = 0; row < r; ++row) {
      const std::byte* weights = &matrix[1] + row * row_bytes(dtype, k);
      std::vector<float> w(k);
      dequantize_row(dtype, weights, k, w.data());
      const double scale = scales[row];
      double size = 1;
      for (std::size_t i = 0; i < k; ++i) {
        size += scale * std::abs(double{w[i]} * input.values[t][i]);
      }
      const double expected =
          double{before[row]} + scale * reference::dot(dtype, weights, input.values[t]) + bias[row];
      ASSERT_NEAR(out[t * (r + 3) + row], expected, 2e-6 * size) << "token " << t << " row " << row;
    }
    for (std::size_t i = r; i < r + 3; ++i) ASSERT_EQ(out[t * (r + 3) + i], before[i]);
  }
}

TEST_P(Kernels, ProductsOfEveryType) {
  for (const DTypeInfo& info : kDTypes) {
    const int columns = info.block_elements == 256 ? 768 : 576;
    for (int tokens : {1, 2, 3, 5, 8, 9, 17})
      expect_matmul(kernels(), info.dtype, 49, columns, tokens);
    for (int rows : {1, 7, 16, 64, 172}) expect_matmul(kernels(), info.dtype, rows, columns, 2);
    if (info.block_elements == 32) expect_matmul(kernels(), info.dtype, 20, 96, 4);  // odd groups
    if (info.block_elements == 1) {
      for (int k : {1, 2, 31, 63, 172}) expect_matmul(kernels(), info.dtype, 19, k, 3);
    }
  }
}

TEST_P(Kernels, AFusedSumIsRoundedOnce) {  // and not first to a half-way point in double
  const float tiny = 1.0f / (1 << 15), one = 1.0f + 1.0f / (1 << 23);
  const std::vector<float> matrix = {one, (1 + tiny) / (1 << 24)};
  const Input input = make_input(kernels(), DType::kF32, {1, 1 - tiny}, 2);
  const PackedMatrix packed =
      pack(kernels(), DType::kF32, reinterpret_cast<const std::byte*>(matrix.data()), 1, 2);
  float out = 0;
  kernels().matmul[static_cast<int>(DType::kF32)](task_of(packed, input, 1, 2, 1, &out));
  EXPECT_EQ(out, one);
}

TEST_P(Kernels, ExtremeCodesAreExact) {  // where 16-bit intermediate sums would saturate
  const std::size_t columns = 64, rows = 16;
  for (int code : {-128, -127, 127}) {
    std::vector<BlockQ8_0> matrix(rows * columns / 32);
    for (BlockQ8_0& block : matrix) {
      block.d = float_to_half(1);
      for (std::int8_t& q : block.qs) q = static_cast<std::int8_t>(code);
    }
    const float largest = std::nearbyint(kActivationPeak);  // codes of +-largest, scale 1
    for (float sign : {1.0f, -1.0f}) {
      const std::vector<float> x(columns, kActivationPeak * sign);
      const Input input = make_input(kernels(), DType::kQ8_0, x, columns);
      const PackedMatrix packed =
          pack(kernels(), DType::kQ8_0, reinterpret_cast<const std::byte*>(matrix.data()), rows,
               columns);
      std::vector<float> out(rows);
      const MatmulTask task = task_of(packed, input, 16, 64, 1, out.data());
      kernels().matmul[static_cast<int>(DType::kQ8_0)](task);
      for (float value : out) EXPECT_EQ(value, 64 * largest * sign * static_cast<float>(code));
    }
  }
}

// All bits of a block zero or one, which gives every type its extreme codes and signs: against the
// largest activations no intermediate sum may saturate.
TEST_P(Kernels, ExtremeBlocksOfEveryTypeDoNotSaturate) {
  const std::size_t columns = 512, rows = 16;
  for (const DTypeInfo& info : kDTypes) {
    if (activation_form(info.dtype) != ActivationForm::kInt8) continue;
    for (unsigned char fill : {0x00, 0x0F, 0xF0, 0xFF}) {
      SCOPED_TRACE(fmt::format("{} {} {:02x}", kernels().name, info.name, fill));
      std::vector<std::byte> matrix(rows * row_bytes(info.dtype, columns));
      for (std::size_t at = 0; at < matrix.size(); at += info.block_bytes) {
        ::quire::testing::fill_constant_block(info.dtype, fill, &matrix[at]);
      }
      for (float sign : {1.0f, -1.0f}) {
        const Input input = make_input(
            kernels(), info.dtype, std::vector<float>(columns, kActivationPeak * sign), columns);
        const PackedMatrix packed = pack(kernels(), info.dtype, matrix.data(), rows, columns);
        std::vector<float> out(rows);
        const MatmulTask task = task_of(packed, input, rows, columns, 1, out.data());
        kernels().matmul[static_cast<int>(info.dtype)](task);
        const double expected = reference::dot(info.dtype, matrix.data(), input.values[0]);
        for (float value : out) ASSERT_NEAR(value, expected, 2e-6 * std::abs(expected) + 1e-3);
      }
    }
  }
}

TEST_P(Kernels, ExtremeCodesPerChannelAreExact) {  // the largest sum of all, and an odd row
  const int rows = 16;
  for (const std::size_t columns : {std::size_t{67}, std::size_t{kChannelColumnsMax}}) {
    for (int code : {-128, -127, 127}) {
      const std::vector<std::byte> matrix(rows * columns, static_cast<std::byte>(code));
      const PackedMatrix packed = pack(kernels(), DType::kI8, matrix.data(), rows, columns);
      for (float sign : {1.0f, -1.0f}) {
        const Input input =
            make_input(kernels(), DType::kI8, std::vector<float>(columns, 127 * sign), columns);
        std::vector<float> out(rows);
        MatmulTask task{packed.bytes.data(), packed.bytes_per_tile, rows, static_cast<int>(columns),
                        0, packed.tiles, input.bytes.data(), input.stride, 1, out.data(), rows};
        kernels().matmul[static_cast<int>(DType::kI8)](task);
        const float sum = sign * 127 * static_cast<float>(code) * static_cast<float>(columns);
        const std::vector<float> scales = row_scales(DType::kI8, rows);
        for (std::size_t row = 0; row < rows; ++row) EXPECT_EQ(out[row], sum * scales[row]);
      }
    }
  }
}

// Up to 65 tokens together equal each alone, bit for bit.
TEST_P(Kernels, ColumnsDoNotSeeEachOther) {
  Random random(5);
  for (const DTypeInfo& info : kDTypes) {
    const std::size_t rows = 40, columns = info.block_elements == 256 ? 512 : 192, tokens = 65;
    const std::vector<std::byte> matrix = random.matrix(info.dtype, rows, columns);
    const PackedMatrix packed = pack(kernels(), info.dtype, &matrix[1], rows, columns);
    const Input input = make_input(kernels(), info.dtype, random.normal(columns * tokens), columns);
    AlignedBuffer<std::byte> scratch(matmul_scratch_bytes(static_cast<int>(columns)));
    const auto multiply = [&](int first, int count, int begin, int end) {
      std::vector<float> out(rows * static_cast<std::size_t>(count));
      MatmulTask task = task_of(packed, input, static_cast<int>(rows),
                                static_cast<int>(columns), count, out.data());
      task.tile_begin = begin;
      task.tile_end = end;
      task.x += static_cast<std::size_t>(first) * input.stride;
      task.scratch = scratch.data();  // from some count of tokens on, tiles are unpacked there
      kernels().matmul[static_cast<int>(info.dtype)](task);
      return out;
    };
    const std::vector<float> together = multiply(0, tokens, 0, packed.tiles);
    for (int count = 1; count < 20; ++count) {
      const std::vector<float> some = multiply(65 - count, count, 0, packed.tiles);
      ASSERT_EQ(
          std::memcmp(some.data(), &together[(tokens - static_cast<std::size_t>(count)) * rows],
                      some.size() * 4),
          0)
          << info.name << " with " << count << " tokens";
    }
  }
}

TEST_P(Kernels, QuantizesToNearestAndSums) {
  Random random(7);
  std::vector<float> x = random.normal(320, 3);
  for (int i = 64; i < 96; ++i) x[static_cast<std::size_t>(i)] = 0;
  std::vector<ActivationBlock> blocks(10);
  kernels().quantize_int8(x.data(), 320, blocks.data());
  for (std::size_t g = 0; g < blocks.size(); ++g) {
    int sum = 0, first = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      sum += blocks[g].codes[i];
      if (i < 16) first += blocks[g].codes[i];
      EXPECT_NEAR(blocks[g].codes[i] * double{blocks[g].scale}, x[32 * g + i],
                  0.5001 * double{blocks[g].scale});
    }
    EXPECT_EQ(blocks[g].negative_sum, -sum);
    EXPECT_EQ(blocks[g].negative_sum_first, -first);
    EXPECT_EQ(blocks[g].scaled_sum, blocks[g].scale * static_cast<float>(sum));
  }
  EXPECT_EQ(blocks[2].scale, 0);
}

TEST_P(Kernels, QuantizesATokenToNearestAndSums) {
  Random random(8);
  for (const std::size_t columns : {1u, 31u, 64u, 172u, 577u}) {
    const std::vector<float> x = random.normal(columns, 3);
    float largest = 0;
    for (float value : x) largest = std::max(largest, std::abs(value));
    for (float given : {0.0f, 0.03f, 0.01f}) {  // the last ones clamp
      AlignedBuffer<std::byte> room(channel_token_bytes(columns));
      std::memset(room.data(), 0x55, room.count());
      const auto& token = *reinterpret_cast<const ChannelToken*>(room.data());
      kernels().quantize_token(x.data(), static_cast<int>(columns), given,
                               reinterpret_cast<ChannelToken*>(room.data()));
      EXPECT_EQ(token.scale, given == 0 ? largest / 127 : given);
      int sum = 0;
      for (std::size_t i = 0; i < columns; ++i) {
        const float exact = std::clamp(x[i] / token.scale, -127.0f, 127.0f);
        EXPECT_NEAR(token.codes()[i], exact, 0.5001f) << i;
        sum += token.codes()[i];
      }
      EXPECT_EQ(token.negative_sum, -sum);
      for (std::size_t i = columns; i < (columns + 63) / 64 * 64; ++i) {
        ASSERT_EQ(token.codes()[i], 0) << i;
      }
    }
  }
}

TEST_P(Kernels, TokensOfZerosAndOfNoNumbers) {
  AlignedBuffer<std::byte> room(channel_token_bytes(64));
  auto* token = reinterpret_cast<ChannelToken*>(room.data());
  std::vector<float> x(64, 1e-38f);
  kernels().quantize_token(x.data(), 64, 0, token);
  EXPECT_EQ(token->scale, 0);
  EXPECT_EQ(token->negative_sum, 0);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    x[40] = bad;
    for (float given : {0.0f, 0.5f}) {
      kernels().quantize_token(x.data(), 64, given, token);
      EXPECT_TRUE(std::isnan(token->scale));
      EXPECT_EQ(token->negative_sum, 0);
      EXPECT_EQ(token->codes()[40], 0);
    }
  }
}

TEST_P(Kernels, NonFiniteActivationsStayVisible) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(64, 1.0f);
    x[40] = bad;
    ActivationBlock blocks[2];
    kernels().quantize_int8(x.data(), 64, blocks);
    EXPECT_TRUE(std::isfinite(blocks[0].scale));
    EXPECT_FALSE(std::isfinite(blocks[1].scale));
    EXPECT_FALSE(std::isfinite(blocks[1].scaled_sum));
    std::uint16_t bits[64];
    kernels().narrow_bf16(x.data(), 64, bits);
    EXPECT_FALSE(std::isfinite(bf16_to_float(bits[40])));
  }
}

TEST_P(Kernels, RoundsTo16BitsAsFloatBitsDoes) {
  Random random(11);
  for (float scale : {1.0f, 1e-3f, 1e-7f, 1e4f, 1e38f}) {
    const std::vector<float> x = random.normal(37, scale);
    std::uint16_t bf16[37], half[37];
    kernels().narrow_bf16(x.data(), 37, bf16);
    kernels().narrow_half(x.data(), 37, half);
    for (std::size_t i = 0; i < 37; ++i) {
      EXPECT_EQ(bf16[i], float_to_bf16(x[i]));
      EXPECT_EQ(half[i], float_to_half(x[i])) << x[i];
    }
  }
}

TEST_P(Kernels, NormRopeSilu) {
  Random random(13);
  for (std::size_t count : {8u, 16u, 63u, 64u, 80u, 100u, 576u, 2048u}) {
    const std::vector<float> x = random.normal(count, 2), w = random.normal(count);
    std::vector<float> y(count);
    kernels().rmsnorm(x.data(), w.data(), 1e-5f, static_cast<int>(count), y.data());
    const std::vector<double> norm = reference::rmsnorm(x, w, 1e-5f);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_NEAR(y[i], norm[i], 1e-6 * (1 + std::abs(norm[i])));
    kernels().silu_mul(x.data(), w.data(), static_cast<int>(count), y.data());
    const std::vector<double> silu = reference::silu_mul(x, w);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_NEAR(y[i], silu[i], 1e-6 * (1 + std::abs(silu[i])));
    if (count % 2 != 0) continue;
    std::vector<float> cosines, sines;
    for (float angle : random.normal(count / 2, 10)) {
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
    }
    for (bool adjacent : {true, false}) {
      std::vector<float> turned = x;
      kernels().rope(turned.data(), cosines.data(), sines.data(), static_cast<int>(count),
                     adjacent);
      const std::vector<double> rope = reference::rope(x, cosines, sines, adjacent);
      for (std::size_t i = 0; i < count; ++i) EXPECT_NEAR(turned[i], rope[i], 2e-6);
    }
  }
}

TEST_P(Kernels, SiluAtTheEdges) {
  const std::vector<float> gate = {
      0,  -1e30f, -100,  -88,    -87.5f,
      88, 100,    1e30f, 1e-30f, std::numeric_limits<float>::quiet_NaN(),
      20, -20};
  const std::vector<float> up(gate.size(), 1);
  std::vector<float> y(gate.size());
  kernels().silu_mul(gate.data(), up.data(), static_cast<int>(gate.size()), y.data());
  const std::vector<double> expected = reference::silu_mul(gate, up);
  for (std::size_t i = 0; i < gate.size(); ++i) {
    if (std::isnan(gate[i])) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else {
      EXPECT_NEAR(y[i], expected[i], 1e-6 * std::abs(expected[i]) + 1e-30) << gate[i];
    }
  }
}

TEST_P(Kernels, Logits) {
  Random random(17);
  for (std::size_t count : {1u, 5u, 16u, 1000u, 49152u, 150001u}) {
    std::vector<float> logits = random.normal(count, 4);
    const int n = static_cast<int>(count);
    const float max = kernels().max_value(logits.data(), n);
    EXPECT_EQ(max, *std::max_element(logits.begin(), logits.end()));
    EXPECT_NEAR(max + std::log(kernels().sum_exp(logits.data(), n, max)),
                reference::logsumexp(logits), 1e-6);
    logits[count / 2] = 100;
    EXPECT_EQ(kernels().first_above(logits.data(), 0, n, 99), n / 2);
    EXPECT_EQ(kernels().first_above(logits.data(), n / 2 + 1, n, 99), n);
    EXPECT_EQ(kernels().first_above(logits.data(), 0, n, 100), n);
    logits[count / 2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(kernels().sum_exp(logits.data(), n, 1)));
  }
}

TEST_P(Kernels, PhiloxWordsAreThoseOfTheirStreams) {
  const std::uint64_t seed = 0x123456789abcdef0, position = 0x500000007, stream = 0x9fffffff0;
  for (const int groups : {1, 3, 16, 64}) {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(4 * groups));
    const std::uint32_t largest =
        kernels().philox_words(seed, position, stream - 64, groups, words.data());
    EXPECT_EQ(largest, *std::max_element(words.begin(), words.end()));
    for (int g = 0; g < groups; ++g) {
      const auto expected = philox(seed, position, stream - 64 + static_cast<std::uint64_t>(g));
      for (int i = 0; i < 4; ++i) EXPECT_EQ(words[i * groups + g], expected[i]) << g << " " << i;
    }
  }
}

TEST(Select, NamesAndErrors) {
  EXPECT_EQ((*select_kernels("scalar"))->name, "scalar");
  const auto unknown = select_kernels("vax");
  ASSERT_FALSE(unknown.is_ok());
  EXPECT_NE(unknown.status().message().find("scalar"), std::string::npos);
  EXPECT_EQ(all_supported().back()->name, "scalar");
}

INSTANTIATE_TEST_SUITE_P(Isa, Kernels, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
