#include "serve/metric_names/vllm_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace quire {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct Name {
  std::string_view ours, theirs;
};

constexpr std::array kNames = {
    Name{"quire_requests_running", "vllm:num_requests_running"},
    Name{"quire_requests_waiting", "vllm:num_requests_waiting"},
    Name{"quire_prompt_tokens_total", "vllm:prompt_tokens_total"},
    Name{"quire_generated_tokens_total", "vllm:generation_tokens_total"},
    Name{"quire_preemptions_total", "vllm:num_preemptions_total"},
    Name{"quire_prompt_tokens_total", "vllm:prefix_cache_queries_total"},
    Name{"quire_prefix_cached_tokens_total", "vllm:prefix_cache_hits_total"},
    Name{"quire_prefix_cached_tokens_total", "vllm:prompt_tokens_cached_total"},
    Name{"quire_time_to_first_token_seconds", "vllm:time_to_first_token_seconds"},
    Name{"quire_inter_token_latency_seconds", "vllm:inter_token_latency_seconds"},
    Name{"quire_inter_token_latency_seconds", "vllm:time_per_output_token_seconds"},
    Name{"quire_request_seconds", "vllm:e2e_request_latency_seconds"},
    Name{"quire_request_queue_seconds", "vllm:request_queue_time_seconds"},
    Name{"quire_request_compute_seconds", "vllm:request_inference_time_seconds"},
    Name{"quire_request_token_seconds", "vllm:request_time_per_output_token_seconds"},
    Name{"quire_request_prompt_tokens", "vllm:request_prompt_tokens"},
    Name{"quire_request_generated_tokens", "vllm:request_generation_tokens"},
    Name{"quire_choices_total", "vllm:request_success_total"},
};

// Their words for our reasons; "" is none of theirs.
std::string_view finished_reason(std::string_view ours) {
  if (ours == "stop" || ours == "length" || ours == "repetition") return ours;
  return ours == "cancelled" || ours == "deadline" ? "abort" : "error";
}

void rename_labels(ClientMetric& series) {
  for (ClientMetric::Label& label : series.label) {
    if (label.name == "model") label.name = "model_name";
    if (label.name != "finish") continue;
    label.name = "finished_reason";
    label.value = finished_reason(label.value);
  }
  series.label.push_back({"engine", "0"});
}

// Several of our reasons are one of theirs.
void add_up(std::vector<ClientMetric>& all) {
  std::vector<ClientMetric> sums;
  const auto key = [](const ClientMetric& series) {
    std::string text;
    for (const auto& label : series.label) text += label.name + '=' + label.value + ',';
    return text;
  };
  for (const ClientMetric& series : all) {
    const auto same = std::find_if(sums.begin(), sums.end(), [&](const ClientMetric& sum) {
      return key(sum) == key(series);
    });
    if (same == sums.end()) {
      sums.push_back(series);
    } else {
      same->counter.value += series.counter.value;
    }
  }
  all = std::move(sums);
}

MetricFamily usage_of(const std::vector<ModelRow>& models, const char* name) {
  MetricFamily family{name, "KV blocks in use, 0 to 1", MetricType::Gauge, {}};
  for (const ModelRow& model : models) {
    ClientMetric& series = family.metric.emplace_back();
    series.label = {{"model_name", model.names.front()}, {"engine", "0"}};
    const auto total = static_cast<double>(model.stats.blocks_total);
    const auto used = static_cast<double>(model.stats.blocks_referenced);
    series.gauge.value = total > 0 ? used / total : 0;
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> vllm_families(const std::vector<MetricFamily>& ours,
                                        const std::vector<ModelRow>& models) {
  std::vector<MetricFamily> families;
  for (const Name& name : kNames) {
    const auto source = std::find_if(ours.begin(), ours.end(), [&](const MetricFamily& family) {
      return family.name == name.ours;
    });
    if (source == ours.end()) continue;
    MetricFamily& family = families.emplace_back(*source);
    family.name = name.theirs;
    for (ClientMetric& series : family.metric) rename_labels(series);
    if (family.type == MetricType::Counter) add_up(family.metric);
  }
  families.push_back(usage_of(models, "vllm:kv_cache_usage_perc"));
  families.push_back(usage_of(models, "vllm:gpu_cache_usage_perc"));
  return families;
}

}  // namespace quire
