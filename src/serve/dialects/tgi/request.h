// A generate request of TGI as values: `inputs`, `parameters` and `stream`, checked in TGI's words.
// A default is TGI's, not the model's: without `do_sample` and without any value that draws, the
// likeliest token is taken. What it does not know it names in a warning.
// Pure; worker threads. Used by generate and tokenize.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/call.h"
#include "serve/intake/constraint.h"
#include "serve/intake/client_limits.h"
#include "serve/intake/generation.h"

namespace quire {

// What is allowed, of a model.
struct TgiBounds {
  ClientLimits limits;
  std::int64_t input_max = 0, total_max = 0;  // tokens
};
TgiBounds tgi_bounds(const DialectContext& context, const HostedModel& model);

struct TgiRequest : Generation {
  std::string inputs;
  bool is_stream = false;
  bool is_sampling = false;  // else the likeliest token
  int best_of = 1;
  int top_n_tokens = 0;
  bool has_details = false;
  bool has_prefill = false;  // decoder_input_details
  std::optional<bool> returns_full_text;
  std::optional<std::int64_t> truncate;  // to the last so many tokens
  std::optional<AskedGrammar> grammar;
};

// The name of the first of which it is not known, from a load, that it generates nothing; where
// that is known of all, of the first. Empty: there is none.
std::string first_tgi_model(const ModelHost& host);

// The model that answers: `model` of the body, which TGI does not know, or the first that is here.
Parsed<ModelLease> lease_tgi_model(const DialectContext& context, const Json& body);

enum class TgiDelivery : std::uint8_t { kWhole, kStream, kAsAsked };  // asked: by `stream`

Parsed<TgiRequest> read_tgi_request(const DialectContext& context, const Json& body,
                                    TgiDelivery delivery);

// The prompt: `inputs` as tokens, cut at its beginning where the request wants that. Without a
// bound of its length: that is the business of who generates.
Parsed<std::vector<TokenId>> encode_tgi_inputs(const TgiRequest& request);

}  // namespace quire
