#include "backend/table_trial.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/aligned_buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "kernels/pack.h"
#include "kernels/select.h"

namespace quire {
namespace {

// It fits into the second level of caches: what is compared is arithmetic, not memory.
constexpr int kRows = 128, kColumns = 1024, kTokens = 16;
constexpr Nanos kLength = std::chrono::milliseconds(2);  // per table; clocks have time to settle
constexpr double kGainMin = 1.1;

double seconds_of(const KernelTable& table) {
  const int tiles = kRows / table.tile_rows;
  const std::size_t bytes_per_tile = packed_tile_bytes(DType::kQ8_0, table.tile_rows, kColumns);
  const std::size_t x_stride = kColumns / 32 * sizeof(ActivationBlock) + 64;
  AlignedBuffer<std::byte> weights(bytes_per_tile * static_cast<std::size_t>(tiles));
  AlignedBuffer<std::byte> x(x_stride * kTokens);  // zeros take as long as other values
  AlignedBuffer<std::byte> room(matmul_scratch_bytes(kColumns));
  AlignedBuffer<float> out(kRows * kTokens);
  MatmulTask task;
  task.tiles = weights.data();
  task.bytes_per_tile = bytes_per_tile;
  task.rows = kRows;
  task.columns = kColumns;
  task.tile_end = tiles;
  task.x = x.data();
  task.x_stride = x_stride;
  task.tokens = kTokens;
  task.out = out.data();
  task.out_stride = kRows;
  task.scratch = room.data();
  const Nanos end = SteadyClock::now() + kLength;
  Nanos best = kLength;
  for (Nanos start = SteadyClock::now(); start < end;) {
    table.matmul[static_cast<std::size_t>(DType::kQ8_0)](task);
    const Nanos now = SteadyClock::now();
    best = std::min(best, now - start);
    start = now;
  }
  return to_seconds(std::max(best, Nanos(1)));
}

}  // namespace

std::vector<TableTrial> time_tables(const std::vector<const KernelTable*>& tables) {
  std::vector<TableTrial> trials;
  for (const KernelTable* table : tables) {
    trials.push_back({table, 2.0 * kRows * kColumns * kTokens / seconds_of(*table)});
  }
  return trials;
}

const TableTrial& fastest_of(const std::vector<TableTrial>& trials) {
  QUIRE_CHECK(!trials.empty(), "no table to choose from");
  const TableTrial* fastest = &trials.front();
  for (const TableTrial& trial : trials) {
    if (trial.operations_per_second > kGainMin * fastest->operations_per_second) fastest = &trial;
  }
  return *fastest;
}

std::vector<const KernelTable*> rivals_of(std::vector<const KernelTable*> tables) {
  QUIRE_CHECK(!tables.empty(), "no table to choose from");
  const Bf16Products products = tables.front()->bf16_products;
  std::erase_if(tables, [&](const KernelTable* t) { return t->bf16_products != products; });
  // Of tables that share what is timed, the first stands for all.
  const auto timed = [](const KernelTable* t) {
    return t->matmul[static_cast<std::size_t>(DType::kQ8_0)];
  };
  std::vector<const KernelTable*> first;
  for (const KernelTable* table : tables) {
    const auto is_same = [&](const KernelTable* other) { return timed(other) == timed(table); };
    if (std::none_of(first.begin(), first.end(), is_same)) first.push_back(table);
  }
  tables = std::move(first);
  if (tables.size() > 1 && tables.back() == &kScalarKernels) tables.pop_back();
  return tables;
}

TableChoice choose_table(const std::vector<const KernelTable*>& tables) {
  const std::vector<const KernelTable*> rivals = rivals_of(tables);
  if (rivals.size() == 1) {
    return {rivals.front(), tables.size() == 1 ? "the only table here"
                                               : "the widest; no other that is fast has its bits"};
  }
  const std::vector<TableTrial> trials = time_tables(rivals);
  std::string figures;
  for (const TableTrial& trial : trials) {
    figures += fmt::format("{}{} {:.2f}", figures.empty() ? "" : ", ", trial.table->name,
                           trial.operations_per_second * 1e-12);
  }
  return {fastest_of(trials).table, "int8 TOP/s of a thread, with the same bits: " + figures};
}

const TableChoice& table_choice() {
  static const TableChoice choice = choose_table(all_supported());
  return choice;
}

}  // namespace quire
