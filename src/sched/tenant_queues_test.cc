// TenantQueues: whose turn it is, one rule at a time, and 10^5 random operations against a plain
// list. What the turns come to over a day is the simulator's business (sim/fairness_test.cc).
#include "sched/tenant_queues.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <optional>

#include "sched/scheduler.h"
#include "sched/testing/dice.h"

namespace quire {
namespace {

// Sequences that do nothing but wait.
class Crowd {
 public:
  explicit Crowd(std::uint32_t lag_max = 1000) : queues(kPolicies[0], lag_max) {}

  Sequence& make(const std::string& tenant, std::uint32_t share = 1, int priority = 0) {
    auto request = std::make_shared<Request>();
    request->tenant = tenant;
    request->tenant_share = share;
    request->priority = priority;
    Sequence& seq = seqs_.emplace_back();
    seq.id = SeqId{++made_};
    seq.arrival = made_;
    seq.request = request;
    seq.tenant = &queues.enter(*request);
    return seq;
  }
  Sequence& come(const std::string& tenant, std::uint32_t share = 1, int priority = 0) {
    Sequence& seq = make(tenant, share, priority);
    queues.add(seq);
    return seq;
  }
  // The next one leaves the queue and is charged for.
  std::string serve(std::uint64_t cost) {
    queues.begin_pass();
    Sequence* seq = queues.next();
    if (seq == nullptr) return "";
    const std::string tenant = seq->request->tenant;
    queues.remove(*seq);
    queues.charge(*seq->tenant, cost);
    queues.leave(*seq->tenant);
    return tenant;
  }
  std::string serve_all(std::uint64_t cost) {
    std::string turns;
    for (std::string tenant; !(tenant = serve(cost)).empty();) turns += tenant;
    return turns;
  }

  TenantQueues queues;

 private:
  std::list<Sequence> seqs_;
  std::uint64_t made_ = 0;
};

TEST(TenantQueues, WhoWasServedLeastIsNext) {
  Crowd crowd;
  for (int i = 0; i < 6; ++i) crowd.come("a");
  for (int i = 0; i < 3; ++i) crowd.come("b");
  EXPECT_EQ(crowd.serve_all(10), "abababaaa");
  EXPECT_TRUE(crowd.queues.check().is_ok());
}

TEST(TenantQueues, AShareIsSoMuchMore) {
  Crowd crowd;
  for (int i = 0; i < 6; ++i) crowd.come("a", 2), crowd.come("b", 1);
  EXPECT_EQ(crowd.serve_all(10).substr(0, 9), "abaabaaba");
}

TEST(TenantQueues, APriorityMovesNobodyPastAnotherTenant) {
  Crowd crowd;
  Sequence& first = crowd.come("a");
  Sequence& second = crowd.come("b");
  Sequence& urgent = crowd.come("b", 1, -100);
  crowd.queues.begin_pass();
  EXPECT_EQ(crowd.queues.next(), &first);
  EXPECT_EQ(crowd.queues.next(), &urgent);  // within its tenant it does
  EXPECT_EQ(crowd.queues.next(), &second);
  EXPECT_EQ(crowd.queues.next(), nullptr);
  EXPECT_FALSE(crowd.queues.displaces(urgent, first));
  EXPECT_TRUE(crowd.queues.displaces(urgent, second));
}

// Whoever comes back after a pause begins where those that waited are; what it had more than they,
// it still has.
TEST(TenantQueues, IdlenessEarnsNothing) {
  Crowd crowd;
  crowd.come("b");
  EXPECT_EQ(crowd.serve(10), "b");
  for (int i = 0; i < 9; ++i) crowd.come("a");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(crowd.serve(100), "a");
  for (int i = 0; i < 4; ++i) crowd.come("b");
  EXPECT_EQ(crowd.serve_all(100), "babababa");
}

TEST(TenantQueues, NobodyWaitsAndIdlenessStillEarnsNothing) {
  Crowd crowd;
  crowd.come("b");
  EXPECT_EQ(crowd.serve(10), "b");
  for (int i = 0; i < 5; ++i) crowd.come("a"), crowd.serve(100);
  for (int i = 0; i < 3; ++i) crowd.come("b"), crowd.come("a");
  EXPECT_EQ(crowd.serve_all(100), "bababa");  // b was lifted to what a has had
}

TEST(TenantQueues, LeavingWithADebtForgivesNothing) {
  Crowd crowd;
  crowd.come("a"), crowd.come("b");
  EXPECT_EQ(crowd.serve(500), "a");
  for (int i = 0; i < 9; ++i) crowd.come("b");
  EXPECT_EQ(crowd.serve(100), "b");
  crowd.come("a");
  EXPECT_EQ(crowd.serve_all(100), "bbbbabbbbb");
}

TEST(TenantQueues, WhoIsFarAheadGivesWayToWhoHoldsLess) {
  Crowd crowd(100);
  Sequence& ahead = crowd.make("a");
  Sequence& ahead_too = crowd.make("a");
  ahead.tenant->running = 2;
  Sequence& behind = crowd.come("b");
  crowd.queues.charge(*ahead.tenant, 100);
  EXPECT_FALSE(crowd.queues.displaces(behind, ahead));
  crowd.queues.charge(*ahead.tenant, 1);
  EXPECT_TRUE(crowd.queues.displaces(behind, ahead));
  EXPECT_TRUE(crowd.queues.gives_way_before(ahead_too, ahead));
  behind.tenant->running = 2;  // it has its share of the rows: they will make up for it
  EXPECT_FALSE(crowd.queues.displaces(behind, ahead));
}

TEST(TenantQueues, IdleTenantsAreForgottenInTime) {
  Crowd crowd;
  for (std::size_t i = 0; i < 3 * TenantQueues::kIdleMax; ++i) {
    crowd.come(std::to_string(i));
    crowd.serve(i % 7);
    ASSERT_TRUE(crowd.queues.check().is_ok());
  }
  crowd.come("a"), crowd.come("b");
  EXPECT_EQ(crowd.serve_all(1), "ab");
}

// The plain twin: a list of tenants with what each was served, searched from the front each time.
struct PlainTenant {
  std::string name;
  std::uint32_t share = 1;
  std::uint64_t served = 0;
  std::vector<Sequence*> waiting;
};

struct PlainQueues {
  std::vector<PlainTenant> tenants;
  std::string waited_last;

  PlainTenant& of(const std::string& name) {
    for (PlainTenant& tenant : tenants) {
      if (tenant.name == name) return tenant;
    }
    return tenants.emplace_back(PlainTenant{.name = name});
  }
  PlainTenant* least() {
    PlainTenant* found = nullptr;
    for (PlainTenant& tenant : tenants) {
      const bool waits = !tenant.waiting.empty();
      if (waits && (found == nullptr || tenant.served < found->served)) found = &tenant;
    }
    return found;
  }
  void add(Sequence& seq) {
    PlainTenant& tenant = of(seq.request->tenant);
    tenant.share = seq.request->tenant_share;
    if (tenant.waiting.empty()) {
      const PlainTenant* floor = least();
      if (floor == nullptr && !waited_last.empty()) floor = &of(waited_last);
      if (floor != nullptr) tenant.served = std::max(tenant.served, floor->served);
    }
    tenant.waiting.push_back(&seq);
    std::sort(tenant.waiting.begin(), tenant.waiting.end(), PolicyOrder{&kPolicies[0]});
  }
  void remove(Sequence& seq) {
    PlainTenant& tenant = of(seq.request->tenant);
    std::erase(tenant.waiting, &seq);
    if (tenant.waiting.empty()) waited_last = tenant.name;
  }
};

TEST(TenantQueues, TwinOfAPlainList) {
  constexpr std::uint64_t kSeed = 5;
  RecordProperty("seed", std::to_string(kSeed));
  Dice dice(kSeed);
  Crowd crowd;
  PlainQueues plain;
  std::vector<Sequence*> waiting;
  for (int i = 0; i < 100'000; ++i) {
    const std::string name(1, static_cast<char>('a' + dice.below(6)));
    const std::uint32_t choice = dice.below(10);
    if (choice < 4 && waiting.size() < 50) {
      Sequence& seq = crowd.make(name, 1 + dice.below(4), static_cast<int>(dice.below(3)));
      plain.of(name);
      crowd.queues.add(seq);
      plain.add(seq);
      waiting.push_back(&seq);
    } else if (choice < 6 && !waiting.empty()) {
      Sequence* seq = waiting[dice.below(static_cast<std::uint32_t>(waiting.size()))];
      std::erase(waiting, seq);
      crowd.queues.remove(*seq);
      crowd.queues.leave(*seq->tenant);
      plain.remove(*seq);
    } else if (!waiting.empty()) {
      crowd.queues.begin_pass();
      Sequence* next = crowd.queues.next();
      PlainTenant* least = plain.least();
      ASSERT_EQ(next, least->waiting.front()) << "seed " << kSeed << ", operation " << i;
      const std::uint64_t cost = dice.below(100);
      crowd.queues.charge(*next->tenant, cost);
      least->served += cost * TenantQueues::kServedUnit / least->share;
    }
    if (i % 64 == 0) {
      ASSERT_TRUE(crowd.queues.check().is_ok());
    }
  }
}

}  // namespace
}  // namespace quire
