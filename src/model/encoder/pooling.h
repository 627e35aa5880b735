// PooledHead: what becomes of a text that was read as a whole: one vector of its tokens' states,
// then products with an activation or a norm behind each (a classifier's head, the dense modules of
// an embedding model), at last scaled to length one. So an embedding, the logits of a classifier
// and the score of a ranker are one thing, a pooled row.
// Plain values, and a head that the thread of the device runs. Used by model/arch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/layers/workspace.h"
#include "model/tensor_rules.h"

namespace quire {

// One product: [rows, columns of what is before it].
struct PooledStage {
  int rows = 0;
  Stored gguf, hf;                // without ".weight" and ".bias"; an empty name: nowhere
  bool has_bias = true;
  std::optional<Activation> activation;
  std::string norm_gguf, norm_hf;  // of what the activation gives; empty: none
  bool has_norm_bias = false;
};

struct PooledConfig {
  Pool pool = Pool::kMean;
  bool is_settled = false;    // by a head that was trained for it: options do not choose
  bool is_normalised = false;
  bool is_list_of_modules = false;  // modules.json says all of this
  int before = 0;             // stages of every token, before it is pooled
  float eps = 1e-5f;          // of norms
  std::vector<PooledStage> stages;
  int labels = 0;             // of a classifier; 0: the vector is an embedding
};

// The rules of the stages, called "pooled.0" and so on. `width` is that of the states.
void add_pooled_rules(const PooledConfig& config, int width, TensorRules& rules);
int pooled_width(const PooledConfig& config, int width);
std::string pooled_text(const PooledConfig& config);  // for `quire show`

class PooledHead {
 public:
  // REQUIRES: rules as add_pooled_rules makes them.
  Status load(const PooledConfig& config, int width, WeightLoader& loader, Backend& backend,
              const ModelOptions& options);
  // From the states of all tokens; the head must stay where it is until the program has run.
  void run(Program& program, const Buffer& states) const;
  const Buffer& out() const { return is_normalised_ ? normed_ : last_; }

 private:
  struct Stage {
    Weight weight;
    Vector bias;
    std::optional<Activation> activation;
    Norm norm;
    Buffer product, active, normed;

    const Buffer& out() const { return norm ? normed : activation ? active : product; }
  };
  void run_stage(Program& program, const Stage& stage, const Buffer& x) const;

  std::vector<Stage> stages_;
  std::size_t before_ = 0;
  Pool pool_ = Pool::kMean;
  bool is_normalised_ = false;
  Norm unit_;
  Buffer pooled_, normed_, last_;
};

}  // namespace quire
