// Stem: what every decoder has around its layers: the embedding, the last norm, the head and what
// is done to logits. A tied head is the embedding itself. Loaded with the model; one step at a
// time.
#pragma once

#include "model/layers/workspace.h"

namespace quire {

struct Stem {
  Weight embedding;  // [vocab, d_model or table]
  float embedding_scale = 1;
  Norm embedding_norm;  // of what was gathered; none: as it is
  Weight in, out;       // [d_model, table], [table, d_model]: of a narrower table; empty
  Buffer gathered, led_back;  // [tokens, table], [wanted, table]; made by the owner
  Norm final_norm;
  Weight head;       // [vocab, d_model or table]
  Vector head_bias;  // [vocab] or empty
  float logit_scale = 1;
  float logit_cap = 0;  // logits = cap * tanh(logits / cap); 0: none
  std::size_t untouched_bytes = 0;  // of a table whose rows a step only gathers

  // "embed", "head" (absent: tied), and what of "final_norm", "embed_norm" (each with "_bias"),
  // "head_bias", "embed_in" and "embed_out" the rules have. Values are set before.
  // REQUIRES: the head is of the table's shape.
  Status load(WeightLoader& loader);
  void begin(Program& program, const Workspace& w) const;  // to w.residual
  void end(Program& program, const Workspace& w) const;    // from it to w.logits
};

// A factor as a table of that type holds it.
float rounded_as(DType dtype, float value);

}  // namespace quire
