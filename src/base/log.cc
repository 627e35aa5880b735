#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace quire {

Status start_log(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off") {
    return error(StatusCode::kInvalidArgument,
                 "log level '{}' is not one of trace, debug, info, warning, error, off", level);
  }
  auto logger = spdlog::get("quire");
  if (!logger) logger = spdlog::stderr_color_mt("quire");
  spdlog::set_default_logger(logger);
  spdlog::set_level(parsed);
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  return ok_status();
}

}  // namespace quire
