#include "serve/metric_names/cache_families.h"

#include <string>

#include "base/clock.h"

namespace quire {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily whole(const char* name, const char* help, MetricType type, double value) {
  MetricFamily family{name, help, type, {}};
  ClientMetric& series = family.metric.emplace_back();
  (type == MetricType::Counter ? series.counter.value : series.gauge.value) = value;
  return family;
}

void put(MetricFamily& family, const std::string& model, const char* outcome, double value) {
  ClientMetric& series = family.metric.emplace_back();
  series.label = {{"model", model}, {"outcome", outcome}};
  series.counter.value = value;
}

}  // namespace

std::vector<MetricFamily> cache_families(const ResponseCache& cache) {
  MetricFamily lookups{"quire_response_cache_lookups_total",
                       "Requests that looked for a kept answer, by model", MetricType::Counter, {}};
  MetricFamily seconds{"quire_response_cache_seconds_total",
                       "Time of answering from the cache (hit), and of looking and keeping (miss)",
                       MetricType::Counter, {}};
  for (const auto& [model, counts] : cache.all_counts()) {
    put(lookups, model, "hit", static_cast<double>(counts.hits));
    put(lookups, model, "miss", static_cast<double>(counts.misses));
    put(seconds, model, "hit", to_seconds(counts.hit_time));
    put(seconds, model, "miss", to_seconds(counts.miss_time));
  }
  const ResponseCache::Usage usage = cache.usage();
  return {std::move(lookups), std::move(seconds),
          whole("quire_response_cache_entries", "Answers that are kept", MetricType::Gauge,
                static_cast<double>(usage.entries)),
          whole("quire_response_cache_bytes", "Of questions and answers that are kept",
                MetricType::Gauge, static_cast<double>(usage.bytes)),
          whole("quire_response_cache_evictions_total", "Kept answers that had to make room",
                MetricType::Counter, static_cast<double>(usage.evictions))};
}

}  // namespace quire
