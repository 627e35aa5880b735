// ModelConfig: what a model of the repository says of itself: Triton's message of that name, as far
// as it means something here, and the whole of it as JSON for those who ask (names of the published
// message, defaults filled in). It comes from config.pbtxt or from the JSON of a load request by
// one way: config_schema says which fields there are and what becomes of each.
// Plain values; any thread. Used by model_repository and, to answer for it, by serve.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "core/batching.h"
#include "host/model_catalog.h"

namespace quire {

struct ModelTensor {
  std::string name;
  std::string data_type;           // "TYPE_FP32"; config_schema has all
  std::vector<std::int64_t> dims;  // without the batch's; -1: any
  bool is_optional = false;
  std::string label_filename;       // of an output
  std::vector<std::string> labels;  // what that file says, a line each
};

// Which of the versions that are there are served.
struct VersionPolicy {
  enum class Kind : std::uint8_t { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  std::uint32_t latest = 1;            // so many of the highest
  std::vector<std::uint64_t> specific;

  // Of `versions`, ascending, those that are served, ascending.
  std::vector<std::uint64_t> choose(const std::vector<std::uint64_t>& versions) const;
};

// Requests that a version answers before anybody else's; of a model with an engine. What a light
// one is asked first says its `json` (serve's light_warmup).
struct ModelWarmup {
  std::string name;
  std::uint32_t count = 1;
  std::string file;                  // of a prompt, in the model's folder "warmup"; or none:
  std::uint32_t tokens = 1;          // so many tokens, made up
};

struct ModelConfig {
  std::string name;
  std::string backend;               // "quire", or one that means the same here
  std::uint32_t batch_max = 0;       // max_batch_size
  bool says_batch = false;           // it is there, be it 0
  VersionPolicy versions;
  std::vector<ModelTensor> inputs, outputs;  // as written; none: the model's own
  DynamicBatching batching;
  std::vector<ModelWarmup> warmups;
  std::string file;                  // default_model_filename
  std::string source;                // parameter "model": what is served in place of such a file
  ModelOverrides overrides;          // other parameters, by the names of vLLM's flags
  bool is_decoupled = false;
  bool has_response_cache = false;
  std::vector<std::pair<std::string, std::string>> own_parameters;  // of what has no engine
  Json json;                         // the whole message
  std::vector<std::string> warnings;  // fields that are told and do not act

  // Whether it says how large a batch may be: shapes that are written without a word of it are
  // whole. Else kShownBatchMax is shown and taken.
  bool settles_batch() const { return says_batch || !inputs.empty() || !outputs.empty(); }
};

// Backends without an engine: texts to token ids and back; small expressions over tensors.
inline constexpr std::string_view kTokenizerBackend = "quire_tokenizer";
inline constexpr std::string_view kExpressionBackend = "quire_expression";

// Whether a version is a model of the host; else it is a light one, as ensembles are.
bool has_engine(const ModelConfig& config);

// config.pbtxt. `name`: of the folder, which the file must repeat or leave out. Errors name line
// and field: kInvalidArgument what is wrong, kUnsupported what cannot be done here.
Result<ModelConfig> parse_model_config(std::string_view text, const std::string& name);

// The same from JSON, names as published; 64-bit numbers may be strings.
Result<ModelConfig> model_config_from_json(const Json& json, const std::string& name);

}  // namespace quire
