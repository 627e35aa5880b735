#include "sched/tenant_queues.h"

#include <algorithm>

#include "base/check.h"

namespace quire {

TenantQueues::TenantQueues(const Policy& policy, std::uint32_t lag_max)
    : policy_(&policy), lag_max_(lag_max * kServedUnit) {}

TenantQueue& TenantQueues::enter(const Request& request) {
  QUIRE_CHECK(request.tenant_share > 0, "request {} has no share", request.id.value);
  const auto [it, is_new] = tenants_.try_emplace(request.tenant, *policy_);
  TenantQueue& tenant = it->second;
  if (is_new) {
    tenant.name = it->first;
    tenant.number = ++numbers_;
  } else if (tenant.sequences == 0) {
    idle_.erase(&tenant);
  }
  tenant.share = request.tenant_share;
  present_ += tenant.sequences++ == 0;
  return tenant;
}

void TenantQueues::leave(TenantQueue& tenant) {
  QUIRE_CHECK(tenant.sequences > 0, "a sequence leaves tenant {}, who has none", tenant.number);
  if (--tenant.sequences > 0) return;
  --present_;
  idle_.insert(&tenant);
  if (idle_.size() > kIdleMax) forget_one();
}

// The one that was served least: a lift would make up for what is forgotten soonest.
void TenantQueues::forget_one() {
  const TenantQueue* tenant = *idle_.begin();
  idle_.erase(idle_.begin());
  if (waited_last_ == tenant) {
    floor_ = tenant->served;
    waited_last_ = nullptr;
  }
  tenants_.erase(tenants_.find(tenant->name));
}

// Where a tenant begins that has had nobody waiting.
std::uint64_t TenantQueues::floor() const {
  if (!order_.empty()) return (*order_.begin())->served;
  return waited_last_ != nullptr ? waited_last_->served : floor_;
}

void TenantQueues::add(Sequence& seq) {
  TenantQueue& tenant = *seq.tenant;
  if (tenant.waiting.empty()) {
    tenant.served = std::max(tenant.served, floor());
    order_.insert(&tenant);
  }
  const bool is_new = tenant.waiting.insert(&seq).second;
  QUIRE_CHECK(is_new, "sequence {} waits already", seq.id.value);
  ++waiting_;
}

void TenantQueues::remove(Sequence& seq) {
  TenantQueue& tenant = *seq.tenant;
  const std::size_t removed = tenant.waiting.erase(&seq);
  QUIRE_CHECK(removed == 1, "sequence {} does not wait", seq.id.value);
  --waiting_;
  if (!tenant.waiting.empty()) return;
  order_.erase(&tenant);
  waited_last_ = &tenant;
}

std::uint32_t TenantQueues::requests_waiting(std::string_view tenant) const {
  const auto it = tenants_.find(tenant);
  return it == tenants_.end() ? 0 : it->second.requests_waiting;
}

Sequence* TenantQueues::next(const TenantQueue* rival) {
  for (TenantQueue* tenant : order_) {
    if (rival != nullptr && !LeastServed{}(tenant, rival)) return nullptr;
    if (tenant->pass != pass_) {
      tenant->pass = pass_;
      tenant->next = tenant->waiting.begin();
    }
    if (tenant->next != tenant->waiting.end()) return *tenant->next++;
  }
  return nullptr;
}

void TenantQueues::charge(TenantQueue& tenant, std::uint64_t cost) {
  if (cost == 0) return;
  auto place = order_.extract(&tenant);  // its node goes back: nothing is allocated
  tenant.served += cost * kServedUnit / tenant.share;
  if (!place.empty()) order_.insert(std::move(place));
}

bool TenantQueues::is_served_before(const Sequence& a, const Sequence& b) const {
  return a.tenant == b.tenant ? policy_->is_served_before(a, b)
                              : LeastServed{}(a.tenant, b.tenant);
}

bool TenantQueues::gives_way_before(const Sequence& a, const Sequence& b) const {
  return a.tenant == b.tenant ? policy_->gives_way_before(a, b)
                              : LeastServed{}(b.tenant, a.tenant);
}

bool TenantQueues::displaces(const Sequence& waiting, const Sequence& running) const {
  const TenantQueue& behind = *waiting.tenant;
  const TenantQueue& ahead = *running.tenant;
  if (&behind == &ahead) return policy_->displaces(waiting, running);
  const bool holds_less = static_cast<std::uint64_t>(behind.running) * ahead.share <
                          static_cast<std::uint64_t>(ahead.running) * behind.share;
  return holds_less && behind.served + lag_max_ < ahead.served;
}

Status TenantQueues::check() const {
  std::uint32_t waiting = 0, present = 0;
  std::size_t waiting_tenants = 0;
  for (const auto& [name, tenant] : tenants_) {
    const auto here = static_cast<std::uint32_t>(tenant.waiting.size());
    waiting += here;
    present += tenant.sequences > 0;
    waiting_tenants += here > 0;
    if (here + tenant.running > tenant.sequences || tenant.requests_waiting > here) {
      return error(StatusCode::kInternal, "tenant {}: {} sequences, {} waiting, {} running, {} new",
                   tenant.number, tenant.sequences, here, tenant.running, tenant.requests_waiting);
    }
  }
  const bool is_sorted = std::is_sorted(order_.begin(), order_.end(), LeastServed{});
  if (waiting != waiting_ || present != present_ || waiting_tenants != order_.size() ||
      present + idle_.size() != tenants_.size() || !is_sorted) {
    return error(StatusCode::kInternal, "{} tenants, {} here, {} idle, {} with {} that wait",
                 tenants_.size(), present, idle_.size(), order_.size(), waiting);
  }
  return ok_status();
}

}  // namespace quire
