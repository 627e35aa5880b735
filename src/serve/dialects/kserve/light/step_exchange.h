// A step of an ensemble as the request that it is: what a client would send over HTTP to the step's
// model, tensors as bytes behind the JSON, and its answer read back. So a step is asked by the way
// of everybody's requests, and nothing of it needs a way of its own.
// Pure; worker threads, since tensors may be large. Used by ensemble_run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/dialects/kserve/inference/infer_call.h"
#include "serve/dialects/kserve/inference/infer_values.h"
#include "serve/http/message.h"

namespace quire {

// A request of a step says so, and its answer has a note of what the ensemble wants to know.
inline constexpr std::string_view kStepHeader = "quire-step";
inline constexpr std::string_view kStepNoteHeader = "quire-step-note";
std::string step_note_text(const StepNote& note);

struct StepInput {
  std::string name;  // the model's
  std::shared_ptr<const NamedTensor> tensor;  // whose own name and shape are not looked at
  std::vector<std::int64_t> shape;
};

struct StepQuestion {
  std::string model;
  std::uint64_t version = 0;  // 0: the one that the bare name means
  std::vector<StepInput> inputs;
  std::vector<std::string> outputs;  // by the model's names
  InferParameters parameters;
};

http::Request step_request(const StepQuestion& question);

struct StepAnswer {
  std::string version;               // that answered
  std::vector<NamedTensor> outputs;  // by the model's names
  StepNote note;
  std::vector<std::string> unknown_parameters;  // that the model did not know, as it was told
};

// The model's own error, where it answered with one.
Parsed<StepAnswer> read_step_answer(const http::Response& head, std::string_view body);

}  // namespace quire
