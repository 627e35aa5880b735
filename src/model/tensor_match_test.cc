// Tensors that files hold in other ways than products read them: against the same taken by hand.
#include "model/tensor_match.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tensor/float_bits.h"

namespace quire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TensorMatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    checkpoint_.place = [](const TensorView&) { return std::string("at offset 7"); };
  }

  // A tensor of the file with the values 0, 1, 2, ...
  void add(const std::string& name, std::vector<std::size_t> shape) {
    TensorView view;
    view.name = name;
    view.shape = std::move(shape);
    std::vector<float>& values = memory_.emplace_back(view.rows() * view.columns());
    std::iota(values.begin(), values.end(), 0.0f);
    view.data = reinterpret_cast<const std::byte*>(values.data());
    checkpoint_.tensors[name] = view;
  }

  Result<MatchedTensors> match(const TensorRule& rule) {
    TensorRules rules;
    rules.add(rule);
    return MatchedTensors::match(rules, checkpoint_, "mine");
  }
  std::vector<float> values(const TensorRule& rule, const std::string& name = "x") {
    const auto matched = match(rule);
    EXPECT_TRUE(matched.is_ok()) << matched.status().message();
    const TensorView view = *matched->find(name);
    const auto* data = reinterpret_cast<const float*>(view.data);
    return {data, data + view.rows() * view.columns()};
  }
  std::string refusal(const TensorRule& rule) { return match(rule).status().message(); }

  Checkpoint checkpoint_;
  std::vector<std::vector<float>> memory_;
};

// Codes of FP8 with a scale for each block of 2 x 2: rows of a weave take their scales along, and
// what is read with rows and columns exchanged is made BF16.
TEST_F(TensorMatchTest, RearrangedCodesKeepTheirScales) {
  const std::vector<std::uint8_t> codes = {0x38, 0x40, 0x44, 0x48,   // 1, 2, 3, 4
                                           0x4A, 0x4C, 0x4E, 0x50,   // 5, 6, 7, 8
                                           0x38, 0x40, 0x44, 0x48,
                                           0x4A, 0x4C, 0x4E, 0x50};
  const std::vector<float> scales = {1, 10, 100, 1000};
  TensorView view;
  view.name = "w";
  view.dtype = DType::kF8;
  view.shape = {4, 4};
  view.data = reinterpret_cast<const std::byte*>(codes.data());
  view.scales = {scales.data(), 2, 2};
  checkpoint_.tensors["w"] = view;
  const auto woven = match({"x", "", Stored("w").runs(1, 1, 2, 4), {2, 4}});
  ASSERT_TRUE(woven.is_ok()) << woven.status().message();
  const TensorView rows = *woven->find("x");
  EXPECT_EQ(rows.dtype, DType::kF8);
  EXPECT_EQ(static_cast<int>(rows.data[0]), 0x4A);
  EXPECT_EQ(rows.scales.at(0, 1, 4), 1);
  EXPECT_EQ(rows.scales.at(0, 2, 4), 10);
  EXPECT_EQ(rows.scales.at(1, 0, 4), 100);
  EXPECT_EQ(rows.scales.at(1, 3, 4), 1000);
  EXPECT_EQ(woven->rounded(), 0u);
  const auto exchanged = match({"x", "", Stored("w").transposed(), {4, 4}});
  ASSERT_TRUE(exchanged.is_ok()) << exchanged.status().message();
  const TensorView turned = *exchanged->find("x");
  EXPECT_EQ(turned.dtype, DType::kBF16);
  EXPECT_FALSE(turned.scales);
  const auto* values = reinterpret_cast<const std::uint16_t*>(turned.data);
  EXPECT_EQ(bf16_to_float(values[0]), 1);
  EXPECT_EQ(bf16_to_float(values[1]), 5);
  EXPECT_EQ(bf16_to_float(values[2]), 100);
  EXPECT_EQ(bf16_to_float(values[4 * 3]), 40);
  EXPECT_EQ(bf16_to_float(values[4 * 3 + 3]), 8000);
  EXPECT_EQ(exchanged->rounded(), 1u);
  EXPECT_EQ(exchanged->first_rounded(), "w");
}

TEST_F(TensorMatchTest, PartsOfAFusedTensorAreViews) {
  add("qkv", {6, 2});
  const TensorRule rule = {"x", "", Stored("qkv").rows(2, 6), {3, 2}};
  EXPECT_THAT(values(rule), ElementsAre(4, 5, 6, 7, 8, 9));
  const auto matched = match(rule);
  EXPECT_EQ(matched->find("x")->data, checkpoint_.tensors["qkv"].data + 4 * sizeof(float));
  EXPECT_THAT(refusal({"x", "", Stored("qkv").rows(2, 7), {3, 2}}),
              HasSubstr("shape [6, 2], but the configuration says [7, 2]"));
  add("bias", {6});
  EXPECT_THAT(refusal(rule), HasSubstr("mine has no such tensor"));
}

// Two heads of two rows each for query, key and value: the keys.
TEST_F(TensorMatchTest, HeadsAreTakenOutOfAWeave) {
  add("qkv", {12, 1});
  EXPECT_THAT(values({"x", "", Stored("qkv").runs(2, 2, 6, 12), {4, 1}}),
              ElementsAre(2, 3, 8, 9));
  checkpoint_.tensors.clear();
  add("bias", {12});
  EXPECT_THAT(values({"x", "", Stored("bias").runs(4, 2, 6, 12), {4}, Role::kBias}),
              ElementsAre(4, 5, 10, 11));
}

TEST_F(TensorMatchTest, ColumnsAndRowsAreExchanged) {
  add("w", {2, 6});  // [columns, rows of three matrices of two rows]
  EXPECT_THAT(values({"x", "", Stored("w").rows(2, 6).transposed(), {2, 2}}),
              ElementsAre(2, 8, 3, 9));
}

TEST_F(TensorMatchTest, ARowMayBeTheDifferenceOfTwo) {
  add("w", {2, 3});
  const TensorRule rule = {"x", "", Stored("w").rows(0, 2).converted(Convert::kFirstLessSecond),
                           {1, 3}, Role::kHead};
  EXPECT_THAT(values(rule), ElementsAre(-3, -3, -3));
  EXPECT_EQ(match(rule)->find("x")->dtype, DType::kF32);
  add("w", {3, 3});
  EXPECT_THAT(refusal(rule), HasSubstr("shape [3, 3], but the configuration says [2, 3]"));
}

TEST_F(TensorMatchTest, VectorsAreConvertedAndMayHaveDimensionsOfOne) {
  add("w", {2, 1, 2});
  EXPECT_THAT(values({"x", "", "w", {2, 2}, Role::kVector}), ElementsAre(0, 1, 2, 3));
  checkpoint_.tensors.clear();
  add("w", {2});
  EXPECT_THAT(values({"x", "", Stored("w").converted(Convert::kPlusOne), {2}, Role::kNorm}),
              ElementsAre(1, 2));
  EXPECT_THAT(values({"x", "", Stored("w").converted(Convert::kMinusExp), {2}, Role::kVector}),
              ElementsAre(-1, -std::exp(1.0f)));
}

TEST_F(TensorMatchTest, AVectorMayBeFoldedAndARowAlone) {
  add("norm", {2, 3});
  EXPECT_THAT(values({"x", "", "norm", {6}, Role::kNorm}), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(refusal({"x", "", "norm", {5}, Role::kNorm}), HasSubstr("shape [2, 3]"));
  EXPECT_THAT(refusal({"x", "", "norm", {6, 1}}), HasSubstr("shape [2, 3]"));
  checkpoint_.tensors.clear();
  add("scale", {4});
  EXPECT_THAT(values({"x", "", "scale", {1, 4}}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(refusal({"x", "", "scale", {4, 1}}), HasSubstr("shape [4]"));
}

TEST_F(TensorMatchTest, ExpertsLieTogetherOrApart) {
  TensorRule rule = {"x", "", Stored("e.{e}.w"), {2, 1, 3}, Role::kExperts};
  rule.others = {Stored("fused").rows(1, 2)};
  const auto of = [&] {
    const auto matched = match(rule);
    EXPECT_TRUE(matched.is_ok()) << matched.status().message();
    const auto view = weight_view(
        [&](std::string_view name) { return matched->find(name); }, rule);
    EXPECT_EQ(view->rows, 1u);
    EXPECT_EQ(view->columns, 3u);
    std::vector<float> firsts;
    for (const WeightView::Matrix& matrix : view->matrices) {
      firsts.push_back(*reinterpret_cast<const float*>(matrix.codes));
    }
    return firsts;
  };
  add("fused", {2, 2, 3});  // of each expert two rows, of which ours is the second
  EXPECT_THAT(of(), ElementsAre(3, 9));
  checkpoint_.tensors.clear();
  add("e.0.w", {1, 3});
  EXPECT_THAT(refusal(rule), HasSubstr("'e.1.w': missing"));
  add("e.1.w", {1, 3});
  EXPECT_THAT(of(), ElementsAre(0, 0));
  checkpoint_.tensors.clear();
  rule.hf = "stack";
  add("stack", {2, 1, 3});
  EXPECT_THAT(of(), ElementsAre(0, 3));
}

// Two heads of two rows of keys and one of values: the keys of each, exchanged, and the values.
TEST_F(TensorMatchTest, HeadsOfAFlatStackAreTakenApart) {
  const auto of = [&](const TensorRule& rule) {
    const auto matched = match(rule);
    EXPECT_TRUE(matched.is_ok()) << matched.status().message();
    const auto view = weight_view(
        [&](std::string_view name) { return matched->find(name); }, rule);
    std::vector<float> all;
    for (const WeightView::Matrix& matrix : view->matrices) {
      const auto* values = reinterpret_cast<const float*>(matrix.codes);
      all.insert(all.end(), values, values + view->rows * view->columns);
    }
    return all;
  };
  add("kv", {6, 2});
  EXPECT_THAT(of({"k", "", Stored("kv").transposed(0, 3), {2, 2, 2}, Role::kHeads}),
              ElementsAre(0, 2, 1, 3, 6, 8, 7, 9));
  EXPECT_THAT(of({"v", "", Stored("kv").rows(2, 3), {2, 1, 2}, Role::kHeads}),
              ElementsAre(4, 5, 10, 11));
}

TEST_F(TensorMatchTest, MatricesOfAStackAreRowsOfOne) {
  add("stack", {3, 2, 4});
  EXPECT_THAT(values({"x", "", Stored("stack").rows(2, 6), {2, 4}}),
              ElementsAre(8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(refusal({"x", "", Stored("stack").rows(0, 8), {2, 4}}), HasSubstr("[8, 4]"));
}

TEST_F(TensorMatchTest, OptionalTensorsMayBeAbsent) {
  TensorRule rule = {"x", "", "w", {2}};
  rule.is_optional = true;
  EXPECT_TRUE(match(rule)->views().empty());
  rule.is_optional = false;
  EXPECT_THAT(refusal(rule), HasSubstr("'w': missing, but architecture mine needs it"));
}

}  // namespace
}  // namespace quire
