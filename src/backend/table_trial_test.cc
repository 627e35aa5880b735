#include "backend/table_trial.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/select.h"

namespace quire {
namespace {

TEST(TableTrial, EverySupportedTableIsTimed) {
  const auto tables = all_supported();
  const auto trials = time_tables(tables);
  ASSERT_EQ(trials.size(), tables.size());
  for (std::size_t i = 0; i < tables.size(); ++i) {
    EXPECT_EQ(trials[i].table, tables[i]);
    EXPECT_GT(trials[i].operations_per_second, 1e6) << tables[i]->name;
    EXPECT_LT(trials[i].operations_per_second, 1e15) << tables[i]->name;
  }
}

TEST(TableTrial, TheWidestStaysUnlessAnotherIsClearlyFaster) {
  const KernelTable wide{}, narrow{};
  const auto choose = [&](double first, double second) {
    const std::vector<TableTrial> trials = {{&wide, first}, {&narrow, second}};
    return fastest_of(trials).table;
  };
  EXPECT_EQ(choose(2e11, 1e11), &wide);
  EXPECT_EQ(choose(1.00e11, 1.05e11), &wide) << "a difference that noise could make";
  EXPECT_EQ(choose(1e11, 1.2e11), &narrow);
}

// What a machine answers must not depend on a race: only tables of the same bits are in it.
TEST(TableTrial, OnlyTablesOfTheSameBitsAreRivals) {
  KernelTable pairs, wide, narrow;
  pairs.name = "pairs";
  const auto timed = static_cast<std::size_t>(DType::kQ8_0);
  wide.matmul[timed] = kScalarKernels.matmul[timed];
  narrow.matmul[timed] = [](const MatmulTask&) {};
  pairs.bf16_products = Bf16Products::kPairs;
  using Tables = std::vector<const KernelTable*>;
  EXPECT_EQ(rivals_of({&pairs, &wide, &narrow, &kScalarKernels}), Tables({&pairs}));
  EXPECT_EQ(rivals_of({&wide, &narrow, &kScalarKernels}), Tables({&wide, &narrow}));
  EXPECT_EQ(rivals_of({&wide, &kScalarKernels}), Tables({&wide}));
  KernelTable wider = narrow;
  EXPECT_EQ(rivals_of({&wider, &narrow, &wide}), Tables({&wider, &wide})) << "the same product";
  EXPECT_EQ(rivals_of({&kScalarKernels}), Tables({&kScalarKernels}));

  const TableChoice choice = choose_table({&pairs, &wide, &kScalarKernels});
  EXPECT_EQ(choice.table, &pairs) << "without being timed: it has no products";
  EXPECT_NE(choice.reason.find("widest"), std::string::npos);
}

TEST(TableTrial, TheChoiceHereHasTheBitsOfTheWidestAndAReason) {
  EXPECT_EQ(table_choice().table->bf16_products, all_supported().front()->bf16_products);
  EXPECT_FALSE(table_choice().reason.empty());
  const std::vector<const KernelTable*> same = rivals_of(all_supported());
  if (same.size() > 1) {
    EXPECT_NE(choose_table(all_supported()).reason.find(same[1]->name), std::string::npos);
  }
}

}  // namespace
}  // namespace quire
