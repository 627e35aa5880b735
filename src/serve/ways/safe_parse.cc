#include "serve/ways/safe_parse.h"

#include <spdlog/spdlog.h>

#include <exception>

#include "host/leased_turn.h"

namespace quire {

Parsed<Call> parse_safely(ParseFunction parse, const DialectContext& context,
                          const http::Request& request) {
  QuestionTurns turns;
  try {
    Parsed<Call> parsed = parse(context, request);
    if (!parsed.is_ok()) turns.refuse();
    return parsed;
  } catch (const std::exception& e) {
    turns.refuse();
    spdlog::error("a request could not be read: {}", e.what());
  }
  return ApiError{.status = 500, .message = "The request could not be read.",
                  .type = "server_error"};
}

}  // namespace quire
