// Sampler: rows of logits and a SampleRow each in, tokens and their log-probabilities out. It says
// to the backend what to draw, as tasks, and what came of it in the step contract's words. Pure: no
// randomness but philox, so a row's outcome does not depend on its neighbours. Which of a row's
// drawn tokens count is runtime/acceptance's business. One thread, that drives the device.
//
// Order of the samplers (the order of vLLM), which every backend's draw keeps:
//   1. log-probabilities are the log-softmax of the raw logits, before everything below
//   2. banned tokens and the grammar mask become -inf
//   3. logit_bias
//   4. repetition penalty (prompt and generated), then frequency and presence (generated)
//   5. temperature; 0 ends here with the largest logit (ties to the smaller id)
//   6. min_p, relative to the likeliest token
//   7. top_k (ties at the border to the smaller id)
//   8. top_p over what is left, renormalised; the token that crosses the border is kept
//   9. typical_p over what is left, renormalised: tokens by how near their surprise is to the mean
//      one (Meister et al. 2022, "Locally Typical Sampling"); that which crosses the border is kept
//  10. one draw by Gumbel-max with the noise of (seed, position, branch)
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

  // Row i of the logits belongs to rows[i]. Nothing comes of a discarded one.
  std::vector<Outcome> sample(std::span<const SampleRow> rows, const Buffer& logits);

 private:
  DrawTask task_of(const SampleRow& row, int index);

  Backend& backend_;
  std::vector<DrawTask> tasks_;    // room
  std::vector<TokenBias> biases_;  // of all tasks
};

}  // namespace quire
