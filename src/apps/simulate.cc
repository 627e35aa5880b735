#include "apps/simulate.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

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

void declare_workload_flags(CLI::App& command, SimOptions& options) {
  command.add_option("--seed", options.seed, "the same seed gives the same plans");
  command.add_option("--trace", options.trace_path,
                     "a Mooncake .jsonl or Azure .csv trace in place of the synthetic workload")
      ->check(CLI::ExistingFile);
  command.add_option("--time-scale", options.trace.time_scale, "below 1: the trace comes faster")
      ->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--length-scale", options.trace.length_scale, "below 1: shorter requests")
      ->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option_function<std::uint32_t>(
             "--requests",
             [&options](std::uint32_t requests) {
               options.synthetic.requests = requests;
               options.trace.requests_max = requests;
             },
             "how many (default: 1000)")
      ->check(CLI::Range(1u, 10'000'000u));
  command.add_option("--tenant-rates", options.tenant_rates,
                     "tenants, by how many of the requests each sends, such as 10 1 (default: one)")
      ->check(CLI::PositiveNumber)->expected(1, 64);
  command.add_option("--tenant-shares", options.tenant_shares,
                     "what each tenant is due while all wait, such as 2 1 (default: equal shares)")
      ->check(CLI::Range(1u, Request::kTenantShareMax))->expected(1, 64);
  command.add_flag("!--one-queue", options.is_telling_tenants,
                   "one queue for all tenants, for comparison");
  SyntheticOptions& made = options.synthetic;
  command.add_option("--rate", made.requests_per_second, "requests per second")
      ->check(CLI::PositiveNumber)->capture_default_str();
  command.add_option("--prompt-tokens", made.prompt_tokens_mean, "mean, of a request's own")
      ->capture_default_str();
  command.add_option("--answer-tokens", made.answer_tokens_mean, "mean")->capture_default_str();
  command.add_option("--shared-tokens", made.shared_tokens, "of the prefixes in common")
      ->capture_default_str();
  command.add_option("--prefixes", made.prefixes, "how many such prefixes")->capture_default_str();
}

void declare_engine_flags(CLI::App& command, SimOptions& options) {
  SchedulerOptions& scheduler = options.engine.scheduler;
  command.add_option("--num-kv-blocks", options.kv_blocks)->capture_default_str();
  command.add_option("--max-model-len", options.context_max)->capture_default_str();
  command.add_option("--max-num-seqs", scheduler.rows_max)->capture_default_str();
  command.add_option("--max-num-batched-tokens", scheduler.tokens_max)->capture_default_str();
  command.add_option("--depth", options.depth, "plans under way at once")
      ->check(CLI::IsMember({1, 2, 4}))->capture_default_str();
  command.add_flag("--enable-prefix-caching,!--no-enable-prefix-caching",
                   scheduler.is_prefix_caching);
  command.add_flag("--static-batching", scheduler.is_static_batching,
                   "admit only when nothing runs, for comparison");
}

}  // namespace

void declare_simulate(CLI::App& parent, std::function<int()>& chosen) {
  const auto options = std::make_shared<SimOptions>();
  CLI::App* command = parent.add_subcommand(
      "simulate", "Run the scheduler in virtual time on a seeded workload or a trace");
  declare_workload_flags(*command, *options);
  declare_engine_flags(*command, *options);
  command->callback(
      [options, &chosen] { chosen = [options] { return simulate_and_report(*options); }; });
}

}  // namespace quire
