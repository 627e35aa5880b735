// The fields of POST /v1/messages but for the conversation (conversation.h): the model, what is
// drawn and how much, and the fields that change nothing here, which are accepted and named in a
// warning or refused. A field that nobody knows is a warning too, whatever --unknown-fields says:
// agents send new ones all the time, and the protocol's other servers take them.
// Pure; worker threads. Used by messages.
#pragma once

#include <string>

#include "serve/call.h"
#include "serve/dialects/anthropic/warnings.h"
#include "serve/http/message.h"
#include "serve/intake/fields.h"
#include "serve/intake/generation.h"

namespace quire {

struct AnthropicRequest : Generation {
  std::string request_id;
  bool is_stream = false;
  bool is_warming = false;      // max_tokens 0: the prompt is computed, nothing is said
  bool is_capped = false;       // the context ends before max_tokens
  std::optional<AskedGrammar> grammar;  // of the answer
  bool hides_thinking = false;  // thinking.display is "omitted"
  AnthropicWarnings warned;     // in place of Generation's warnings and notes
};

// "Field required", as the service says it.
ApiError required_field(std::string path);
// An error of that path: "messages.0.content: ...".
ApiError bad_field(std::string path, std::string_view why);

// model; without one (unknown, missing) the result has none and `fields` an error.
void read_anthropic_model(Fields& fields, const DialectContext& context, Generation& generation);

// max_tokens, stream, temperature, top_k, top_p, stop_sequences.
void read_anthropic_sampling(Fields& fields, AnthropicRequest& request);

// thinking.budget_tokens is less than max_tokens.
void check_thinking_budget(Fields& fields, const AnthropicRequest& request);

// Everything else that the service knows, the header anthropic-beta, and what nobody knows. The
// last to be read.
void read_anthropic_rest(Fields& fields, const http::Request& request, AnthropicWarnings& notes);

// output_config.format, and output_format, which was its name before.
std::optional<AskedGrammar> read_output_format(Fields& fields);

}  // namespace quire
