// Sampler: raw logits and one SampleRow in, a token and its log-probabilities out. Pure: no state,
// no randomness but philox, so a row's outcome does not depend on its neighbours. Rows are spread
// over the backend's threads. Which of a row's drawn tokens count is runtime/acceptance's business.
//
// Order of the samplers (the order of vLLM):
//   1. log-probabilities are the log-softmax of the raw logits, before everything below
//   2. banned tokens and the grammar mask become -inf
//   3. logit_bias
//   4. repetition penalty (prompt and generated), then frequency and presence (generated)
//   5. temperature; 0 ends here with the largest logit (ties to the smaller id)
//   6. min_p, relative to the likeliest token
//   7. top_k (ties at the border to the smaller id)
//   8. top_p over what is left, renormalised; the token that crosses the border is kept
//   9. one draw by Gumbel-max with the noise of (seed, position, branch)
#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"
#include "core/step.h"

namespace quire {

class Sampler {
 public:
  explicit Sampler(Backend& backend) : backend_(backend) {}

  struct Outcome {
    RowOutcome outcome = RowOutcome::kOk;
    TokenId token = -1;   // drawn or scored; -1: none
    bool is_scored = false;
    TokenScore score;     // if the row asked for log-probabilities
  };

  // logits: [rows.size(), vocab], row i belongs to rows[i].
  std::vector<Outcome> sample(std::span<const SampleRow> rows, const float* logits, int vocab);

  // One row on the calling thread; the twin that tests call. Nothing comes of a discarded one.
  Outcome sample_row(const SampleRow& row, std::span<const float> logits) const;

 private:
  Backend& backend_;
};

}  // namespace quire
