#include "serve/dialects/kserve/kserve.h"

#include "serve/dialects/kserve/generate.h"
#include "serve/dialects/kserve/infer_http.h"
#include "serve/dialects/kserve/routes.h"

namespace quire {
namespace {

constexpr auto kOpen = Access::kOpen, kKeyed = Access::kKeyed;
constexpr auto kNone = BodyKind::kNone, kLoose = BodyKind::kLooseJson;
constexpr std::string_view kTensorTypes = "application/json,application/octet-stream";

// A name may have slashes, so what is more particular comes first.
constexpr Route kRoutes[] = {
    {"GET", "/v2", kNone, kKeyed, {.quick = show_kserve_server,
      .summary = "what this server is"}},
    {"GET", "/v2/", kNone, kKeyed, {.quick = show_kserve_server,
      .summary = "what this server is"}},
    {"GET", "/v2/health/live", kNone, kOpen, {.quick = show_kserve_live,
      .summary = "whether pending work gets on"}},
    {"GET", "/v2/health/ready", kNone, kOpen, {.quick = show_kserve_ready,
      .summary = "whether all models can be asked"}},
    {"GET", "/v2/models/stats", kNone, kKeyed, {.quick = show_kserve_statistics,
      .summary = "what has been inferred"}},
    {"POST", "/v2/models/{model...}/versions/{version}/infer", kLoose, kKeyed,
     {.parse = parse_kserve_infer, .summary = "one inference", .types = kTensorTypes}},
    {"POST", "/v2/models/{model...}/infer", kLoose, kKeyed,
     {.parse = parse_kserve_infer, .summary = "one inference", .types = kTensorTypes}},
    {"POST", "/v2/models/{model...}/versions/{version}/generate", kLoose, kKeyed,
     {.parse = parse_kserve_generate, .summary = "a text that is continued"}},
    {"POST", "/v2/models/{model...}/generate", kLoose, kKeyed,
     {.parse = parse_kserve_generate, .summary = "a text that is continued"}},
    {"POST", "/v2/models/{model...}/versions/{version}/generate_stream", kLoose, kKeyed,
     {.parse = parse_kserve_generate_stream, .summary = "the same, piece by piece",
      .types = "text/event-stream"}},
    {"POST", "/v2/models/{model...}/generate_stream", kLoose, kKeyed,
     {.parse = parse_kserve_generate_stream, .summary = "the same, piece by piece",
      .types = "text/event-stream"}},
    {"GET", "/v2/models/{model...}/versions/{version}/ready", kNone, kOpen,
     {.quick = show_kserve_model_ready, .summary = "whether a model is in memory"}},
    {"GET", "/v2/models/{model...}/ready", kNone, kOpen,
     {.quick = show_kserve_model_ready, .summary = "whether a model is in memory"}},
    {"GET", "/v2/models/{model...}/versions/{version}/config", kNone, kKeyed,
     {.parse = parse_kserve_config, .summary = "a model's configuration"}},
    {"GET", "/v2/models/{model...}/config", kNone, kKeyed,
     {.parse = parse_kserve_config, .summary = "a model's configuration"}},
    {"GET", "/v2/models/{model...}/versions/{version}/stats", kNone, kKeyed,
     {.quick = show_kserve_statistics, .summary = "what a model has inferred"}},
    {"GET", "/v2/models/{model...}/stats", kNone, kKeyed,
     {.quick = show_kserve_statistics, .summary = "what a model has inferred"}},
    {"GET", "/v2/models/{model...}/trace/setting", kNone, kKeyed,
     {.quick = show_kserve_trace, .summary = "settings of traces, which are off"}},
    {"POST", "/v2/models/{model...}/trace/setting", kLoose, kKeyed,
     {.quick = change_kserve_trace, .summary = "the same: none is taken"}},
    {"GET", "/v2/trace/setting", kNone, kKeyed,
     {.quick = show_kserve_trace, .summary = "settings of traces, which are off"}},
    {"POST", "/v2/trace/setting", kLoose, kKeyed,
     {.quick = change_kserve_trace, .summary = "the same: none is taken"}},
    {"GET", "/v2/logging", kNone, kKeyed,
     {.quick = show_kserve_log, .summary = "how much the log says"}},
    {"POST", "/v2/logging", kLoose, kKeyed,
     {.quick = change_kserve_log, .summary = "how much it says from now on"}},
    {"GET", "/v2/models/{model...}/versions/{version}", kNone, kKeyed,
     {.parse = parse_kserve_metadata, .summary = "a model's inputs and outputs"}},
    {"GET", "/v2/models/{model...}", kNone, kKeyed,
     {.parse = parse_kserve_metadata, .summary = "a model's inputs and outputs"}},
    {"POST", "/v2/repository/index", kLoose, kKeyed,
     {.parse = parse_kserve_index, .summary = "the models and their states"}},
    {"POST", "/v2/repository/models/{model...}/load", kLoose, kKeyed,
     {.late = load_kserve_model, .summary = "bring a model into memory"}},
    {"POST", "/v2/repository/models/{model...}/unload", kLoose, kKeyed,
     {.late = unload_kserve_model, .summary = "let a model go"}},
    {"POST", "/v2/repository/{repository}/index", kLoose, kKeyed,
     {.quick = refuse_kserve_repository}},
    {"POST", "/v2/repository/{repository}/models/{model...}/load", kLoose, kKeyed,
     {.quick = refuse_kserve_repository}},
    {"POST", "/v2/repository/{repository}/models/{model...}/unload", kLoose, kKeyed,
     {.quick = refuse_kserve_repository}},
    {"GET", "/v2/systemsharedmemory/status", kNone, kKeyed, {.quick = list_kserve_regions}},
    {"GET", "/v2/systemsharedmemory/region/{region}/status", kNone, kKeyed,
     {.quick = list_kserve_regions}},
    {"POST", "/v2/systemsharedmemory/region/{region}/register", kLoose, kKeyed,
     {.quick = refuse_kserve_regions}},
    {"POST", "/v2/systemsharedmemory/region/{region}/unregister", kLoose, kKeyed,
     {.quick = refuse_kserve_regions}},
    {"POST", "/v2/systemsharedmemory/unregister", kLoose, kKeyed, {.quick = refuse_kserve_regions}},
    {"GET", "/v2/cudasharedmemory/status", kNone, kKeyed, {.quick = list_kserve_regions}},
    {"GET", "/v2/cudasharedmemory/region/{region}/status", kNone, kKeyed,
     {.quick = list_kserve_regions}},
    {"POST", "/v2/cudasharedmemory/region/{region}/register", kLoose, kKeyed,
     {.quick = refuse_kserve_regions}},
    {"POST", "/v2/cudasharedmemory/region/{region}/unregister", kLoose, kKeyed,
     {.quick = refuse_kserve_regions}},
    {"POST", "/v2/cudasharedmemory/unregister", kLoose, kKeyed, {.quick = refuse_kserve_regions}},
};

}  // namespace

const Dialect kKserveDialect = {.name = "kserve",
                                .routes = kRoutes,
                                .error_prefix = "/v2",
                                .render_error = render_kserve_error};

}  // namespace quire
