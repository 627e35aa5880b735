// Generation: what a client of any protocol wants generated, as values: by which model, drawn how,
// how much, how often. A dialect fills it from its own fields; from here on nobody knows which
// protocol it was. Pure; worker threads. Used by dialects.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/request.h"
#include "host/hosted_model.h"
#include "serve/intake/fields.h"
#include "serve/intake/tenant.h"
#include "serve/intake/tools/answer_shape.h"
#include "serve/intake/tools/warning.h"

namespace quire {

// Who gives way to all others; no client can ask for it.
inline constexpr int kPriorityLast = std::numeric_limits<int>::max();

struct Generation {
  ModelLease model;
  std::string model_name;                  // as the client called it; answers say it again
  SamplingParams params;                   // but for tokens_max and log-probabilities
  std::optional<std::int64_t> tokens_max;  // as asked
  int n = 1;
  int priority = 0;
  std::string cache_salt;
  std::vector<std::string> warnings;  // unknown fields that were accepted and do nothing
  std::vector<Warning> notes;         // known ones that do less than was asked
  AnswerShape shape;                  // of each choice; of a text that is no chat: plain
};

// What is drawn where a client asks for nothing: the model's own defaults, and a seed of chance.
SamplingParams default_sampling(const HostedModel* model);

// Checks tokens_min, fits tokens_max to the room that a prompt of that many tokens leaves.
Parsed<int> settle_tokens_max(const Generation& generation, std::size_t prompt_tokens,
                              std::int64_t fallback, const std::string& prompt_field);

// A request of the engine, without an id. `generation.params` are final. Where the model has an
// encoder it reads the prompt, and the answer begins as the model's files say.
Request make_request(const Generation& generation, const Tenant& tenant,
                     std::vector<TokenId> prompt);

// The last question of a parser: what nobody read is an error, or a warning (into `warnings`) where
// the operator wants that.
void refuse_unknown(Fields& fields, bool warns, std::vector<std::string>& warnings);

}  // namespace quire
