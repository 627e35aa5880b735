// `quire bench`: how fast a model runs here, beside what the machine could do at most; and the hash
// of its logits. On a file, or on random weights of a named shape (lab/bench/ has the measuring).
// Main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace quire {

class Command;

struct BenchArguments {
  std::string model;  // a file or directory; empty: random weights of `shape`
  std::string shape = "llama-1b";
  std::string type = "q8_0";
  std::string quantize;  // w8a8; empty: weights as stored
  int threads = 0;  // 0: every core
  bool has_huge_pages = true;
  std::string isa;  // empty: QUIRE_FORCE_ISA, else the best
  std::string kv_cache_dtype = "auto";
  std::vector<int> prompts = {512};
  int generate = 64;
  std::vector<int> batches = {1, 16};
  int depth = 0;
  int chunk = 512;
  int repeats = 3;
  bool is_batched = false;  // a table of prompts and batches in place of the tests
  bool is_timing_ops = false;
  bool is_json = false;
  bool is_hash_only = false;
  std::string history;  // a file that gets the measurement as a line of JSON; empty: none
  std::string label;    // of that line, as the commit
};

// Declares the command and, below it, `bench serve`.
void declare_bench(Command& parent, std::function<int()>& chosen);

int run_bench(const BenchArguments& arguments);

}  // namespace quire
