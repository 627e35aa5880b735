// Leases: from the name that a client wrote to the model itself, or to why there is none now:
// unknown, failed to load, or to be awaited (then the same request is read again when the model is
// there). What the store has is served on demand where the operator wishes so.
// Any thread. Used by dialects.
#pragma once

#include <optional>
#include <string_view>

#include "host/model_catalog.h"
#include "host/model_host.h"
#include "serve/intake/api_error.h"

namespace quire {

inline constexpr std::size_t kModelNameSizeMax = 128;  // bytes of a model name that can exist

// Who may be asked for a model.
struct ModelSource {
  ModelHost* host = nullptr;
  ModelLease waited_for;  // the model that this request has waited for, if it has
  const ModelCatalog* catalog = nullptr;  // null: nothing is served on demand
};

ApiError model_not_found(std::string_view name);

// The model of that name, which may have been added from the store just now.
std::optional<ModelHost::ModelIndex> find_served(const ModelSource& source, std::string_view name);

Parsed<ModelLease> lease_model(const ModelSource& source, std::string_view name);

// As above; an empty name means the only model where one is served.
Parsed<ModelLease> lease_model_or_only(const ModelSource& source, std::string_view name);

}  // namespace quire
