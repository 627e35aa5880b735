// The seam between GCC and libFuzzer: GCC calls a function in every basic block
// (-fsanitize-coverage=trace-pc), libFuzzer reads a table of counters. Blocks are counted where the
// hash of their address says; two that share a counter cost a little guidance, nothing else.
// Linked with --wrap=__sanitizer_cov_trace_pc, since libFuzzer's library has one that does nothing.
#include <cstddef>
#include <cstdint>

extern "C" void __sanitizer_cov_8bit_counters_init(std::uint8_t* begin, std::uint8_t* end);
extern "C" void __sanitizer_cov_pcs_init(const std::uintptr_t* begin, const std::uintptr_t* end);

namespace {

constexpr std::size_t kCountersLog2 = 17;
constexpr std::size_t kCounters = std::size_t{1} << kCountersLog2;

struct Block {
  std::uintptr_t address = 0;
  std::uintptr_t flags = 0;
};

std::uint8_t counters[kCounters];
Block blocks[kCounters];  // filled as they are met

}  // namespace

#define QUIRE_NOT_COUNTED \
  __attribute__((no_sanitize_coverage, no_sanitize("address"), no_sanitize("undefined")))

extern "C" QUIRE_NOT_COUNTED void __wrap___sanitizer_cov_trace_pc() {
  const auto address = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  const std::size_t at = (address * 0x9E3779B97F4A7C15u) >> (64 - kCountersLog2);
  if (counters[at] != 255) ++counters[at];
  blocks[at].address = address;
}

// GCC compares floats through these; libFuzzer has no use for them.
extern "C" QUIRE_NOT_COUNTED void __sanitizer_cov_trace_cmpf(float, float) {}
extern "C" QUIRE_NOT_COUNTED void __sanitizer_cov_trace_cmpd(double, double) {}

extern "C" void quire_fuzz_register_counters() {
  __sanitizer_cov_8bit_counters_init(counters, counters + kCounters);
  __sanitizer_cov_pcs_init(&blocks[0].address, &blocks[0].address + 2 * kCounters);
}

// Without this UBSan ends the process behind libFuzzer's back, and the input is lost.
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }
