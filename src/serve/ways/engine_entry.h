// The way of a call's requests into the engine of its model, past whoever listens there (its tap).
// What was refused never was: the tap is told so.
// I/O thread; used by Service.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "core/request.h"
#include "host/hosted_model.h"

namespace quire {

// What is counted of a request that the engine has taken.
struct EnteredRequest {
  int choices = 0;
  std::optional<int> tokens_max;  // absent: it generates nothing
};

// As Engine::submit. `waits_if_full`: it comes again where the queue is full.
Result<EnteredRequest> enter(const HostedModel& model, Request request, bool waits_if_full);

// As Engine::submit_all; they are moved from.
Result<std::vector<EnteredRequest>> enter_together(const HostedModel& model,
                                                   std::span<Request> requests);

}  // namespace quire
