// Roofline: what this machine can do at most, measured now: bytes read from memory and operations
// done in registers per second, by `threads` threads together (Williams et al., "Roofline", 2009).
// The read bandwidth is the best of several loops (1 to 8 streams, with and without prefetch,
// normal and huge pages), because a ceiling that is measured too low flatters what is held against
// it. RooflineGauge finds them once (about four seconds, a quarter of a second when quick) and then
// tells what the machine gives at a moment, in some 50 ms: neighbours on the same memory or power
// make it drift by half within minutes, so a measurement is held against the readings beside it.
// Called by quire bench; one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace quire {

struct Roofline {
  int threads = 0;
  std::string isa;                               // of the loops
  double read_bytes_per_second = 0;              // the best of all loops
  std::string read_loop;                         // which one that was
  double read_bytes_per_second_small_pages = 0;  // the best without huge pages
  double int8_operations_per_second = 0;         // a multiply-add is two operations
  double int8_token_operations_per_second = 0;   // with one scale a token: in tiles, if there are
  double bf16_operations_per_second = 0;         // of f32 where the machine has no bf16 products
  double f32_operations_per_second = 0;
};

struct RooflineOptions {
  int threads = 1;
  bool is_quick = false;  // a smaller buffer and fewer repeats: for tests
  std::string isa;        // as of KernelTable; empty or not supported: the best
};

class RooflineGauge {
 public:
  explicit RooflineGauge(const RooflineOptions& options);
  ~RooflineGauge();

  // The best of all loops, when this was made or in any reading since.
  const Roofline& best() const;

  // What the best loops reach now. The rate of small pages is not measured again.
  Roofline read();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Between two readings.
Roofline mean_of(const Roofline& a, const Roofline& b);

}  // namespace quire
