#include "host/repository/ensemble/ensemble_graph.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace quire {
namespace {

constexpr std::size_t kShownMax = 64;  // bytes of a name that a sentence shows

std::string shown(const std::string& name) { return name.substr(0, kShownMax); }

// One tensor of the whole.
struct FlowTensor {
  std::string type;                // "TYPE_FP32"; empty: nobody has said
  std::vector<std::int64_t> dims;  // without the batch's
  bool has_batch = false;
  std::string said_by;             // who said so
  std::string made_by;             // empty: nobody makes it
  bool is_used = false;
};

// [batch, ...]
std::vector<std::int64_t> whole_shape(const FlowTensor& tensor) {
  std::vector<std::int64_t> shape;
  if (tensor.has_batch) shape.push_back(-1);
  shape.insert(shape.end(), tensor.dims.begin(), tensor.dims.end());
  return shape;
}

bool fits(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](auto x, auto y) {
    return x == y || x == -1 || y == -1;
  });
}

const ModelTensor* find_tensor(const std::vector<ModelTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const ModelTensor& it) { return it.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

class Checker {
 public:
  Checker(const ModelConfig& config, EnsembleGraph& graph) : config_(config), graph_(graph) {}

  Status check(const StepModels& models);

 private:
  template <typename... Args>
  Status wrong(fmt::format_string<Args...> format, Args&&... args) const {
    return error(StatusCode::kInvalidArgument, "in ensemble '{}', {}", shown(config_.name),
                 fmt::format(format, std::forward<Args>(args)...));
  }
  // "step 1 (model 'm')"
  std::string place(std::size_t step) const {
    return fmt::format("step {} (model '{}')", step, shown(graph_.steps[step].model));
  }
  Status add_own();
  Status add_step(std::size_t step, const ModelConfig& model);
  Status take_input(std::size_t step, const EnsembleStep::Mapping& input, const ModelConfig& model);
  Status take_output(std::size_t step, const EnsembleStep::Mapping& output,
                     const ModelConfig& model);
  Status agree(const std::string& name, const ModelTensor& tensor, bool has_batch,
               const std::string& who);
  Status check_ends() const;
  Status put_in_order();

  const ModelConfig& config_;
  EnsembleGraph& graph_;
  std::map<std::string, FlowTensor> tensors_;
};

// Whoever speaks first says what the tensor is; the others say the same. Where one model has the
// batch as a dimension of its own and another has not, whole shapes are compared.
Status Checker::agree(const std::string& name, const ModelTensor& tensor, bool has_batch,
                      const std::string& who) {
  FlowTensor& known = tensors_[name];
  FlowTensor said{.type = tensor.data_type, .dims = tensor.dims, .has_batch = has_batch};
  if (known.type.empty()) {
    known.type = said.type;
    known.dims = said.dims;
    known.has_batch = has_batch;
    known.said_by = who;
    return ok_status();
  }
  if (known.type != said.type) {
    return wrong("tensor '{}': inconsistent data type: {} of {}, {} of {}", shown(name), known.type,
                 known.said_by, said.type, who);
  }
  if (!fits(known.dims, said.dims) && !fits(whole_shape(known), whole_shape(said))) {
    return wrong("tensor '{}': inconsistent shape: [{}] of {}, [{}] of {}", shown(name),
                 fmt::join(whole_shape(known), ","), known.said_by,
                 fmt::join(whole_shape(said), ","), who);
  }
  return ok_status();
}

Status Checker::add_own() {
  if (config_.inputs.empty()) return wrong("there is no 'input'");
  if (config_.outputs.empty()) return wrong("there is no 'output'");
  for (const ModelTensor& input : config_.inputs) {
    QUIRE_RETURN_IF_ERROR(agree(input.name, input, config_.batch_max > 0, "the ensemble's input"));
    tensors_[input.name].made_by = "the ensemble's input";
  }
  for (const ModelTensor& output : config_.outputs) {
    QUIRE_RETURN_IF_ERROR(agree(output.name, output, config_.batch_max > 0,
                                "the ensemble's output"));
    tensors_[output.name].is_used = true;
  }
  return ok_status();
}

Status Checker::take_input(std::size_t step, const EnsembleStep::Mapping& input,
                           const ModelConfig& model) {
  const auto& [own, name] = input;
  tensors_[name].is_used = true;
  if (model.inputs.empty()) return ok_status();
  const ModelTensor* tensor = find_tensor(model.inputs, own);
  if (tensor == nullptr) {
    return wrong("{}: tensor '{}' is mapped to input '{}', which the model does not have",
                 place(step), shown(name), shown(own));
  }
  return agree(name, *tensor, model.batch_max > 0, place(step));
}

Status Checker::take_output(std::size_t step, const EnsembleStep::Mapping& output,
                            const ModelConfig& model) {
  const auto& [own, name] = output;
  FlowTensor& flow = tensors_[name];
  if (!flow.made_by.empty()) {
    return wrong("{}: tensor '{}' is produced already, by {}", place(step), shown(name),
                 flow.made_by);
  }
  flow.made_by = place(step);
  if (model.outputs.empty()) return ok_status();
  const ModelTensor* tensor = find_tensor(model.outputs, own);
  if (tensor == nullptr) {
    return wrong("{}: tensor '{}' is mapped from output '{}', which the model does not have",
                 place(step), shown(name), shown(own));
  }
  return agree(name, *tensor, model.batch_max > 0, place(step));
}

Status Checker::add_step(std::size_t step, const ModelConfig& model) {
  const EnsembleStep& here = graph_.steps[step];
  if (model.is_decoupled) {
    return wrong("{}: the model is decoupled, and an ensemble has one response", place(step));
  }
  if (model.batch_max > 0 && model.batch_max < config_.batch_max) {
    return wrong("{}: the ensemble allows 'max_batch_size' {}, but the model {}", place(step),
                 config_.batch_max, model.batch_max);
  }
  for (const auto& input : here.inputs) QUIRE_RETURN_IF_ERROR(take_input(step, input, model));
  for (const auto& output : here.outputs) QUIRE_RETURN_IF_ERROR(take_output(step, output, model));
  for (const ModelTensor& input : model.inputs) {
    const bool is_mapped = std::any_of(here.inputs.begin(), here.inputs.end(),
                                       [&](const auto& it) { return it.first == input.name; });
    if (is_mapped || input.is_optional) continue;
    return wrong("{}: input '{}' of the model is not mapped to a tensor", place(step),
                 shown(input.name));
  }
  return ok_status();
}

Status Checker::check_ends() const {
  for (const ModelTensor& input : config_.inputs) {
    if (!tensors_.at(input.name).is_used) {
      return wrong("input '{}' is used by no step", shown(input.name));
    }
  }
  for (const ModelTensor& output : config_.outputs) {
    if (tensors_.at(output.name).made_by.empty()) {
      return wrong("output '{}' is produced by no step", shown(output.name));
    }
  }
  for (std::size_t step = 0; step < graph_.steps.size(); ++step) {
    for (const auto& [own, name] : graph_.steps[step].inputs) {
      if (!tensors_.at(name).made_by.empty()) continue;
      return wrong("{}: tensor '{}', which is mapped to input '{}', is produced by no step and is "
                   "no input of the ensemble", place(step), shown(name), shown(own));
    }
  }
  return ok_status();
}

// Again and again the first step, as written, that has all it needs.
Status Checker::put_in_order() {
  std::set<std::string> there;
  for (const ModelTensor& input : config_.inputs) there.insert(input.name);
  std::vector<bool> is_done(graph_.steps.size());
  const auto is_ready = [&](const EnsembleStep& step) {
    return std::all_of(step.inputs.begin(), step.inputs.end(),
                       [&](const auto& it) { return there.contains(it.second); });
  };
  while (graph_.order.size() < graph_.steps.size()) {
    std::size_t next = 0;
    while (next < is_done.size() && (is_done[next] || !is_ready(graph_.steps[next]))) ++next;
    if (next == is_done.size()) break;
    is_done[next] = true;
    graph_.order.push_back(next);
    for (const auto& [_, name] : graph_.steps[next].outputs) there.insert(name);
  }
  for (std::size_t step = 0; step < is_done.size(); ++step) {
    if (is_done[step]) continue;
    for (const auto& [_, name] : graph_.steps[step].inputs) {
      if (there.contains(name)) continue;
      return wrong("{}: tensor '{}' depends on itself, by way of {}", place(step), shown(name),
                   tensors_.at(name).made_by);
    }
  }
  return ok_status();
}

Status Checker::check(const StepModels& models) {
  QUIRE_RETURN_IF_ERROR(add_own());
  for (std::size_t step = 0; step < graph_.steps.size(); ++step) {
    const EnsembleStep& here = graph_.steps[step];
    if (here.model == config_.name) return wrong("{}: it is the ensemble itself", place(step));
    const Result<ModelConfig> model = models(here.model, here.version);
    if (!model.is_ok()) return wrong("{}: {}", place(step), model.status().message());
    QUIRE_RETURN_IF_ERROR(add_step(step, *model));
    if (tensors_.size() > kEnsembleTensorsMax) {
      return wrong("there are over {} tensors", kEnsembleTensorsMax);
    }
  }
  QUIRE_RETURN_IF_ERROR(check_ends());
  return put_in_order();
}

// How ensembles stand on each other. Each is looked at once, however many steps lead to it.
class Nest {
 public:
  Nest(const ModelConfig& root, const StepModels& models) : root_(root), models_(models) {}

  Result<std::size_t> height_of(const ModelConfig& config) {
    const auto known = heights_.find(config.name);
    if (known != heights_.end() && known->second > 0) return known->second;
    if (known != heights_.end()) {
      return wrong("in ensemble '{}', ensemble '{}' leads back to itself", config.name);
    }
    heights_[config.name] = 0;  // under way
    std::size_t height = 1;
    for (const std::string& name : ensemble_models(config)) {
      const Result<ModelConfig> step = models_(name, 0);
      if (!step.is_ok() || !is_ensemble(*step)) continue;  // the first are told elsewhere
      QUIRE_ASSIGN_OR_RETURN(const std::size_t below, height_of(*step));
      height = std::max(height, below + 1);
    }
    if (height > kEnsembleHeightMax) {
      return wrong("in ensemble '{}', ensemble '{}' stands on more than the ensembles that are "
                   "possible within each other", config.name);
    }
    return heights_[config.name] = height;
  }

 private:
  Status wrong(const char* format, const std::string& name) const {
    return Status(StatusCode::kInvalidArgument,
                  fmt::format(fmt::runtime(format), shown(root_.name), shown(name)));
  }

  const ModelConfig& root_;
  const StepModels& models_;
  std::map<std::string, std::size_t> heights_;  // 0: being looked at
};

Status read_mappings(const Json& step, const char* field, const std::string& place,
                     std::vector<EnsembleStep::Mapping>& mappings) {
  for (const auto& [own, name] : step.find(field)->members()) {
    if (own.empty() || name.as_string().empty()) {
      return error(StatusCode::kInvalidArgument, "{}: '{}' has an entry without a {}", place, field,
                   own.empty() ? "key" : "value");
    }
    mappings.emplace_back(own, name.as_string());
  }
  if (!mappings.empty()) return ok_status();
  return error(StatusCode::kInvalidArgument, "{}: '{}' is missing", place, field);
}

Result<EnsembleStep> read_step(const Json& json, std::size_t number) {
  EnsembleStep step;
  step.model = json.find("model_name")->as_string();
  const std::string place = fmt::format("'ensemble_scheduling.step' {}", number);
  if (step.model.empty()) {
    return error(StatusCode::kInvalidArgument, "{}: 'model_name' is missing", place);
  }
  const std::int64_t version = json.find("model_version")->as_int();
  if (version < -1) {
    return error(StatusCode::kInvalidArgument, "{}: 'model_version' must be positive, or -1 for "
                                               "the newest, not {}", place, version);
  }
  step.version = static_cast<std::uint64_t>(std::max<std::int64_t>(version, 0));
  QUIRE_RETURN_IF_ERROR(read_mappings(json, "input_map", place, step.inputs));
  QUIRE_RETURN_IF_ERROR(read_mappings(json, "output_map", place, step.outputs));
  return step;
}

}  // namespace

bool is_ensemble(const ModelConfig& config) {
  return config.json.is_object() && config.json.find("ensemble_scheduling") != nullptr;
}

std::vector<std::string> ensemble_models(const ModelConfig& config) {
  std::set<std::string> names;
  if (!is_ensemble(config)) return {};
  for (const Json& step : config.json.find("ensemble_scheduling")->find("step")->items()) {
    if (names.size() < kEnsembleStepsMax) names.insert(step.find("model_name")->as_string());
  }
  return {names.begin(), names.end()};
}

Result<EnsembleGraph> read_ensemble(const ModelConfig& config, const StepModels& models) {
  EnsembleGraph graph;
  const Json& scheduling = *config.json.find("ensemble_scheduling");
  const std::vector<Json>& steps = scheduling.find("step")->items();
  if (steps.empty() || steps.size() > kEnsembleStepsMax) {
    return error(StatusCode::kInvalidArgument,
                 "'ensemble_scheduling.step': there must be 1 to {} steps, not {}",
                 kEnsembleStepsMax, steps.size());
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    QUIRE_ASSIGN_OR_RETURN(EnsembleStep step, read_step(steps[i], i));
    graph.steps.push_back(std::move(step));
  }
  QUIRE_RETURN_IF_ERROR(Checker(config, graph).check(models));
  QUIRE_RETURN_IF_ERROR(Nest(config, models).height_of(config).status());
  return graph;
}

}  // namespace quire
