// What the OpenAI-shaped generation endpoints share: the body as JSON, the model, sampling
// parameters with vLLM's extras, streaming options, the fields that are known but not delivered,
// and the shape of errors. Pure; worker threads. Used by openai_chat and openai_completions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/call.h"
#include "serve/fields.h"

namespace quire {

inline constexpr std::int64_t kLogprobsMax = 20;
inline constexpr std::size_t kNameSizeMax = 128;       // bytes of a model name that can exist
inline constexpr std::size_t kUserSizeMax = 1024;      // bytes
inline constexpr std::int64_t kChoicesMax = 128;       // n

// Read for every generation request, whichever endpoint.
struct OpenAiRequest {
  ModelLease model;
  SamplingParams params;                   // but for tokens_max and log-probabilities
  std::optional<std::int64_t> tokens_max;  // as asked
  int n = 1;
  int priority = 0;
  std::string cache_salt;
  bool is_stream = false;
  bool include_usage = false;      // a last chunk with usage
  bool continuous_usage = false;   // usage in every chunk
  bool return_token_ids = false;
  bool tokens_as_ids = false;      // log-probabilities name tokens "token_id:N"
  std::optional<bool> add_special_tokens;
  std::vector<std::string> warnings;  // unknown fields that were accepted
};

// The body as a JSON value. Refuses what is no JSON, naming the field where that is possible.
Parsed<Json> read_body(const http::Request& request);

// Mistakes go to fields.error(). Without a model (unknown, missing) the result has none.
OpenAiRequest read_openai_request(Fields& fields, const DialectContext& context);

// The last question of a parser: what nobody read is an error, or a warning where that is allowed.
void refuse_unknown(Fields& fields, const DialectContext& context, OpenAiRequest& request);

// Request number `index` of the call, all but prompt and what the caller sets in `params`.
Request make_request(const OpenAiRequest& request, const DialectContext& context,
                     std::vector<TokenId> prompt);

http::Response render_openai_error(const ApiError& error);
std::string openai_error_body(const ApiError& error);
ApiError model_not_found(std::string_view name);

// The model of that name, or why there is none now: unknown, failed to load, or to be awaited.
Parsed<ModelLease> lease_model(const DialectContext& context, std::string_view name);

}  // namespace quire
