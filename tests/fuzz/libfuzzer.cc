// The fuzzers: one program for all targets, since what a run does not reach costs it nothing.
//   quire_fuzz --target=NAME [libFuzzer's flags] [folders]
// What a target finds, and an input that takes more CPU time than any may, ends the process;
// libFuzzer keeps the bytes. Time of the CPU and not of the clock, for a machine that is busy.
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

#include "planted.h"
#include "target.h"

namespace quire::fuzz {
namespace {

const Target* chosen = nullptr;
constexpr double kCpuSecondsMax = 5;  // of an instrumented program; readers' own bounds are lower

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

[[noreturn]] void found(const std::string& fault) {
  fmt::print(stderr, "FOUND {}: {}\n", chosen->name, fault);
  std::abort();
}

}  // namespace

void choose_target(int argc, char** argv) {
  constexpr std::string_view kFlag = "--target=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(kFlag)) continue;
    const std::string_view name = argument.substr(kFlag.size());
    chosen = name == kPlanted.name ? &kPlanted : find_target(name);
  }
  if (chosen != nullptr) return;
  for (const Target& target : all_targets()) fmt::print("{} {}\n", target.name, target.size_max);
  std::exit(argc > 1 ? 2 : 0);
}

void run_input(std::string_view input) {
  const double begin = cpu_seconds();
  const std::string fault = chosen->run(input);
  if (!fault.empty()) found(fault);
  const double seconds = cpu_seconds() - begin;
  if (seconds > kCpuSecondsMax) found(fmt::format("over budget: {:.1f} s of CPU", seconds));
}

}  // namespace quire::fuzz

extern "C" void quire_fuzz_register_counters();

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  quire_fuzz_register_counters();
  quire::fuzz::choose_target(*argc, *argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  quire::fuzz::run_input({reinterpret_cast<const char*>(data), size});
  return 0;
}
