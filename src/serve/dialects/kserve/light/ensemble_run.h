// An ensemble's request on its way: the steps that its outputs need are asked as soon as what they
// need is there, each as a request of the same client to the step's model (step_exchange), and
// nobody waits on a thread meanwhile. The first step that fails ends it with the step's own status;
// a client that leaves ends all of its steps.
// What a client says of time and order holds for every step: `priority` as it is, `timeout` as what
// is left of it. Other parameters go to the models with an engine, which refuse what they do not
// know.
// What is on its way is held against what is declared of it, by the ensemble and by its steps'
// models (declared_tensors): an output that does not fit fails its step, an input the next one.
// An answer goes into the response cache where every step's would be the same again.
// Bounds: kStepsAtOnceMax steps of a request at once, kEnsembleBytesMax of its tensors,
// kEnsembleHeldMax of all that run.
// make_ensemble_call: worker threads; then the I/O thread. Used by light_call.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "host/repository/ensemble/light_model.h"
#include "serve/dialects/kserve/inference/infer_call.h"
#include "serve/dialects/kserve/inference/kept_answer.h"

namespace quire {

inline constexpr std::size_t kStepsAtOnceMax = 8;
inline constexpr std::size_t kEnsembleBytesMax = std::size_t{512} << 20;
inline constexpr std::size_t kEnsembleHeldMax = std::size_t{1} << 30;

struct EnsembleTask {
  std::shared_ptr<const LightModel> model;
  InferRequest request;         // checked against the model's face
  InferParameters parameters;   // beside those of scheduling
  std::optional<Nanos> deadline;
  std::unique_ptr<InferFormat> format;
  KeepingFormat* keeping = nullptr;  // the format, where there is a question to the cache
  std::optional<CacheQuestion> question;
  http::Response (*render_error)(const ApiError& error, const http::Request& request) = nullptr;
};

Parsed<Call> make_ensemble_call(const DialectContext& context, EnsembleTask task);

}  // namespace quire
