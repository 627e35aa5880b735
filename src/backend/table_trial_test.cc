#include "backend/table_trial.h"

#include <gtest/gtest.h>

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
  EXPECT_GE(table_trials().size(), 1u);
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

}  // namespace
}  // namespace quire
