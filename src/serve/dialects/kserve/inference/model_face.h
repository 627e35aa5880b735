// ModelFace: a model as this protocol sees it: named inputs and outputs with datatypes and shapes.
// Every model of ours reads a text (text_input) and answers with one (text_output), and takes token
// ids (input_ids) to the raw logits behind each of them (logits); one that makes vectors answers
// with `embedding`. The first dimension is the batch. Inputs beside these say how to generate, by
// the names that clients of Triton's LLM backends send.
// Pure; any thread. Used by metadata, configurations and whoever checks a request.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "host/hosted_model.h"
#include "host/repository/files/model_bounds.h"
#include "serve/dialects/kserve/inference/infer_values.h"

namespace quire {

inline constexpr std::int64_t kInferBatchMax = kShownBatchMax;

struct TensorFace {
  std::string_view name;
  TensorType type;
  std::int64_t dim;         // behind the batch; -1: any number
  std::int64_t last = 0;    // and a further one; 0: there is none
  TensorType also = type;   // a second datatype that is taken
  bool is_optional = true;  // of an input
  // Of a model whose config says it: all dimensions, -1: any; instead of `dim` and `last`.
  std::span<const std::int64_t> whole = {};
};

// [-1, ...], the batch's first where there is one.
std::vector<std::int64_t> shape_of(const TensorFace& face, bool has_batch);

struct ModelFace {
  std::string name;
  std::vector<std::string> versions = {"1"};
  std::string platform;  // "quire_text", "quire_vectors", "ensemble"
  std::string backend = "quire";
  std::int64_t batch_max = kInferBatchMax;  // 0: shapes have no batch
  bool is_decoupled = false;  // any number of responses, so none for who takes exactly one
  std::uint32_t instances = 1;  // 0: an ensemble, which has none
  std::vector<TensorFace> inputs, outputs;
  std::shared_ptr<const void> holder;  // of names and shapes; null: they are constants
};

ModelFace face_of(const ModelInfo& info, std::string name);

// {"name", "versions", "platform", "inputs", "outputs"}
Json metadata_json(const ModelFace& face);
// A ModelConfig, as its JSON form is written.
Json config_json(const ModelFace& face);

// What the request asks of a model that has no such thing: an input or output that is not known or
// named twice, a datatype or a shape that is not the one that it has.
std::optional<ApiError> check_face(const ModelFace& face, const InferRequest& request);

}  // namespace quire
