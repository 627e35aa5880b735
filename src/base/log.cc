#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace quire {

Status start_log(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off") {
    return error(StatusCode::kInvalidArgument,
                 "log level '{}' is not one of trace, debug, info, warning, error, off", level);
  }
  auto logger = spdlog::get("quire");
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org
  const bool is_plain = no_color != nullptr && *no_color != '\0';
  if (!logger) {
    logger = spdlog::stderr_color_mt(
        "quire", is_plain ? spdlog::color_mode::never : spdlog::color_mode::automatic);
  }
  spdlog::set_default_logger(logger);
  spdlog::set_level(parsed);
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  return ok_status();
}

}  // namespace quire
