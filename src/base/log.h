// Log set-up over spdlog: one line a record on standard error. Include <spdlog/spdlog.h> only in
// .cc files that log; it is heavy.
#pragma once

#include <string>

#include "base/status.h"

namespace quire {

// level: trace debug info warning error off
Status start_log(const std::string& level);

}  // namespace quire
