// Products of every weight type on every supported table against the oracle, at odd sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/dequantize.h"
#include "kernels/kernels_for_tests.h"
#include "kernels/pack.h"
#include "kernels/reference.h"
#include "tensor/float_bits.h"

namespace quire {
namespace {

using testing::Random;

class MatmulTest : public testing::KernelTest {};

// The scales of the rows of a matrix that has them beside it; else 1.
std::vector<float> row_scales(DType dtype, std::size_t rows) {
  std::vector<float> scales(rows, 1);
  if (!has_scales_beside(dtype)) return scales;
  for (std::size_t i = 0; i < rows; ++i) scales[i] = 0.0007f + 0.00011f * static_cast<float>(i % 7);
  return scales;
}

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
              {has_scales_beside(dtype) ? &scales[first] : nullptr});
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
      const double share = dtype == DType::kNF4 ? 2e-4 : 2e-6;  // 15 bits of each value
      ASSERT_NEAR(out[t * (r + 3) + row], expected, share * size)
          << "token " << t << " row " << row;
    }
    for (std::size_t i = r; i < r + 3; ++i) ASSERT_EQ(out[t * (r + 3) + i], before[i]);
  }
}

TEST_P(MatmulTest, ProductsOfEveryType) {
  for (const DTypeInfo& info : kDTypes) {
    const int columns = info.block_elements > 64 ? 768 : 576;
    for (int tokens : {1, 2, 3, 5, 8, 9, 17})
      expect_matmul(kernels(), info.dtype, 49, columns, tokens);
    for (int rows : {1, 7, 16, 64, 172}) expect_matmul(kernels(), info.dtype, rows, columns, 2);
    if (info.block_elements == 32) expect_matmul(kernels(), info.dtype, 20, 96, 4);  // odd groups
    if (info.block_elements == 1) {
      for (int k : {1, 2, 31, 63, 172}) expect_matmul(kernels(), info.dtype, 19, k, 3);
    }
  }
}

TEST_P(MatmulTest, AFusedSumIsRoundedOnce) {  // and not first to a half-way point in double
  const float tiny = 1.0f / (1 << 15), one = 1.0f + 1.0f / (1 << 23);
  const std::vector<float> matrix = {one, (1 + tiny) / (1 << 24)};
  const Input input = make_input(kernels(), DType::kF32, {1, 1 - tiny}, 2);
  const PackedMatrix packed =
      pack(kernels(), DType::kF32, reinterpret_cast<const std::byte*>(matrix.data()), 1, 2);
  float out = 0;
  kernels().matmul[static_cast<int>(DType::kF32)](task_of(packed, input, 1, 2, 1, &out));
  EXPECT_EQ(out, one);
}

TEST_P(MatmulTest, ExtremeCodesAreExact) {  // where 16-bit intermediate sums would saturate
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
TEST_P(MatmulTest, ExtremeBlocksOfEveryTypeDoNotSaturate) {
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

TEST_P(MatmulTest, ExtremeCodesPerChannelAreExact) {  // the largest sum of all, and an odd row
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
TEST_P(MatmulTest, ColumnsDoNotSeeEachOther) {
  Random random(5);
  for (const DTypeInfo& info : kDTypes) {
    const std::size_t rows = 40, columns = info.block_elements > 64 ? 512 : 192, tokens = 65;
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

// What makes two tables interchangeable: every product has the portable table's bits, unless its
// own way to round bf16 is declared.
TEST_P(MatmulTest, BitsAreThoseOfThePortableTable) {
  Random random(23);
  for (const DTypeInfo& info : kDTypes) {
    const bool is_own =
        info.dtype == DType::kBF16 && kernels().bf16_products == Bf16Products::kPairs;
    const std::size_t rows = 37, columns = info.block_elements > 64 ? 1024 : 704, tokens = 39;
    const std::vector<std::byte> matrix = random.matrix(info.dtype, rows, columns);
    const std::vector<float> x = random.normal(columns * tokens);
    const auto multiply = [&](const KernelTable& table) {
      const PackedMatrix packed = pack(table, info.dtype, &matrix[1], rows, columns);
      const Input input = make_input(table, info.dtype, x, columns);
      std::vector<float> out(rows * tokens);
      table.matmul[static_cast<int>(info.dtype)](
          task_of(packed, input, static_cast<int>(rows), static_cast<int>(columns),
                  static_cast<int>(tokens), out.data()));
      return out;
    };
    const std::vector<float> out = multiply(kernels()), portable = multiply(kScalarKernels);
    const int difference = std::memcmp(out.data(), portable.data(), out.size() * sizeof(float));
    EXPECT_EQ(difference != 0, is_own) << info.name;
  }
}

// Codes of a byte with a scale for some columns: groups that divide a row and groups that do not.
TEST_P(MatmulTest, ScalesOfGroupsBesideTheCodes) {
  Random random(29);
  const std::size_t rows = 21, columns = 203, tokens = 9;
  for (const DType dtype : {DType::kF8, DType::kI8A16}) {
    for (const std::size_t group : {std::size_t{2}, std::size_t{29}, std::size_t{128},
                                    std::size_t{203}, std::size_t{512}}) {
      SCOPED_TRACE(fmt::format("{} {} groups of {}", kernels().name, dtype_name(dtype), group));
      const std::size_t groups = (columns + group - 1) / group;
      const std::vector<std::byte> matrix = random.matrix(dtype, rows, columns);
      const std::vector<float> scales = random.normal(rows * groups, 0.01f);
      const Input input = make_input(kernels(), dtype, random.normal(columns * tokens), columns);
      PackedMatrix packed;
      const auto tile_rows = static_cast<std::size_t>(kernels().tile_rows);
      packed.bytes_per_tile = packed_tile_bytes(dtype, kernels().tile_rows, columns, group);
      packed.tiles = static_cast<int>((rows + tile_rows - 1) / tile_rows);
      packed.bytes = AlignedBuffer<std::byte>(packed.bytes_per_tile *
                                              static_cast<std::size_t>(packed.tiles));
      for (std::size_t first = 0; first < rows; first += tile_rows) {
        pack_tile(dtype, kernels().tile_rows, static_cast<int>(std::min(tile_rows, rows - first)),
                  columns, &matrix[1 + first * columns],
                  packed.bytes.data() + first / tile_rows * packed.bytes_per_tile,
                  {&scales[first * groups], group});
      }
      std::vector<float> out(rows * tokens);
      kernels().matmul[static_cast<int>(dtype)](
          task_of(packed, input, static_cast<int>(rows), static_cast<int>(columns),
                  static_cast<int>(tokens), out.data()));
      for (std::size_t row = 0; row < rows; ++row) {
        std::vector<float> w(columns);
        dequantize_row(dtype, &matrix[1 + row * columns], columns, w.data());
        for (std::size_t t = 0; t < tokens; ++t) {
          double expected = 0, size = 0;
          for (std::size_t k = 0; k < columns; ++k) {
            const double part = double{w[k]} * scales[row * groups + k / group] *
                                input.values[t][k];
            expected += part;
            size += std::abs(part);
          }
          ASSERT_NEAR(out[t * rows + row], expected, 1e-6 * size) << row << " " << t;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, MatmulTest, ::testing::ValuesIn(all_supported()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace quire
