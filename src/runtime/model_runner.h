// ModelRunner: one rank's step: plan -> arrays -> model -> logits -> tokens. Between steps it keeps
// memory only (KV, buffers, the tokens that promises may name), so any rank can run any plan from
// its bytes. One step at a time, on the thread that drives the device.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "core/executor.h"
#include "model/model.h"
#include "runtime/sampler.h"
#include "runtime/step_inputs.h"

namespace quire {

class ModelRunner {
 public:
  ModelRunner(const Capacity& capacity, Backend& backend, std::unique_ptr<Model> model,
              std::unique_ptr<KvStore> kv);

  // Copies blocks and lays the step out for the device.
  void feed(const StepPlan& plan);

  // Computes KV, and the logits that the fed plan wants.
  void compute();

  // Draws and scores from the logits of the last compute().
  StepResult sample(const StepPlan& plan, const SampleSpec& spec);

  // Of the last compute(), on the host.  [wanted rows, vocabulary]
  std::span<const float> logits() const;

 private:
  void hash_logits(const StepPlan& plan, StepResult& result) const;
  void take_pooled(const StepPlan& plan, StepResult& result) const;
  void take_logits(const StepPlan& plan, const SampleSpec& spec, StepResult& result) const;

  Capacity capacity_;
  Backend& backend_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<KvStore> kv_;
  StepInputs inputs_;
  Sampler sampler_;
  std::uint32_t vocab_;
  std::uint32_t logits_rows_max_;
  std::size_t logits_count_ = 0;     // floats of the last step
  const float* pooled_ = nullptr;    // [pooled rows, width] of the last step
  std::vector<TokenId> promised_;    // outputs of the last sampled plan, flat
  std::vector<BlockMove> moves_;
};

}  // namespace quire
