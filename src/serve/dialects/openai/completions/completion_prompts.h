// Prompts of text completions: a string, token ids or a list of either, made into ids and the text
// that `echo` shows; with a suffix, the two sides of a gap that the answer fills.
// Pure; worker threads. Used by completions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "host/hosted_model.h"
#include "serve/intake/api_error.h"

namespace quire {

struct CompletionPrompt {
  std::vector<TokenId> ids;
  std::string text;           // for echo
  std::vector<TokenId> ends;  // tokens that end its answer, beside the model's own
};

struct PromptRules {
  bool add_special = true;
  bool is_cut = false;                // it may be longer than the context: it will be cut
  std::optional<std::string> suffix;  // what follows the gap
};

// `value` is null where the client wrote nothing, or null (`is_null`): a new document.
Parsed<std::vector<CompletionPrompt>> read_prompts(const HostedModel& model, const Json* value,
                                                   bool is_null, const PromptRules& rules);

std::string text_of_ids(const HostedModel& model, const std::vector<TokenId>& ids);

}  // namespace quire
