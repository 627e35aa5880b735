#include "sim/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace quire {

Quantiles quantiles_of(std::vector<Nanos> samples) {
  Quantiles result;
  if (samples.empty()) return result;
  std::sort(samples.begin(), samples.end());
  // The nearest rank: the smallest sample that so many percent do not exceed.
  const auto at = [&](std::size_t percent) {
    const std::size_t rank = (samples.size() * percent + 99) / 100;
    return to_seconds(samples[std::max<std::size_t>(rank, 1) - 1]);
  };
  double sum = 0;
  for (const Nanos sample : samples) sum += to_seconds(sample);
  result.mean = sum / static_cast<double>(samples.size());
  result.p50 = at(50);
  result.p90 = at(90);
  result.p99 = at(99);
  result.max = to_seconds(samples.back());
  return result;
}

double SimReport::tokens_per_second() const {
  return elapsed.count() > 0 ? static_cast<double>(generated_tokens) / to_seconds(elapsed) : 0;
}

double SimReport::hit_rate() const {
  return prompt_tokens > 0
             ? static_cast<double>(prefix_cached_tokens) / static_cast<double>(prompt_tokens)
             : 0;
}

std::string render(const SimReport& report) {
  std::string text;
  const auto line = [&text](std::string_view name, const std::string& value) {
    text += fmt::format("{:<22}{}\n", name, value);
  };
  const auto times = [&](std::string_view name, const Quantiles& q) {
    line(name, fmt::format("mean {:.4f}  p50 {:.4f}  p90 {:.4f}  p99 {:.4f}  max {:.4f} s", q.mean,
                           q.p50, q.p90, q.p99, q.max));
  };
  line("workload", report.workload);
  line("requests", fmt::format("{} ({} finished, {} refused)", report.requests, report.finished,
                               report.refused));
  line("virtual time", fmt::format("{:.3f} s", to_seconds(report.elapsed)));
  line("throughput",
       fmt::format("{:.1f} generated tokens/s, {:.2f} requests/s", report.tokens_per_second(),
                   report.elapsed.count() > 0
                       ? static_cast<double>(report.finished) / to_seconds(report.elapsed)
                       : 0.0));
  line("tokens", fmt::format("{} prompt, {} generated, {} computed", report.prompt_tokens,
                             report.generated_tokens, report.computed_tokens));
  times("time to first token", report.time_to_first_token);
  times("inter-token latency", report.inter_token_latency);
  times("request time", report.request_time);
  line("prefix hit rate", fmt::format("{:.1f} %", 100 * report.hit_rate()));
  line("preemptions", fmt::format("{}", report.preemptions));
  line("steps", fmt::format("{} ({:.1f} sequences each)", report.steps, report.rows_mean));
  line("blocks referenced",
       fmt::format("mean {:.1f} %, max {:.1f} %", 100 * report.blocks_referenced_mean,
                   100 * report.blocks_referenced_max));
  if (report.tenants.size() > 1) {
    for (std::size_t i = 0; i < report.tenants.size(); ++i) {
      const TenantReport& tenant = report.tenants[i];
      line(fmt::format("tenant {}, share {}", i, tenant.share),
           fmt::format("{} requests, {} finished; {} prompt tokens computed, {} generated",
                       tenant.requests, tenant.finished, tenant.prompt_tokens,
                       tenant.generated_tokens));
      times("  time to first token", tenant.time_to_first_token);
    }
    line("drift", fmt::format("{:.0f}: how far the service of two tenants by share moved apart "
                              "while both waited", report.drift_max));
  }
  line("plans hash", fmt::format("{:016x}", report.plans_hash));
  return text;
}

}  // namespace quire
