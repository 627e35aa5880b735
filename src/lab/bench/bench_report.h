// What quire bench prints: the machine's measured figures, a table of tests with their share of the
// roofline, and the logits hash; as text or as one JSON object.
// A figure above its limit is marked as broken. Pure functions, called by apps/bench.
#pragma once

#include <string>

#include "lab/bench/bench.h"

namespace quire {

struct BenchSubject {
  std::string model;    // a file's name, or "llama-1b Q8_0 (random weights)"
  std::string cpu;      // the processor's name
  std::string backend;  // Backend::description()
  std::string isa;
  int threads = 0;
  KvTypes kv_dtype;
  ModelCost cost;
  std::size_t packed_bytes = 0;
};

std::string bench_table(const BenchSubject& subject, const BenchReport& report);
std::string bench_json(const BenchSubject& subject, const BenchReport& report);

// The columns of llama-batched-bench: S_ are tokens per second, T_ seconds.
std::string batched_table(const BenchSubject& subject, const std::vector<BatchedLine>& lines);
std::string batched_json(const BenchSubject& subject, const std::vector<BatchedLine>& lines);

// "0123456789abcdef", as both print hashes.
std::string hash_text(std::uint64_t hash);

}  // namespace quire
