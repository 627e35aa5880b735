// Bench: prefill and decode speed of one model at given lengths and batch sizes, without an engine:
// no scheduler, no prefix cache, no HTTP. Every repeat stands between two readings of what this
// machine can do (lab/roofline) and is held against the mean of them; when the two differ too much
// it is taken again. What is reported are medians, and a share above 1 as a broken measurement.
// Prompts differ in every repeat, and sequences of a batch have KV of their own, so that nothing is
// served from a cache that a user would not have. Called by quire bench; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/bench/bench_model.h"
#include "lab/bench/op_report.h"

namespace quire {

struct BenchOptions {
  std::vector<int> prompts = {512};    // tokens of each prefill test
  int generate = 64;                   // decode steps of each decode test
  std::vector<int> batches = {1, 16};  // sequences of each decode test
  int depth = 0;                       // positions that each has before its first decode
  int chunk = 512;                     // tokens of a prefill step, at most
  int repeats = 3;                     // of which the median is reported
  bool is_roofline_quick = false;      // for tests
};

struct BenchLine {
  std::string name;              // "prefill 512", "decode x16"
  double tokens_per_second = 0;  // median
  double tokens_per_second_min = 0;
  double tokens_per_second_max = 0;
  double limit = 0;                      // tokens per second on the roofline; median
  double share = 0;                      // of the limit beside each repeat; median
  double share_min = 0, share_max = 0;
  double read_bytes_per_second = 0;      // of memory, beside the repeats; median
  bool is_memory_bound = false;          // what the limit is made of
  int unsteady = 0;                      // repeats whose readings still differed when it counted
  double gigabytes_per_second = 0;       // weights and KV that the steps had to read
  double teraoperations_per_second = 0;  // of the products
  OpReport ops;                          // if the model times them

  bool is_broken() const { return share > 1; }
};

struct BenchReport {
  Roofline roofline;  // the best of all readings
  std::vector<BenchLine> lines;
  std::uint64_t logits_hash = 0;
};

// One run as batched servers see it: `batch` prompts, then one token a step for all of them.
struct BatchedLine {
  int prompt = 0, generate = 0, batch = 0;
  double prompt_seconds = 0, generate_seconds = 0;  // medians, of all sequences together

  double kv_tokens() const { return 1.0 * batch * (prompt + generate); }
  double seconds() const { return prompt_seconds + generate_seconds; }
};

// What the tests need of BenchModelOptions.
BenchModelOptions room_for(const BenchOptions& options, BenchModelOptions base);

Result<BenchReport> measure_speed(BenchModel& model, const BenchOptions& options);

// Every prompt length with every batch; options.depth must be the longest prompt.
Result<std::vector<BatchedLine>> measure_batched(BenchModel& model, const BenchOptions& options);

}  // namespace quire
