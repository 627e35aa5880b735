// A step of an ensemble as the request that it is: what a client would send over HTTP to the step's
// model, tensors as bytes behind the JSON, and its answer read back. So a step is asked by the way
// of everybody's requests, and nothing of it needs a way of its own.
// Pure; worker threads, since tensors may be large. Used by ensemble_run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serve/dialects/kserve/inference/infer_values.h"
#include "serve/http/message.h"

namespace quire {

struct StepQuestion {
  std::string model;
  std::uint64_t version = 0;  // 0: the one that the bare name means
  // The model's name of each tensor, and the tensor, whose own name is not looked at.
  std::vector<std::pair<std::string, std::shared_ptr<const NamedTensor>>> inputs;
  std::vector<std::string> outputs;  // by the model's names
  InferParameters parameters;
};

http::Request step_request(const StepQuestion& question);

struct StepAnswer {
  std::vector<NamedTensor> outputs;  // by the model's names
  std::vector<std::string> unknown_parameters;  // that the model did not know, as it was told
};

// The model's own error, where it answered with one.
Parsed<StepAnswer> read_step_answer(const http::Response& head, std::string_view body);

}  // namespace quire
