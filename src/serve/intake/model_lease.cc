#include "serve/intake/model_lease.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "host/served_names.h"
#include "serve/intake/names/model_names.h"

namespace quire {
namespace {

bool may_come(const ModelSource& source, std::string_view name) {
  return source.catalog != nullptr && source.catalog->is_on_demand() && !name.empty() &&
         name.size() <= kModelNameSizeMax;
}

// A model that the store lists and that cannot be served is not unknown: why.
ApiError not_found_or_why(const ModelSource& source, const std::string& name) {
  if (!may_come(source, name)) return model_not_found(name);
  const std::vector<std::string> known = source.catalog->names();
  if (std::find(known.begin(), known.end(), name) == known.end()) return model_not_found(name);
  const Status reason = source.catalog->look(name).status();
  if (reason.is_ok() || reason.code() == StatusCode::kNotFound) return model_not_found(name);
  const bool is_refusal = reason.code() == StatusCode::kUnsupported;
  return {.status = is_refusal ? 400 : 500,
          .message = fmt::format("The model '{}' cannot be served: {}", name, reason.message()),
          .type = is_refusal ? "invalid_request_error" : "server_error",
          .param = "model",
          .code = "model_not_usable"};
}

}  // namespace

ApiError model_not_found(std::string_view name) {
  return {.status = 404,
          .message = fmt::format("The model `{}` does not exist or you do not have access to it.",
                                 name.size() <= kModelNameSizeMax ? name : "(a very long name)"),
          .param = "model",
          .code = "model_not_found"};
}

// Two may meet here with one name: the second finds what the first has added.
std::optional<ModelHost::ModelIndex> find_served(const ModelSource& source,
                                                 std::string_view name) {
  if (may_come(source, name) && !source.host->has_name(name) &&
      source.catalog->has(std::string(name))) {
    auto recipe = source.catalog->recipe(std::string(name), {std::string(name)}, {});
    if (recipe.is_ok()) static_cast<void>(source.host->add(std::move(*recipe)).is_ok());
  }
  return source.host->find(name);
}

Parsed<ModelLease> lease_model(const ModelSource& source, std::string_view written) {
  const std::string name = meant_model(source, written);
  const auto model = find_served(source, name);
  if (!model) return not_found_or_why(source, name);
  Result<ModelLease> lease = source.host->lease(name);
  if (lease.is_ok()) return std::move(*lease);
  const ModelLease& waited_for = source.waited_for;
  if (waited_for && waited_for->name() == source.host->name(*model)) return waited_for;
  if (lease.status().code() == StatusCode::kNotFound) return model_not_found(written);
  ApiError error = model_unavailable(lease.status(), whole_seconds(source.host->retry_in(*model)));
  if (lease.status().code() == StatusCode::kUnavailable) error.awaited_model = name;
  return error;
}

Parsed<ModelLease> lease_model_or_only(const ModelSource& source, std::string_view name) {
  const auto only = name.empty() ? only_served_name(*source.host) : std::nullopt;
  return lease_model(source, only ? *only : name);
}

}  // namespace quire
