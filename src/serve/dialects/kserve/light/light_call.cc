#include "serve/dialects/kserve/light/light_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "host/repository/ensemble/light_model.h"
#include "serve/dialects/kserve/light/ensemble_run.h"
#include "serve/dialects/kserve/light/expression_step.h"
#include "serve/dialects/kserve/light/light_face.h"
#include "serve/dialects/kserve/light/tokenizer_step.h"

namespace quire {
namespace {

std::uint64_t batch_of(const LightModel& model, const InferRequest& request) {
  if (model.config.batch_max == 0 || request.inputs.empty()) return 1;
  return static_cast<std::uint64_t>(request.inputs.front().shape.front());
}

// Those that are asked for, in the order of the config.
std::vector<NamedTensor> wanted_outputs(const LightModel& model, const InferRequest& request,
                                        std::vector<NamedTensor> made) {
  std::vector<NamedTensor> wanted;
  for (const ModelTensor& output : model.config.outputs) {
    if (!is_wanted(request, output.name, true)) continue;
    for (NamedTensor& tensor : made) {
      if (tensor.name == output.name) wanted.push_back(std::move(tensor));
    }
  }
  return wanted;
}

Parsed<std::vector<NamedTensor>> compute(const LightModel& model, const InferRequest& request,
                                         const InferParameters& rest,
                                         const InferSchedule& schedule) {
  for (const auto& [name, _] : rest.all()) {
    return invalid_value(name, fmt::format("parameter '{}' is not known to model '{}', which has "
                                           "no engine", name, model.name));
  }
  if (schedule.deadline && *schedule.deadline <= SteadyClock::now()) {
    return ApiError{.status = 503, .message = "The request's deadline passed.",
                    .type = "service_unavailable_error", .code = "deadline_exceeded"};
  }
  if (model.kind == LightModel::Kind::kTokenizer) return run_tokenizer(model, request.inputs);
  return run_expressions(model, request);
}

// It is there already: no engine computes it.
Parsed<Call> make_ready_call(const DialectContext& context, const LightModel& model,
                             const InferRequest& request, const InferParameters& rest,
                             const InferSchedule& schedule, InferFormat& format) {
  auto made = compute(model, request, rest, schedule);
  model.counter->count(made.is_ok(), batch_of(model, request),
                       SteadyClock::now() - context.arrived);
  if (!made.is_ok()) return made.error();
  const InferResponse response{.model = request.model,
                               .version = request.version,
                               .id = request.id,
                               .outputs = wanted_outputs(model, request, std::move(*made))};
  Call call;
  call.ready = http::Response();
  format.append(response, true, call.ready->body);
  format.complete_head(*call.ready);
  return call;
}

}  // namespace

Parsed<Call> make_light_call(const DialectContext& context, std::shared_ptr<const LightModel> model,
                             InferRequest request, const InferTerms& terms,
                             std::unique_ptr<InferFormat> format) {
  static const HostedModel kNoEngine;
  request.version = std::to_string(model->version);
  if (auto fault = check_light_face(face_of_light(model), request)) return *fault;
  InferParameters rest;
  auto schedule = read_schedule(request, kNoEngine, rest);
  if (!schedule.is_ok()) return schedule.error();
  if (model->kind != LightModel::Kind::kEnsemble) {
    return make_ready_call(context, *model, request, rest, *schedule, *format);
  }
  return make_ensemble_call(context, EnsembleTask{.model = std::move(model),
                                                  .request = std::move(request),
                                                  .parameters = std::move(rest),
                                                  .deadline = schedule->deadline,
                                                  .format = std::move(format),
                                                  .render_error = terms.render_error});
}

}  // namespace quire
