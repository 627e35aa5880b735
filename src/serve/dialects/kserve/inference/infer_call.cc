#include "serve/dialects/kserve/inference/infer_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "serve/dialects/kserve/inference/kept_answer.h"
#include "serve/dialects/kserve/inference/logits_call.h"
#include "serve/dialects/kserve/inference/model_lookup.h"
#include "serve/dialects/kserve/inference/text_call.h"
#include "serve/dialects/kserve/inference/vector_call.h"
#include "serve/dialects/kserve/light/light_call.h"

namespace quire {
namespace {

constexpr std::int64_t kPriorityMax = 1'000'000;
constexpr std::int64_t kTimeoutMax = std::int64_t{3600} * 24 * 1'000'000;  // microseconds

// A whole number of at least 0, however it came.
std::optional<std::int64_t> whole(const InferParameter& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value); number != nullptr && *number >= 0) {
    return *number;
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value)) {
    if (std::in_range<std::int64_t>(*number)) return static_cast<std::int64_t>(*number);
  }
  return std::nullopt;
}

ApiError bad_parameter(std::string_view name, std::string_view expected) {
  return invalid_value(std::string(name), fmt::format("parameter '{}' is invalid: expected {}",
                                                      name, expected));
}

// Sequences of requests are for models that keep a state between them, which none of ours does.
std::optional<ApiError> refuse_sequence(std::string_view name, const InferParameter& value) {
  const auto* flag = std::get_if<bool>(&value);
  const auto* text = std::get_if<std::string>(&value);
  const bool is_neutral = (flag != nullptr && !*flag) || whole(value) == 0 ||
                          (text != nullptr && text->empty());
  if (is_neutral) return std::nullopt;
  return unsupported_parameter(std::string(name), fmt::format(
      "parameter '{}' is not supported: no model here keeps a state between requests", name));
}

// A level that the model has not means its default.
int priority_of(std::int64_t level, const HostedModel& model) {
  if (model.engine == nullptr || model.engine->batching().levels == 0) {
    return static_cast<int>(std::max<std::int64_t>(level - 1, 0));
  }
  const DynamicBatching& batching = model.engine->batching();
  const bool is_known = level >= 1 && level <= static_cast<std::int64_t>(batching.levels);
  return is_known ? static_cast<int>(level - static_cast<std::int64_t>(batching.default_level)) : 0;
}

bool takes_deadlines(const HostedModel& model, int priority) {
  if (model.engine == nullptr || !model.engine->batching().acts()) return true;
  const DynamicBatching& batching = model.engine->batching();
  return batching.policy_of(batching.level_of(priority)).may_override;
}

}  // namespace

Parsed<InferSchedule> read_schedule(const InferRequest& request, const HostedModel& model,
                                    InferParameters& rest) {
  InferSchedule schedule;
  if (request.parameters.all().size() > kInferParametersMax) {
    return invalid_value("parameters", fmt::format("a request has {} parameters; at most {} are "
                                                   "taken", request.parameters.all().size(),
                                                   kInferParametersMax));
  }
  for (const auto& [name, value] : request.parameters.all()) {
    if (name == "priority") {
      const auto level = whole(value);
      if (!level || *level > kPriorityMax) {
        return bad_parameter(name, "a level, of which 1 is the highest and 0 the default");
      }
      schedule.priority = priority_of(*level, model);
    } else if (name == "timeout") {
      const auto micros = whole(value);
      if (!micros || *micros > kTimeoutMax) return bad_parameter(name, "microseconds, at least 0");
      if (*micros > 0) {
        schedule.deadline = SteadyClock::now() + std::chrono::microseconds(*micros);
      }
    } else if (name == "sequence_id" || name == "sequence_start" || name == "sequence_end") {
      if (auto refusal = refuse_sequence(name, value)) return *refusal;
    } else if (name == "triton_enable_empty_final_response") {
      if (!std::holds_alternative<bool>(value)) return bad_parameter(name, "a bool");
    } else if (name == "headers" || name.starts_with("triton_")) {
      return unsupported_parameter(name, fmt::format(
          "parameter keys starting with 'triton_', and 'headers', are reserved for the server; got "
          "'{}'", told_name(name)));
    } else if (rest.find(name) != nullptr) {
      return invalid_value(name, fmt::format("parameter '{}' is given twice", told_name(name)));
    } else {
      rest.set(name, value);
    }
  }
  schedule.is_deadline_idle = schedule.deadline && !takes_deadlines(model, schedule.priority);
  return schedule;
}

bool is_wanted(const InferRequest& request, std::string_view output, bool is_default) {
  if (request.outputs.empty()) return is_default;
  return std::any_of(request.outputs.begin(), request.outputs.end(),
                     [&](const RequestedOutput& asked) { return asked.name == output; });
}

const NamedTensor* find_input(const InferRequest& request, std::string_view name) {
  const auto found = std::find_if(request.inputs.begin(), request.inputs.end(),
                                  [&](const NamedTensor& input) { return input.name == name; });
  return found == request.inputs.end() ? nullptr : &*found;
}

namespace {

// Which kind of call it is, or why it is none.
std::optional<ApiError> check_kind(const HostedModel& hosted, const ModelFace& face,
                                   const InferRequest& request) {
  if (request.inputs.size() > kTensorsMax || request.outputs.size() > kTensorsMax) {
    return invalid_value("inputs", fmt::format("at most {} inputs and {} outputs are taken",
                                               kTensorsMax, kTensorsMax));
  }
  if (auto fault = check_face(face, request)) return fault;
  const bool has_text = find_input(request, "text_input") != nullptr;
  const bool has_ids = find_input(request, "input_ids") != nullptr;
  if (has_text && has_ids) {
    return invalid_value("input_ids", fmt::format(
        "model '{}' takes 'text_input' or 'input_ids', not both in one request", face.name));
  }
  if (!has_text && !has_ids) {
    return invalid_value("inputs", fmt::format(
        "expected input 'text_input'{} for model '{}', got {} inputs without it",
        hosted.info.generates && !hosted.info.has_encoder ? " or 'input_ids'" : "", face.name,
        request.inputs.size()));
  }
  return std::nullopt;
}

// REQUIRES: check_kind() found nothing.
Parsed<TextCall> make_call(const DialectContext& context, const ModelLease& model,
                           const ModelFace& face, InferRequest request, const InferTerms& terms,
                           std::unique_ptr<InferFormat> format) {
  const bool has_ids = find_input(request, "input_ids") != nullptr;
  if (!has_ids && model->info.generates) {
    return make_text_call(context, model, std::move(request), terms, std::move(format));
  }
  Parsed<Call> call =
      has_ids ? make_logits_call(context, model, std::move(request), std::move(format))
              : make_vector_call(context, model, face, std::move(request), std::move(format));
  if (!call.is_ok()) return call.error();
  return TextCall{.call = std::move(*call)};
}

}  // namespace

Parsed<Call> make_infer_call(const DialectContext& context, InferRequest request,
                             const InferTerms& terms, std::unique_ptr<InferFormat> format) {
  if (auto light = find_light(context, request.model, request.version)) {
    return make_light_call(context, std::move(light), std::move(request), terms, std::move(format));
  }
  auto model = lease_for_inference(context, request.model, request.version);
  if (!model.is_ok()) return model.error();
  const ModelFace face = declared_face(context.house, (*model)->info, request.model);
  if (face.is_decoupled && !terms.one_response.empty()) {
    return ApiError{.status = 501, .message = std::string(terms.one_response), .param = "model"};
  }
  if (auto fault = check_kind(**model, face, request)) return *fault;
  std::optional<CacheQuestion> question = cache_question(context, *model, request, terms);
  const AnswerHead head{request.model, request.version, request.id};
  KeepingFormat* keeping = nullptr;
  if (question) {
    auto wrapped = std::make_unique<KeepingFormat>(std::move(format));
    keeping = wrapped.get();
    format = std::move(wrapped);
  }
  InferFormat& answer = *format;  // the call's, from now on
  auto made = make_call(context, *model, face, std::move(request), terms, std::move(format));
  if (!made.is_ok()) return made.error();
  if (made->call.writer != nullptr) answer.note().is_repeatable = made->is_repeatable;
  if (question && made->is_repeatable && !made->call.is_stream) {
    answer_from_cache(context, std::move(*question), head, *keeping, made->call);
  }
  return std::move(made->call);
}

}  // namespace quire
