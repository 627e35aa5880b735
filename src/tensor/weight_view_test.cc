#include "tensor/weight_view.h"

#include <gmock/gmock.h>

namespace quire {
namespace {

using ::testing::HasSubstr;

TensorView view_of(const char* name, DType dtype, const std::byte* data) {
  TensorView view;
  view.name = name;
  view.dtype = dtype;
  view.shape = {2, 3, 32};
  view.data = data;
  return view;
}

TEST(WeightViewTest, AMatrixIsAWeightWhoseRowsLieBehindEachOther) {
  const std::byte data[6 * 34] = {};
  const WeightView view = view_of("w", DType::kQ8_0, data);
  EXPECT_EQ(view.experts(), 1u);
  EXPECT_EQ(view.rows, 6u);
  EXPECT_EQ(view.columns, 32u);
  EXPECT_EQ(view.matrix_bytes(), sizeof data);
  EXPECT_EQ(view.row(0, 5), data + 5 * 34);
  EXPECT_FALSE(view.matrices[0].scales);
}

TEST(WeightViewTest, MatricesOfOneWeightAgree) {
  const std::byte data[6 * 128] = {};
  const TensorView first = view_of("a", DType::kI8, data), second = view_of("b", DType::kI8, data);
  const auto refusal = [&](const TensorView& other) {
    const TensorView both[] = {first, other};
    const auto view = WeightView::of(both);
    return view.is_ok() ? std::string("accepted") : view.status().message();
  };
  EXPECT_EQ(refusal(second), "accepted");
  EXPECT_THAT(refusal(view_of("b", DType::kF32, data)), HasSubstr("not the shape and type"));
  TensorView other = second;
  other.shape = {6, 32};
  EXPECT_THAT(refusal(other), HasSubstr("'b' has not the shape and type of 'a'"));
  other = second;
  other.input_scale = 0.5f;
  EXPECT_THAT(refusal(other), HasSubstr("'b': input_scale is 0.5"));
}

TEST(ScalesTest, OneServesRowsByColumns) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  const Scales per_row{values};
  EXPECT_EQ(per_row.at(4, 7, 9), 5);
  EXPECT_EQ(per_row.from(2).of_row(3), 6);
  const Scales whole{values, 100};
  EXPECT_EQ(whole.from(50).of_row(49), 1);
  const Scales grid{values, 2, 4};  // of rows of 9 columns: three to a row
  EXPECT_EQ(grid.at(1, 3, 9), 1);
  EXPECT_EQ(grid.at(1, 8, 9), 3);
  EXPECT_EQ(grid.at(2, 4, 9), 5);
  EXPECT_FALSE(Scales().from(3));
}

}  // namespace
}  // namespace quire
