// OwnVectors: a small vector of a token for each layer ("per-layer embeddings", Google, Gemma 3n,
// 2025), from a row of a table of its own and from its embedding:
//   (norm(projection of the embedding) / sqrt(d_model) + sqrt(width) row) / sqrt(2)
// A layer gates its part with what it reads of the stream and leads the result back:
//   norm(up(f(gate(x)) * own))
// Plain weights and functions over them. Called by the architectures; the thread that drives the
// device.
#pragma once

#include <vector>

#include "model/layers/workspace.h"
#include "model/tensor_rules.h"
#include "model/weights.h"

namespace quire {

struct OwnShape {
  int d_model = 0, layers = 0;
  int width = 0;  // of a vector; 0: there are none
  int vocab = 0;  // rows of the table; tokens beyond them read the first
};

struct OwnLayer {
  Weight gate, up;  // [width, d_model], [d_model, width]
  Norm norm;        // of what is led back
};

class OwnVectors {
 public:
  // REQUIRES: loaded once; a width.
  Status load(WeightLoader& loader, const OwnShape& shape, Activation activation, float eps,
              Backend& backend, const ModelOptions& options);
  std::size_t table_bytes() const { return table_.bytes; }

  // Makes the vectors of a step. `embedded`: [tokens, d_model]
  void begin(Program& program, const Buffer& embedded) const;
  // What the layer makes of `x` and its part, normed: added to each of `outs`. [tokens, d_model]
  // room: [tokens, d_model]
  void run_layer(Program& program, int layer, const Buffer& x, const Buffer& room,
                 const std::vector<const Buffer*>& outs) const;

 private:
  OwnShape shape_;
  Activation activation_ = Activation::kGeluTanh;
  Weight table_, projection_;  // [vocab, layers * width], [layers * width, d_model]
  Norm norm_;
  std::vector<OwnLayer> layers_;
  Buffer own_, gate_, gated_;  // [tokens, layers * width], [tokens, width]
};

// Their rules, in the words of Hugging Face; GGUF does not say them.
void add_own_vectors(const OwnShape& shape, TensorRules& rules);

}  // namespace quire
