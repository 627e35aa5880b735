#include "lab/random_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/dequantize.h"
#include "model/registry.h"

namespace quire {
namespace {

std::string bytes_of(const TensorView& view) {
  return std::string(reinterpret_cast<const char*>(view.data), view.bytes());
}

TEST(RandomModelTest, IsAFunctionOfShapeTypeAndSeed) {
  for (const DTypeInfo& info : kDTypes) {
    const auto make = [&](std::uint64_t seed, int threads) {
      const RandomModelOptions options = {.dtype = info.dtype, .seed = seed, .threads = threads};
      return bytes_of(*make_random_model("tiny", options)->find("layers.1.down"));
    };
    EXPECT_EQ(make(7, 1), make(7, 3)) << info.name;
    EXPECT_NE(make(7, 1), make(8, 1)) << info.name;
  }
  const RandomModel model = *make_random_model("tiny", {});
  EXPECT_NE(bytes_of(*model.find("layers.0.q")), bytes_of(*model.find("layers.0.o")));
}

TEST(RandomModelTest, WeightsOfEveryTypeHaveAMeanOfZeroAndAVarianceOfOneOverColumns) {
  for (const DTypeInfo& info : kDTypes) {
    const RandomModel model = *make_random_model("tiny", {.dtype = info.dtype});
    const TensorView view = *model.find("layers.0.down");
    ASSERT_EQ(view.dtype, info.dtype);
    std::vector<float> row(view.columns());
    double sum = 0, squares = 0;
    for (std::size_t r = 0; r < view.rows(); ++r) {
      dequantize_row(view.dtype, view.data + r * row_bytes(view.dtype, view.columns()), row.size(),
                     row.data());
      const double scale = view.scales ? view.scales.of_row(r) : 1;
      for (const float value : row) {
        sum += scale * value;
        squares += scale * value * scale * value;
      }
    }
    const double count = static_cast<double>(view.rows() * view.columns());
    EXPECT_NEAR(sum / count * std::sqrt(view.columns()), 0, 0.05) << info.name;
    EXPECT_NEAR(squares / count * static_cast<double>(view.columns()), 1.1, 0.25) << info.name;
  }
}

TEST(RandomModelTest, EveryShapeHasTheTensorsOfItsArchitecture) {
  for (const std::string_view shape : random_shapes()) {
    const auto design = design_of_shape(shape);
    ASSERT_TRUE(design.is_ok()) << shape << ": " << design.status().message();
    if (!shape.starts_with("tiny")) continue;  // the others are large
    const RandomModel model = *make_random_model(shape, {.dtype = DType::kQ4_K});
    const bool has_head =
        design->facts.kind != ModelKind::kEncoder && !design->facts.has_tied_head;
    EXPECT_EQ(model.find("head").is_ok(), has_head) << shape;
    for (const TensorRule& rule : design->tensors.rules) {
      EXPECT_EQ(model.find(rule.canonical)->shape, rule.shape) << shape << " " << rule.canonical;
    }
  }
  EXPECT_EQ(make_random_model("llama-2b", {}).status().code(), StatusCode::kNotFound);
}

TEST(RandomModelTest, ATypeGivesWayWhereItsBlocksDoNotFit) {
  EXPECT_EQ(matrix_dtype(DType::kQ4_K, 576), DType::kQ8_0);
  EXPECT_EQ(matrix_dtype(DType::kQ4_K, 172), DType::kF16);
  EXPECT_EQ(matrix_dtype(DType::kQ4_0, 576), DType::kQ4_0);
  EXPECT_EQ(matrix_dtype(DType::kF32, 7), DType::kF32);
}

}  // namespace
}  // namespace quire
