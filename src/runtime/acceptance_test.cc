// Acceptance: which draws of a row count, by hand. Under real logits and on every executor it is
// tested by tests/conformance.
#include "runtime/acceptance.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

// A row that feeds `fed` and wants logits at every token of it; outcome i draws drawn[i].
class Acceptance : public testing::Test {
 protected:
  RowResult accept(const std::vector<TokenId>& fed, std::vector<Sampler::Outcome> outcomes) {
    StepPlan plan;
    plan.tokens = fed;
    const auto count = static_cast<std::uint32_t>(fed.size());
    plan.rows = {{.seq = SeqId{7}, .tokens = {0, count}, .want_last = count, .drafts = count - 1}};
    spec.rows.resize(fed.size());
    return accept_rows(plan, spec, outcomes)[0];
  }
  static Sampler::Outcome drew(TokenId token) { return {.token = token, .is_scored = true}; }

  SampleSpec spec;
};

using Tokens = std::vector<TokenId>;

TEST_F(Acceptance, TheFirstRefusedDraftIsReplacedAndEndsTheRow) {
  EXPECT_EQ(accept({5, 6, 7}, {drew(6), drew(7), drew(8)}).accepted, (Tokens{6, 7, 8}));
  EXPECT_EQ(accept({5, 6, 7}, {drew(6), drew(1), drew(8)}).accepted, (Tokens{6, 1}));
  const RowResult none = accept({5, 6, 7}, {drew(1), drew(7), drew(8)});
  EXPECT_EQ(none.accepted, (Tokens{1}));
  EXPECT_EQ(none.scores.size(), 1u);
  EXPECT_EQ(none.seq, SeqId{7});
}

TEST_F(Acceptance, AMisfortuneBehindARefusedDraftIsNobodys) {
  const Sampler::Outcome nan{.outcome = RowOutcome::kNonFinite};
  const RowResult row = accept({5, 6, 7}, {drew(1), nan, nan});
  EXPECT_EQ(row.outcome, RowOutcome::kOk);
  EXPECT_EQ(row.accepted, (Tokens{1}));
}

TEST_F(Acceptance, AMisfortuneBehindAnAcceptedDraftIsLeftToTheNextRow) {
  const Sampler::Outcome nothing{.outcome = RowOutcome::kNothingAllowed};
  const RowResult row = accept({5, 6, 7}, {drew(6), nothing, drew(8)});
  EXPECT_EQ(row.outcome, RowOutcome::kOk);
  EXPECT_EQ(row.accepted, (Tokens{6}));
  EXPECT_EQ(accept({6, 7}, {nothing, drew(8)}).outcome, RowOutcome::kNothingAllowed);
  EXPECT_TRUE(accept({6, 7}, {nothing, drew(8)}).accepted.empty());
}

TEST_F(Acceptance, OfAnEndedBranchNothingIsRead) {
  spec.rows.resize(2);
  for (SampleRow& row : spec.rows) row.is_discarded = true;
  EXPECT_TRUE(accept({5, 6}, {drew(6), drew(7)}).accepted.empty());
}

}  // namespace
}  // namespace quire
