// Which kernel table this machine runs fastest. The widest is not always it: a processor may split
// 512-bit operations in halves (Zen 4), run them whole (Zen 5) or lower its clock for them. So the
// supported tables multiply the same small int8 matrix in their own layouts, some milliseconds
// together, once per process. Answers do not depend on the choice (bf16 weights excepted, see
// docs/kernels.md). Any thread; called when a backend is made and no instruction set is named.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/kernel_table.h"

namespace quire {

struct TableTrial {
  const KernelTable* table = nullptr;
  double operations_per_second = 0;  // of one thread; a multiply-add is two operations
};

// Of the given tables, in their order.
std::vector<TableTrial> time_tables(const std::vector<const KernelTable*>& tables);

// The first (the widest), unless a later one is faster by more than a tenth. Not empty.
const TableTrial& fastest_of(const std::vector<TableTrial>& trials);

// The trials of this machine: every supported table but the portable one, if there is another.
const std::vector<TableTrial>& table_trials();

}  // namespace quire
