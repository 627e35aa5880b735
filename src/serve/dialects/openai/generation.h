// What the OpenAI-shaped generation endpoints share: the model, sampling parameters with vLLM's
// extras, streaming options and the fields that are known but not delivered.
// Pure; worker threads. Used by chat and completions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/call.h"
#include "serve/intake/constraint.h"
#include "serve/intake/fields.h"
#include "serve/intake/generation.h"

namespace quire {

inline constexpr std::int64_t kLogprobsMax = 20;
inline constexpr std::size_t kUserSizeMax = 1024;      // bytes
inline constexpr std::int64_t kChoicesMax = 128;       // n

// Read for every generation request, whichever endpoint.
struct OpenAiRequest : Generation {
  bool is_stream = false;
  bool include_usage = false;      // a last chunk with usage
  bool continuous_usage = false;   // usage in every chunk
  std::size_t stream_interval = 1;  // tokens of a choice in a chunk, at least
  std::string service_tier;         // that is used; empty: the client did not ask
  std::string request_id;           // a part of the answer's id; empty: chance
  std::optional<std::int64_t> prompt_tokens_max;  // a longer prompt is cut; -1: to what fits
  bool truncates_end = false;                     // cut at its end
  bool return_token_ids = false;
  bool tokens_as_ids = false;      // log-probabilities name tokens "token_id:N"
  std::optional<bool> add_special_tokens;
  std::optional<AskedGrammar> grammar;  // of its answers; the call takes it
};

// Mistakes go to fields.error(). Without a model (unknown, missing) the result has none.
OpenAiRequest read_openai_request(Fields& fields, const DialectContext& context);

// Cuts a prompt where the request allows that. How many tokens are gone.
Parsed<int> truncate_prompt(const OpenAiRequest& request, std::vector<TokenId>& ids);

// What nobody read is an error, or a warning where that is allowed.
void refuse_unknown(Fields& fields, const DialectContext& context, OpenAiRequest& request);

}  // namespace quire
