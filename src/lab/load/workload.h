// Workload: the requests of a load test, made from a seed: prompts of random words (or token ids)
// with a common beginning and an end of their own, how many tokens each asks for, and when each is
// sent: so many clients one after another (closed loop), or at times drawn from a Poisson process
// (open loop). Pure values; used by bench serve.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/nanos.h"
#include "base/status.h"

namespace quire {

struct WorkloadOptions {
  std::string name = "mixed";
  int requests = 32;
  int clients = 16;    // closed loop: so many at once
  double rate = 0;     // open loop: requests per second; 0: closed loop
  int shared = 0;      // words (or tokens) that all prompts begin with
  int own = 128;       // words (or tokens) of each prompt alone
  int tokens_min = 8;  // generated, uniform in [tokens_min, tokens_max]
  int tokens_max = 128;
  int ids_below = 0;  // > 0: prompts are token ids in [ids_below / 2, ids_below), not words
  std::uint64_t seed = 1;
};

struct LoadRequest {
  std::string text;          // the prompt,
  std::vector<TokenId> ids;  // or its tokens
  int tokens_max = 0;
  Nanos send_at{0};  // after the start; open loop only
};

// "single": one client; "mixed"; "shared": a common prefix; "prefix": the same in token ids, short
// answers. An unknown name is refused with the list.
Result<WorkloadOptions> named_workload(std::string_view name);
std::span<const std::string_view> workload_names();

std::vector<LoadRequest> make_requests(const WorkloadOptions& options);

}  // namespace quire
