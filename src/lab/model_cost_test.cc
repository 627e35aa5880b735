#include "lab/model_cost.h"

#include <gtest/gtest.h>

#include "lab/random_model.h"

namespace quire {
namespace {

// By hand: a body of 2 * (256*256 + 2*64*256 + 256*256 + 3*512*256) elements, a head of 517*256.
TEST(ModelCostTest, CountsWhatAStepReads) {
  const RandomModel model = *make_random_model("tiny", {.dtype = DType::kQ8_0});
  const ModelCost cost = *count_model_cost(model.design, model.find, DType::kF16);
  const double body = 2 * (2 * 256 * 256 + 2 * 64 * 256 + 3 * 512 * 256), head = 517 * 256;
  EXPECT_EQ(cost.elements(), body + head);
  EXPECT_EQ(cost.weight_bytes, (body + head) * 34 / 32);   // without the untied embedding
  ASSERT_EQ(cost.attention.size(), 1u);
  // K and V, layers, heads, bytes, dim.
  EXPECT_EQ(cost.attention[0].bytes_per_token, 2 * 2 * 2 * 2 * 32);
  EXPECT_EQ(cost.attention[0].flops_per_pair, 4 * 2 * 8 * 32);
}

TEST(ModelCostTest, LimitsFollowTheFormulas) {
  ModelCost cost;
  cost.body_elements[2] = 900;  // int8
  cost.head_elements[2] = 100;
  cost.weight_bytes = 1000;
  cost.attention = {{.bytes_per_token = 10}};
  Roofline roofline;
  roofline.read_bytes_per_second = 1000;
  roofline.int8_operations_per_second = 10000;
  roofline.int8_token_operations_per_second = 10000;
  roofline.bf16_operations_per_second = roofline.f32_operations_per_second = 5000;

  const StepLimit one = decode_limit(cost, roofline, 1, 50);
  EXPECT_TRUE(one.is_memory_bound);
  EXPECT_DOUBLE_EQ(one.seconds, 1 + 0.5);  // weights, then KV
  const StepLimit many = decode_limit(cost, roofline, 10, 0);
  EXPECT_FALSE(many.is_memory_bound);
  EXPECT_DOUBLE_EQ(many.seconds, 2);
  EXPECT_DOUBLE_EQ(prefill_limit(cost, roofline, 100).seconds, 100 * 0.18 + 0.02);

  cost.attention[0].flops_per_pair = 1;
  EXPECT_DOUBLE_EQ(prefill_limit(cost, roofline, 100).seconds, 18.02 + 5050 / 5000.0);
  cost.attention[0].window = 10;  // 10 tokens see 1..10 keys, 90 see 10
  EXPECT_DOUBLE_EQ(prefill_limit(cost, roofline, 100).seconds, 18.02 + 955 / 5000.0);
  EXPECT_DOUBLE_EQ(decode_limit(cost, roofline, 1, 50).seconds, 1.1);
}

// Of 8 experts a token reads 2; two tokens are expected to read 8 (1 - 0.75^2) = 3.5 of them.
TEST(ModelCostTest, ExpertsAndStatesCountAsFarAsAStepReadsThem) {
  ModelCost cost;
  cost.weight_bytes = 1000;
  cost.expert_bytes = 8000;
  cost.expert_share = 0.25;
  cost.state_bytes = 100;
  Roofline roofline;
  roofline.read_bytes_per_second = 1000;
  roofline.int8_operations_per_second = 1e9;
  roofline.int8_token_operations_per_second = 1e9;
  roofline.bf16_operations_per_second = roofline.f32_operations_per_second = 1e9;
  EXPECT_DOUBLE_EQ(decode_limit(cost, roofline, 1, 0).seconds, 3 + 0.1);
  EXPECT_DOUBLE_EQ(decode_limit(cost, roofline, 2, 0).seconds, 1 + 3.5 + 0.2);
}

}  // namespace
}  // namespace quire
