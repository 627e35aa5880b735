#include "lab/bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/hash.h"
#include "lab/logits_hash.h"

namespace quire {
namespace {

// Tokens that no two calls repeat.
class RandomTokens {
 public:
  explicit RandomTokens(int vocab) : vocab_(static_cast<std::uint64_t>(vocab)) {}
  std::vector<TokenId> operator()(int count) {
    std::vector<TokenId> tokens(static_cast<std::size_t>(count));
    for (TokenId& token : tokens) token = static_cast<TokenId>(mix64(++drawn_) % vocab_);
    return tokens;
  }

 private:
  std::uint64_t vocab_;
  std::uint64_t drawn_ = 0;
};

// Feeds a prompt to a sequence in steps of at most `chunk_max` tokens; seconds.
Result<double> time_prefill(BenchModel& model, int count, int chunk_max, RandomTokens& random,
                            int sequence = 0) {
  const std::vector<TokenId> tokens = random(count);
  const Nanos start = SteadyClock::now();
  for (int at = 0; at < count;) {
    const int chunk = std::min(chunk_max, count - at);
    const Feed feed = {sequence, static_cast<std::uint32_t>(at),
                       std::span<const TokenId>(tokens).subspan(at, chunk), at + chunk == count};
    QUIRE_RETURN_IF_ERROR(model.step({&feed, 1}).status());
    at += chunk;
  }
  return to_seconds(SteadyClock::now() - start);
}

// Gives every sequence `depth` positions of KV of its own: computed once, then copied.
Status fill_context(BenchModel& model, int sequences, int depth, RandomTokens& random) {
  if (depth == 0) return ok_status();
  QUIRE_RETURN_IF_ERROR(time_prefill(model, depth, kHashStepTokens, random).status());
  for (int s = 1; s < sequences; ++s) model.copy_sequence(0, s, depth);
  return ok_status();
}

// One token a step for each of `sequences`; seconds.
Result<double> time_decode(BenchModel& model, int sequences, int depth, int steps,
                           RandomTokens& random) {
  double seconds = 0;
  std::vector<Feed> feeds(static_cast<std::size_t>(sequences));
  for (int i = 0; i < steps; ++i) {
    const std::vector<TokenId> tokens = random(sequences);
    for (int s = 0; s < sequences; ++s) {
      feeds[s] = {s, static_cast<std::uint32_t>(depth + i),
                  std::span<const TokenId>(tokens).subspan(s, 1), true};
    }
    const Nanos start = SteadyClock::now();
    QUIRE_RETURN_IF_ERROR(model.step(feeds).status());
    seconds += to_seconds(SteadyClock::now() - start);
  }
  return seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Two readings that differ by more than this did not see the same machine.
constexpr double kDriftMax = 0.1;

// One measurement and the machine as it was beside it.
struct Repeat {
  double seconds = 0;
  Roofline machine;
  StepLimit limit;
  bool is_steady = false;
};

struct Timing {
  BenchLine line{};
  int tokens = 0;  // per measurement
  int steps = 0;   // likewise
  int prompt = 0;  // a prefill of so many tokens; 0: decode
  int rows = 0;
  double context = 0;  // mean positions of a row while decoding
  std::vector<Repeat> repeats{};
  OpReport ops{};

  StepLimit limit(const ModelCost& cost, const Roofline& machine) const {
    return prompt > 0 ? prefill_limit(cost, machine, prompt)
                      : decode_limit(cost, machine, rows, context);
  }
};

// Calls `measure` for seconds until there are `count` steady repeats, twice as often at most, and
// notes what the ops took meanwhile.
template <typename Measure>
Status repeat(BenchModel& model, RooflineGauge& gauge, int count, Timing& timing,
              Measure measure) {
  if (model.op_times() != nullptr) model.op_times()->clear();
  Roofline before = gauge.read();
  int steady = 0;
  double seconds_sum = 0;
  for (int i = 0; i < 2 * count && steady < count; ++i) {
    Repeat one;
    QUIRE_ASSIGN_OR_RETURN(one.seconds, measure());
    const Roofline after = gauge.read();
    one.machine = mean_of(before, after);
    one.limit = timing.limit(model.cost(), one.machine);
    const double first = timing.limit(model.cost(), before).seconds;
    const double second = timing.limit(model.cost(), after).seconds;
    one.is_steady = std::abs(first - second) <= kDriftMax * std::max(first, second);
    steady += one.is_steady ? 1 : 0;
    seconds_sum += one.seconds;
    timing.repeats.push_back(one);
    before = after;
  }
  if (model.op_times() != nullptr) {
    timing.ops = make_op_report(model.op_times()->totals(),
                                timing.steps * static_cast<int>(timing.repeats.size()),
                                seconds_sum, timing.repeats.back().machine);
  }
  // Unsteady repeats count only where there are not enough others.
  std::stable_partition(timing.repeats.begin(), timing.repeats.end(),
                        [](const Repeat& one) { return one.is_steady; });
  timing.repeats.resize(count);
  return ok_status();
}

Result<Timing> measure_prefill(BenchModel& model, RooflineGauge& gauge,
                               const BenchOptions& options, int prompt, RandomTokens& random) {
  const int steps = (prompt + options.chunk - 1) / options.chunk;
  Timing timing{.tokens = prompt, .steps = steps, .prompt = prompt};
  timing.line.name = fmt::format("prefill {}", prompt);
  const auto measure = [&] { return time_prefill(model, prompt, options.chunk, random); };
  QUIRE_RETURN_IF_ERROR(measure().status());  // warm-up
  QUIRE_RETURN_IF_ERROR(repeat(model, gauge, options.repeats, timing, measure));
  return timing;
}

Result<Timing> measure_decode(BenchModel& model, RooflineGauge& gauge,
                              const BenchOptions& options, int rows, RandomTokens& random) {
  Timing timing{.tokens = rows * options.generate, .steps = options.generate, .rows = rows};
  timing.context = options.depth + 0.5 * (options.generate + 1);
  timing.line.name = fmt::format("decode x{}", rows);
  if (options.depth > 0) timing.line.name += fmt::format(" at {}", options.depth);
  QUIRE_RETURN_IF_ERROR(fill_context(model, rows, options.depth, random));
  QUIRE_RETURN_IF_ERROR(time_decode(model, rows, options.depth, 2, random).status());  // warm-up
  QUIRE_RETURN_IF_ERROR(repeat(model, gauge, options.repeats, timing, [&] {
    return time_decode(model, rows, options.depth, options.generate, random);
  }));
  return timing;
}

Result<BatchedLine> measure_batch(BenchModel& model, const BenchOptions& options, int prompt,
                                  int batch, RandomTokens& random) {
  std::vector<double> prompts, decodes;
  QUIRE_RETURN_IF_ERROR(time_prefill(model, prompt, options.chunk, random).status());  // warm-up
  for (int i = 0; i < options.repeats; ++i) {
    double seconds = 0;
    for (int sequence = 0; sequence < batch; ++sequence) {
      QUIRE_ASSIGN_OR_RETURN(const double one,
                             time_prefill(model, prompt, options.chunk, random, sequence));
      seconds += one;
    }
    prompts.push_back(seconds);
    QUIRE_ASSIGN_OR_RETURN(seconds, time_decode(model, batch, prompt, options.generate, random));
    decodes.push_back(seconds);
  }
  return BatchedLine{prompt, options.generate, batch, median(std::move(prompts)),
                     median(std::move(decodes))};
}

BenchLine finish_line(Timing timing, const ModelCost& cost) {
  const double tokens = timing.tokens;
  const double step_tokens = timing.prompt > 0 ? timing.prompt : timing.rows;
  std::vector<double> seconds, limits, shares, reads;
  BenchLine line = std::move(timing.line);
  for (const Repeat& one : timing.repeats) {
    const double limit = step_tokens / one.limit.seconds;
    seconds.push_back(one.seconds);
    limits.push_back(limit);
    shares.push_back(tokens / one.seconds / limit);
    reads.push_back(one.machine.read_bytes_per_second);
    line.unsteady += one.is_steady ? 0 : 1;
  }
  const auto [fastest, slowest] = std::minmax_element(seconds.begin(), seconds.end());
  line.tokens_per_second_min = tokens / *slowest;
  line.tokens_per_second_max = tokens / *fastest;
  const double seconds_median = median(seconds);
  line.tokens_per_second = tokens / seconds_median;
  line.limit = median(limits);
  line.share = median(shares);
  line.share_min = *std::min_element(shares.begin(), shares.end());
  line.share_max = *std::max_element(shares.begin(), shares.end());
  line.read_bytes_per_second = median(reads);
  line.is_memory_bound = timing.repeats.front().limit.is_memory_bound;
  const double steps = tokens / step_tokens;
  const double kv_bytes =
      timing.prompt > 0 ? 0 : timing.rows * cost.memory_bytes(timing.context);
  line.gigabytes_per_second =
      steps * (cost.weight_bytes_of(step_tokens) + kv_bytes) / seconds_median * 1e-9;
  line.teraoperations_per_second = 2e-12 * cost.elements() * tokens / seconds_median;
  line.ops = std::move(timing.ops);
  return line;
}

}  // namespace

BenchModelOptions room_for(const BenchOptions& options, BenchModelOptions base) {
  const int prompt = options.prompts.empty()
                         ? 0
                         : *std::max_element(options.prompts.begin(), options.prompts.end());
  const int batch = options.batches.empty()
                        ? 0
                        : *std::max_element(options.batches.begin(), options.batches.end());
  base.sequences = std::max(kHashSequences, batch);
  base.step_tokens = std::max({kHashStepTokens, options.chunk, batch});
  base.context = std::max({kHashContext, prompt, options.depth + options.generate + 1});
  return base;
}

Result<BenchReport> measure_speed(BenchModel& model, const BenchOptions& options) {
  BenchReport report;
  RandomTokens random(model.vocab());
  RooflineGauge gauge({.threads = model.backend().threads(),
                       .is_quick = options.is_roofline_quick,
                       .isa = std::string(model.backend().isa())});
  // First of all, because the first product of each weight packs it.
  QUIRE_ASSIGN_OR_RETURN(report.logits_hash, logits_hash(model));

  for (const int prompt : options.prompts) {
    QUIRE_ASSIGN_OR_RETURN(Timing timing, measure_prefill(model, gauge, options, prompt, random));
    report.lines.push_back(finish_line(std::move(timing), model.cost()));
  }
  for (const int rows : options.batches) {
    QUIRE_ASSIGN_OR_RETURN(Timing timing, measure_decode(model, gauge, options, rows, random));
    report.lines.push_back(finish_line(std::move(timing), model.cost()));
  }
  report.roofline = gauge.best();
  return report;
}

Result<std::vector<BatchedLine>> measure_batched(BenchModel& model, const BenchOptions& options) {
  RandomTokens random(model.vocab());
  std::vector<BatchedLine> lines;
  for (const int prompt : options.prompts) {
    for (const int batch : options.batches) {
      QUIRE_ASSIGN_OR_RETURN(lines.emplace_back(),
                             measure_batch(model, options, prompt, batch, random));
    }
  }
  return lines;
}

}  // namespace quire
