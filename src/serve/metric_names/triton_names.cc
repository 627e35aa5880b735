#include "serve/metric_names/triton_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "host/repository/ensemble/light_model.h"
#include "host/repository/model_repository.h"
#include "host/served_names.h"

namespace quire {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr double kMicros = 1e6, kMillis = 1e3;

std::string_view label_of(const ClientMetric& series, std::string_view name) {
  for (const ClientMetric::Label& label : series.label) {
    if (label.name == name) return label.value;
  }
  return {};
}

// Their words for how what went wrong went wrong; "" is a success.
std::string_view failure_reason(std::string_view finish) {
  if (finish == "stop" || finish == "length" || finish == "repetition") return "";
  if (finish == "cancelled") return "CANCELED";
  if (finish == "deadline") return "REJECTED";
  return finish == "fault" || finish == "non_finite" ? "BACKEND" : "OTHER";
}

// By LightFailure.
constexpr const char* kLightReasons[] = {"REJECTED", "BACKEND", "OTHER"};
static_assert(std::size(kLightReasons) == kLightFailures);

class Families {
 public:
  Families(const std::vector<MetricFamily>& ours, const ModelRepository* repository)
      : ours_(&ours) {
    if (repository == nullptr) return;
    for (const RepositoryRow& row : repository->known_rows()) versioned_.insert(row.name);
    for (const auto& model : light_models_of(*repository)) {
      lights.emplace_back(own_name_of(*model), model->counter->counts());
    }
  }

  // A repository's "NAME:VERSION" is two labels.
  Labels labels_for(std::string_view model, Labels more = {}) const {
    std::string_view version = "1";
    const auto parts = version_parts(model);
    if (parts && versioned_.contains(parts->name)) {
      version = parts->version;
      model = parts->name;
    }
    Labels labels = {{"model", std::string(model)}, {"version", std::string(version)}};
    labels.insert(labels.end(), more.begin(), more.end());
    return labels;
  }

  // Our series of that name by model, or none.
  const std::vector<ClientMetric>& of(std::string_view name) const {
    static const std::vector<ClientMetric> none;
    const auto found = std::find_if(ours_->begin(), ours_->end(), [&](const MetricFamily& family) {
      return family.name == name;
    });
    return found == ours_->end() ? none : found->metric;
  }

  MetricFamily& add(const char* name, const char* help, MetricType type) {
    return made.emplace_back(MetricFamily{name, help, type, {}});
  }

  std::vector<MetricFamily> made;
  std::vector<std::pair<std::string, LightCounts>> lights;  // models without an engine

 private:
  const std::vector<MetricFamily>* ours_;
  std::set<std::string, std::less<>> versioned_;  // the repository's models
};

void put(MetricFamily& family, Labels labels, double value) {
  ClientMetric& series = family.metric.emplace_back();
  series.label = std::move(labels);
  (family.type == MetricType::Counter ? series.counter.value : series.gauge.value) = value;
}

constexpr const char* kCacheLookups = "quire_response_cache_lookups_total";
constexpr const char* kCacheSeconds = "quire_response_cache_seconds_total";

// By model: what a counter of the response cache says of hits or of misses.
std::map<std::string, double> of_cache(const Families& families, const char* ours,
                                       std::string_view outcome) {
  std::map<std::string, double> values;
  for (const ClientMetric& series : families.of(ours)) {
    if (label_of(series, "outcome") != outcome) continue;
    values.emplace(label_of(series, "model"), series.counter.value);
  }
  return values;
}

// Where answers are kept at all.
void add_cache(Families& families) {
  struct Row {
    const char* name;
    const char* help;
    const char* ours;
    std::string_view outcome;
    double scale;
  };
  static constexpr Row kRows[] = {
      {"nv_cache_num_hits_per_model", "Number of cache hits per model", kCacheLookups, "hit", 1},
      {"nv_cache_num_misses_per_model", "Number of cache misses per model", kCacheLookups, "miss",
       1},
      {"nv_cache_hit_duration_per_model", "Time of answering from the cache, in microseconds",
       kCacheSeconds, "hit", kMicros},
      {"nv_cache_miss_duration_per_model", "Time of looking and keeping, in microseconds",
       kCacheSeconds, "miss", kMicros}};
  for (const Row& row : kRows) {
    const std::map<std::string, double> values = of_cache(families, row.ours, row.outcome);
    if (values.empty()) continue;
    MetricFamily& family = families.add(row.name, row.help, MetricType::Counter);
    for (const auto& [model, value] : values) {
      put(family, families.labels_for(model), value * row.scale);
    }
  }
}

void add_outcomes(Families& families) {
  std::map<std::string, double> inferences;
  std::map<std::pair<std::string, std::string>, double> failures;
  for (const ClientMetric& series : families.of("quire_choices_total")) {
    const std::string model(label_of(series, "model"));
    const std::string reason(failure_reason(label_of(series, "finish")));
    (reason.empty() ? inferences[model] : failures[{model, reason}]) += series.counter.value;
  }
  MetricFamily& success = families.add("nv_inference_request_success",
                                       "Number of successful inference requests",
                                       MetricType::Counter);
  const std::map<std::string, double> kept = of_cache(families, kCacheLookups, "hit");
  for (const ClientMetric& series : families.of("quire_request_seconds")) {
    const std::string model(label_of(series, "model"));
    const auto hits = kept.find(model);
    put(success, families.labels_for(model),
        static_cast<double>(series.histogram.sample_count) +
            (hits == kept.end() ? 0 : hits->second));
  }
  for (const auto& [model, counts] : families.lights) {
    const auto hits = kept.find(model);
    put(success, families.labels_for(model), static_cast<double>(counts.successes) +
                                                 (hits == kept.end() ? 0 : hits->second));
  }
  MetricFamily& failure = families.add("nv_inference_request_failure",
                                       "Number of failed inference requests, by reason",
                                       MetricType::Counter);
  for (const auto& [key, value] : failures) {
    put(failure, families.labels_for(key.first, {{"reason", key.second}}), value);
  }
  for (const auto& [model, counts] : families.lights) {
    for (std::size_t i = 0; i < kLightFailures; ++i) {
      put(failure, families.labels_for(model, {{"reason", kLightReasons[i]}}),
          static_cast<double>(counts.failed[i]));
    }
    put(failure, families.labels_for(model, {{"reason", "CANCELED"}}), 0);  // "OTHER", as in Triton
  }
  MetricFamily& count = families.add("nv_inference_count", "Number of inferences performed",
                                     MetricType::Counter);
  for (const auto& [model, value] : inferences) put(count, families.labels_for(model), value);
  for (const auto& [model, counts] : families.lights) {
    put(count, families.labels_for(model), static_cast<double>(counts.inferences));
  }
}

// The sum of the times in one of our histograms, less that in another, in microseconds; of whole
// requests also of those that the cache answered.
void add_duration(Families& families, const char* name, const char* help, std::string_view ours,
                  std::string_view less, Nanos LightCounts::* of_light) {
  std::map<std::string, double> sums;
  for (const ClientMetric& series : families.of(ours)) {
    sums[std::string(label_of(series, "model"))] += series.histogram.sample_sum;
  }
  for (const ClientMetric& series : families.of(less)) {
    sums[std::string(label_of(series, "model"))] -= series.histogram.sample_sum;
  }
  for (const auto& [model, counts] : families.lights) {
    sums[model] += to_seconds(counts.*of_light);
  }
  if (of_light == &LightCounts::success_time) {
    for (const auto& [model, seconds] : of_cache(families, kCacheSeconds, "hit")) {
      sums[model] += seconds;
    }
  }
  MetricFamily& family = families.add(name, help, MetricType::Counter);
  for (const auto& [model, seconds] : sums) {
    put(family, families.labels_for(model), std::max(seconds, 0.0) * kMicros);
  }
}

void add_no_time(Families& families, const char* name, const char* help) {
  std::vector<Labels> all;
  for (const ClientMetric& series : families.of("quire_request_seconds")) {
    all.push_back(families.labels_for(label_of(series, "model")));
  }
  for (const auto& [model, _] : families.lights) all.push_back(families.labels_for(model));
  MetricFamily& family = families.add(name, help, MetricType::Counter);
  for (Labels& labels : all) put(family, std::move(labels), 0);
}

void add_first_response(Families& families) {
  const std::vector<ClientMetric>& ours = families.of("quire_time_to_first_token_seconds");
  MetricFamily& family = families.add("nv_inference_first_response_histogram_ms",
                                      "Time from a request to its first response",
                                      MetricType::Histogram);
  for (const ClientMetric& series : ours) {
    ClientMetric& made = family.metric.emplace_back(series);
    made.label = families.labels_for(label_of(series, "model"));
    made.histogram.sample_sum *= kMillis;
    for (ClientMetric::Bucket& bucket : made.histogram.bucket) bucket.upper_bound *= kMillis;
  }
}

// What TensorRT-LLM's backend tells of its batches and of its cache, which gateways read.
void add_engine(Families& families, const std::vector<ModelRow>& models) {
  const std::size_t first = families.made.size();
  families.add("nv_inference_exec_count", "Number of model executions performed",
               MetricType::Counter);
  families.add("nv_inference_pending_request_count", "Requests that wait to be computed",
               MetricType::Gauge);
  families.add("nv_trt_llm_request_metrics", "Requests by state", MetricType::Gauge);
  families.add("nv_trt_llm_kv_cache_block_metrics", "Blocks of the KV cache", MetricType::Gauge);
  MetricFamily& steps = families.made[first];
  MetricFamily& waiting = families.made[first + 1];
  MetricFamily& requests = families.made[first + 2];
  MetricFamily& blocks = families.made[first + 3];
  for (const ModelRow& model : models) {
    const std::string& name = model.names.front();
    const EngineStats& stats = model.stats;
    put(steps, families.labels_for(name), static_cast<double>(stats.steps));
    put(waiting, families.labels_for(name), static_cast<double>(stats.requests_waiting));
    const auto request = [&](const char* type, double value) {
      put(requests, families.labels_for(name, {{"request_type", type}}), value);
    };
    request("waiting", static_cast<double>(stats.requests_waiting));
    request("scheduled", static_cast<double>(stats.requests_running));
    request("active", static_cast<double>(stats.requests_waiting + stats.requests_running));
    const auto block = [&](const char* type, double value) {
      put(blocks, families.labels_for(name, {{"kv_cache_block_type", type}}), value);
    };
    const auto total = static_cast<double>(stats.blocks_total);
    const auto used = static_cast<double>(stats.blocks_referenced);
    block("max", total);
    block("used", used);
    block("free", total - used);
    block("fraction", total > 0 ? used / total : 0);
    const bool has_groups = !model.info.kv_groups.empty();
    block("tokens_per", has_groups ? model.info.kv_groups.front().block_tokens : 0);
  }
  for (const auto& [name, counts] : families.lights) {
    put(steps, families.labels_for(name), static_cast<double>(counts.successes));
    put(waiting, families.labels_for(name), 0);
  }
}

}  // namespace

std::vector<MetricFamily> triton_families(const std::vector<MetricFamily>& ours,
                                          const std::vector<ModelRow>& models,
                                          const ModelRepository* repository) {
  Families families(ours, repository);
  add_outcomes(families);
  add_duration(families, "nv_inference_request_duration_us",
               "Cumulative time of inference requests", "quire_request_seconds", "",
               &LightCounts::success_time);
  add_duration(families, "nv_inference_queue_duration_us", "Cumulative time of waiting in queues",
               "quire_request_queue_seconds", "", &LightCounts::queue_time);
  add_duration(families, "nv_inference_compute_infer_duration_us", "Cumulative time of computing",
               "quire_request_seconds", "quire_request_queue_seconds", &LightCounts::compute_time);
  add_no_time(families, "nv_inference_compute_input_duration_us",
              "Cumulative time of copying inputs");
  add_no_time(families, "nv_inference_compute_output_duration_us",
              "Cumulative time of copying outputs");
  add_cache(families);
  add_first_response(families);
  add_engine(families, models);
  return std::move(families.made);
}

}  // namespace quire
