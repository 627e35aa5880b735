// Traffic: what becomes of a model's requests among its versions: shares, mirrored requests and
// what they tell, the canary and its end. VersionTap is the ear at one version: it hears of every
// request that the version's engine gets, and every step; what it hears goes to the Traffic that it
// follows, if any. Requests that are mirrored have ids of their own, and their events go nowhere
// else.
//
// Times are those that executors tell of steps, so that a virtual clock makes virtual times.
// Bounds: kRecordsMax requests under way are measured, more go by unmeasured; kMirrorsMax mirrors
// are under way, and what comes meanwhile is not mirrored.
// Any thread: submitted() on the I/O thread, heard() on engines' threads. Neither waits.
// Used by folder_repository.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/model_host.h"
#include "host/repository/canary.h"
#include "host/repository/traffic_plan.h"
#include "host/repository/traffic_rows.h"

namespace quire {

class Traffic {
 public:
  static constexpr std::size_t kRecordsMax = 65'536;
  static constexpr std::size_t kMirrorsMax = 64;  // at once: they wait in the queues of others
  static constexpr std::uint64_t kFirstId = std::uint64_t{1} << 62;  // of mirrored requests

  // `models`: of the versions that the plan names. Call apply() once they serve.
  Traffic(std::string name, TrafficPlan plan, std::map<std::uint64_t, ModelHost::ModelIndex> models,
          ModelHost& host, CanaryMemory memory = {});

  void apply();  // the shares of now, and who has the name
  void end();    // nothing is mirrored any more, no lease held, no share given

  void submitted(std::uint64_t version, const Request& request);
  void refused(RequestId request, bool comes_again = false);
  // Takes the mirrored requests' events out.
  void heard(std::uint64_t version, StepEvents& step);

  std::uint64_t main() const;  // the version that the bare name means
  std::vector<TrafficRow> rows() const;

 private:
  struct Sums {
    std::uint64_t requests = 0, ended = 0, failed = 0;
    std::uint64_t mirrored = 0, compared = 0, different = 0, mirrors_failed = 0;
    double time_s = 0;
    std::uint64_t tokens = 0;
  };
  struct Record {
    std::uint64_t version = 0;
    bool is_mirror = false;
    bool is_over = false;
    bool failed = false;
    bool is_cut = false;      // whoever asked has left
    bool is_crowded = false;  // it was to be mirrored, and there was no room for that
    bool is_missed = false;   // its mirror came to nothing
    bool is_pooled = false;   // what it reads is counted, since it generates nothing
    std::uint64_t other = 0;  // the request that it is compared with; 0: none
    double time_s = 0;
    std::uint64_t tokens = 0;
    std::map<int, std::vector<TokenId>> said;  // by each branch, where it is compared
    std::vector<float> vectors;                // the same of vectors
    ModelLease lease;           // of the version that answers a mirror
  };
  using Records = std::unordered_map<std::uint64_t, Record>;

  // What is done when the lock is given back.
  struct Leavings {
    std::vector<ModelLease> leases;
    std::vector<std::pair<ModelLease, RequestId>> useless;  // mirrors of nobody's requests
    void clear();
  };

  // Under the lock.
  std::optional<std::uint64_t> mirror_for(std::uint64_t version, const Request& request);
  bool is_new(const Record& record) const;  // of the canary's own requests
  void hear(Record& record, const TokenEvent& event);
  void finish(Records::iterator ended, Leavings& leavings);
  void compare(Records::iterator one, Leavings& leavings);
  void judge(const Record& record);
  void drop_pair(std::uint64_t id, Leavings& leavings);

  const std::string name_;
  const TrafficPlan plan_;  // whose versions are all among `models`
  const std::map<std::uint64_t, ModelHost::ModelIndex> models_;
  ModelHost* const host_;

  std::mutex apply_mutex_;  // before mutex_
  mutable std::mutex mutex_;
  const std::function<void(const Canary::Mark&)> keep_;
  Canary::Mark kept_;  // that keep_ was told last
  std::optional<Canary> canary_;
  std::map<std::uint64_t, Sums> sums_;
  Records records_;
  std::size_t mirrors_ = 0;  // that are under way
  std::uint32_t mirror_credit_ = 0;  // of a hundred
  std::uint32_t shown_percent_ = 101;  // what the host was told last
  Canary::State shown_state_ = Canary::State::kRunning;
  bool is_ended_ = false;
};

class VersionTap final : public TrafficTap {
 public:
  explicit VersionTap(std::uint64_t version) : version_(version) {}

  // Null: nobody. Any thread.
  void follow(std::shared_ptr<Traffic> traffic);

  ModelRecipe wrap(ModelRecipe recipe, std::shared_ptr<VersionTap> self) const;

  void submitted(const Request& request) override;
  void refused(RequestId request, bool comes_again) override;
  void heard(StepEvents& step);

 private:
  std::shared_ptr<Traffic> traffic() const;

  const std::uint64_t version_;
  mutable std::mutex mutex_;
  std::shared_ptr<Traffic> traffic_;
};

}  // namespace quire
