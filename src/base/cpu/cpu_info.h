// CpuInfo: what this processor is and how many of its cores we may use.
// Read once (cpuid, the affinity mask), then constant. Any thread.
// Kernels are chosen and the thread pool is sized by it.
#pragma once

#include <string>

namespace quire {

struct CpuInfo {
  std::string model;        // "AMD EPYC ...", or the architecture's name
  int cores = 1;            // of this process's affinity mask
  bool has_avx2 = false;    // with FMA and F16C
  bool has_avx_vnni = false;
  bool has_avx512 = false;  // F, BW, DQ and VL
  bool has_avx512_vnni = false;
  bool has_avx512_bf16 = false;
  bool has_amx_int8 = false;  // and the system lets this process use tile registers
};

const CpuInfo& cpu_info();

}  // namespace quire
