#include "serve/dialects/kserve/light/light_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "host/repository/ensemble/light_model.h"
#include "serve/dialects/kserve/light/ensemble_run.h"
#include "serve/dialects/kserve/light/expression_step.h"
#include "serve/dialects/kserve/light/kept_light.h"
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

ApiError deadline_passed() {
  return {.status = 503, .message = "The request's deadline passed.",
          .type = "service_unavailable_error", .code = "deadline_exceeded"};
}

// A request to a model that is no ensemble.
struct ReadyTask {
  const LightModel& model;
  InferRequest request;
  InferSchedule schedule;
  InferFormat& format;
  KeepingFormat* keeping = nullptr;  // null: it has nothing to do with the cache
  std::optional<CacheQuestion> question;
};

Parsed<std::vector<NamedTensor>> compute(const ReadyTask& task) {
  const bool is_tokenizer = task.model.kind == LightModel::Kind::kTokenizer;
  return is_tokenizer ? run_tokenizer(task.model, task.request.inputs)
                      : run_expressions(task.model, task.request);
}

// It is there already: no engine computes it.
Parsed<Call> make_ready_call(const DialectContext& context, ReadyTask task) {
  LightCounter& counter = *task.model.counter;
  const InferRequest& request = task.request;
  const Nanos begun = SteadyClock::now();
  if (task.schedule.deadline && *task.schedule.deadline <= begun) {
    counter.count_failure(LightFailure::kRejected, begun - context.arrived);
    return deadline_passed();
  }
  Nanos looked{0};
  const AnswerHead head{request.model, request.version, request.id};
  if (task.question) {
    auto kept = find_kept(*task.question, head, task.format, looked);
    if (kept) return ready_call(std::move(*kept));
  }
  auto made = compute(task);
  const Nanos done = SteadyClock::now();
  if (!made.is_ok()) {
    counter.count_failure(LightFailure::kBackend, done - context.arrived);
    return made.error();
  }
  if (task.question) task.keeping->keep_for(std::move(*task.question), looked);
  counter.count_success(batch_of(task.model, request), {.took = done - context.arrived,
                                                        .queued = begun - context.arrived,
                                                        .computed = done - begun});
  task.format.note().computed = done - begun;
  const InferResponse response{.model = request.model,
                               .version = request.version,
                               .id = request.id,
                               .outputs = wanted_outputs(task.model, request, std::move(*made))};
  http::Response answer{.body = ""};
  task.format.append(response, true, answer.body);
  task.format.complete_head(answer);
  return ready_call(std::move(answer));
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
  const bool is_ensemble = model->kind == LightModel::Kind::kEnsemble;
  for (const auto& [name, _] : rest.all()) {
    if (is_ensemble) break;  // they are its steps'
    return invalid_value(name, fmt::format("parameter '{}' is not known to model '{}', which has "
                                           "no engine", name, model->name));
  }
  auto question = light_cache_question(context, model, request, terms);
  KeepingFormat* keeping = nullptr;
  if (question) {
    auto wrapped = std::make_unique<KeepingFormat>(std::move(format));
    keeping = wrapped.get();
    format = std::move(wrapped);
  }
  if (!is_ensemble) {
    return make_ready_call(context, {*model, std::move(request), *schedule, *format, keeping,
                                     std::move(question)});
  }
  return make_ensemble_call(context, EnsembleTask{.model = std::move(model),
                                                  .request = std::move(request),
                                                  .parameters = std::move(rest),
                                                  .deadline = schedule->deadline,
                                                  .format = std::move(format),
                                                  .keeping = keeping,
                                                  .question = std::move(question),
                                                  .render_error = terms.render_error});
}

}  // namespace quire
