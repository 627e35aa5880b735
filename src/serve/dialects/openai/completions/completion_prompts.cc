#include "serve/dialects/openai/completions/completion_prompts.h"

#include <fmt/format.h>

#include "serve/intake/fields.h"
#include "serve/intake/prompt.h"
#include "text/detokenizer.h"
#include "text/fill_in_middle.h"

namespace quire {
namespace {

constexpr std::size_t kPromptsMax = 128;

ApiError bad_prompt(std::string message) {
  return invalid_value("prompt", "Invalid 'prompt': " + std::move(message));
}

bool is_list_of_integers(const Json& value) {
  return value.is_array() && !value.items().empty() && value.items().front().is_number();
}

Parsed<CompletionPrompt> prompt_of_ids(const HostedModel& model, const Json& list,
                                       const PromptRules& rules) {
  CompletionPrompt prompt;
  if (list.items().size() > model.info.context_max && !rules.is_cut) {
    return ApiError{.message = fmt::format("This model's maximum context length is {} tokens. "
                                           "However, your prompt has {} tokens.",
                                           model.info.context_max, list.items().size()),
                    .param = "prompt",
                    .code = "context_length_exceeded"};
  }
  for (const Json& id : list.items()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() >= model.info.vocab) {
      return bad_prompt(fmt::format("expected token ids from 0 to {}, got {}.",
                                    model.info.vocab - 1, shown(id)));
    }
    prompt.ids.push_back(static_cast<TokenId>(id.as_int()));
  }
  prompt.text = text_of_ids(model, prompt.ids);
  return prompt;
}

// What stands in front of a text: nothing where a model knows no such token.
std::vector<TokenId> new_document(const HostedModel& model) {
  const TokenId bos = model.info.words.bos_id;
  return bos >= 0 ? std::vector<TokenId>{bos} : std::vector<TokenId>{};
}

// The answer goes between the text and the suffix.
Parsed<CompletionPrompt> prompt_with_gap(const HostedModel& model, const std::string& before,
                                         const PromptRules& rules) {
  const auto tokens = find_gap_tokens(*model.tokenizer);
  if (!tokens) {
    return unsupported_parameter("suffix", "Unsupported parameter: 'suffix': this model's "
                                           "vocabulary has no tokens to fill in the middle with.");
  }
  auto ids = encode_gap(*model.tokenizer, *tokens, before, *rules.suffix);
  if (!ids.is_ok()) return bad_prompt("it cannot be tokenized: " + ids.status().message());
  return CompletionPrompt{.ids = std::move(*ids), .text = before, .ends = tokens->ends};
}

Parsed<CompletionPrompt> read_prompt(const HostedModel& model, const Json& value,
                                     const PromptRules& rules) {
  const bool has_gap = rules.suffix && !rules.suffix->empty();
  if (has_gap && !value.is_string()) {
    return bad_prompt("with a 'suffix' it must be a string or a list of strings.");
  }
  if (is_list_of_integers(value)) return prompt_of_ids(model, value, rules);
  if (value.is_null()) return CompletionPrompt{new_document(model), "", {}};
  if (!value.is_string()) {
    return bad_prompt("expected a string, a list of strings, a list of token ids or a list of "
                      "those.");
  }
  if (has_gap) return prompt_with_gap(model, value.as_string(), rules);
  auto ids = encode_text(model, value.as_string(), rules.add_special, "prompt", rules.is_cut);
  if (!ids.is_ok()) return ids.error();
  if (ids->empty()) return CompletionPrompt{new_document(model), "", {}};
  return CompletionPrompt{std::move(*ids), value.as_string(), {}};
}

}  // namespace

std::string text_of_ids(const HostedModel& model, const std::vector<TokenId>& ids) {
  Detokenizer words(*model.tokenizer, {.shows_special = true, .is_start_of_text = true});
  std::string text;
  for (const TokenId id : ids) text += words.append(id);
  return text + words.flush();
}

Parsed<std::vector<CompletionPrompt>> read_prompts(const HostedModel& model, const Json* value,
                                                   bool is_null, const PromptRules& rules) {
  const Json nothing;  // null: the beginning of a new document
  if (is_null) value = &nothing;
  if (value == nullptr) {
    return ApiError{.message = "You must provide a prompt.",
                    .param = "prompt",
                    .code = "missing_required_parameter"};
  }
  std::vector<CompletionPrompt> prompts;
  const bool is_one = is_null || value->is_string() || is_list_of_integers(*value);
  const std::vector<Json> one = is_one ? std::vector<Json>{*value} : std::vector<Json>{};
  if (!is_one && (!value->is_array() || value->items().empty())) {
    return bad_prompt("expected a string, a list of strings, a list of token ids or a list of "
                      "those.");
  }
  const std::vector<Json>& items = is_one ? one : value->items();
  if (items.size() > kPromptsMax) {
    return bad_prompt(fmt::format("at most {} prompts, got {}.", kPromptsMax, items.size()));
  }
  for (const Json& item : items) {
    auto prompt = read_prompt(model, item, rules);
    if (!prompt.is_ok()) return prompt.error();
    if (prompt->ids.empty()) {
      return bad_prompt("it is empty, and this model has no token that begins a text (BOS), so "
                        "there is nothing to continue.");
    }
    prompts.push_back(std::move(*prompt));
  }
  return prompts;
}

}  // namespace quire
