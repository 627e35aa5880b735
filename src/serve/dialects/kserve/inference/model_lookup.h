// From a model's name and version, as this protocol's clients give them, to a model of the host: a
// version of the model repository where there is one (which may be a light model), else a model
// that has one version, "1". What is not found, or not served, is told in the protocol's words.
// Any thread. Used by inference, metadata and whoever asks for a model's state.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/served_names.h"
#include "serve/call.h"
#include "serve/dialects/kserve/inference/model_face.h"
#include "serve/intake/api_error.h"

namespace quire {

class ModelRepository;
struct LightModel;

struct AskedModel {
  ModelHost::ModelIndex index = 0;    // kNoModel: it is a light one
  std::string lease_name;             // by which it is leased; the bare name follows its traffic
  std::string version;                // of that model
  std::vector<std::string> versions;  // all that are served
  std::shared_ptr<const LightModel> light;  // null: a model of the host
};

std::string told_name(std::string_view name);  // in an error

// `version` empty: the one that the bare name means.
Parsed<AskedModel> find_model(const DialectContext& context, std::string_view name,
                              std::string_view version);

// "story:1" of the host, where the repository has a model "story". Nothing: it is another model's
// name, be it "story:latest". The parts are of `host_name`.
std::optional<VersionParts> parts_of_version(const ModelRepository& repository,
                                             std::string_view host_name);

// Null: it is no light model, which is not to say that there is one.
std::shared_ptr<const LightModel> find_light(const DialectContext& context, std::string_view name,
                                             std::string_view version);

// The model of the host, or why there is none. `version` becomes that of the model that answers.
Parsed<ModelLease> lease_for_inference(const DialectContext& context, std::string_view name,
                                       std::string& version);

// A model with an engine as its config in the model repository has it: what the model is, with the
// batch and the way of answering that are declared. A model of no repository, and one whose config
// says nothing of batches and tensors, takes kInferBatchMax rows; max_batch_size 0 is no batch.
// `house` null: there is no repository.
ModelFace declared_face(const House* house, const ModelInfo& info, std::string name);

// Of a model whose config names tensors these stay, in its order; of others all that it has. A
// client that asks for whatever is shown (perf_analyzer) so gets what belongs together.
void keep_declared(const House& house, ModelFace& face);

}  // namespace quire
