#include "apps/simulate.h"

#include <cstdio>
#include <memory>

#include "apps/flags.h"
#include "sim/simulator.h"

namespace quire {
namespace {

int simulate_and_report(const SimOptions& options) {
  const auto report = simulate(options);
  if (!report.is_ok()) {
    std::fprintf(stderr, "quire: %s\n", report.status().message().c_str());
    return 1;
  }
  std::fputs(render(*report).c_str(), stdout);
  return 0;
}

void declare_workload_flags(Command& command, SimOptions& options) {
  command.value("--seed", options.seed, "the same seed gives the same plans");
  command.value("--trace", options.trace_path,
                "a Mooncake .jsonl or Azure .csv trace in place of the synthetic workload")
      .existing_file();
  command.value("--time-scale", options.trace.time_scale, "below 1: the trace comes faster")
      .positive().shows_default();
  command.value("--length-scale", options.trace.length_scale, "below 1: shorter requests")
      .positive().shows_default();
  command.call<std::uint32_t>(
             "--requests",
             [&options](std::uint32_t requests) {
               options.synthetic.requests = requests;
               options.trace.requests_max = requests;
             },
             "how many (default: 1000)")
      .between(1, 10'000'000);
  command.value("--tenant-rates", options.tenant_rates,
                "tenants, by how many of the requests each sends, such as 10 1 (default: one)")
      .positive().several(1, 64);
  command.value("--tenant-shares", options.tenant_shares,
                "what each tenant is due while all wait, such as 2 1 (default: equal shares)")
      .between(1, Request::kTenantShareMax).several(1, 64);
  command.toggle("!--one-queue", options.is_telling_tenants,
                 "one queue for all tenants, for comparison");
  SyntheticOptions& made = options.synthetic;
  command.value("--rate", made.requests_per_second, "requests per second")
      .positive().shows_default();
  command.value("--prompt-tokens", made.prompt_tokens_mean, "mean, of a request's own")
      .shows_default();
  command.value("--answer-tokens", made.answer_tokens_mean, "mean").shows_default();
  command.value("--shared-tokens", made.shared_tokens, "of the prefixes in common")
      .shows_default();
  command.value("--prefixes", made.prefixes, "how many such prefixes").shows_default();
}

void declare_engine_flags(Command& command, SimOptions& options) {
  SchedulerOptions& scheduler = options.engine.scheduler;
  command.value("--num-kv-blocks", options.kv_blocks).shows_default();
  command.value("--max-model-len", options.context_max).shows_default();
  command.value("--max-num-seqs", scheduler.rows_max).shows_default();
  command.value("--max-num-batched-tokens", scheduler.tokens_max).shows_default();
  command.value("--depth", options.depth, "plans under way at once")
      .one_of({"1", "2", "4"}).shows_default();
  command.toggle("--enable-prefix-caching,!--no-enable-prefix-caching",
                 scheduler.is_prefix_caching);
  command.toggle("--static-batching", scheduler.is_static_batching,
                 "admit only when nothing runs, for comparison");
}

}  // namespace

void declare_simulate(Command& parent, std::function<int()>& chosen) {
  const auto options = std::make_shared<SimOptions>();
  Command command = parent.command(
      "simulate", "Run the scheduler in virtual time on a seeded workload or a trace");
  declare_workload_flags(command, *options);
  declare_engine_flags(command, *options);
  command.when_chosen(
      [options, &chosen] { chosen = [options] { return simulate_and_report(*options); }; });
}

}  // namespace quire
