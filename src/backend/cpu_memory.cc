#include "backend/cpu_memory.h"

#include <cstring>

namespace quire {

void CpuActivations::put(const KernelTable& kernels, int token, int begin, int count,
                         const float* values) {
  if (f32) {
    auto* to = reinterpret_cast<float*>(f32.row(token)) + begin;
    if (to != values) std::memcpy(to, values, static_cast<std::size_t>(count) * sizeof(float));
  }
  if (bf16) {
    kernels.narrow_bf16(values, count, reinterpret_cast<std::uint16_t*>(bf16.row(token)) + begin);
  }
  if (int8) {
    kernels.quantize_int8(values, count,
                          reinterpret_cast<ActivationBlock*>(int8.row(token)) + begin / 32);
  }
}

}  // namespace quire
