#include "lab/load/load_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace quire {

Distribution distribution_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const double rank = share * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(rank);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (rank - std::floor(rank)) * (values[high] - values[low]);
  };
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {sum / static_cast<double>(values.size()), at(0.5), at(0.99)};
}

LoadReport summarize(const WorkloadOptions& workload, const LoadResult& result) {
  LoadReport report;
  report.workload = workload;
  report.model = result.model;
  report.is_ignoring_eos = result.is_ignoring_eos;
  report.seconds = result.seconds;
  std::vector<double> ttft, itl, request;
  for (const LoadRecord& record : result.records) {
    if (!record.error.empty()) {
      if (report.failed++ == 0) report.first_error = record.error;
      continue;
    }
    ++report.succeeded;
    report.prompt_tokens += record.prompt_tokens;
    report.cached_tokens += record.cached_tokens;
    report.generated_tokens += record.generated_tokens;
    ttft.push_back(record.first_at - record.sent_at);
    request.push_back(record.last_at - record.sent_at);
    itl.insert(itl.end(), record.gaps.begin(), record.gaps.end());
  }
  if (result.seconds > 0) {
    report.generated_per_second = static_cast<double>(report.generated_tokens) / result.seconds;
    report.requests_per_second = report.succeeded / result.seconds;
  }
  report.ttft = distribution_of(std::move(ttft));
  report.itl = distribution_of(std::move(itl));
  report.request = distribution_of(std::move(request));
  return report;
}

std::string load_table(const LoadReport& r) {
  const WorkloadOptions& w = r.workload;
  const std::string loop = w.rate > 0 ? fmt::format("{} requests/s (Poisson)", w.rate)
                                      : fmt::format("{} clients", w.clients);
  std::string text = fmt::format(
      "workload  {}: {} requests, {}; {} common + {} own {}, {} to {} tokens out, seed {}\n"
      "model     {}{}\n\n"
      "succeeded {:>8}      failed    {:>8}      seconds   {:>8.2f}\n"
      "prompt    {:>8}      cached    {:>8}      generated {:>8}   tokens\n"
      "{:.1f} generated tokens/s, {:.2f} requests/s\n\n"
      "{:<22}{:>10}{:>10}{:>10}\n",
      w.name, w.requests, loop, w.shared, w.own, w.ids_below > 0 ? "token ids" : "words",
      w.tokens_min, w.tokens_max, w.seed, r.model,
      r.is_ignoring_eos ? " (ignore_eos)" : " (answers may end early: no ignore_eos)", r.succeeded,
      r.failed, r.seconds, r.prompt_tokens, r.cached_tokens, r.generated_tokens,
      r.generated_per_second, r.requests_per_second, "milliseconds", "mean", "p50", "p99");
  const auto add = [&](std::string_view name, const Distribution& d) {
    text += fmt::format("{:<22}{:>10.1f}{:>10.1f}{:>10.1f}\n", name, d.mean * 1e3, d.p50 * 1e3,
                        d.p99 * 1e3);
  };
  add("time to first token", r.ttft);
  add("between pieces (ITL)", r.itl);
  add("whole request", r.request);
  if (r.profile) text += "\n" + profile_table(*r.profile);
  if (r.failed > 0) text += fmt::format("\nfirst error: {}\n", r.first_error);
  return text;
}

std::string load_json(const LoadReport& r) {
  const auto json_of = [](const Distribution& d) {
    return Json::object({{"mean", d.mean}, {"p50", d.p50}, {"p99", d.p99}});
  };
  const WorkloadOptions& w = r.workload;
  Json json = Json::object({
      {"workload",
       Json::object({{"name", w.name},
                     {"requests", w.requests},
                     {"clients", w.clients},
                     {"rate", w.rate},
                     {"shared", w.shared},
                     {"own", w.own},
                     {"tokens_min", w.tokens_min},
                     {"tokens_max", w.tokens_max},
                     {"ids_below", w.ids_below},
                     {"seed", w.seed}})},
      {"model", r.model},
      {"ignore_eos", r.is_ignoring_eos},
      {"succeeded", r.succeeded},
      {"failed", r.failed},
      {"first_error", r.first_error},
      {"seconds", r.seconds},
      {"prompt_tokens", r.prompt_tokens},
      {"cached_tokens", r.cached_tokens},
      {"generated_tokens", r.generated_tokens},
      {"generated_tokens_per_second", r.generated_per_second},
      {"requests_per_second", r.requests_per_second},
      {"ttft_seconds", json_of(r.ttft)},
      {"itl_seconds", json_of(r.itl)},
      {"request_seconds", json_of(r.request)},
  });
  if (r.profile) json.set("profile", profile_json(*r.profile));
  return dump(json);
}

}  // namespace quire
