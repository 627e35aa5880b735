#include "serve/dialects/tgi/info.h"

#include <algorithm>

#include "base/json.h"
#include "host/served_names.h"
#include "serve/dialects/tgi/errors.h"
#include "serve/house.h"
#include "serve/intake/skills.h"

namespace quire {
namespace {

// The hub's word for what the model does; of one that was never loaded: what most do.
std::string_view pipeline_of(const ModelInfo& info) {
  if (info.has_encoder) return "text2text-generation";
  if (info.context_max == 0 || has_skill(info, Skill::kGenerate)) return "text-generation";
  if (has_skill(info, Skill::kClassify) || info.pooled.reads_pairs) return "text-classification";
  return has_skill(info, Skill::kEmbed) ? "feature-extraction" : "text-generation";
}

}  // namespace

http::Response show_tgi_info(const DialectContext& context, const http::Request& request) {
  const House& house = *context.house;
  const std::vector<ModelRow> rows = served_rows(house.host);
  const auto asked = request.query_value("model");
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const ModelRow& row) {
    return !asked || std::find(row.names.begin(), row.names.end(), *asked) != row.names.end();
  });
  if (found == rows.end()) return render_tgi_error(model_not_found(asked.value_or("")), request);
  const ModelRow& row = *found;
  const std::string& own = row.names.front();
  const std::string name = asked && *asked == own ? own : served_names(row).front();
  const ClientLimits& limits = house.client_limits;
  const auto tokens = [&](std::int64_t bound, std::int64_t of_context) {  // null: not known yet
    if (row.info.context_max == 0) return bound > 0 ? Json(bound) : Json();
    return Json(bound > 0 ? std::min(bound, of_context) : of_context);
  };
  const std::int64_t context_max = row.info.context_max;
  const Json input = tokens(limits.input_tokens_max, context_max - 1);
  return {.body = dump(Json::object(
              {{"model_id", name},
               {"model_sha", Json()},
               {"model_dtype", Json()},
               {"model_device_type", "cpu"},
               {"model_pipeline_tag", pipeline_of(row.info)},
               {"max_concurrent_requests",
                limits.concurrent_max > 0 ? limits.concurrent_max : limits.concurrent_told},
               {"max_best_of", limits.best_of_max},
               {"max_stop_sequences", limits.stop_sequences_max},
               {"max_top_n_tokens", limits.top_n_tokens_max},
               {"max_input_length", input},
               {"max_input_tokens", input},
               {"max_total_tokens", tokens(limits.total_tokens_max, context_max)},
               {"validation_workers", 2},
               {"max_client_batch_size", limits.batch_size_max},
               {"router", "quire"},
               {"version", house.version},
               {"sha", Json()},
               {"docker_label", Json()}}))};
}

}  // namespace quire
