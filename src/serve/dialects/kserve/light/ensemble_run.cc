#include "serve/dialects/kserve/light/ensemble_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

#include "base/clock.h"
#include "serve/dialects/kserve/light/declared_tensors.h"
#include "serve/dialects/kserve/light/kept_light.h"
#include "serve/dialects/kserve/light/step_exchange.h"
#include "serve/house.h"

namespace quire {
namespace {

std::atomic<std::size_t> held_bytes{0};  // by all that run

// Tensors of one request, as long as a step or the answer needs them.
class TensorStore {
 public:
  using Tensor = std::shared_ptr<const NamedTensor>;

  ~TensorStore() { held_bytes -= bytes_; }

  // False: there is no room, of one or of all.
  bool put(const std::string& name, NamedTensor tensor, std::size_t uses, bool has_batch) {
    const std::size_t size = tensor.bytes.size();
    const bool has_room = bytes_ + size <= kEnsembleBytesMax &&
                          held_bytes.load() + size <= kEnsembleHeldMax;
    if (!has_room) return false;
    bytes_ += size;
    held_bytes += size;
    places_[name] = {std::make_shared<const NamedTensor>(std::move(tensor)), uses, has_batch};
    return true;
  }
  // What no client gave: an optional input.
  void put_absent(const std::string& name) { places_[name] = {}; }
  bool has_batch(const std::string& name) const { return places_.at(name).has_batch; }
  bool has(const std::string& name) const { return places_.contains(name); }

  // Null: it is absent. With its last use it is let go.
  Tensor use(const std::string& name) {
    Place& place = places_.at(name);
    const Tensor tensor = place.tensor;
    if (tensor == nullptr || --place.uses > 0) return tensor;
    place.tensor = nullptr;
    bytes_ -= tensor->bytes.size();
    held_bytes -= tensor->bytes.size();
    return tensor;
  }

 private:
  struct Place {
    Tensor tensor;
    std::size_t uses = 0;
    bool has_batch = false;
  };
  std::map<std::string, Place> places_;
  std::size_t bytes_ = 0;
};

// What of a graph a request needs.
struct NeededSteps {
  std::vector<std::size_t> order;           // of steps
  std::map<std::string, std::size_t> uses;  // of tensors, by steps and by the answer
};

NeededSteps needed_steps(const EnsembleGraph& graph, const std::vector<std::string>& outputs) {
  NeededSteps needed;
  for (const std::string& output : outputs) ++needed.uses[output];
  for (auto step = graph.order.rbegin(); step != graph.order.rend(); ++step) {
    const EnsembleStep& here = graph.steps[*step];
    const bool is_needed = std::any_of(here.outputs.begin(), here.outputs.end(),
                                       [&](const auto& it) { return needed.uses[it.second] > 0; });
    if (!is_needed) continue;
    needed.order.push_back(*step);
    for (const auto& [_, tensor] : here.inputs) ++needed.uses[tensor];
  }
  std::reverse(needed.order.begin(), needed.order.end());
  return needed;
}

// Whether a step's model has an engine, or is an ensemble with such a step: it takes parameters.
bool takes_parameters(const ModelRepository& repository, const EnsembleStep& step) {
  const Result<ServedVersion> served = repository.resolve(step.model, step.version);
  if (!served.is_ok() || served->light == nullptr) return true;
  const std::vector<EnsembleStep>& below = served->light->graph.steps;
  return std::any_of(below.begin(), below.end(), [&](const EnsembleStep& it) {
    return takes_parameters(repository, it);
  });
}

// What the config of a step's model says, and which version of it serves now.
struct StepFacts {
  DeclaredTensors said;
  std::string version;  // empty: none
};

StepFacts facts_of(const ModelRepository& repository, const EnsembleStep& step) {
  StepFacts facts;
  const Result<ServedVersion> served = repository.resolve(step.model, step.version);
  if (!served.is_ok()) return facts;
  facts.version = std::to_string(served->version);
  const auto take = [&](const ModelConfig& config) {
    facts.said = {config.inputs, config.outputs, config.batch_max > 0};
  };
  if (served->light != nullptr) {
    take(served->light->config);
  } else if (const auto config = repository.config(step.model)) {
    take(*config);
  }
  return facts;
}

class EnsembleRun : public std::enable_shared_from_this<EnsembleRun> {
 public:
  EnsembleRun(const DialectContext& context, EnsembleTask task)
      : house_(context.house),
        tenant_(context.tenant),
        arrived_(context.arrived),
        queued_(SteadyClock::now() - context.arrived),
        task_(std::move(task)),
        facts_(graph().steps.size()),
        open_(graph().steps.size()),
        is_asked_(graph().steps.size()) {}

  std::optional<ApiError> prepare();
  std::optional<http::Response> find_answer();
  void begin(std::shared_ptr<http::Exchange> exchange);

 private:
  const EnsembleGraph& graph() const { return task_.model->graph; }
  void advance();
  void ask(std::size_t step);
  void send(std::size_t step, http::Request request);
  void take(std::size_t step);
  void keep(std::size_t step, Parsed<StepAnswer> answer);
  std::string place(std::size_t step) const;
  std::string source_of(const std::string& tensor) const;
  Parsed<StepQuestion> question_of(std::size_t step);
  std::optional<ApiError> keep_outputs(std::size_t step, StepAnswer& answer);
  std::optional<ApiError> check_output(std::size_t step, const EnsembleStep::Mapping& mapping,
                                       const NamedTensor& output) const;
  void note_answer();
  void finish();
  void fail(const ApiError& error);
  void fail_step(std::size_t step, ApiError error);
  void respond(http::Response response, bool is_success);
  void end();
  InferParameters step_parameters(std::size_t step) const;

  const House* house_;
  Tenant tenant_;
  Nanos arrived_, queued_;
  Nanos looked_{0};    // in the cache
  Nanos computed_{0};  // by all of its steps
  bool is_repeatable_ = true;  // as far as its steps have answered
  EnsembleTask task_;
  std::vector<std::string> outputs_;  // wanted, in the order of the config
  std::uint64_t batch_ = 1;
  NeededSteps needed_;
  TensorStore tensors_;
  std::set<std::string> unknown_parameters_;  // that some step did not know
  std::shared_ptr<http::Exchange> exchange_;
  std::vector<StepFacts> facts_;                       // [steps] since it was asked
  std::vector<std::shared_ptr<http::Exchange>> open_;  // [steps] null: not asked, or answered
  std::vector<bool> is_asked_;                         // [steps]
  std::size_t in_flight_ = 0, done_ = 0;
  bool is_over_ = false;
};

// Worker thread.
std::optional<ApiError> EnsembleRun::prepare() {
  const ModelConfig& config = task_.model->config;
  InferRequest& request = task_.request;
  for (const ModelTensor& output : config.outputs) {
    if (is_wanted(request, output.name, true)) outputs_.push_back(output.name);
  }
  needed_ = needed_steps(graph(), outputs_);
  if (config.batch_max > 0 && !request.inputs.empty()) {
    batch_ = static_cast<std::uint64_t>(request.inputs.front().shape.front());
  }
  for (const ModelTensor& input : config.inputs) tensors_.put_absent(input.name);
  for (NamedTensor& input : request.inputs) {
    const std::string name = input.name;
    const std::size_t uses = needed_.uses[name];
    if (uses == 0) continue;
    if (tensors_.put(name, std::move(input), uses, config.batch_max > 0)) continue;
    return ApiError{.status = 503, .message = "the ensembles that run hold all the tensors that "
                                              "they may; try again",
                    .type = "service_unavailable_error"};
  }
  request.inputs.clear();
  const bool has_taker = std::any_of(
      needed_.order.begin(), needed_.order.end(), [&](std::size_t step) {
        return takes_parameters(*house_->repository, graph().steps[step]);
      });
  for (const auto& [name, _] : task_.parameters.all()) {
    if (has_taker) break;
    return invalid_value(name, fmt::format("parameter '{}' is not known to any step of ensemble "
                                           "'{}'", name, task_.model->name));
  }
  return std::nullopt;
}

// Worker thread.
std::optional<http::Response> EnsembleRun::find_answer() {
  if (!task_.question) return std::nullopt;
  const InferRequest& request = task_.request;
  return find_kept(*task_.question, {request.model, request.version, request.id}, *task_.format,
                   looked_);
}

void EnsembleRun::begin(std::shared_ptr<http::Exchange> exchange) {
  exchange_ = std::move(exchange);
  exchange_->on_gone([weak = weak_from_this()] {
    const auto left = weak.lock();
    if (left == nullptr || left->is_over_) return;
    const auto& open = left->open_;  // who is asked counts it, too
    if (std::count(open.begin(), open.end(), nullptr) == std::ssize(open)) {
      left->house_->metrics.count_left();
    }
    left->task_.model->counter->count_failure(LightFailure::kOther,
                                              SteadyClock::now() - left->arrived_);
    left->end();
  });
  advance();
}

void EnsembleRun::advance() {
  for (const std::size_t step : needed_.order) {
    if (is_over_ || in_flight_ == kStepsAtOnceMax) return;
    const auto& inputs = graph().steps[step].inputs;
    const bool is_ready = std::all_of(inputs.begin(), inputs.end(), [&](const auto& it) {
      return tensors_.has(it.second);
    });
    if (is_ready && !is_asked_[step]) ask(step);
  }
  if (!is_over_ && done_ == needed_.order.size()) finish();
}

InferParameters EnsembleRun::step_parameters(std::size_t step) const {
  InferParameters made;
  if (takes_parameters(*house_->repository, graph().steps[step])) made = task_.parameters;
  if (const InferParameter* level = task_.request.parameters.find("priority")) {
    made.set("priority", *level);
  }
  if (task_.deadline) {
    const Nanos left = *task_.deadline - SteadyClock::now();
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(left).count();
    made.set("timeout", std::max<std::int64_t>(micros, 1));
  }
  return made;
}

std::string EnsembleRun::place(std::size_t step) const {
  return fmt::format("step {} (model '{}')", step, graph().steps[step].model);
}

std::string EnsembleRun::source_of(const std::string& tensor) const {
  for (std::size_t step = 0; step < graph().steps.size(); ++step) {
    for (const auto& [_, name] : graph().steps[step].outputs) {
      if (name == tensor) return fmt::format("tensor '{}' of {}", tensor, place(step));
    }
  }
  return fmt::format("the ensemble's input '{}'", tensor);
}

// Its tensors, as far as they are there, in the shapes that its model has declared.
Parsed<StepQuestion> EnsembleRun::question_of(std::size_t step) {
  const EnsembleStep& here = graph().steps[step];
  const DeclaredTensors& said = facts_[step].said;
  StepQuestion question{.model = here.model, .version = here.version,
                        .parameters = step_parameters(step)};
  for (const auto& [own, name] : here.inputs) {
    const bool has_batch = tensors_.has_batch(name);
    TensorStore::Tensor tensor = tensors_.use(name);
    if (tensor == nullptr) continue;
    std::vector<std::int64_t> shape = tensor->shape;
    if (const ModelTensor* declared = find_declared(said.inputs, own)) {
      shape = declared_shape(*declared, said.has_batch, shape, has_batch);
      const auto misfit = find_misfit(
          *declared, said.has_batch, tensor->type, shape,
          fmt::format("input '{}' for model '{}' ({})", own, here.model, source_of(name)));
      if (misfit) return invalid_value(own, *misfit);
    }
    question.inputs.push_back({own, std::move(tensor), std::move(shape)});
  }
  for (const auto& [own, name] : here.outputs) {
    if (needed_.uses[name] > 0) question.outputs.push_back(own);
  }
  return question;
}

void EnsembleRun::ask(std::size_t step) {
  facts_[step] = facts_of(*house_->repository, graph().steps[step]);
  auto made = question_of(step);
  if (!made.is_ok()) return fail_step(step, made.error());
  StepQuestion question = std::move(*made);
  is_asked_[step] = true;
  ++in_flight_;
  // This goes back to the I/O thread with the request: its exchange must not end on a worker.
  house_->to_workers([self = shared_from_this(), step, question = std::move(question)]() mutable {
    auto request = std::make_shared<http::Request>(step_request(question));
    const House* house = self->house_;
    house->to_io([self = std::move(self), step, request] {
      self->send(step, std::move(*request));
    });
  });
}

void EnsembleRun::send(std::size_t step, http::Request request) {
  if (is_over_) return;
  constexpr std::size_t kPendingMax = std::size_t{1} << 20;  // of a stream, which it is not
  request.id = exchange_->request().id;
  for (const http::Header& header : exchange_->request().headers) {
    const bool is_of_trace = header.name == "traceparent" || header.name == "tracestate";
    if (is_of_trace) request.headers.push_back(header);
  }
  const auto inner = std::make_shared<http::Exchange>(std::move(request), kPendingMax);
  open_[step] = inner;
  // The exchange calls from within itself: what follows runs when it is done with that.
  inner->on_output([self = shared_from_this(), step] {
    self->house_->to_io([self, step] { self->take(step); });
  });
  house_->ask_inside(inner, tenant_);
}

void EnsembleRun::take(std::size_t step) {
  const std::shared_ptr<http::Exchange> inner = std::exchange(open_[step], nullptr);
  if (inner == nullptr) return;  // it was taken already
  inner->on_output(nullptr);
  if (is_over_) return;
  house_->to_workers([self = shared_from_this(), step, head = inner->head(),
                      body = inner->take_pending()]() mutable {
    auto answer = std::make_shared<Parsed<StepAnswer>>(read_step_answer(head, body));
    body = {};
    const House* house = self->house_;
    house->to_io([self = std::move(self), step, answer] {
      self->keep(step, std::move(*answer));
    });
  });
}

void EnsembleRun::keep(std::size_t step, Parsed<StepAnswer> answer) {
  if (is_over_) return;
  --in_flight_;
  ++done_;
  if (!answer.is_ok()) return fail_step(step, answer.error());
  computed_ += answer->note.computed;
  // Another version may have answered than the one that the cache's question knows.
  is_repeatable_ &= answer->note.is_repeatable && answer->version == facts_[step].version;
  unknown_parameters_.insert(answer->unknown_parameters.begin(), answer->unknown_parameters.end());
  if (const auto fault = keep_outputs(step, *answer)) return fail_step(step, *fault);
  advance();
}

std::optional<ApiError> EnsembleRun::keep_outputs(std::size_t step, StepAnswer& answer) {
  for (const auto& [own, name] : graph().steps[step].outputs) {
    const std::size_t uses = needed_.uses[name];
    if (uses == 0) continue;
    const auto found = std::find_if(answer.outputs.begin(), answer.outputs.end(),
                                    [&](const NamedTensor& it) { return it.name == own; });
    if (found == answer.outputs.end()) {
      return ApiError{.status = 500, .message = fmt::format("it did not answer with '{}'", own),
                      .type = "server_error"};
    }
    if (auto fault = check_output(step, {own, name}, *found)) return fault;
    if (tensors_.put(name, std::move(*found), uses, facts_[step].said.has_batch)) continue;
    return ApiError{.status = 503,
                    .message = fmt::format("there is no room for output '{}': an ensemble's "
                                           "request holds at most {} bytes, all of them {}", own,
                                           kEnsembleBytesMax, kEnsembleHeldMax),
                    .type = "service_unavailable_error"};
  }
  return std::nullopt;
}

// What a model says of its outputs is what the next step relies on, and clients on what the
// ensemble says.
std::optional<ApiError> EnsembleRun::check_output(std::size_t step,
                                                  const EnsembleStep::Mapping& mapping,
                                                  const NamedTensor& output) const {
  const auto& [own, name] = mapping;
  const ModelConfig& config = task_.model->config;
  const DeclaredTensors& said = facts_[step].said;
  const std::string what = fmt::format("output '{}' of the model (tensor '{}')", own, name);
  std::optional<std::string> misfit;
  if (const ModelTensor* declared = find_declared(said.outputs, own)) {
    misfit = find_misfit(*declared, said.has_batch, output.type, output.shape, what);
  }
  const ModelTensor* ours = find_declared(config.outputs, name);
  if (!misfit && ours != nullptr) {
    const bool wants_batch = config.batch_max > 0;
    misfit = find_misfit(*ours, wants_batch, output.type,
                         declared_shape(*ours, wants_batch, output.shape, said.has_batch),
                         fmt::format("{} as the ensemble's output", what));
  }
  if (!misfit) return std::nullopt;
  return ApiError{.status = 500, .message = *misfit, .type = "server_error"};
}

// For who asked for it as a step, and for the cache.
void EnsembleRun::note_answer() {
  task_.format->note() = {.computed = computed_, .is_repeatable = is_repeatable_};
  const bool is_kept = task_.question && is_repeatable_ && unknown_parameters_.empty() &&
                       steps_fingerprint(*house_, *task_.model) ==
                           task_.question->edition.fingerprint;
  if (is_kept) task_.keeping->keep_for(std::move(*task_.question), looked_);
}

// Some hundred megabytes take a while, which the I/O thread does not have.
void EnsembleRun::finish() {
  const InferRequest& request = task_.request;
  auto response = std::make_shared<InferResponse>(InferResponse{
      .model = request.model, .version = request.version, .id = request.id});
  if (!unknown_parameters_.empty()) {
    response->parameters.set("quire_unknown_parameters",
                             fmt::format("{}", fmt::join(unknown_parameters_, ",")));
  }
  struct Output {
    TensorStore::Tensor tensor;
    bool has_batch;
  };
  std::vector<Output> made;
  for (const std::string& output : outputs_) {
    const bool has_batch = tensors_.has_batch(output);
    made.push_back({tensors_.use(output), has_batch});
  }
  note_answer();
  house_->to_workers([self = shared_from_this(), response, made = std::move(made)]() mutable {
    const ModelConfig& config = self->task_.model->config;
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (made[i].tensor == nullptr) continue;  // an optional input that is an output, too
      NamedTensor& output = response->outputs.emplace_back(*made[i].tensor);
      output.name = self->outputs_[i];
      output.shape = declared_shape(*find_declared(config.outputs, output.name),
                                    config.batch_max > 0, output.shape, made[i].has_batch);
      made[i] = {};
    }
    auto answer = std::make_shared<http::Response>();
    self->task_.format->append(*response, true, answer->body);
    self->task_.format->complete_head(*answer);
    const House* house = self->house_;
    house->to_io([self = std::move(self), answer] {
      if (!self->is_over_) self->respond(std::move(*answer), true);
    });
  });
}

void EnsembleRun::fail_step(std::size_t step, ApiError error) {
  error.message = fmt::format("in ensemble '{}', {}: {}", task_.model->name, place(step),
                              error.message);
  fail(error);
}

void EnsembleRun::fail(const ApiError& error) {
  respond(task_.render_error(error, exchange_->request()), false);
}

void EnsembleRun::respond(http::Response response, bool is_success) {
  const Nanos took = SteadyClock::now() - arrived_;
  LightCounter& counter = *task_.model->counter;
  if (is_success) {
    counter.count_success(batch_, {.took = took, .queued = queued_, .computed = computed_});
  } else {
    counter.count_failure(LightFailure::kOther, took);
  }
  house_->metrics.count_answer(response.status);
  const auto exchange = exchange_;
  end();
  exchange->respond(std::move(response));
}

// Whoever has not answered need not.
void EnsembleRun::end() {
  is_over_ = true;
  for (const auto& inner : std::vector(open_)) {
    if (inner != nullptr) inner->leave();
  }
  std::fill(open_.begin(), open_.end(), nullptr);
}

}  // namespace

Parsed<Call> make_ensemble_call(const DialectContext& context, EnsembleTask task) {
  const auto run = std::make_shared<EnsembleRun>(context, std::move(task));
  if (auto fault = run->prepare()) return *fault;
  Call call;
  if ((call.ready = run->find_answer())) return call;
  call.ready = http::Response();  // nobody gets it: the exchange is followed
  call.follow = [run](std::shared_ptr<http::Exchange> exchange) {
    run->begin(std::move(exchange));
  };
  return call;
}

}  // namespace quire
