#include "serve/ways/safe_parse.h"

#include <spdlog/spdlog.h>

#include <exception>

namespace quire {

Parsed<Call> parse_safely(ParseFunction parse, const DialectContext& context,
                          const http::Request& request) {
  try {
    return parse(context, request);
  } catch (const std::exception& e) {
    spdlog::error("a request could not be read: {}", e.what());
  }
  return ApiError{.status = 500, .message = "The request could not be read.",
                  .type = "server_error"};
}

}  // namespace quire
