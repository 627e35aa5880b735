// What this protocol asks of a server beside inference, as values: whether it and its models are
// ready, the models with their states, what has been inferred, and the settings of log and traces.
// I/O thread. Used by the routes of HTTP and by the room of gRPC.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/call.h"
#include "serve/dialects/kserve/inference/model_face.h"
#include "serve/dialects/kserve/inference/model_lookup.h"

namespace quire {

inline constexpr std::string_view kServerName = "quire";
// Extensions of the protocol that are there.
std::vector<std::string_view> server_extensions();

bool is_server_live(const House& house);
bool is_server_ready(const House& house);  // every model that was loaded is there, and none failed
// Why a model is not ready; nothing: it is.
std::optional<ApiError> find_unready(const DialectContext& context, std::string_view name,
                                     std::string_view version);
// Of a model that has been in memory without loading it again; else it is awaited. Any thread.
Parsed<ModelFace> find_face(const DialectContext& context, std::string_view name,
                            std::string_view version);
// A ModelConfig as JSON: the repository's where the model is from one. Any thread.
Json config_of(const House& house, const ModelFace& face);

struct RepositoryEntry {
  std::string name, version, state, reason;  // "READY", "LOADING", "UNAVAILABLE"
};
// It looks at the names of the repository's folders, which may wait for a disk. Any thread.
std::vector<RepositoryEntry> repository_index(const House& house, bool only_ready);

struct TimeCount {
  std::uint64_t count = 0, ns = 0;
};
struct BatchCount {
  std::uint64_t size = 0;  // rows of a step
  TimeCount infer;
};
struct InferStatistics {
  std::string name, version;
  std::uint64_t last_inference_ms = 0;  // since 1970; 0: none yet
  std::uint64_t inferences = 0, executions = 0;
  TimeCount success, fail, queue, infer, cache_hit, cache_miss;
  std::vector<BatchCount> batches;  // by size
  std::uint64_t bytes = 0;  // of weights and KV
};
// Of one version of a model, of all that are served (`version` empty), or of all models (`name`).
Parsed<std::vector<InferStatistics>> infer_statistics(const DialectContext& context,
                                                      std::string_view name,
                                                      std::string_view version);

// What a request for load or unload asks for.
struct RepositoryOrder {
  bool is_load = true;
  std::string name;
  std::optional<Json> config;   // in place of config.pbtxt
  bool has_dependents = false;  // those that use it go, too
};
// Its parameters; `text`: of `config`, its JSON. What is not known is refused by name.
std::optional<ApiError> read_order_parameter(std::string_view name, const std::string* text,
                                             const bool* flag, RepositoryOrder& order);
// Whether the model repository carries it out; else the host does (want, unload).
bool is_for_repository(const House& house, std::string_view name);
// REQUIRES: is_for_repository. `done`, on the I/O thread, gets why it was not done, or nothing.
void give_order(const House& house, RepositoryOrder order,
                std::function<void(std::optional<ApiError>)> done);
// Lets a model of the host go.
std::optional<ApiError> unload_for(const DialectContext& context, std::string_view name);

// Names and values of settings: a bool, a number or a text each; texts of lists are lists.
using Settings = std::vector<std::pair<std::string, InferParameter>>;
Settings log_settings();
// Where the operator has opened such things, they are changed.
std::optional<ApiError> change_log(const Settings& changes, bool is_operable);
// This server makes no traces: what they would be.
std::vector<std::pair<std::string, std::string>> trace_settings();
std::optional<ApiError> check_trace(std::string_view name, const std::vector<std::string>& values);

ApiError no_shared_memory();
ApiError no_such_region(std::string_view name);  // there is none
ApiError nothing_to_load(std::string_view name);  // no such model, nor a place that it may be in

}  // namespace quire
