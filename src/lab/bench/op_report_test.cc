#include "lab/bench/op_report.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

Roofline round_machine() {
  Roofline roofline;
  roofline.read_bytes_per_second = 1e10;
  roofline.int8_operations_per_second = 4e12;
  roofline.int8_token_operations_per_second = 4e12;
  roofline.bf16_operations_per_second = 2e12;
  roofline.f32_operations_per_second = 1e12;
  return roofline;
}

TEST(OpReportTest, HoldsEachOpAgainstTheLargerOfReadingAndComputing) {
  // Four steps of 0.1 s.
  const std::vector<OpTotals> totals = {
      {.name = "down", .calls = 8, .seconds = 0.2, .bytes = 1e9, .operations = {0, 0, 1e11}},
      {.name = "attention", .calls = 8, .seconds = 0.16, .bytes = 1e6, .operations = {0, 1e11, 0}}};
  const OpReport report = make_op_report(totals, 4, 0.4, round_machine());
  EXPECT_DOUBLE_EQ(report.step_seconds, 0.1);
  ASSERT_EQ(report.lines.size(), 3u);
  const OpLine& down = report.lines[0];
  EXPECT_DOUBLE_EQ(down.calls, 2);
  EXPECT_DOUBLE_EQ(down.share, 0.5);
  EXPECT_TRUE(down.is_memory_bound);
  EXPECT_DOUBLE_EQ(down.limit, 0.025);
  EXPECT_DOUBLE_EQ(down.limit_share(), 0.5);
  const OpLine& attention = report.lines[1];
  EXPECT_FALSE(attention.is_memory_bound);
  EXPECT_DOUBLE_EQ(attention.limit, 0.0125);
  const OpLine& rest = report.lines[2];
  EXPECT_EQ(rest.name, "rest of the step");
  EXPECT_NEAR(rest.seconds, 0.01, 1e-12);
  EXPECT_NEAR(rest.share, 0.1, 1e-12);
  EXPECT_EQ(rest.limit, 0);
}

TEST(OpReportTest, PrintsTextAndJson) {
  const std::vector<OpTotals> totals = {
      {.name = "gate+up", .calls = 2, .seconds = 0.02, .bytes = 1e8, .operations = {0, 0, 1e9}}};
  const OpReport report = make_op_report(totals, 1, 0.04, round_machine());
  const std::string table = op_table("decode x1", report);
  for (const char* part : {"decode x1: 1 steps of 40.000 ms", "gate+up", "50.0%", "memory"}) {
    EXPECT_NE(table.find(part), table.npos) << part << "\n" << table;
  }
  const std::vector<Json> json = op_json(report).items();
  ASSERT_EQ(json.size(), 2u);
  EXPECT_EQ(json[0].find("op")->as_string(), "gate+up");
  EXPECT_DOUBLE_EQ(json[0].find("share_of_limit")->as_double(), 0.5);
  EXPECT_EQ(json[1].find("op")->as_string(), "rest of the step");
}

TEST(OpReportTest, WithoutStepsThereIsNothing) {
  EXPECT_TRUE(make_op_report({}, 0, 0, round_machine()).lines.empty());
}

}  // namespace
}  // namespace quire
