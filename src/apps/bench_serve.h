// `quire bench serve`: load on any server that speaks OpenAI's HTTP interface, ours or another, and
// its throughput and latencies. lab/load does the work; here are the flags and what they stand for.
// Main thread.
#pragma once

#include <functional>

#include "lab/load/load.h"

namespace quire {

class Command;

struct BenchServeArguments {
  LoadOptions load;
  WorkloadOptions workload;  // its name, and what the flags say; the rest comes from the name
  bool is_json = false;
};

// Declares `serve` below `quire bench`.
void declare_bench_serve(Command& bench, std::function<int()>& chosen);

// 0: every request succeeded.
int run_bench_serve(const BenchServeArguments& arguments);

}  // namespace quire
