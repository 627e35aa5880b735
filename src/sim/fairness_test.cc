// Fairness between tenants, in virtual time: what each was served is measured by TenantMeter, which
// knows only what clients and rows show. The bound is the one of Sheng et al.: while two
// tenants wait, their service by share drifts apart by at most twice what can run at once, which is
// the longest prompt or two for each position of the pool. Figures are printed.
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>

#include "sim/simulator.h"

namespace quire {
namespace {

SimOptions options_of(std::uint32_t kv_blocks = 200) {
  SimOptions options;
  options.engine.is_checking_invariants = true;
  options.engine.scheduler.rows_max = 16;
  options.kv_blocks = kv_blocks;
  options.vocab = 1000;
  options.tenant_rates = {1, 1};
  return options;
}

double bound_of(const SimOptions& options) {
  return 2.0 * 2 * options.kv_blocks * options.block_tokens;
}

// Lengths from a half to three halves of what is asked.
void send(Workload& workload, std::uint32_t tenant, std::uint32_t requests, double at_s,
          std::uint32_t prompt, std::uint32_t answer) {
  for (std::uint32_t i = 0; i < requests; ++i) {
    SimArrival arrival;
    arrival.at = from_seconds(at_s);
    arrival.tenant = tenant;
    arrival.prompt_tokens = prompt / 2 + i * 7919 % prompt;
    arrival.answer_tokens = answer / 2 + i * 104729 % answer;
    arrival.segment_tokens = arrival.prompt_tokens;
    arrival.segments = {workload.arrivals.size()};
    workload.arrivals.push_back(std::move(arrival));
  }
}

SimReport run(const SimOptions& options, Workload workload) {
  std::stable_sort(workload.arrivals.begin(), workload.arrivals.end(),
                   [](const SimArrival& a, const SimArrival& b) { return a.at < b.at; });
  const std::size_t requests = workload.arrivals.size();
  auto report = simulate(options, std::move(workload));
  EXPECT_TRUE(report.is_ok()) << report.status().message();
  EXPECT_EQ(report->finished, requests);
  return *report;
}

double ratio(const SimReport& report) {
  return static_cast<double>(report.tenants[0].contended) /
         static_cast<double>(report.tenants[1].contended);
}

void show(const char* what, const SimReport& report, double bound) {
  std::printf("FIGURE %s: while both wait %llu and %llu served, drift %.0f (at most %.0f), "
              "%llu preemptions\n", what,
              static_cast<unsigned long long>(report.tenants[0].contended),
              static_cast<unsigned long long>(report.tenants[1].contended), report.drift_max, bound,
              static_cast<unsigned long long>(report.preemptions));
}

Workload flood_of_ten_to_one() {
  Workload workload;
  send(workload, 0, 1000, 0, 100, 40);
  send(workload, 1, 100, 0, 100, 40);
  return workload;
}

TEST(Fairness, AFloodOfTenTimesTheRequestsTakesHalf) {
  for (const std::uint32_t depth : {1u, 2u, 4u}) {
    SimOptions options = options_of();
    options.depth = depth;
    const SimReport fair = run(options, flood_of_ten_to_one());
    EXPECT_LE(fair.drift_max, bound_of(options));
    EXPECT_NEAR(ratio(fair), 1, 0.05);
    show(("10 times the requests, equal shares, depth " + std::to_string(depth)).c_str(), fair,
         bound_of(options));
    // The small tenant is done after twice its own work, not after everybody's.
    EXPECT_LT(fair.tenants[1].finished_at.count(), fair.tenants[0].finished_at.count() / 4);
    // The same in one queue: first come, first served.
    options.is_telling_tenants = false;
    const SimReport unfair = run(options, flood_of_ten_to_one());
    EXPECT_EQ(unfair.generated_tokens, fair.generated_tokens);
    EXPECT_GT(unfair.drift_max, bound_of(options));  // so the bound means something
    std::printf("FIGURE   in one queue drift %.0f, the 100 requests done after %.1f s, not %.1f\n",
                unfair.drift_max, to_seconds(unfair.tenants[1].finished_at),
                to_seconds(fair.tenants[1].finished_at));
    EXPECT_LT(to_seconds(fair.elapsed), 1.02 * to_seconds(unfair.elapsed));  // nothing is lost
  }
}

TEST(Fairness, SharesOfTwoToOneAreServedTwoToOne) {
  SimOptions options = options_of();
  options.tenant_shares = {2, 1};
  Workload workload;
  send(workload, 0, 500, 0, 100, 40);
  send(workload, 1, 500, 0, 100, 40);
  const SimReport report = run(options, workload);
  EXPECT_LE(report.drift_max, bound_of(options));
  EXPECT_NEAR(ratio(report), 2, 0.1);
  show("shares 2:1", report, bound_of(options));
}

// Many short requests beside few long ones: tokens are shared out, not requests.
TEST(Fairness, TokensCountNotRequests) {
  SimOptions options = options_of();
  Workload workload;
  send(workload, 0, 2000, 0, 30, 10);
  send(workload, 1, 60, 0, 600, 200);
  const SimReport report = run(options, workload);
  EXPECT_LE(report.drift_max, bound_of(options));
  EXPECT_NEAR(ratio(report), 1, 0.1);
  show("short requests beside long ones", report, bound_of(options));
}

// One is away for a long time, and comes back with a flood: it gets its share, not what it missed.
TEST(Fairness, AnIdleTenantGathersNoCredit) {
  SimOptions options = options_of();
  Workload workload;
  send(workload, 1, 3, 0, 100, 40);
  send(workload, 0, 900, 1, 100, 40);
  send(workload, 1, 200, 100, 100, 40);
  const SimReport report = run(options, workload);
  ASSERT_GT(report.tenants[1].contended, 10'000u);  // it came back while the other still waits
  EXPECT_LE(report.drift_max, bound_of(options));
  EXPECT_NEAR(ratio(report), 1, 0.1);
  show("back after 100 s", report, bound_of(options));
}

// A pool for about four requests: preemption is daily life, and starves nobody.
TEST(Fairness, PreemptionStarvesNobody) {
  for (const std::uint32_t depth : {1u, 2u}) {
    SimOptions options = options_of(30);
    options.depth = depth;
    Workload workload;
    send(workload, 0, 300, 0, 60, 200);
    send(workload, 1, 60, 5, 60, 200);
    const SimReport report = run(options, workload);
    EXPECT_GT(report.preemptions, 50u);
    EXPECT_LE(report.drift_max, bound_of(options));
    EXPECT_NEAR(ratio(report), 1, 0.1);
    show("a pool too small for what runs", report, bound_of(options));
  }
}

// All rows are taken by answers of thousands of tokens when another tenant comes. Alone the end of
// an answer would let it in; so it need not lag by more than was said, and what a few plans add.
TEST(Fairness, LongAnswersKeepNobodyWaiting) {
  double drifts[2];
  for (const std::uint32_t lag_max : {2000u, std::numeric_limits<std::uint32_t>::max()}) {
    SimOptions options = options_of(4096);
    options.engine.scheduler.tenant_lag_max = lag_max;
    Workload workload;
    send(workload, 0, 40, 0, 100, 5000);
    send(workload, 1, 400, 5, 100, 40);
    const SimReport report = run(options, workload);
    const bool is_bounded = lag_max == 2000;
    drifts[is_bounded] = report.drift_max;
    const double plans = 16.0 * (512 + 2 * 16);  // one for each row
    show(is_bounded ? "long answers, lag of 2000" : "long answers, any lag", report,
         is_bounded ? lag_max + plans : bound_of(options));
    if (!is_bounded) continue;
    EXPECT_LE(report.drift_max, lag_max + plans);
    EXPECT_LE(report.preemptions, 100u);
    std::printf("FIGURE   the other's first token after %.2f s at the median\n",
                report.tenants[1].time_to_first_token.p50);
  }
  EXPECT_LT(drifts[1], drifts[0] / 2);
}

TEST(Fairness, EightTenantsOfAllSortsStayWithinTheBound) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SimOptions options = options_of(seed % 2 == 0 ? 60 : 400);
    options.seed = seed;
    options.synthetic = {.requests = 1500, .requests_per_second = 200, .prompt_tokens_mean = 60,
                         .answer_tokens_mean = 30, .shared_tokens = 32, .prefixes = 3};
    options.tenant_rates = {40, 20, 10, 5, 5, 5, 10, 5};
    options.tenant_shares = {1, 1, 1, 1, 2, 3, 4, 1};
    const auto report = simulate(options);
    ASSERT_TRUE(report.is_ok());
    EXPECT_EQ(report->finished + report->refused, 1500u);
    EXPECT_LE(report->drift_max, bound_of(options));
    EXPECT_EQ(report->plans_hash, simulate(options)->plans_hash);
    std::printf("FIGURE 8 tenants, seed %llu: drift %.0f (at most %.0f), %llu preemptions\n",
                static_cast<unsigned long long>(seed), report->drift_max, bound_of(options),
                static_cast<unsigned long long>(report->preemptions));
  }
}

// Of a workload with one tenant nothing changes, whatever its share.
TEST(Fairness, OneTenantIsServedAsBefore) {
  SimOptions options = options_of();
  options.tenant_rates = {1};
  options.synthetic = {.requests = 200, .requests_per_second = 20, .prompt_tokens_mean = 40,
                       .answer_tokens_mean = 20, .shared_tokens = 64, .prefixes = 3};
  const auto plain = simulate(options);
  options.tenant_shares = {7};
  options.engine.scheduler.tenant_lag_max = 0;
  const auto other = simulate(options);
  ASSERT_TRUE(plain.is_ok() && other.is_ok());
  EXPECT_EQ(plain->plans_hash, other->plans_hash);
}

TEST(Fairness, NonsenseIsRefused) {
  SimOptions options = options_of();
  options.tenant_shares = {1};
  EXPECT_NE(simulate(options).status().message().find("1 tenant shares for 2"), std::string::npos);
  options.tenant_shares = {1, 0};
  EXPECT_FALSE(simulate(options).is_ok());
  options = options_of();
  options.tenant_rates = {1, -1};
  EXPECT_FALSE(simulate(options).is_ok());
  options.tenant_rates = {};
  EXPECT_FALSE(simulate(options).is_ok());
}

}  // namespace
}  // namespace quire
