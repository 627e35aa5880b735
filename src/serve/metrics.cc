#include "serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <vector>

#include "base/clock.h"
#include "serve/metric_names/cache_families.h"
#include "serve/metric_names/tgi_names.h"
#include "serve/metric_names/triton_names.h"
#include "serve/metric_names/vllm_names.h"

namespace quire {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets kStepSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5};
const Buckets kPhaseSeconds = {0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003,
                               0.01,    0.03,    0.1,    0.3,    1};
const Buckets kFirstTokenSeconds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                    2.5,   5,    10,    30,   60,  120};
const Buckets kNextTokenSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                   0.1,   0.2,    0.4,   0.8,  1.6,   3.2};
const Buckets kTokenCounts = {1,    2,    5,     10,    20,    50,     100,
                              200,  500,  1000,  2000,  5000,  10'000, 20'000,
                              50'000, 100'000};
const Buckets kRowCounts = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
const Buckets kStepTokens = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
const Buckets kChoiceCounts = {1, 2, 5, 10, 20};
constexpr FinishReason kFinishReasons[] = {
    FinishReason::kStop,     FinishReason::kLength,    FinishReason::kRepetition,
    FinishReason::kCancelled, FinishReason::kDeadline, FinishReason::kNonFinite,
    FinishReason::kNothingAllowed, FinishReason::kGrammarLimit, FinishReason::kFault};
const Buckets kRequestSeconds = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};

// One number of an engine as a series for each model.
struct EngineFamily {
  const char* name;
  const char* help;
  MetricType type;
  const char* state;  // a second label; null: none
  std::uint64_t EngineStats::* value;
};

constexpr const char* kBlocksHelp = "KV blocks by state; free + cached + referenced is constant";

// Rows of one family stand together.
constexpr std::array kEngineFamilies = {
    EngineFamily{"quire_requests_running", "Requests being computed", MetricType::Gauge, nullptr,
                 &EngineStats::requests_running},
    EngineFamily{"quire_requests_waiting", "Requests in the queue", MetricType::Gauge, nullptr,
                 &EngineStats::requests_waiting},
    EngineFamily{"quire_kv_blocks", kBlocksHelp, MetricType::Gauge, "free",
                 &EngineStats::blocks_free},
    EngineFamily{"quire_kv_blocks", kBlocksHelp, MetricType::Gauge, "cached",
                 &EngineStats::blocks_cached},
    EngineFamily{"quire_kv_blocks", kBlocksHelp, MetricType::Gauge, "referenced",
                 &EngineStats::blocks_referenced},
    EngineFamily{"quire_prompt_tokens_total", "Prompt tokens of admitted requests",
                 MetricType::Counter, nullptr, &EngineStats::prompt_tokens},
    EngineFamily{"quire_generated_tokens_total", "Tokens generated", MetricType::Counter, nullptr,
                 &EngineStats::generated_tokens},
    EngineFamily{"quire_prefix_cached_tokens_total", "Prompt tokens taken from the prefix cache",
                 MetricType::Counter, nullptr, &EngineStats::prefix_cached_tokens},
    EngineFamily{"quire_computed_tokens_total", "Tokens fed to the model, recomputation included",
                 MetricType::Counter, nullptr, &EngineStats::computed_tokens},
    EngineFamily{"quire_forced_tokens_total",
                 "Generated tokens that a grammar left no choice about, fed without being drawn",
                 MetricType::Counter, nullptr, &EngineStats::forced_tokens},
    EngineFamily{"quire_grammar_masks_total", "Tokens drawn under a mask of a grammar",
                 MetricType::Counter, nullptr, &EngineStats::masks},
    EngineFamily{"quire_preemptions_total", "Sequences that lost their blocks for a while",
                 MetricType::Counter, nullptr, &EngineStats::preemptions},
    EngineFamily{"quire_steps_total", "Engine steps", MetricType::Counter, nullptr,
                 &EngineStats::steps},
};

// One number of ModelHost's books, likewise.
struct HostFamily {
  const char* name;
  const char* help;
  MetricType type;
  double (*value)(const ModelRow& model);
};

constexpr std::array kHostFamilies = {
    HostFamily{"quire_model_ready", "1: the model is in memory", MetricType::Gauge,
               [](const ModelRow& model) { return model.state == ModelState::kReady ? 1.0 : 0.0; }},
    HostFamily{"quire_model_bytes", "Weights and KV of a model in memory", MetricType::Gauge,
               [](const ModelRow& model) { return static_cast<double>(model.bytes); }},
    HostFamily{"quire_model_loads_total", "Loads that went well", MetricType::Counter,
               [](const ModelRow& model) { return static_cast<double>(model.loads); }},
    HostFamily{"quire_model_unloads_total", "Unloads", MetricType::Counter,
               [](const ModelRow& model) { return static_cast<double>(model.unloads); }},
    HostFamily{"quire_model_load_failures_total", "Loads that failed", MetricType::Counter,
               [](const ModelRow& model) { return static_cast<double>(model.failures); }},
};

// What a model keeps of a sequence, in labels, as Prometheus has facts: the value is 1.
MetricFamily kv_group_family(const std::vector<ModelRow>& models) {
  MetricFamily family{"quire_kv_group_info",
                      "What a model remembers of a sequence: types of keys and values, window (0: "
                      "all) and sinks in positions",
                      MetricType::Gauge, {}};
  for (const ModelRow& model : models) {
    for (const KvGroup& group : model.info.kv_groups) {
      ClientMetric& series = family.metric.emplace_back();
      series.label = {{"model", model.names.front()},
                      {"group", group.name},
                      {"holds", holds_states(group) ? "state" : "positions"},
                      {"k_type", group.k_type},
                      {"v_type", group.v_type},
                      {"window", std::to_string(group.window)},
                      {"sinks", std::to_string(group.sinks)}};
      series.gauge.value = 1;
    }
  }
  return family;
}

// One process, one instruction set; "" before the first model is loaded.
std::string isa_of(const std::vector<ModelRow>& models) {
  for (const ModelRow& model : models) {
    if (!model.info.isa.empty()) return model.info.isa;
  }
  return {};
}

// Rows of one family that follow each other go together.
void append_series(const char* name, const char* help, MetricType type, const char* state,
                   const ModelRow& model, double value, std::vector<MetricFamily>& families) {
  if (families.empty() || families.back().name != name) families.push_back({name, help, type, {}});
  ClientMetric series;
  series.label.push_back({"model", model.names.front()});
  if (state != nullptr) series.label.push_back({"state", state});
  (type == MetricType::Counter ? series.counter.value : series.gauge.value) = value;
  families.back().metric.push_back(series);
}

}  // namespace

struct Metrics::State {
  State(const ModelHost& the_host, std::string the_version, Names the_names,
        ResponseCache* the_responses, bool the_old)
      : host(&the_host),
        version(std::move(the_version)),
        names(the_names),
        responses(the_responses),
        has_old(the_old) {}

  prometheus::Histogram& histogram(const char* name, const char* help, const Buckets& buckets) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
  }

  const ModelHost* host;
  std::string version;
  Names names;
  ResponseCache* responses;
  bool has_old;
  prometheus::Registry registry;
  prometheus::Histogram& step = histogram("quire_step_seconds", "Time of a step in the executor",
                                          kStepSeconds);
  prometheus::Family<prometheus::Histogram>& phases =
      prometheus::BuildHistogram().Name("quire_step_phase_seconds")
          .Help("The engine thread's time from one step's end to the next, by phase")
          .Register(registry);
  std::array<prometheus::Histogram*, kStepPhaseNames.size()> phase_of = {};
  prometheus::Family<prometheus::Histogram>& steps =
      family("quire_step_kind_seconds", "Time of a step in the executor: with rows of prompts, or "
                                        "of answers alone");
  prometheus::Histogram& prefill_step = steps.Add({{"rows", "prefill"}}, kStepSeconds);
  prometheus::Histogram& decode_step = steps.Add({{"rows", "decode"}}, kStepSeconds);
  prometheus::Histogram& step_rows = histogram("quire_step_rows", "Rows of a step", kRowCounts);
  prometheus::Histogram& step_tokens = histogram("quire_step_tokens", "Tokens fed in a step",
                                                 kStepTokens);
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter().Name("quire_requests_total")
          .Help("Requests for an engine: accepted, or refused as invalid, overloaded, unavailable")
          .Register(registry);
  prometheus::Counter& accepted = requests.Add({{"outcome", "accepted"}});
  prometheus::Counter& invalid = requests.Add({{"outcome", "invalid"}});
  prometheus::Counter& overloaded = requests.Add({{"outcome", "overloaded"}});
  prometheus::Counter& unavailable = requests.Add({{"outcome", "unavailable"}});
  prometheus::Counter& calls =
      prometheus::BuildCounter().Name("quire_calls_total")
          .Help("Requests of clients that went to an engine, each with all its prompts and choices")
          .Register(registry).Add({});
  prometheus::Family<prometheus::Histogram>& family(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  prometheus::Family<prometheus::Histogram>& first_token =
      family("quire_time_to_first_token_seconds", "From arrival to the first token");
  prometheus::Family<prometheus::Histogram>& next_token =
      family("quire_inter_token_latency_seconds", "Between tokens of one choice");
  prometheus::Family<prometheus::Histogram>& request =
      family("quire_request_seconds", "From arrival to the end of a request");
  prometheus::Family<prometheus::Histogram>& parsing =
      family("quire_request_parse_seconds", "From arrival to the engine's queue");
  prometheus::Family<prometheus::Histogram>& queueing =
      family("quire_request_queue_seconds", "From the engine's queue to the first step");
  prometheus::Family<prometheus::Histogram>& computing =
      family("quire_request_compute_seconds", "From the first step to the end of a request");
  prometheus::Family<prometheus::Histogram>& prefilling =
      family("quire_request_prefill_seconds", "From the first step to the first token");
  prometheus::Family<prometheus::Histogram>& decoding =
      family("quire_request_decode_seconds", "From the first token to the end of a request");
  prometheus::Family<prometheus::Histogram>& tokens_max =
      family("quire_request_max_tokens", "Tokens that an accepted request may generate");
  prometheus::Family<prometheus::Histogram>& choices =
      family("quire_request_choices", "Choices that an accepted request asks for");
  prometheus::Family<prometheus::Histogram>& computed_sizes =
      family("quire_request_computed_prompt_tokens",
             "Prompt tokens of a request that has ended, but for what the prefix cache had");
  prometheus::Family<prometheus::Histogram>& token_means =
      family("quire_request_token_seconds", "A request's computing time a generated token");
  prometheus::Family<prometheus::Histogram>& prompt_sizes =
      family("quire_request_prompt_tokens", "Prompt tokens of a request that has ended");
  prometheus::Family<prometheus::Histogram>& answer_sizes =
      family("quire_request_generated_tokens", "Generated tokens of a choice that has ended");
  prometheus::Family<prometheus::Counter>& finishes =
      prometheus::BuildCounter().Name("quire_choices_total").Help("Choices that ended, by reason")
          .Register(registry);
  struct ModelSeries {
    prometheus::Histogram* first_token = nullptr;
    prometheus::Histogram* next_token = nullptr;
    prometheus::Histogram* request = nullptr;
    prometheus::Histogram* parse = nullptr;
    prometheus::Histogram* queue = nullptr;
    prometheus::Histogram* compute = nullptr;
    prometheus::Histogram* prefill = nullptr;
    prometheus::Histogram* decode = nullptr;
    prometheus::Histogram* tokens_max = nullptr;
    prometheus::Histogram* choices = nullptr;
    prometheus::Histogram* computed_size = nullptr;
    prometheus::Histogram* token_mean = nullptr;
    prometheus::Histogram* prompt_size = nullptr;
    prometheus::Histogram* answer_size = nullptr;
    std::map<FinishReason, prometheus::Counter*> finishes;
    std::uint64_t last_request_ms = 0;
    double failed_seconds = 0;
    std::uint64_t steps = 0;
    std::map<std::size_t, ModelCounts::Steps> steps_of;  // by rows
  };
  ModelSeries& model_series(const std::string& model);
  void keep_only(const std::set<std::string>& names);
  std::map<std::string, ModelSeries> models;  // as many as the host has
  prometheus::Family<prometheus::Counter>& answers =
      prometheus::BuildCounter().Name("quire_http_answers_total").Help("HTTP answers by class")
          .Register(registry);
  std::array<prometheus::Counter*, 6> answers_of = {};  // by the first digit of the status
  struct TenantSeries {
    prometheus::Counter* prompt = nullptr;
    prometheus::Counter* cached = nullptr;
    prometheus::Counter* generated = nullptr;
  };
  TenantSeries& series_of(const std::string& tenant);
  prometheus::Family<prometheus::Counter>& tenant_tokens =
      prometheus::BuildCounter().Name("quire_tenant_tokens_total")
          .Help("Tokens of answered requests by API key, named by its place in the list; what was "
                "cached is part of the prompt")
          .Register(registry);
  std::map<std::string, TenantSeries> tenants;
  prometheus::Counter& left =
      prometheus::BuildCounter().Name("quire_clients_left_total")
          .Help("Clients that left, or read too slowly, before their answer was complete")
          .Register(registry).Add({});
  prometheus::Counter& unknown_fields =
      prometheus::BuildCounter().Name("quire_unknown_parameters_total")
          .Help("Unknown request fields that were accepted with a warning")
          .Register(registry).Add({});
  prometheus::Counter& tools_not_enforced =
      prometheus::BuildCounter().Name("quire_tools_not_enforced_total")
          .Help("Requests with tools whose schemas are not enforced as a whole, with a warning")
          .Register(registry).Add({});
  prometheus::Family<prometheus::Counter>& volatile_lines =
      prometheus::BuildCounter().Name("quire_volatile_lines_total")
          .Help("Lines at the head of prompts that change with every request and say nothing")
          .Register(registry);
  prometheus::Counter& volatile_removed = volatile_lines.Add({{"done", "removed"}});
  prometheus::Counter& volatile_kept = volatile_lines.Add({{"done", "kept"}});
  prometheus::Family<prometheus::Counter>& spans =
      prometheus::BuildCounter().Name("quire_trace_spans_total")
          .Help("Spans for --otlp-traces-endpoint: sent, refused by the collector or dropped "
                "because it was away")
          .Register(registry);
  std::array<prometheus::Counter*, 3> span_fates = {&spans.Add({{"fate", "sent"}}),
                                                    &spans.Add({{"fate", "refused"}}),
                                                    &spans.Add({{"fate", "dropped"}})};
};

Metrics::State::ModelSeries& Metrics::State::model_series(const std::string& model) {
  const auto known = models.find(model);
  if (known != models.end()) return known->second;
  const prometheus::Labels label = {{"model", model}};
  ModelSeries& series = models[model];
  series.first_token = &first_token.Add(label, kFirstTokenSeconds);
  series.next_token = &next_token.Add(label, kNextTokenSeconds);
  series.request = &request.Add(label, kRequestSeconds);
  series.parse = &parsing.Add(label, kPhaseSeconds);
  series.queue = &queueing.Add(label, kFirstTokenSeconds);
  series.compute = &computing.Add(label, kRequestSeconds);
  series.prefill = &prefilling.Add(label, kFirstTokenSeconds);
  series.decode = &decoding.Add(label, kRequestSeconds);
  series.tokens_max = &tokens_max.Add(label, kTokenCounts);
  series.choices = &choices.Add(label, kChoiceCounts);
  series.computed_size = &computed_sizes.Add(label, kTokenCounts);
  series.token_mean = &token_means.Add(label, kNextTokenSeconds);
  series.prompt_size = &prompt_sizes.Add(label, kTokenCounts);
  series.answer_size = &answer_sizes.Add(label, kTokenCounts);
  for (const FinishReason reason : kFinishReasons) {
    const std::string name(finish_reason_name(reason));
    series.finishes[reason] = &finishes.Add({{"model", model}, {"finish", name}});
  }
  return series;
}

void Metrics::State::keep_only(const std::set<std::string>& served) {
  if (responses != nullptr) responses->keep_only(served);
  for (auto it = models.begin(); it != models.end();) {
    if (served.contains(it->first)) {
      ++it;
      continue;
    }
    const ModelSeries& series = it->second;
    first_token.Remove(series.first_token);
    next_token.Remove(series.next_token);
    request.Remove(series.request);
    parsing.Remove(series.parse);
    queueing.Remove(series.queue);
    computing.Remove(series.compute);
    prefilling.Remove(series.prefill);
    decoding.Remove(series.decode);
    tokens_max.Remove(series.tokens_max);
    choices.Remove(series.choices);
    computed_sizes.Remove(series.computed_size);
    token_means.Remove(series.token_mean);
    prompt_sizes.Remove(series.prompt_size);
    answer_sizes.Remove(series.answer_size);
    for (const auto& [_, counter] : series.finishes) finishes.Remove(counter);
    it = models.erase(it);
  }
}

Metrics::State::TenantSeries& Metrics::State::series_of(const std::string& tenant) {
  const auto known = tenants.find(tenant);
  if (known != tenants.end()) return known->second;
  const bool has_place = tenants.size() < kTenantsMax;
  TenantSeries& series = tenants[has_place ? tenant : "other"];
  if (series.prompt != nullptr) return series;
  const std::string name = !has_place ? "other" : tenant.empty() ? "public" : tenant;
  const auto counter = [&](const char* kind) {
    return &tenant_tokens.Add({{"tenant", name}, {"kind", kind}});
  };
  series = {counter("prompt"), counter("cached"), counter("generated")};
  return series;
}

Metrics::Metrics(const ModelHost& host, std::string version, Names names,
                 ResponseCache* responses, bool has_old)
    : state_(std::make_unique<State>(host, std::move(version), names, responses, has_old)) {
  for (std::size_t i = 0; i < kStepPhaseNames.size(); ++i) {
    state_->phase_of[i] =
        &state_->phases.Add({{"phase", std::string(kStepPhaseNames[i])}}, kPhaseSeconds);
  }
  for (std::size_t digit = 2; digit < state_->answers_of.size(); ++digit) {
    state_->answers_of[digit] =
        &state_->answers.Add({{"status", std::to_string(digit) + "xx"}});
  }
}

Metrics::~Metrics() = default;

void Metrics::observe_step(const std::string& model, const StepEvents& step) {
  if (!model.empty()) {
    State::ModelSeries& series = state_->model_series(model);
    ++series.steps;
    ModelCounts::Steps& alike = series.steps_of[step.rows.size()];
    ++alike.count;
    alike.ns += static_cast<std::uint64_t>(step.elapsed.count());
  }
  const double seconds = to_seconds(step.elapsed);
  state_->step.Observe(seconds);
  const bool has_prompts = std::any_of(step.rows.begin(), step.rows.end(),
                                       [](const RowFact& row) { return !row.is_decode; });
  (has_prompts ? state_->prefill_step : state_->decode_step).Observe(seconds);
  state_->step_rows.Observe(static_cast<double>(step.rows.size()));
  double tokens = 0;
  for (const RowFact& row : step.rows) tokens += row.tokens;
  state_->step_tokens.Observe(tokens);
  for (std::size_t i = 0; i < step.phases.times.size(); ++i) {
    state_->phase_of[i]->Observe(to_seconds(step.phases.times[i]));
  }
}

void Metrics::observe_first_token(const std::string& model, double seconds) {
  state_->model_series(model).first_token->Observe(seconds);
}

void Metrics::observe_next_token(const std::string& model, double seconds) {
  state_->model_series(model).next_token->Observe(seconds);
}

void Metrics::observe_request(const std::string& model, const CallTimes& times,
                              std::uint64_t generated) {
  State::ModelSeries& series = state_->model_series(model);
  series.request->Observe(to_seconds(times.now - times.arrived));
  series.last_request_ms = static_cast<std::uint64_t>(SteadyClock::unix_nanos() / 1'000'000);
  if (times.begun == Nanos{0}) return;  // it was never computed
  const double computing = to_seconds(times.now - times.begun);
  series.parse->Observe(to_seconds(times.submitted - times.arrived));
  series.queue->Observe(to_seconds(std::max(times.begun - times.submitted, Nanos{0})));
  series.compute->Observe(computing);
  if (generated > 0) series.token_mean->Observe(computing / static_cast<double>(generated));
  if (times.first_token == Nanos{0}) return;  // there is none
  series.prefill->Observe(to_seconds(times.first_token - times.begun));
  series.decode->Observe(to_seconds(times.now - times.first_token));
}

void Metrics::observe_failure(const std::string& model, const CallTimes& times,
                              std::size_t cancelled) {
  State::ModelSeries& series = state_->model_series(model);
  series.failed_seconds += to_seconds(times.now - times.arrived);
  series.finishes.at(FinishReason::kCancelled)->Increment(static_cast<double>(cancelled));
}

void Metrics::count_accepted(const std::string& model, int choices,
                             std::optional<int> tokens_max) {
  State::ModelSeries& series = state_->model_series(model);
  state_->accepted.Increment();
  series.choices->Observe(choices);
  if (tokens_max) series.tokens_max->Observe(*tokens_max);
}

void Metrics::count_call() { state_->calls.Increment(); }

void Metrics::count_refused(int status) {
  if (status == 429) return state_->overloaded.Increment();
  if (status == 503) return state_->unavailable.Increment();
  if (status < 500) state_->invalid.Increment();
}

void Metrics::count_finish(const std::string& model, FinishReason reason, const Usage& usage) {
  State::ModelSeries& series = state_->model_series(model);
  const auto counter = series.finishes.find(reason);
  if (counter != series.finishes.end()) counter->second->Increment();
  series.prompt_size->Observe(usage.prompt_tokens);
  series.answer_size->Observe(usage.generated_tokens);
  if (usage.prompt_tokens < usage.cached_tokens) return;
  series.computed_size->Observe(usage.prompt_tokens - usage.cached_tokens);
}

void Metrics::count_left() { state_->left.Increment(); }

void Metrics::count_unknown_fields(std::size_t count) {
  state_->unknown_fields.Increment(static_cast<double>(count));
}

void Metrics::count_tools_not_enforced() { state_->tools_not_enforced.Increment(); }

void Metrics::count_volatile_line(bool is_removed) {
  (is_removed ? state_->volatile_removed : state_->volatile_kept).Increment();
}

void Metrics::count_spans(SpanFate fate, std::size_t count) {
  state_->span_fates[static_cast<std::size_t>(fate)]->Increment(static_cast<double>(count));
}

void Metrics::show_tenant(const std::string& tenant) { state_->series_of(tenant); }

void Metrics::count_prompt(const std::string& tenant, std::uint32_t tokens, std::uint32_t cached) {
  const State::TenantSeries& series = state_->series_of(tenant);
  series.prompt->Increment(tokens);
  series.cached->Increment(cached);
}

void Metrics::count_generated(const std::string& tenant, std::size_t tokens) {
  state_->series_of(tenant).generated->Increment(static_cast<double>(tokens));
}

void Metrics::count_answer(int status) {
  const auto digit = static_cast<std::size_t>(status / 100);
  if (digit < state_->answers_of.size() && state_->answers_of[digit] != nullptr) {
    state_->answers_of[digit]->Increment();
  }
}

void Metrics::keep_only(const std::set<std::string>& models) { state_->keep_only(models); }

Metrics::ModelCounts Metrics::counts(const std::string& model) const {
  ModelCounts counts;
  const State::ModelSeries& series = state_->model_series(model);
  const auto requests = series.request->Collect().histogram;
  const auto queue = series.queue->Collect().histogram;
  counts.requests = requests.sample_count;
  counts.request_seconds = requests.sample_sum;
  counts.queued = queue.sample_count;
  counts.queue_seconds = queue.sample_sum;
  for (const auto& [reason, counter] : series.finishes) {
    const auto count = static_cast<std::uint64_t>(counter->Value());
    const bool is_good = reason == FinishReason::kStop || reason == FinishReason::kLength ||
                         reason == FinishReason::kRepetition;
    (is_good ? counts.choices : counts.failures) += count;
  }
  counts.last_request_ms = series.last_request_ms;
  counts.failed_seconds = series.failed_seconds;
  counts.steps = series.steps;
  counts.steps_of = series.steps_of;
  return counts;
}

std::string Metrics::text(bool has_triton, const ModelRepository* repository) const {
  const std::vector<ModelRow> models = state_->host->rows();
  std::set<std::string> served;
  for (const ModelRow& model : models) served.insert(model.names.front());
  state_->keep_only(served);
  for (const std::string& name : served) state_->model_series(name);
  std::vector<MetricFamily> families;
  for (const EngineFamily& row : kEngineFamilies) {
    for (const ModelRow& model : models) {
      append_series(row.name, row.help, row.type, row.state, model,
                    static_cast<double>(model.stats.*row.value), families);
    }
  }
  for (const HostFamily& row : kHostFamilies) {
    for (const ModelRow& model : models) {
      append_series(row.name, row.help, row.type, nullptr, model, row.value(model), families);
    }
  }
  MetricFamily build{"quire_build_info", "What runs here", MetricType::Gauge, {}};
  ClientMetric what;
  what.label = {{"isa", isa_of(models)}, {"version", state_->version}};
  what.gauge.value = 1;
  build.metric.push_back(what);
  if (state_->responses != nullptr) {
    std::ranges::move(cache_families(*state_->responses), std::back_inserter(families));
  }
  families.push_back(kv_group_family(models));
  families.push_back(std::move(build));
  MetricFamily io{"quire_io_thread_cpu_seconds_total",
                  "Computing time of the thread that speaks HTTP", MetricType::Counter, {}};
  io.metric.emplace_back().counter.value = to_seconds(SteadyClock::thread_cpu());
  families.push_back(std::move(io));
  for (MetricFamily& family : state_->registry.Collect()) families.push_back(std::move(family));
  const Names names = state_->names;
  std::vector<MetricFamily> theirs;
  const auto add = [&](std::vector<MetricFamily> more) {
    std::move(more.begin(), more.end(), std::back_inserter(theirs));
  };
  if (names == Names::kVllm || names == Names::kBoth || names == Names::kAll) {
    add(vllm_families(families, models,
                      {.is_asleep = state_->host->is_asleep(), .has_old = state_->has_old}));
  }
  if (names == Names::kTgi || names == Names::kAll) add(tgi_families(families, models));
  if (names == Names::kTriton || names == Names::kAll || has_triton) {
    add(triton_families(families, models, repository));
  }
  if (names == Names::kVllm || names == Names::kTgi || names == Names::kTriton) families.clear();
  std::move(theirs.begin(), theirs.end(), std::back_inserter(families));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace quire
