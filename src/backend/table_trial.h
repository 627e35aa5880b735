// Which kernel table this machine runs. Two starts must give the same answers, so the processor's
// features decide about the bits: only tables that are interchangeable with the widest are rivals.
// Among rivals the widest is not always the fastest (a processor may split 512-bit operations in
// halves, or lower its clock for them): they multiply the same small int8 matrix in their own
// layouts, some milliseconds together, once per process. Without a rival nothing is measured.
// Any thread; called when a backend is made and no instruction set is named.
#pragma once

#include <string>
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

// Those of the tables, best first, that give the same bits as the first: it and its rivals. The
// portable one is none if there is another.
std::vector<const KernelTable*> rivals_of(std::vector<const KernelTable*> tables);

// Of this machine.
struct TableChoice {
  const KernelTable* table = nullptr;
  std::string reason;  // for the start-up log: why this one, with what was measured
};
TableChoice choose_table(const std::vector<const KernelTable*>& tables);  // best first, not empty
const TableChoice& table_choice();

}  // namespace quire
