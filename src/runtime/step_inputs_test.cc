#include "runtime/step_inputs.h"

#include <gmock/gmock.h>

namespace quire {
namespace {

using testing::ElementsAre;

// Two rows: a prompt chunk at positions 30..33 over two blocks, and a decode of a promised token.
TEST(StepInputsTest, SpellsOutPositionsSlotsAndWantedTokens) {
  Capacity capacity;
  capacity.groups = {{.layers = 1, .block_tokens = 32, .blocks = 16}};
  capacity.rows_max = 4;
  capacity.tokens_max = 16;
  StepPlan plan;
  plan.step = 9;
  plan.tokens = {100, 101, 102, 103, -2};
  plan.blocks = {5, 7, 3};
  plan.tables = {{0, 2}, {2, 1}};
  StepRow chunk;
  chunk.tokens = {0, 4};
  chunk.first_position = 30;
  StepRow decode;
  decode.tokens = {4, 1};
  decode.first_position = 12;
  decode.want_last = 1;
  plan.rows = {chunk, decode};

  StepInputs inputs(capacity);
  const std::vector<TokenId> promised = {41, 42};
  inputs.fill(plan, promised);
  const BatchView& view = inputs.view();
  EXPECT_THAT(view.token_ids, ElementsAre(100, 101, 102, 103, 42));
  EXPECT_THAT(view.positions, ElementsAre(30, 31, 32, 33, 12));
  ASSERT_EQ(view.groups.size(), 1u);
  EXPECT_THAT(view.groups[0].slots,
              ElementsAre(5 * 32 + 30, 5 * 32 + 31, 7 * 32, 7 * 32 + 1, 3 * 32 + 12));
  EXPECT_THAT(view.row_begin, ElementsAre(0, 4, 5));
  EXPECT_THAT(view.groups[0].lengths, ElementsAre(34, 13));
  EXPECT_THAT(view.groups[0].table_begin, ElementsAre(0, 2, 3));
  EXPECT_THAT(view.groups[0].table, ElementsAre(5, 7, 3));
  EXPECT_THAT(view.logits_tokens, ElementsAre(4));
}

// Group 0 holds the text, group 1 what the decoder sees of the encoder's input. Row 0 is of a
// decoder at position 5, row 1 an encoder's.
TEST(StepInputsTest, AnEncodersRowsAreABatchOfTheirOwn) {
  Capacity capacity;
  capacity.groups = {
      {.layers = 1, .block_tokens = 32, .blocks = 16},
      {.layers = 1, .length = GroupLength::kEncoder, .block_tokens = 32, .blocks = 16}};
  StepPlan plan;
  plan.groups = 2;
  plan.tokens = {7, 20, 21, 22};
  plan.blocks = {5, 6, 8, 9};
  plan.tables = {{0, 1}, {1, 2}, {0, 0}, {3, 1}};
  StepRow decode;
  decode.tokens = {0, 1};
  decode.first_position = 5;
  decode.want_last = 1;
  decode.encoder_tokens = 40;
  StepRow encoder;
  encoder.tokens = {1, 3};
  encoder.encoder_tokens = 3;
  encoder.lane = 1;
  plan.rows = {decode, encoder};

  StepInputs inputs(capacity);
  inputs.fill(plan, {});
  const BatchView& view = inputs.view();
  EXPECT_THAT(view.token_ids, ElementsAre(7));
  EXPECT_THAT(view.groups[0].slots, ElementsAre(5 * 32 + 5));
  EXPECT_THAT(view.groups[1].slots, ElementsAre());
  EXPECT_THAT(view.groups[1].lengths, ElementsAre(40));
  EXPECT_THAT(view.groups[1].table, ElementsAre(6, 8));
  ASSERT_NE(view.encoder, nullptr);
  EXPECT_THAT(view.encoder->token_ids, ElementsAre(20, 21, 22));
  EXPECT_THAT(view.encoder->positions, ElementsAre(0, 1, 2));
  EXPECT_THAT(view.encoder->groups[0].slots, ElementsAre());
  EXPECT_THAT(view.encoder->groups[1].slots, ElementsAre(9 * 32, 9 * 32 + 1, 9 * 32 + 2));
  EXPECT_THAT(view.encoder->groups[1].lengths, ElementsAre(3));
}

TEST(StepInputsTest, APairOfTextsHasTwoSegments) {
  Capacity capacity;
  capacity.groups = {{.layers = 1, .block_tokens = 32, .blocks = 16}};
  StepPlan plan;
  plan.tokens = {1, 2, 3, 4};
  plan.blocks = {1};
  plan.tables = {{0, 1}};
  StepRow row;
  row.tokens = {0, 4};
  row.second_segment = 3;
  row.flags = kRowPool;
  plan.rows = {row};
  StepInputs inputs(capacity);
  inputs.fill(plan, {});
  EXPECT_THAT(inputs.view().segments, ElementsAre(0, 0, 0, 1));
  EXPECT_THAT(inputs.view().pooled_rows, ElementsAre(0));
}

TEST(StepInputsTest, APromiseNobodyMadeIsAProgrammingError) {
  Capacity capacity;
  capacity.groups = {{.layers = 1, .block_tokens = 32, .blocks = 16}};
  StepPlan plan;
  plan.tokens = {-1};
  plan.blocks = {1};
  plan.tables = {{0, 1}};
  StepRow row;
  row.tokens = {0, 1};
  plan.rows = {row};
  StepInputs inputs(capacity);
  EXPECT_DEATH(inputs.fill(plan, {}), "promise 0 of 0 outputs");
}

}  // namespace
}  // namespace quire
