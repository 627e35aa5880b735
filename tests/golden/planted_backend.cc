#include "planted_backend.h"

#include <algorithm>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "kernels/select.h"

namespace quire::testing {
namespace {

const KernelTable& real() { return *select_kernels("").value(); }

// As if another order of summation were used from five tokens on: one unit in the last place.
template <std::size_t kType>
void planted_matmul(const MatmulTask& task) {
  real().matmul[kType](task);
  if (task.tokens < 5) return;
  for (int t = 0; t < task.tokens; ++t) {
    float* row = task.out + static_cast<std::ptrdiff_t>(t) * task.out_stride;
    for (int r = 0; r < task.rows; ++r) row[r] *= 1 + 0x1p-23f;
  }
}

template <std::size_t... kTypes>
KernelTable planted(std::index_sequence<kTypes...>) {
  KernelTable table = real();
  ((table.matmul[kTypes] = planted_matmul<kTypes>), ...);
  return table;
}

// As if entries were counted from another end: [1, 2, ..., 0].
template <typename Task, void (*KernelTable::*kSlot)(const Task&)>
void planted_states(const Task& task) {
  if (task.states == nullptr) return (real().*kSlot)(task);
  std::vector<float*> turned(task.states, task.states + task.tokens);
  std::rotate(turned.begin(), turned.end() - 1, turned.end());
  Task wrong = task;
  wrong.states = turned.data();
  (real().*kSlot)(wrong);
}

}  // namespace

std::unique_ptr<Backend> planted_backend(int threads) {
  static const KernelTable table = planted(std::make_index_sequence<std::size(kDTypes)>());
  return std::make_unique<CpuBackend>(table, threads);
}

std::unique_ptr<Backend> planted_states_backend(int threads) {
  static const KernelTable table = [] {
    KernelTable planted = real();
    planted.scan = planted_states<ScanTask, &KernelTable::scan>;
    planted.conv = planted_states<ConvTask, &KernelTable::conv>;
    planted.selective = planted_states<SelectiveTask, &KernelTable::selective>;
    planted.gated_unit = planted_states<GatedUnitTask, &KernelTable::gated_unit>;
    return planted;
  }();
  return std::make_unique<CpuBackend>(table, threads);
}

}  // namespace quire::testing
