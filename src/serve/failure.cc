#include "serve/failure.h"

namespace quire {

ApiError failure_of(const TokenEvent& event) {
  ApiError error{.status = 500, .message = event.message, .type = "server_error"};
  if (event.finish == FinishReason::kDeadline) {
    error = {.status = 503, .message = event.message,
             .type = "service_unavailable_error", .code = "deadline_exceeded"};
  } else if (event.finish == FinishReason::kCancelled) {
    error = {.status = 503, .message = "The request was cancelled by the server.",
             .type = "service_unavailable_error", .code = "cancelled"};
  } else if (event.finish == FinishReason::kNonFinite) {
    error.code = "numeric_error";
  } else if (event.finish == FinishReason::kNothingAllowed) {
    error = {.status = 400, .message = event.message, .type = "invalid_request_error",
             .code = "nothing_allowed"};
  } else if (event.finish == FinishReason::kGrammarLimit) {
    error = {.status = 400,
             .message = "The answer came to a place where its grammar is too costly: " +
                        event.message,
             .type = "invalid_request_error", .code = "grammar_limit"};
  }
  if (error.message.empty()) error.message = "The model failed.";
  return error;
}

bool is_failure(FinishReason reason) {
  return reason != FinishReason::kNone && reason != FinishReason::kStop &&
         reason != FinishReason::kLength && reason != FinishReason::kRepetition;
}

}  // namespace quire
