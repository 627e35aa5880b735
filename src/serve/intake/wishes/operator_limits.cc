#include "serve/intake/wishes/operator_limits.h"

#include <fmt/format.h>

#include <cstdint>

namespace quire {
namespace {

ApiError validation(std::string field, std::string message) {
  return {.status = 422,
          .message = std::move(message),
          .type = "validation",
          .param = std::move(field),
          .code = "operator_limit"};
}

// 0: it is none.
std::int64_t number_in(const Json& body, const char* name) {
  const Json* value = body.find(name);
  return value != nullptr && value->is_int() ? value->as_int() : 0;
}

}  // namespace

std::optional<ApiError> refuse_beyond(const ClientLimits& limits, const Json& body,
                                      const std::optional<AskedGrammar>& grammar) {
  const Json* stop = body.find("stop");
  std::int64_t stops = 0;
  if (stop != nullptr && stop->is_string()) stops = 1;
  if (stop != nullptr && stop->is_array()) {
    stops = static_cast<std::int64_t>(stop->items().size());
  }
  if (limits.said.stop_sequences && stops > limits.stop_sequences_max) {
    return validation("stop", fmt::format("`stop` supports up to {} stop sequences. Given: {}",
                                          limits.stop_sequences_max, stops));
  }
  const std::int64_t best_of = number_in(body, "best_of");
  if (limits.said.best_of && best_of > limits.best_of_max) {
    return validation("best_of", fmt::format("`best_of` must be > 0 and <= {}. Given: {}",
                                             limits.best_of_max, best_of));
  }
  for (const char* name : {"top_logprobs", "logprobs"}) {
    const std::int64_t top = number_in(body, name);
    if (!limits.said.top_n_tokens || top <= limits.top_n_tokens_max) continue;
    return validation(name, fmt::format("`{}` must be >= 0 and <= {}. Given: {}", name,
                                        limits.top_n_tokens_max, top));
  }
  if (!limits.has_grammars && grammar) {
    return validation(grammar->field, "grammar is not supported");
  }
  return std::nullopt;
}

std::optional<ApiError> refuse_batch(const ClientLimits& limits, std::size_t prompts) {
  if (!limits.said.batch_size || prompts <= static_cast<std::size_t>(limits.batch_size_max)) {
    return std::nullopt;
  }
  return ApiError{.status = 422,
                  .message = fmt::format("Number of prompts exceeds the maximum allowed batch size "
                                         "of {}", limits.batch_size_max),
                  .type = "batch size exceeded",
                  .param = "prompt",
                  .code = "operator_limit"};
}

std::optional<ApiError> refuse_input(const ClientLimits& limits, std::size_t tokens,
                                     const std::string& field) {
  const bool is_bounded = limits.input_tokens_max > 0;
  if (!is_bounded || tokens <= static_cast<std::size_t>(limits.input_tokens_max)) {
    return std::nullopt;
  }
  return validation(field, fmt::format("`{}` must have less than {} tokens. Given: {}", field,
                                       limits.input_tokens_max, tokens));
}

}  // namespace quire
