#include "sim/tenant_meter.h"

#include <algorithm>

#include "base/check.h"

namespace quire {

TenantMeter::TenantMeter(const std::vector<std::uint32_t>& shares)
    : tenants_(shares.size()), pairs_(shares.size() * shares.size()) {
  for (std::size_t i = 0; i < shares.size(); ++i) tenants_[i].share = shares[i];
}

void TenantMeter::submit(RequestId id, std::uint32_t tenant, std::uint32_t prompt_tokens) {
  QUIRE_CHECK(tenant < tenants_.size(), "tenant {} of {}", tenant, tenants_.size());
  Asked& asked = asked_[id] = {.tenant = tenant, .prompt_tokens = prompt_tokens};
  wait(asked, true);
}

void TenantMeter::wait(Asked& asked, bool is_waiting) {
  if (asked.is_waiting == is_waiting) return;
  asked.is_waiting = is_waiting;
  tenants_[asked.tenant].waiting += is_waiting ? 1u : -1u;
}

void TenantMeter::take(const StepEvents& step) {
  const auto waits = [](const TenantService& tenant) { return tenant.waiting > 0; };
  const bool is_contended = std::all_of(tenants_.begin(), tenants_.end(), waits);
  const std::vector<TenantService> before = tenants_;
  for (const BranchId& of : step.preempted) {
    const auto asked = asked_.find(of.request);
    if (asked != asked_.end()) wait(asked->second, true);  // else its last row was under way
  }
  for (const RowFact& row : step.rows) book(row);
  for (std::size_t a = 0; a < tenants_.size(); ++a) {
    if (is_contended) tenants_[a].contended += tenants_[a].served() - before[a].served();
    for (std::size_t b = a + 1; b < tenants_.size(); ++b) {
      compare(a, b, pairs_[a * tenants_.size() + b]);
    }
  }
  for (const TokenEvent& event : step.events) {
    if (!event.is_last) continue;
    wait(asked_.at(event.request), false);
    asked_.erase(event.request);
  }
}

void TenantMeter::book(const RowFact& row) {
  Asked& asked = asked_.at(row.of.request);
  TenantService& tenant = tenants_[asked.tenant];
  if (row.is_admission) wait(asked, false);
  const std::uint32_t end = std::min(row.first_position + row.tokens, asked.prompt_tokens);
  const std::uint32_t from = std::max(row.first_position, asked.reached);
  if (end > from) tenant.prompt_tokens += end - from;
  asked.reached = std::max(asked.reached, end);
  tenant.generated_tokens += row.generated;
}

void TenantMeter::compare(std::size_t a, std::size_t b, Pair& pair) {
  if (tenants_[a].waiting == 0 || tenants_[b].waiting == 0) {
    pair.is_contended = false;
    return;
  }
  const auto by_share = [](const TenantService& tenant) {
    return static_cast<double>(tenant.served()) / tenant.share;
  };
  const double ahead = by_share(tenants_[a]) - by_share(tenants_[b]);
  if (!pair.is_contended) pair = {.is_contended = true, .lowest = ahead, .highest = ahead};
  pair.lowest = std::min(pair.lowest, ahead);
  pair.highest = std::max(pair.highest, ahead);
  drift_max_ = std::max(drift_max_, pair.highest - pair.lowest);
}

}  // namespace quire
