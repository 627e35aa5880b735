// Log set-up over spdlog: one line a record on standard error, with the time in milliseconds.
// Include <spdlog/spdlog.h> only in .cc files that log; it is heavy. Called once, by the main
// thread, before others start.
#pragma once

#include <string>

#include "base/status.h"

namespace quire {

// level: trace debug info warning error off
Status start_log(const std::string& level);

}  // namespace quire
