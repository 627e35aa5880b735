// What /api/generate and /api/chat have in common: the model, options, how long it stays, thoughts,
// format, log-probabilities, and the warnings about what does less than was asked.
// Pure; worker threads. Used by the Ollama dialect.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/call.h"
#include "serve/dialects/ollama/options.h"
#include "serve/intake/constraint.h"
#include "serve/intake/fields.h"
#include "serve/intake/generation.h"

namespace quire {

inline constexpr std::size_t kPromptBytesMax = std::size_t{4} << 20;  // as a body may have

// Sees to it that a model stays as long as a request wants, from when the request is done: until
// another says otherwise.
class StayOfModel {
 public:
  // Of a request that is good: a bad one changes nothing.
  StayOfModel(ModelHost& host, std::string model, std::optional<Nanos> stay);
  ~StayOfModel();
  StayOfModel(const StayOfModel&) = delete;

 private:
  ModelHost& host_;
  std::string model_;
  std::optional<Nanos> stay_;  // nothing: as the operator says
};

struct OllamaRequest : Generation {
  OllamaOptions options;
  bool is_stream = true;
  Nanos arrived{0}, loaded{0};         // when it came, and when its model was there
  std::optional<Nanos> keep_alive;     // nothing: as the operator says
  std::shared_ptr<StayOfModel> stay;
  std::optional<bool> thinks;          // as asked
  std::string effort;                  // is_effort(), or empty
  bool truncates = true;
  bool shifts = true;  // an answer does not end with num_ctx
  std::shared_ptr<const ChatTemplate> chat_template;  // in place of the model's; null: that
  bool shows_prompt = false;           // _debug_render_only
  std::optional<AskedGrammar> grammar;
  std::vector<Warning> warned;
  bool has_context = false;            // the answer shows its tokens
  bool is_chat = false;
};

// The lease, or why there is none; `name` is what the client wrote.
Parsed<ModelLease> lease_ollama_model(const DialectContext& context, std::string_view name);

// "model", or its name before, "name". Empty: missing, which fields.error() says.
std::string read_model_name(Fields& fields);

// Mistakes go to fields.error(). Without a model the request has none.
OllamaRequest read_ollama_request(Fields& fields, const DialectContext& context, bool is_chat);

// Unknown fields become warnings.
void warn_of_unknown(Fields& fields, std::vector<Warning>& warned);

// A model is only to come or go: an empty prompt. Answers at once. `text` is the member that shows
// an empty answer.
Parsed<Call> load_or_unload(const DialectContext& context, const OllamaRequest& request,
                            Json::Member text);

}  // namespace quire
