#include "host/repository/model_repository.h"

namespace quire {

std::string_view version_state_name(VersionState state) {
  switch (state) {
    case VersionState::kReady: return "READY";
    case VersionState::kUnavailable: return "UNAVAILABLE";
    case VersionState::kLoading: return "LOADING";
    case VersionState::kUnloading: return "UNLOADING";
    case VersionState::kUnknown: break;
  }
  return "UNKNOWN";
}

}  // namespace quire
