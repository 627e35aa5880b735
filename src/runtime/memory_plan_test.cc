// What a model is planned to take, against what it is made of; and how a limit is shared.
#include "runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/check.h"

namespace quire {
namespace {

constexpr int kWidth = 64, kVocab = 100, kContext = 512;

// An embedding, a head where it is not tied, and one more matrix and vector; never computed with.
class MemoryPlanTest : public ::testing::Test {
 protected:
  ModelFiles files(bool tied_head) {
    ModelFiles::Parts parts;
    ModelFacts& facts = parts.design.facts;
    facts.groups = {{.name = "all", .layers = {0, 1}, .kv_heads = 2, .k_width = 32, .v_width = 32}};
    facts.context_max = kContext;
    facts.vocab = kVocab;
    facts.width = kWidth;
    facts.has_tied_head = tied_head;
    TensorMap tensors;
    const auto add = [&](const char* name, std::vector<std::size_t> shape, Role role) {
      parts.design.tensors.add({name, name, name, shape, role});
      TensorView view;
      view.name = name;
      view.dtype = DType::kF32;
      view.shape = std::move(shape);
      view.data = reinterpret_cast<const std::byte*>(values_.data());
      tensors.emplace(name, view);
    };
    add("embed", {kVocab, kWidth}, Role::kTable);
    if (!tied_head) add("head", {kVocab, kWidth}, Role::kHead);
    add("layers.0.q", {kWidth, kWidth}, Role::kMatrix);
    add("final_norm", {kWidth}, Role::kNorm);
    parts.tensors = MatchedTensors(std::move(tensors));
    return ModelFiles(std::move(parts));
  }

  MemoryPlan plan(const LocalOptions& options, const MemoryLimit& limit, bool tied_head = true,
                  std::uint32_t instances = 1) {
    auto result = plan_memory(files(tied_head), *backend_, options, limit, instances);
    QUIRE_CHECK(result.is_ok(), "{}", result.status().message());
    return *result;
  }

  std::vector<float> values_ = std::vector<float>(kVocab * kWidth);
  std::unique_ptr<Backend> backend_ = std::move(make_cpu_backend({.threads = 1})).value();
  // K and V of a block: 2 layers, 2 heads, 32 positions of 32 halves.
  const std::uint64_t block_bytes_ = 2 * 2 * 2 * 32 * 32 * 2;
};

TEST_F(MemoryPlanTest, WeightsArePackedOnceAndTablesStayInTheirFile) {
  const std::uint64_t tied = plan({}, {}).weight_bytes;
  EXPECT_EQ(tied, plan({}, {}, false).weight_bytes)
      << "an embedding beside a head is no copy";
  // Rows are rounded up to whole tiles.
  EXPECT_GE(tied, (kVocab * kWidth + kWidth * kWidth + kWidth) * sizeof(float));
  EXPECT_LE(tied, ((kVocab + 16) * kWidth + kWidth * kWidth + kWidth) * sizeof(float));
  LocalOptions w8a8{.weights = WeightScheme::kW8A8};
  EXPECT_LT(plan(w8a8, {}).weight_bytes, tied) << "the layers become int8";
}

TEST_F(MemoryPlanTest, WithoutALimitKvIsWhatTheContextsNeed) {
  LocalOptions options;
  options.capacity.rows_max = 4;
  const MemoryPlan planned = plan(options, {});
  EXPECT_EQ(planned.kv_blocks, 4u * kContext / kBlockTokens);
  EXPECT_EQ(planned.kv_bytes, (planned.kv_blocks + 1) * block_bytes_);
  EXPECT_EQ(planned.bytes(), planned.weight_bytes + planned.kv_bytes);
}

TEST_F(MemoryPlanTest, ALimitIsSharedEquallyAndAWishStands) {
  LocalOptions options;
  options.capacity.rows_max = 64;
  const std::uint64_t copy = kVocab * kWidth * sizeof(float);
  const std::uint64_t weights = plan(options, {}).weight_bytes + copy;
  const MemoryLimit limit{3 * (weights + 101 * block_bytes_), 3};
  EXPECT_EQ(plan(options, limit).kv_blocks, 100u) << "and one for padding";
  EXPECT_EQ(plan(options, limit).bytes(), limit.bytes / 3);
  options.capacity.blocks = 500;
  EXPECT_EQ(plan(options, limit).kv_blocks, 500u);
  options.capacity.blocks = 0;
  options.capacity.kv_bytes = 70 * block_bytes_;
  EXPECT_EQ(plan(options, limit).kv_blocks, 70u);
}

TEST_F(MemoryPlanTest, InstancesHaveWeightsAndKvEachAndOneCopyOfTheTables) {
  LocalOptions options;
  options.capacity.blocks = 50;
  const MemoryPlan one = plan(options, {0, 2}), three = plan(options, {0, 2}, true, 3);
  const std::uint64_t copy = kVocab * kWidth * sizeof(float);
  EXPECT_EQ(three.kv_blocks, 50u) << "of each";
  EXPECT_EQ(three.kv_bytes, 3 * one.kv_bytes);
  EXPECT_EQ(three.weight_bytes, 3 * (one.weight_bytes - copy) + copy);
  options.capacity.blocks = 0;
  options.capacity.rows_max = 64;
  const MemoryLimit limit{2 * (three.weight_bytes + 3 * 101 * block_bytes_), 2};
  EXPECT_EQ(plan(options, limit, true, 3).kv_blocks, 100u);
  EXPECT_EQ(plan(options, limit, true, 3).bytes(), limit.bytes / 2);
  options.capacity.rows_max = 6;
  EXPECT_EQ(plan(options, {}, true, 3).kv_blocks, 2u * kContext / kBlockTokens)
      << "together what one would take";
}

TEST_F(MemoryPlanTest, WhatNoMachineCouldHoldIsRefusedInWords) {
  LocalOptions options;
  options.capacity.rows_max = 1000;
  options.capacity.tokens_max = 2000;
  const MemoryPlan wide = plan(options, {});
  // Logits for a thousand sequences, and what the one matrix makes of two thousand tokens.
  EXPECT_GE(wide.step_bytes, (1000u * kVocab + 2000u * kWidth) * sizeof(float));
  EXPECT_EQ(wide.bytes(), wide.weight_bytes + wide.kv_bytes) << "the limit is about what lasts";
  EXPECT_EQ(plan(options, {}, true, 3).step_bytes, 3 * wide.step_bytes);
  const std::uint64_t needed = wide.kv_bytes + wide.step_bytes;
  EXPECT_TRUE(check_room(wide, needed).is_ok());
  EXPECT_TRUE(check_room(wide, 0).is_ok()) << "nobody knows";
  const Status refused = check_room(wide, needed - 1);
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("1000 sequences and 2000 tokens"), std::string::npos)
      << refused.message();
  options.capacity.kv_bytes = std::uint64_t{1} << 50;
  EXPECT_FALSE(check_room(plan(options, {}), std::uint64_t{1} << 40).is_ok());
}

TEST_F(MemoryPlanTest, ALargeModelTakesHalfOfWhatIsLeftAndAtLeastOneContext) {
  LocalOptions options;
  const std::uint64_t weights = plan(options, {0, 1000}).weight_bytes;
  EXPECT_EQ(plan(options, {weights + 202 * block_bytes_, 1000}).kv_blocks, 100u);
  EXPECT_EQ(plan(options, {weights + 3 * block_bytes_, 1000}).kv_blocks, kContext / kBlockTokens)
      << "then it does not fit, and that is said when it is to be loaded";
  EXPECT_EQ(plan(options, {weights / 2, 1000}).kv_blocks, kContext / kBlockTokens);
}

}  // namespace
}  // namespace quire
