#include "serve/metric_names/tgi_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace quire {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Label = ClientMetric::Label;

// Of our family the series that have one of the values of a label are one series of theirs.
struct Name {
  std::string_view theirs, ours;
  std::string_view label = {}, values = {};            // ours; values parted by blanks
  std::string_view their_label = {}, their_value = {};
  bool counts_histogram = false;                       // its count is their counter
  std::string_view help = {};                          // empty: that of ours
};

constexpr std::string_view kFailureHelp = "Requests that got no answer, by what became of them";
constexpr std::string_view kStepsHelp = "Steps: with rows of prompts (prefill), or of answers "
                                        "alone (decode)";

// Rows of one of their names follow each other; those with equal labels add up.
constexpr std::array kNames = {
    Name{.theirs = "tgi_request_count", .ours = "quire_calls_total",
         .help = "Requests of clients, each with all its answers"},
    Name{"tgi_request_count", "quire_requests_total", "outcome", "invalid overloaded unavailable"},
    Name{.theirs = "tgi_request_success", .ours = "quire_request_seconds", .counts_histogram = true,
         .help = "Requests of clients that were answered, each with all its answers"},
    Name{.theirs = "tgi_request_failure", .ours = "quire_requests_total", .label = "outcome",
         .values = "overloaded unavailable", .their_label = "err", .their_value = "overloaded",
         .help = kFailureHelp},
    Name{"tgi_request_failure", "quire_requests_total", "outcome", "invalid", "err", "validation"},
    Name{"tgi_request_failure", "quire_choices_total", "finish", "deadline", "err", "incomplete"},
    Name{"tgi_request_failure", "quire_clients_left_total", "", "", "err", "dropped"},
    Name{"tgi_request_failure", "quire_choices_total", "finish",
         "non_finite nothing_allowed grammar_limit fault", "err", "generation"},
    Name{"tgi_queue_size", "quire_requests_waiting"},
    Name{"tgi_batch_current_size", "quire_requests_running"},
    Name{"tgi_batch_inference_count", "quire_step_kind_seconds", "rows", "prefill", "method",
         "prefill", true, kStepsHelp},
    Name{"tgi_batch_inference_count", "quire_step_kind_seconds", "rows", "decode", "method",
         "decode", true},
    Name{"tgi_batch_inference_success", "quire_step_kind_seconds", "rows", "prefill", "method",
         "prefill", true, kStepsHelp},
    Name{"tgi_batch_inference_success", "quire_step_kind_seconds", "rows", "decode", "method",
         "decode", true},
    Name{"tgi_batch_next_size", "quire_step_rows"},
    Name{"tgi_batch_inference_duration", "quire_step_kind_seconds", "rows", "prefill", "method",
         "prefill"},
    Name{"tgi_batch_inference_duration", "quire_step_kind_seconds", "rows", "decode", "method",
         "decode"},
    Name{"tgi_batch_forward_duration", "quire_step_kind_seconds", "rows", "prefill", "method",
         "prefill"},
    Name{"tgi_batch_forward_duration", "quire_step_kind_seconds", "rows", "decode", "method",
         "decode"},
    Name{"tgi_request_duration", "quire_request_seconds"},
    Name{"tgi_request_validation_duration", "quire_request_parse_seconds"},
    Name{"tgi_request_queue_duration", "quire_request_queue_seconds"},
    Name{"tgi_request_inference_duration", "quire_request_compute_seconds"},
    Name{"tgi_request_mean_time_per_token_duration", "quire_request_token_seconds"},
    Name{"tgi_request_input_length", "quire_request_prompt_tokens"},
    Name{"tgi_request_generated_tokens", "quire_request_generated_tokens"},
    Name{"tgi_request_max_new_tokens", "quire_request_max_tokens"},
};

bool is_meant(const ClientMetric& series, const Name& name) {
  if (name.label.empty()) return true;
  for (const Label& label : series.label) {
    if (label.name != name.label) continue;
    const std::string words = " " + std::string(name.values) + " ";
    return words.find(" " + label.value + " ") != std::string::npos;
  }
  return false;
}

// Counters and gauges add up, and histograms of one family, whose buckets are the same.
void add(const ClientMetric& series, ClientMetric& sum) {
  sum.counter.value += series.counter.value;
  sum.gauge.value += series.gauge.value;
  sum.histogram.sample_count += series.histogram.sample_count;
  sum.histogram.sample_sum += series.histogram.sample_sum;
  if (sum.histogram.bucket.empty()) {
    sum.histogram.bucket = series.histogram.bucket;
    return;
  }
  for (std::size_t i = 0; i < sum.histogram.bucket.size(); ++i) {
    sum.histogram.bucket[i].cumulative_count += series.histogram.bucket[i].cumulative_count;
  }
}

MetricFamily gauge(const char* name, const char* help, double value) {
  MetricFamily family{name, help, MetricType::Gauge, {}};
  family.metric.emplace_back().gauge.value = value;
  return family;
}

// Positions that blocks of keys and values have room for, in all models.
template <typename Blocks>
double tokens_of(const std::vector<ModelRow>& models, Blocks blocks) {
  double tokens = 0;
  for (const ModelRow& model : models) {
    if (model.info.kv_groups.empty()) continue;
    tokens += static_cast<double>(blocks(model.stats)) *
              static_cast<double>(model.info.kv_groups.front().block_tokens);
  }
  return tokens;
}

}  // namespace

std::vector<MetricFamily> tgi_families(const std::vector<MetricFamily>& ours,
                                       const std::vector<ModelRow>& models) {
  std::vector<MetricFamily> families;
  for (const Name& name : kNames) {
    const auto source = std::find_if(ours.begin(), ours.end(), [&](const MetricFamily& family) {
      return family.name == name.ours;
    });
    if (source == ours.end()) continue;
    if (families.empty() || families.back().name != name.theirs) {
      const MetricType type = name.counts_histogram ? MetricType::Counter : source->type;
      const std::string help = name.help.empty() ? source->help : std::string(name.help);
      families.push_back({std::string(name.theirs), help, type, {}});
    }
    ClientMetric sum;
    for (const ClientMetric& series : source->metric) {
      if (is_meant(series, name)) add(series, sum);
    }
    if (name.counts_histogram) {
      sum.counter.value = static_cast<double>(sum.histogram.sample_count);
    }
    if (!name.their_label.empty()) {
      sum.label = {{std::string(name.their_label), std::string(name.their_value)}};
    }
    std::vector<ClientMetric>& told = families.back().metric;
    const auto same = std::find_if(told.begin(), told.end(), [&](const ClientMetric& it) {
      return it.label == sum.label;
    });
    if (same == told.end()) {
      told.push_back(std::move(sum));
    } else {
      same->counter.value += sum.counter.value;
    }
  }
  MetricFamily failures{"tgi_batch_inference_failure", "Steps that failed: those of a request end "
                                                       "it and nobody else", MetricType::Counter,
                        {}};
  for (const char* method : {"prefill", "decode"}) {
    failures.metric.emplace_back().label = {{"method", method}};
  }
  families.push_back(std::move(failures));
  families.push_back(gauge("tgi_batch_current_max_tokens", "Positions of running requests",
                           tokens_of(models, [](const EngineStats& stats) {
                             return stats.blocks_referenced;
                           })));
  families.push_back(gauge("tgi_batch_max_total_tokens", "Positions that there is room for",
                           tokens_of(models, [](const EngineStats& stats) {
                             return stats.blocks_total;
                           })));
  return families;
}

}  // namespace quire
