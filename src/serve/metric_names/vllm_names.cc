#include "serve/metric_names/vllm_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace quire {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct VllmName {
  std::string_view ours, theirs;
  bool is_old = false;
};

constexpr std::array kVllmNames = {
    VllmName{"quire_requests_running", "vllm:num_requests_running"},
    VllmName{"quire_requests_waiting", "vllm:num_requests_waiting"},
    VllmName{"quire_prompt_tokens_total", "vllm:prompt_tokens_total"},
    VllmName{"quire_generated_tokens_total", "vllm:generation_tokens_total"},
    VllmName{"quire_preemptions_total", "vllm:num_preemptions_total"},
    VllmName{"quire_prompt_tokens_total", "vllm:prefix_cache_queries_total"},
    VllmName{"quire_prefix_cached_tokens_total", "vllm:prefix_cache_hits_total"},
    VllmName{"quire_prefix_cached_tokens_total", "vllm:prompt_tokens_cached_total"},
    VllmName{"quire_prompt_tokens_total", "vllm:gpu_prefix_cache_queries_total", true},
    VllmName{"quire_prefix_cached_tokens_total", "vllm:gpu_prefix_cache_hits_total", true},
    VllmName{"quire_time_to_first_token_seconds", "vllm:time_to_first_token_seconds"},
    VllmName{"quire_inter_token_latency_seconds", "vllm:inter_token_latency_seconds"},
    VllmName{"quire_inter_token_latency_seconds", "vllm:time_per_output_token_seconds", true},
    VllmName{"quire_request_seconds", "vllm:e2e_request_latency_seconds"},
    VllmName{"quire_request_queue_seconds", "vllm:request_queue_time_seconds"},
    VllmName{"quire_request_compute_seconds", "vllm:request_inference_time_seconds"},
    VllmName{"quire_request_token_seconds", "vllm:request_time_per_output_token_seconds"},
    VllmName{"quire_request_prompt_tokens", "vllm:request_prompt_tokens"},
    VllmName{"quire_request_generated_tokens", "vllm:request_generation_tokens"},
    VllmName{"quire_request_generated_tokens", "vllm:request_max_num_generation_tokens"},
    VllmName{"quire_request_max_tokens", "vllm:request_params_max_tokens"},
    VllmName{"quire_request_choices", "vllm:request_params_n"},
    VllmName{"quire_request_computed_prompt_tokens", "vllm:request_prefill_kv_computed_tokens"},
    VllmName{"quire_request_prefill_seconds", "vllm:request_prefill_time_seconds"},
    VllmName{"quire_request_decode_seconds", "vllm:request_decode_time_seconds"},
    VllmName{"quire_step_tokens", "vllm:iteration_tokens_total"},
    VllmName{"quire_choices_total", "vllm:request_success_total"},
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

// A series of each model, and a label with each of its values.
struct Ours {
  const char* name;
  const char* help;
  MetricType type;
  const char* label;  // null: none
  const char* label_value;
  std::uint64_t (*value)(const EngineStats& stats);
};

std::uint64_t zero(const EngineStats&) { return 0; }
std::uint64_t waiting(const EngineStats& stats) { return stats.requests_waiting; }
std::uint64_t cached(const EngineStats& stats) { return stats.prefix_cached_tokens; }
std::uint64_t computed(const EngineStats& stats) {
  return stats.prompt_tokens - std::min(stats.prompt_tokens, stats.prefix_cached_tokens);
}

constexpr const char* kByReason = "vllm:num_requests_waiting_by_reason";
constexpr const char* kBySource = "vllm:prompt_tokens_by_source_total";
constexpr const char* kSourceHelp = "Prompt tokens by where they come from";

// Rows of one name follow each other.
constexpr std::array kOurs = {
    Ours{kByReason, "Requests in the queue", MetricType::Gauge, "reason", "capacity", waiting},
    Ours{kByReason, "", MetricType::Gauge, "reason", "deferred", zero},
    Ours{kBySource, kSourceHelp, MetricType::Counter, "source", "local_compute", computed},
    Ours{kBySource, "", MetricType::Counter, "source", "local_cache_hit", cached},
    Ours{kBySource, "", MetricType::Counter, "source", "external_kv_transfer", zero},
    Ours{"vllm:external_prefix_cache_queries_total", "There is no cache outside of the process",
         MetricType::Counter, nullptr, nullptr, zero},
    Ours{"vllm:external_prefix_cache_hits_total", "There is no cache outside of the process",
         MetricType::Counter, nullptr, nullptr, zero},
    Ours{"vllm:mm_cache_queries_total", "Models read text alone", MetricType::Counter, nullptr,
         nullptr, zero},
    Ours{"vllm:mm_cache_hits_total", "Models read text alone", MetricType::Counter, nullptr,
         nullptr, zero},
};

ClientMetric& add_series(MetricFamily& family, const ModelRow& model) {
  ClientMetric& series = family.metric.emplace_back();
  series.label = {{"model_name", model.names.front()}, {"engine", "0"}};
  return series;
}

void add_ours(const std::vector<ModelRow>& models, std::vector<MetricFamily>& families) {
  for (const Ours& it : kOurs) {
    const bool is_same = !families.empty() && families.back().name == it.name;
    if (!is_same) families.push_back({it.name, it.help, it.type, {}});
    for (const ModelRow& model : models) {
      ClientMetric& series = add_series(families.back(), model);
      if (it.label != nullptr) series.label.push_back({it.label, it.label_value});
      const auto value = static_cast<double>(it.value(model.stats));
      (it.type == MetricType::Counter ? series.counter.value : series.gauge.value) = value;
    }
  }
}

// Choices that ended since a number was none.
MetricFamily corrupted_of(const std::vector<MetricFamily>& ours) {
  MetricFamily family{"vllm:corrupted_requests_total", "Choices ended by a number that is none",
                      MetricType::Counter, {}};
  for (const MetricFamily& choices : ours) {
    if (choices.name != "quire_choices_total") continue;
    for (const ClientMetric& series : choices.metric) {
      ClientMetric made;
      bool is_meant = false;
      for (const ClientMetric::Label& label : series.label) {
        if (label.name == "model") made.label.push_back({"model_name", label.value});
        is_meant |= label.name == "finish" && label.value == "non_finite";
      }
      made.label.push_back({"engine", "0"});
      made.counter.value = series.counter.value;
      if (is_meant) family.metric.push_back(std::move(made));
    }
  }
  return family;
}

MetricFamily sleep_of(const std::vector<ModelRow>& models, bool is_asleep) {
  MetricFamily family{"vllm:engine_sleep_state", "1: it is so; who sleeps has left memory",
                      MetricType::Gauge, {}};
  for (const ModelRow& model : models) {
    for (const char* state : {"awake", "weights_offloaded", "discard_all"}) {
      ClientMetric& series = add_series(family, model);
      series.label.push_back({"sleep_state", state});
      const std::string_view now = is_asleep ? "discard_all" : "awake";
      series.gauge.value = now == state ? 1 : 0;
    }
  }
  return family;
}

// Facts in labels: the value is 1.
MetricFamily cache_of(const std::vector<ModelRow>& models) {
  MetricFamily family{"vllm:cache_config_info", "The KV cache of a model", MetricType::Gauge, {}};
  for (const ModelRow& model : models) {
    const bool is_known = !model.info.kv_groups.empty();
    const KvGroup group = is_known ? model.info.kv_groups.front() : KvGroup{.block_tokens = 0};
    ClientMetric& series = add_series(family, model);
    series.label.push_back({"block_size", std::to_string(group.block_tokens)});
    series.label.push_back({"num_gpu_blocks", std::to_string(model.stats.blocks_total)});
    series.label.push_back({"cache_dtype", group.k_type});
    series.label.push_back({"enable_prefix_caching", "True"});
    series.gauge.value = 1;
  }
  return family;
}

MetricFamily adapters() {
  MetricFamily family{"vllm:lora_requests_info", "Adapters that requests choose: none",
                      MetricType::Gauge, {}};
  family.metric.emplace_back().label = {{"max_lora", "0"}, {"running_lora_adapters", ""},
                                        {"waiting_lora_adapters", ""}};
  return family;
}

MetricFamily usage_of(const std::vector<ModelRow>& models, const char* name) {
  MetricFamily family{name, "KV blocks in use, 0 to 1", MetricType::Gauge, {}};
  for (const ModelRow& model : models) {
    ClientMetric& series = add_series(family, model);
    const auto total = static_cast<double>(model.stats.blocks_total);
    const auto used = static_cast<double>(model.stats.blocks_referenced);
    series.gauge.value = total > 0 ? used / total : 0;
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> vllm_families(const std::vector<MetricFamily>& ours,
                                        const std::vector<ModelRow>& models,
                                        const VllmFacts& facts) {
  std::vector<MetricFamily> families;
  for (const VllmName& name : kVllmNames) {
    if (name.is_old && !facts.has_old) continue;
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
  add_ours(models, families);
  families.push_back(corrupted_of(ours));
  families.push_back(sleep_of(models, facts.is_asleep));
  families.push_back(cache_of(models));
  families.push_back(adapters());
  if (!facts.has_old) return families;
  families.push_back(usage_of(models, "vllm:gpu_cache_usage_perc"));
  MetricFamily swapped{"vllm:num_requests_swapped", "Nothing is swapped", MetricType::Gauge, {}};
  for (const ModelRow& model : models) add_series(swapped, model);
  families.push_back(std::move(swapped));
  return families;
}

}  // namespace quire
