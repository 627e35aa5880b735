#include "lab/weight_check.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "lab/random_model.h"
#include "model/registry.h"

namespace quire {
namespace {

TEST(WeightCheckTest, ReadsEveryValueOfEveryTinyModel) {
  for (const std::string_view shape : random_shapes()) {
    if (!shape.starts_with("tiny")) continue;
    for (const DType dtype : {DType::kF32, DType::kQ4_K}) {
      const RandomModel model = *make_random_model(shape, {.dtype = dtype});
      const auto report = check_weights(model.design.tensors, model.find);
      ASSERT_TRUE(report.is_ok()) << shape << ": " << report.status().message();
      std::uint64_t elements = 0;
      for (const TensorRule& rule : model.design.tensors.rules) {
        if (model.find(rule.canonical).is_ok()) elements += rule.elements();
      }
      EXPECT_EQ(report->values, elements) << shape;
      EXPECT_GT(report->values, 0u) << shape;
      EXPECT_TRUE(report->is_finite()) << shape << ": " << report->faults[0].tensor;
    }
  }
}

TEST(WeightCheckTest, NamesTheTensorAndThePlaceOfWhatIsNotFinite) {
  const RandomModel model = *make_random_model("tiny", {.dtype = DType::kF32});
  std::vector<std::byte> broken;
  const TensorFinder find = [&](std::string_view name) {
    auto view = model.find(name);
    if (name != "layers.1.down") return view;
    broken.assign(view->data, view->data + view->bytes());
    const auto put = [&](std::size_t row, std::size_t column, float value) {
      std::memcpy(broken.data() + (row * view->columns() + column) * sizeof value, &value,
                  sizeof value);
    };
    put(3, 5, std::numeric_limits<float>::infinity());
    put(4, 0, std::numeric_limits<float>::quiet_NaN());
    view->data = broken.data();
    return view;
  };
  const auto report = check_weights(model.design.tensors, find);
  ASSERT_TRUE(report.is_ok());
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].count, 2u);
  EXPECT_EQ(fault_sentence(report->faults[0]),
            "'" + report->faults[0].tensor +
                "' has inf at row 3, column 5, and 1 more value that is not finite");
}

// A block type's values come from its scales: one that is NaN spoils its block.
TEST(WeightCheckTest, SeesTheScalesOfBlocks) {
  const RandomModel model = *make_random_model("tiny", {.dtype = DType::kQ8_0});
  std::vector<std::byte> broken;
  const TensorFinder find = [&](std::string_view name) {
    auto view = model.find(name);
    if (name != "layers.0.q") return view;
    broken.assign(view->data, view->data + view->bytes());
    broken[0] = std::byte{0x00};  // the first block's float16 scale: infinity
    broken[1] = std::byte{0x7C};
    view->data = broken.data();
    return view;
  };
  const auto report = check_weights(model.design.tensors, find);
  ASSERT_TRUE(report.is_ok());
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].row, 0u);
  EXPECT_GE(report->faults[0].count, 31u);  // a code of zero makes a NaN of it, the others infinity
}

// Codes with a scale for each row beside them; and each rule is told of when it is done with.
TEST(WeightCheckTest, SeesScalesBesideTheCodes) {
  const RandomModel model = *make_random_model("tiny", {.dtype = DType::kF8});
  std::vector<float> scales;
  const TensorFinder find = [&](std::string_view name) {
    auto view = model.find(name);
    if (name != "layers.0.q") return view;
    scales.assign(view->rows(), 1);
    scales[2] = std::numeric_limits<float>::quiet_NaN();
    view->scales.values = scales.data();
    return view;
  };
  std::vector<std::string> done;
  const auto report = check_weights(model.design.tensors, find,
                                    [&](std::string_view rule) { done.emplace_back(rule); });
  ASSERT_TRUE(report.is_ok());
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].row, 2u);
  EXPECT_EQ(report->faults[0].count, model.find("layers.0.q")->columns());
  EXPECT_EQ(done.size(), report->tensors);
}

TEST(WeightCheckTest, ATensorThatIsMissingIsAnError) {
  const RandomModel model = *make_random_model("tiny", {});
  const auto report = check_weights(model.design.tensors, [&](std::string_view name) {
    if (name != "layers.0.up") return model.find(name);
    return Result<TensorView>(error(StatusCode::kNotFound, "no 'layers.0.up'"));
  });
  ASSERT_FALSE(report.is_ok());
  EXPECT_EQ(report.status().message(), "no 'layers.0.up'");
}

}  // namespace
}  // namespace quire
