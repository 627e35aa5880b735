#include "serve/ways/engine_entry.h"

#include <utility>

#include "engine/engine.h"

namespace quire {
namespace {

EnteredRequest entered(const Request& request) {
  if (request.is_pooled) return {.choices = request.n, .tokens_max = {}};
  return {.choices = request.n, .tokens_max = request.params.tokens_max};
}

}  // namespace

Result<EnteredRequest> enter(const HostedModel& model, Request request, bool waits_if_full) {
  const EnteredRequest it = entered(request);
  const RequestId id = request.id;
  if (model.tap != nullptr) model.tap->submitted(request);
  const Status status = model.engine->submit(std::move(request));
  if (status.is_ok()) return it;
  const bool comes_again = waits_if_full && status.code() == StatusCode::kResourceExhausted;
  if (model.tap != nullptr) model.tap->refused(id, comes_again);
  return status;
}

Result<std::vector<EnteredRequest>> enter_together(const HostedModel& model,
                                                   std::span<Request> requests) {
  std::vector<EnteredRequest> all;
  std::vector<RequestId> ids;
  std::vector<Request> together;
  for (Request& request : requests) {
    all.push_back(entered(request));
    ids.push_back(request.id);
    if (model.tap != nullptr) model.tap->submitted(request);
    together.push_back(std::move(request));
  }
  const Status status = model.engine->submit_all(std::move(together));
  if (status.is_ok()) return all;
  for (const RequestId id : ids) {
    if (model.tap != nullptr) model.tap->refused(id, false);
  }
  return status;
}

}  // namespace quire
