#include "lab/load/step_profile.h"

#include <gtest/gtest.h>

namespace quire {
namespace {

constexpr std::string_view kBefore = R"(# HELP quire_step_seconds Time of a step in the executor
quire_step_seconds_count 10
quire_step_seconds_sum 1
quire_step_phase_seconds_count{phase="idle"} 10
quire_step_phase_seconds_sum{phase="idle"} 5
quire_step_phase_seconds_sum{phase="plan"} 0.5
quire_step_phase_seconds_sum{phase="model"} 1
quire_io_thread_cpu_seconds_total 2
)";
constexpr std::string_view kAfter = R"(quire_step_seconds_count 110
quire_step_phase_seconds_sum{phase="idle"} 5.25
quire_step_phase_seconds_sum{phase="plan"} 0.6
quire_step_phase_seconds_sum{phase="model"} 2.9
quire_io_thread_cpu_seconds_total 2.04
)";

TEST(StepProfileTest, IsWhatGrewBetweenTwoTexts) {
  const auto profile = step_profile(kBefore, kAfter);
  ASSERT_TRUE(profile.is_ok()) << profile.status().message();
  EXPECT_EQ(profile->steps, 100);
  EXPECT_NEAR(profile->idle_seconds, 0.25, 1e-9);
  ASSERT_EQ(profile->phases.size(), 2u);
  EXPECT_EQ(profile->phases[0].name, "plan");
  EXPECT_NEAR(profile->phases[0].seconds, 0.1, 1e-9);
  EXPECT_NEAR(profile->busy_seconds(), 2, 1e-9);
  EXPECT_NEAR(profile->host_seconds(), 0.14, 1e-9);
  EXPECT_NEAR(profile_json(*profile).find("host_share")->as_double(), 0.07, 1e-9);
  const std::string table = profile_table(*profile);
  for (const char* part : {"100 steps of 20.000 ms", "5.00 %", "95.00 %", "7.00 %"}) {
    EXPECT_NE(table.find(part), table.npos) << part << "\n" << table;
  }
}

TEST(StepProfileTest, AServerWithoutPhasesIsTold) {
  EXPECT_FALSE(step_profile("", "quire_step_seconds_count 4\n").is_ok());
  EXPECT_FALSE(step_profile(kAfter, kAfter).is_ok());  // no step
}

}  // namespace
}  // namespace quire
