#include "apps/bench_serve.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/flags.h"
#include "base/clock.h"
#include "lab/load/load_report.h"

namespace quire {
namespace {

// What the user said about the workload; the rest comes from its name.
struct Flags {
  BenchServeArguments arguments;
  std::string workload = "mixed";
  std::optional<int> requests, clients, shared, own, tokens_min, tokens_max, ids_below;
  std::optional<double> rate;
  std::optional<std::uint64_t> seed;
};

int run_flags(const Flags& flags) {
  auto named = named_workload(flags.workload);
  if (!named.is_ok()) {
    std::fprintf(stderr, "quire bench serve: %s\n", named.status().message().c_str());
    return 2;
  }
  BenchServeArguments arguments = flags.arguments;
  WorkloadOptions& w = arguments.workload;
  w = *named;
  w.requests = flags.requests.value_or(w.requests);
  w.clients = flags.clients.value_or(w.clients);
  w.shared = flags.shared.value_or(w.shared);
  w.own = flags.own.value_or(w.own);
  w.tokens_min =
      flags.tokens_min.value_or(std::min(w.tokens_min, flags.tokens_max.value_or(w.tokens_min)));
  w.tokens_max = flags.tokens_max.value_or(std::max(w.tokens_max, w.tokens_min));
  w.ids_below = flags.ids_below.value_or(w.ids_below);
  w.rate = flags.rate.value_or(w.rate);
  // Another seed on every run, or the second run would measure the server's prefix cache.
  w.seed = flags.seed.value_or(static_cast<std::uint64_t>(SteadyClock::unix_seconds()));
  return run_bench_serve(arguments);
}

void declare_workload_flags(Command& command, Flags& flags) {
  constexpr int kMost = 1 << 24;
  const auto names = workload_names();
  command
      .value("--workload", flags.workload,
             "single: 1 client, 128 words in, 64 tokens out. mixed: 16 clients, 8 to 128 out. "
             "shared: 512 common words and 32 own. prefix: 512 common and 16 own token ids, "
             "16 tokens out")
      .one_of(std::vector<std::string>(names.begin(), names.end()))
      .shows_default();
  command.value("--requests", flags.requests, "how many in all").between(1, kMost);
  command.value("--clients", flags.clients, "closed loop: so many requests at once")
      .between(1, kMost);
  command
      .value("--rate", flags.rate,
             "open loop in place of clients: requests per second, at random times")
      .positive();
  command.value("--shared", flags.shared, "words that every prompt begins with")
      .not_negative();
  command.value("--own", flags.own, "words of each prompt's own").between(1, kMost);
  command.value("--tokens-min", flags.tokens_min, "generated tokens, at least")
      .between(1, kMost);
  command.value("--tokens-max", flags.tokens_max, "generated tokens, at most")
      .between(1, kMost);
  command
      .value("--ids-below", flags.ids_below,
             "prompts of token ids below this, in place of words; 0: words")
      .not_negative();
  command.value("--seed", flags.seed, "of prompts and times (default: another one each run)");
}

}  // namespace

void declare_bench_serve(Command& bench, std::function<int()>& chosen) {
  Command command =
      bench.command("serve", "Load on an OpenAI-compatible server: tokens/s, TTFT and ITL");
  auto flags = std::make_shared<Flags>();
  LoadOptions& load = flags->arguments.load;
  command.value("--url", load.url, "http://host:port").shows_default();
  command.value("--model", load.model, "its name there (default: the first of /v1/models)");
  command.value("--api-key", load.api_key, "sent as a bearer token");
  command.toggle("--chat", load.is_chat, "chat completions in place of completions");
  command.toggle("--ignore-eos,!--no-ignore-eos", load.is_ignoring_eos,
                 "ask for answers of full length where the server can (default: on)");
  command.value("--timeout", load.seconds_max, "seconds that one request may take")
      .positive()
      .shows_default();
  command.toggle("--profile", load.is_profiling,
                 "where the server's engine thread spent the load, from its /metrics");
  declare_workload_flags(command, *flags);
  command.toggle("--json", flags->arguments.is_json, "one JSON object in place of the table");
  command.when_chosen([flags, &chosen] { chosen = [flags] { return run_flags(*flags); }; });
}

int run_bench_serve(const BenchServeArguments& arguments) {
  const auto result = run_load(arguments.load, arguments.workload);
  if (!result.is_ok()) {
    std::fprintf(stderr, "quire bench serve: %s\n", result.status().message().c_str());
    return 1;
  }
  LoadReport report = summarize(arguments.workload, *result);
  if (arguments.load.is_profiling) {
    const auto profile = step_profile(result->metrics_before, result->metrics_after);
    if (!profile.is_ok()) {
      std::fprintf(stderr, "quire bench serve: %s\n", profile.status().message().c_str());
      return 1;
    }
    report.profile = *profile;
  }
  const std::string text = arguments.is_json ? load_json(report) + "\n" : load_table(report);
  std::fputs(text.c_str(), stdout);
  return report.failed == 0 ? 0 : 1;
}

}  // namespace quire
