#include "base/cpu/cpu_info.h"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <thread>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace quire {
namespace {

int usable_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) return std::max(1, CPU_COUNT(&mask));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

#if defined(__x86_64__)
std::string brand_string() {
  char text[49] = {};
  unsigned leaf_max = __get_cpuid_max(0x80000000, nullptr);
  if (leaf_max < 0x80000004) return "x86-64";
  for (unsigned i = 0; i < 3; ++i) {
    unsigned words[4] = {};
    __get_cpuid(0x80000002 + i, &words[0], &words[1], &words[2], &words[3]);
    std::memcpy(text + 16 * i, words, sizeof words);
  }
  std::string brand = text;
  brand.erase(0, brand.find_first_not_of(' '));
  brand.erase(brand.find_last_not_of(' ') + 1);
  return brand;
}
#endif

#if defined(__x86_64__)
// Linux gives a process the eight kilobytes of tile registers per thread when it asks for them.
bool may_use_tiles() {
  constexpr unsigned kTile = 1u << 24, kTileInt8 = 1u << 25;  // of EDX, leaf 7
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kTile) == 0 || (d & kTileInt8) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

CpuInfo read_cpu_info() {
  CpuInfo info;
  info.cores = usable_cores();
#if defined(__x86_64__)
  info.model = brand_string();
  // These builtins also ask the operating system whether it saves the wide registers.
  __builtin_cpu_init();
  info.has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("f16c");
  info.has_avx_vnni = info.has_avx2 && __builtin_cpu_supports("avxvnni");
  info.has_avx512 = info.has_avx2 && __builtin_cpu_supports("avx512f") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
  info.has_avx512_vnni = info.has_avx512 && __builtin_cpu_supports("avx512vnni");
  info.has_avx512_bf16 = info.has_avx512 && __builtin_cpu_supports("avx512bf16");
  info.has_amx_int8 = info.has_avx512 && may_use_tiles();
#elif defined(__aarch64__)
  info.model = "AArch64";
#else
  info.model = "unknown";
#endif
  return info;
}

}  // namespace

const CpuInfo& cpu_info() {
  static const CpuInfo info = read_cpu_info();
  return info;
}

}  // namespace quire
