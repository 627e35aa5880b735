#include "serve/dialects/openai/completions.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "serve/dialects/openai/completion_answer.h"
#include "serve/dialects/openai/generation.h"
#include "serve/intake/fields.h"
#include "serve/intake/prompt.h"
#include "text/detokenizer.h"

namespace quire {
namespace {

constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kPromptsMax = 128;
constexpr std::int64_t kTokensMaxDefault = 16;  // OpenAI's

constexpr NeutralField kCompletionNeutralFields[] = {
    {"suffix", "\"\""},
};

struct Prompt {
  std::vector<TokenId> ids;
  std::string text;  // for echo
};

ApiError bad_prompt(std::string message) {
  return invalid_value("prompt", "Invalid 'prompt': " + std::move(message));
}

bool is_list_of_integers(const Json& value) {
  return value.is_array() && !value.items().empty() && value.items().front().is_number();
}

Parsed<Prompt> prompt_of_ids(const HostedModel& model, const Json& list) {
  Prompt prompt;
  if (list.items().size() > model.info.context_max) {
    return ApiError{.message = fmt::format("This model's maximum context length is {} tokens. "
                                           "However, your prompt has {} tokens.",
                                           model.info.context_max, list.items().size()),
                    .param = "prompt",
                    .code = "context_length_exceeded"};
  }
  Detokenizer words(*model.tokenizer, {.shows_special = true, .is_start_of_text = true});
  for (const Json& id : list.items()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() >= model.info.vocab) {
      return bad_prompt(fmt::format("expected token ids from 0 to {}, got {}.",
                                    model.info.vocab - 1, shown(id)));
    }
    prompt.ids.push_back(static_cast<TokenId>(id.as_int()));
    prompt.text += words.append(prompt.ids.back());
  }
  prompt.text += words.flush();
  return prompt;
}

// What stands in front of a text: nothing where a model knows no such token.
std::vector<TokenId> new_document(const HostedModel& model) {
  const TokenId bos = model.info.words.bos_id;
  return bos >= 0 ? std::vector<TokenId>{bos} : std::vector<TokenId>{};
}

Parsed<Prompt> read_prompt(const HostedModel& model, const Json& value, bool add_special) {
  if (is_list_of_integers(value)) return prompt_of_ids(model, value);
  if (value.is_null()) return Prompt{new_document(model), ""};
  if (!value.is_string()) {
    return bad_prompt("expected a string, a list of strings, a list of token ids or a list of "
                      "those.");
  }
  auto ids = encode_text(model, value.as_string(), add_special, "prompt");
  if (!ids.is_ok()) return ids.error();
  if (ids->empty()) return Prompt{new_document(model), ""};
  return Prompt{std::move(*ids), value.as_string()};
}

// One prompt or a list of prompts.
Parsed<std::vector<Prompt>> read_prompts(const HostedModel& model, const Json* value, bool is_null,
                                         bool add_special) {
  const Json nothing;  // null: the beginning of a new document
  if (is_null) value = &nothing;
  if (value == nullptr) {
    return ApiError{.message = "You must provide a prompt.",
                    .param = "prompt",
                    .code = "missing_required_parameter"};
  }
  std::vector<Prompt> prompts;
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
    auto prompt = read_prompt(model, item, add_special);
    if (!prompt.is_ok()) return prompt.error();
    if (prompt->ids.empty()) {
      return bad_prompt("it is empty, and this model has no token that begins a text (BOS), so "
                        "there is nothing to continue.");
    }
    prompts.push_back(std::move(*prompt));
  }
  return prompts;
}

struct CompletionRequest {
  OpenAiRequest common;
  CompletionOptions options;
  const Json* prompt = nullptr;
  bool is_prompt_null = false;
};

CompletionRequest read_completion(Fields& fields, const DialectContext& context) {
  CompletionRequest request{.common = read_openai_request(fields, context)};
  OpenAiRequest& common = request.common;
  request.prompt = fields.any("prompt");
  request.is_prompt_null = request.prompt == nullptr && fields.has("prompt");
  request.options.echo = fields.boolean("echo").value_or(false);
  request.options.logprobs =
      static_cast<int>(fields.integer("logprobs", 0, kLogprobsMax).value_or(-1));
  request.options.prompt_logprobs = common.params.prompt_logprobs;
  common.tokens_max = fields.integer("max_tokens", 0, kInt32Max);
  const auto best_of = fields.integer("best_of", 0, kChoicesMax);
  if (best_of && std::max<std::int64_t>(*best_of, 1) != common.n) {
    fields.fail(unsupported_parameter("best_of", "Unsupported parameter: 'best_of' is supported "
                                                 "only where it equals 'n'."));
  }
  fields.expect_neutral(kCompletionNeutralFields);
  return request;
}

// What the engine must report so that echo and log-probabilities can be shown.
void ask_for_scores(const CompletionOptions& options, SamplingParams& params) {
  params.logprobs = options.logprobs;
  if (options.echo && options.logprobs >= 0) {
    params.prompt_logprobs = std::max(params.prompt_logprobs, options.logprobs);
  }
  if (params.tokens_max == 0) params.prompt_logprobs = std::max(params.prompt_logprobs, 0);
}

}  // namespace

Parsed<Call> parse_openai_completion(const DialectContext& context, const http::Request& request) {
  Parsed<Json> body = read_json_body(request.body);
  if (!body.is_ok()) return body.error();
  Fields fields(*body);
  CompletionRequest completion = read_completion(fields, context);
  OpenAiRequest& common = completion.common;
  refuse_unknown(fields, context, common);
  if (fields.error()) return *fields.error();

  const HostedModel& model = *common.model;
  auto prompts = read_prompts(model, completion.prompt, completion.is_prompt_null,
                              common.add_special_tokens.value_or(true));
  if (!prompts.is_ok()) return prompts.error();

  Call call{.model = common.model, .is_stream = common.is_stream, .prompt_field = "prompt",
            .unknown_fields = common.warnings.size()};
  for (Prompt& prompt : *prompts) {
    auto tokens_max = settle_tokens_max(common, prompt.ids.size(), kTokensMaxDefault, "prompt");
    if (!tokens_max.is_ok()) return tokens_max.error();
    common.params.tokens_max = *tokens_max;
    ask_for_scores(completion.options, common.params);
    call.requests.push_back(make_request(common, context.tenant, std::move(prompt.ids)));
    completion.options.prompt_texts.push_back(std::move(prompt.text));
  }
  call.writer = std::make_unique<CompletionAnswer>(common, call.requests,
                                                   std::move(completion.options));
  return call;
}

}  // namespace quire
