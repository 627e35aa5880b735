#include "serve/intake/model_lease.h"

#include <fmt/format.h>

namespace quire {

ApiError model_not_found(std::string_view name) {
  return {.status = 404,
          .message = fmt::format("The model `{}` does not exist or you do not have access to it.",
                                 name.size() <= kModelNameSizeMax ? name : "(a very long name)"),
          .param = "model",
          .code = "model_not_found"};
}

Parsed<ModelLease> lease_model(const ModelSource& source, std::string_view name) {
  const auto model = source.host->find(name);
  if (!model) return model_not_found(name);
  const ModelLease& waited_for = source.waited_for;
  const bool is_here = waited_for && waited_for->name() == source.host->names(*model).front();
  if (is_here) return waited_for;
  Result<ModelLease> lease = source.host->lease(*model);
  if (lease.is_ok()) return std::move(*lease);
  ApiError error = model_unavailable(lease.status(), whole_seconds(source.host->retry_in(*model)));
  if (lease.status().code() == StatusCode::kUnavailable) error.awaited_model = name;
  return error;
}

Parsed<ModelLease> lease_model_or_only(const ModelSource& source, std::string_view name) {
  const bool is_only = name.empty() && source.host->size() == 1;
  return lease_model(source, is_only ? source.host->names(0).front() : name);
}

}  // namespace quire
