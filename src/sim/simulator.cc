#include "sim/simulator.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "engine/engine_core.h"
#include "sim/sim_executor.h"
#include "sim/tenant_meter.h"

namespace quire {
namespace {

constexpr std::size_t kTenantsMax = 64;  // the meter compares each with each

Status check_tenants(const SimOptions& options) {
  const std::size_t tenants = options.tenant_rates.size();
  if (tenants == 0 || tenants > kTenantsMax) {
    return error(StatusCode::kInvalidArgument, "{} tenant rates: 1 to {} are possible", tenants,
                 kTenantsMax);
  }
  if (!options.tenant_shares.empty() && options.tenant_shares.size() != tenants) {
    return error(StatusCode::kInvalidArgument, "{} tenant shares for {} tenants",
                 options.tenant_shares.size(), tenants);
  }
  for (const double rate : options.tenant_rates) {
    if (!(rate > 0)) return error(StatusCode::kInvalidArgument, "a tenant's rate is {}", rate);
  }
  for (const std::uint32_t share : options.tenant_shares) {
    if (share >= 1 && share <= Request::kTenantShareMax) continue;
    return error(StatusCode::kInvalidArgument, "a tenant's share is {}; it must be 1 to {}", share,
                 Request::kTenantShareMax);
  }
  return ok_status();
}

Status check_options(const SimOptions& options) {
  const auto refused = [](const char* what) { return Status(StatusCode::kInvalidArgument, what); };
  if (options.kv_blocks == 0) return refused("kv_blocks is 0");
  if (options.block_tokens == 0) return refused("block_tokens is 0");
  if (options.context_max < 2) return refused("context_max is below 2");
  if (options.vocab == 0) return refused("vocab is 0");
  if (options.depth == 0 || options.depth > 16) return refused("depth is not 1 to 16");
  if (options.engine.scheduler.rows_max == 0) return refused("rows_max is 0");
  if (options.engine.scheduler.tokens_max == 0) return refused("tokens_max is 0");
  if (!(options.synthetic.requests_per_second > 0)) return refused("no requests per second");
  if (!(options.trace.time_scale > 0) || !(options.trace.length_scale > 0)) {
    return refused("a scale is not above 0");
  }
  return check_tenants(options);
}

std::vector<std::uint32_t> shares_of(const SimOptions& options) {
  const std::size_t tenants = options.tenant_rates.size();
  return options.tenant_shares.empty() ? std::vector<std::uint32_t>(tenants, 1)
                                       : options.tenant_shares;
}

Capacity capacity_of(const SimOptions& options) {
  Capacity capacity;
  capacity.groups = {
      {.layers = 1, .block_tokens = options.block_tokens, .blocks = options.kv_blocks + 1}};
  capacity.rows_max = options.engine.scheduler.rows_max;
  capacity.tokens_max = options.engine.scheduler.tokens_max;
  capacity.logits_rows_max = std::max(capacity.rows_max, 1u);
  capacity.context_max = options.context_max;
  capacity.vocab = options.vocab;
  capacity.depth = options.depth;
  return capacity;
}

class Simulation {
 public:
  Simulation(const SimOptions& options, Workload workload)
      : options_(options),
        workload_(std::move(workload)),
        shares_(shares_of(options)),
        executor_(capacity_of(options), options.cost),
        core_(options.engine, executor_, nullptr),
        meter_(shares_),
        tenant_first_tokens_(shares_.size()) {
    report_.tenants.resize(shares_.size());
  }

  SimReport run() {
    while (next_ < workload_.arrivals.size() || core_.has_work()) {
      if (!core_.has_work()) now_ = std::max(now_, workload_.arrivals[next_].at);
      let_in();
      if (core_.has_work()) turn();
    }
    return report();
  }

 private:
  struct Client {
    Nanos came_at{0};
    Nanos last_token_at{0};
    std::uint32_t tenant = 0;
    bool has_token = false;
  };

  // Everybody who has come by now.
  void let_in() {
    for (; next_ < workload_.arrivals.size() && workload_.arrivals[next_].at <= now_; ++next_) {
      const SimArrival& arrival = workload_.arrivals[next_];
      Request request;
      request.id = RequestId{next_ + 1};
      request.prompt = prompt_of(arrival, options_.vocab);
      request.params.tokens_max = static_cast<int>(std::max(1u, arrival.answer_tokens));
      request.params.seed = mix64(options_.seed) + next_;
      request.params.ignore_eos = true;
      if (shares_.size() > 1 && options_.is_telling_tenants) {
        request.tenant = "t" + std::to_string(arrival.tenant);
        request.tenant_share = shares_[arrival.tenant];
      }
      ++report_.tenants[arrival.tenant].requests;
      const RequestId id = request.id;
      if (core_.submit(std::move(request)).is_ok()) {
        clients_[id] = {.came_at = arrival.at, .tenant = arrival.tenant};
        meter_.submit(id, arrival.tenant, arrival.prompt_tokens);
      } else {
        ++report_.refused;
      }
    }
  }

  void turn() {
    executor_.set_now(now_);
    const StepEvents events = core_.advance(now_);
    meter_.take(events);
    if (events.rows.empty()) return;
    now_ = std::max(now_, executor_.finished_at());
    rows_ += events.rows.size();
    ++steps_;
    const double referenced = static_cast<double>(events.stats.blocks_referenced) /
                              static_cast<double>(events.stats.blocks_total);
    referenced_ += referenced;
    report_.blocks_referenced_max = std::max(report_.blocks_referenced_max, referenced);
    for (const TokenEvent& event : events.events) take(event);
  }

  void take(const TokenEvent& event) {
    Client& client = clients_.at(event.request);
    if (!event.accepted.empty()) {
      if (client.has_token) {
        gaps_.push_back(now_ - client.last_token_at);
      } else {
        first_tokens_.push_back(now_ - client.came_at);
        tenant_first_tokens_[client.tenant].push_back(now_ - client.came_at);
      }
      client.has_token = true;
      client.last_token_at = now_;
    }
    if (!event.is_last) return;
    ++report_.finished;
    ++report_.tenants[client.tenant].finished;
    report_.tenants[client.tenant].finished_at = now_;
    request_times_.push_back(now_ - client.came_at);
    clients_.erase(event.request);
  }

  SimReport report() {
    const EngineStats stats = core_.stats();
    QUIRE_CHECK(clients_.empty() &&
                    report_.finished + report_.refused == workload_.arrivals.size(),
                "{} clients wait; {} finished and {} refused of {}", clients_.size(),
                report_.finished, report_.refused, workload_.arrivals.size());
    QUIRE_CHECK(stats.blocks_referenced == 0, "{} blocks are owned when nobody is left",
                stats.blocks_referenced);
    report_.workload = workload_.name;
    report_.requests = workload_.arrivals.size();
    report_.elapsed = now_;
    report_.steps = stats.steps;
    report_.prompt_tokens = stats.prompt_tokens;
    report_.generated_tokens = stats.generated_tokens;
    report_.computed_tokens = stats.computed_tokens;
    report_.prefix_cached_tokens = stats.prefix_cached_tokens;
    report_.preemptions = stats.preemptions;
    report_.time_to_first_token = quantiles_of(std::move(first_tokens_));
    report_.inter_token_latency = quantiles_of(std::move(gaps_));
    report_.request_time = quantiles_of(std::move(request_times_));
    const double steps = static_cast<double>(std::max<std::uint64_t>(steps_, 1));
    report_.rows_mean = static_cast<double>(rows_) / steps;
    report_.blocks_referenced_mean = referenced_ / steps;
    report_.plans_hash = executor_.plans_hash();
    report_tenants();
    return report_;
  }

  void report_tenants() {
    report_.drift_max = meter_.drift_max();
    for (std::size_t i = 0; i < report_.tenants.size(); ++i) {
      const TenantService& service = meter_.tenants()[i];
      TenantReport& tenant = report_.tenants[i];
      tenant.share = service.share;
      tenant.prompt_tokens = service.prompt_tokens;
      tenant.generated_tokens = service.generated_tokens;
      tenant.contended = service.contended;
      tenant.time_to_first_token = quantiles_of(std::move(tenant_first_tokens_[i]));
    }
  }

  const SimOptions& options_;
  Workload workload_;
  std::vector<std::uint32_t> shares_;  // [tenants]
  SimExecutor executor_;
  EngineCore core_;
  TenantMeter meter_;
  std::size_t next_ = 0;
  Nanos now_{0};
  std::map<RequestId, Client> clients_;
  std::vector<Nanos> first_tokens_, gaps_, request_times_;
  std::vector<std::vector<Nanos>> tenant_first_tokens_;  // [tenants]
  std::uint64_t rows_ = 0, steps_ = 0;
  double referenced_ = 0;
  SimReport report_;
};

}  // namespace

Result<SimReport> simulate(const SimOptions& options) {
  QUIRE_RETURN_IF_ERROR(check_options(options));
  Workload workload;
  if (options.trace_path.empty()) {
    workload = make_workload(options.synthetic, options.seed);
  } else {
    QUIRE_ASSIGN_OR_RETURN(workload, read_trace(options.trace_path, options.trace));
  }
  assign_tenants(workload, options.tenant_rates, options.seed);
  return simulate(options, std::move(workload));
}

Result<SimReport> simulate(const SimOptions& options, Workload workload) {
  QUIRE_RETURN_IF_ERROR(check_options(options));
  for (const SimArrival& arrival : workload.arrivals) {
    if (arrival.tenant < options.tenant_rates.size()) continue;
    return error(StatusCode::kInvalidArgument, "a request is of tenant {}; there are {}",
                 arrival.tenant, options.tenant_rates.size());
  }
  return Simulation(options, std::move(workload)).run();
}

}  // namespace quire
