#include "serve/dialects/openai/completions/completions.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/openai/completions/completion_answer.h"
#include "serve/dialects/openai/completions/completion_prompts.h"
#include "serve/dialects/openai/generation.h"
#include "serve/dialects/openai/sampling_fields.h"
#include "serve/house.h"
#include "serve/intake/fields.h"
#include "serve/intake/wishes/operator_limits.h"

namespace quire {
namespace {

constexpr std::int64_t kTokensMaxDefault = 16;  // OpenAI's
constexpr std::size_t kSuffixSizeMax = std::size_t{1} << 20;  // bytes

struct CompletionRequest {
  OpenAiRequest common;
  CompletionOptions options;
  const Json* prompt = nullptr;
  bool is_prompt_null = false;
  const std::string* suffix = nullptr;  // what follows the answer; null: nothing said
};

// So many are made, n of them are shown.
void read_best_of(Fields& fields, int best_of, OpenAiRequest& common) {
  if (best_of < common.n) {
    return fields.fail(invalid_value("best_of", fmt::format("best_of must be greater than or equal "
                                                            "to n, got best_of={} and n={}.",
                                                            best_of, common.n)));
  }
  if (best_of > common.n && common.is_stream) {
    return fields.fail(invalid_value("best_of", "best_of above n cannot be streamed: which answers "
                                                "are the best is known at their end."));
  }
  common.n = best_of;
}

CompletionRequest read_completion(Fields& fields, const DialectContext& context) {
  CompletionRequest request{.common = read_openai_request(fields, context)};
  OpenAiRequest& common = request.common;
  constexpr NeutralField kOfChats[] = {{"thinking_token_budget", "null"}};
  fields.expect_neutral(kOfChats);
  request.prompt = fields.any("prompt");
  request.is_prompt_null = request.prompt == nullptr && fields.has("prompt");
  request.options.echo = fields.boolean("echo").value_or(false);
  request.options.logprobs =
      static_cast<int>(fields.integer("logprobs", 0, kLogprobsMax).value_or(-1));
  common.params.logprobs = request.options.logprobs;
  need_logprobs(fields, common.params);
  request.options.prompt_logprobs = common.params.prompt_logprobs;
  common.tokens_max = fields.integer("max_tokens", 0, kInt32Max);
  const auto best_of = fields.integer("best_of", 0, kChoicesMax);
  request.options.shown = common.n;
  if (best_of && *best_of > 0) read_best_of(fields, static_cast<int>(*best_of), common);
  request.suffix = fields.text("suffix", kSuffixSizeMax);
  return request;
}

// What the engine must report so that echo and log-probabilities can be shown.
void ask_for_scores(const CompletionOptions& options, int made, SamplingParams& params) {
  params.logprobs = options.logprobs;
  if (made > options.shown) params.logprobs = std::max(params.logprobs, 0);  // to choose by
  if (options.echo && options.logprobs >= 0) {
    params.prompt_logprobs = std::max(params.prompt_logprobs, options.logprobs);
  }
  if (params.tokens_max == 0) params.prompt_logprobs = std::max(params.prompt_logprobs, 0);
}

// An answer that an encoder's decoder writes does not go on where the prompt ends.
std::optional<ApiError> refuse_of_encoder(const CompletionRequest& completion) {
  if (!completion.common.model->info.has_encoder) return std::nullopt;
  const char* asked = completion.options.echo                  ? "echo"
                      : completion.suffix != nullptr           ? "suffix"
                      : completion.options.prompt_logprobs >= 0 ? "prompt_logprobs"
                                                               : nullptr;
  if (asked == nullptr) return std::nullopt;
  return unsupported_parameter(
      asked, fmt::format("Unsupported parameter: '{}': an encoder reads this model's prompt, and "
                         "the answer does not continue it.", asked));
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

  const ClientLimits limits = client_limits_of(context);
  if (auto refusal = refuse_beyond(limits, *body, common.grammar)) return *refusal;
  if (auto refusal = refuse_of_encoder(completion)) return *refusal;
  const HostedModel& model = *common.model;
  PromptRules rules{.add_special = common.add_special_tokens.value_or(true),
                    .is_cut = common.prompt_tokens_max.has_value()};
  if (completion.suffix != nullptr) rules.suffix = *completion.suffix;
  auto prompts = read_prompts(model, completion.prompt, completion.is_prompt_null, rules);
  if (!prompts.is_ok()) return prompts.error();
  if (auto refusal = refuse_batch(limits, prompts->size())) return *refusal;

  Call call{.model = common.model, .is_stream = common.is_stream, .prompt_field = "prompt",
            .unknown_fields = common.warnings.size()};
  call.grammar = std::move(common.grammar);
  for (CompletionPrompt& prompt : *prompts) {
    auto cut = truncate_prompt(common, prompt.ids);
    if (!cut.is_ok()) return cut.error();
    if (auto refusal = refuse_input(limits, prompt.ids.size(), "prompt")) return *refusal;
    if (cut.value() > 0) prompt.text = text_of_ids(model, prompt.ids);
    common.params.stop_ids.insert(common.params.stop_ids.end(), prompt.ends.begin(),
                                  prompt.ends.end());
    auto tokens_max = settle_tokens_max(common, prompt.ids.size(), kTokensMaxDefault, "prompt");
    if (!tokens_max.is_ok()) return tokens_max.error();
    common.params.tokens_max = *tokens_max;
    ask_for_scores(completion.options, common.n, common.params);
    call.requests.push_back(make_request(common, context.tenant, std::move(prompt.ids)));
    completion.options.prompt_texts.push_back(std::move(prompt.text));
  }
  call.writer = std::make_unique<CompletionAnswer>(common, call.requests,
                                                   std::move(completion.options));
  return call;
}

}  // namespace quire
