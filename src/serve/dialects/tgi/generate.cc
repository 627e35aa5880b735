#include "serve/dialects/tgi/generate.h"

#include <fmt/format.h>

#include <algorithm>

#include "serve/dialects/tgi/answer.h"
#include "serve/dialects/tgi/errors.h"
#include "serve/dialects/tgi/request.h"
#include "serve/intake/prompt.h"

namespace quire {
namespace {

// A text that cannot fit is not tokenized.
std::optional<ApiError> refuse_if_hopeless(const TgiRequest& request, const TgiBounds& bounds) {
  const auto least = static_cast<std::int64_t>(
      request.model->tokenizer->tokens_min(request.inputs));
  if (request.truncate || least <= bounds.input_max) return std::nullopt;
  return tgi_validation("inputs", fmt::format("`inputs` must have less than {} tokens. Given: {}",
                                              bounds.input_max, least));
}

Parsed<int> settle_length(const TgiRequest& request, const TgiBounds& bounds, std::size_t prompt) {
  const ModelInfo& info = request.model->info;
  const auto input = static_cast<std::int64_t>(prompt);
  if (input > bounds.input_max) {
    return tgi_validation("inputs", fmt::format("`inputs` must have less than {} tokens. Given: {}",
                                                bounds.input_max, input));
  }
  if (info.has_encoder) {  // which reads the prompt
    if (auto refusal = refuse_encoded(info, prompt, "inputs")) return *refusal;
  }
  const auto before = info.has_encoder ? static_cast<std::int64_t>(info.decoder_start.size())
                                       : input;
  if (request.tokens_max && before + *request.tokens_max > bounds.total_max) {
    return tgi_validation(
        "max_new_tokens",
        fmt::format("`inputs` tokens + `max_new_tokens` must be <= {}. Given: {} `inputs` tokens "
                    "and {} `max_new_tokens`", bounds.total_max, before, *request.tokens_max));
  }
  return static_cast<int>(request.tokens_max.value_or(bounds.total_max - before));
}

// What the engine must report so that the answer can be told, or chosen.
void ask_for_scores(TgiRequest& request) {
  const bool shows_tokens = request.is_stream || request.has_details;
  if (shows_tokens) request.params.logprobs = request.top_n_tokens;
  if (request.best_of > 1) request.params.logprobs = std::max(request.params.logprobs, 0);
  const bool reads_prompt = request.has_prefill && !request.model->info.has_encoder;
  if (reads_prompt) request.params.prompt_logprobs = 0;
}

Parsed<Call> parse(const DialectContext& context, const http::Request& http, TgiDelivery delivery) {
  Parsed<Json> body = read_json_body(http.body);
  if (!body.is_ok()) return body.error();
  Parsed<TgiRequest> request = read_tgi_request(context, *body, delivery);
  if (!request.is_ok()) return request.error();
  const HostedModel& model = *request->model;
  const TgiBounds bounds = tgi_bounds(context, model);
  if (auto refusal = refuse_if_hopeless(*request, bounds)) return *refusal;
  auto ids = encode_tgi_inputs(*request);
  if (!ids.is_ok()) return ids.error();
  auto tokens_max = settle_length(*request, bounds, ids->size());
  if (!tokens_max.is_ok()) return tokens_max.error();
  request->params.tokens_max = *tokens_max;
  ask_for_scores(*request);

  Call call{.model = request->model, .is_stream = request->is_stream,
            .stream_type = "text/event-stream", .prompt_field = "inputs",
            .unknown_fields = request->warnings.size()};
  const bool is_constrained = request->grammar.has_value();
  call.grammar = std::move(request->grammar);
  for (int i = 0; i < request->best_of; ++i) {  // each with chance of its own, which can be told
    if (i > 0) request->params.seed = default_sampling(nullptr).seed;
    call.requests.push_back(make_request(*request, context.tenant, *ids));
  }
  // TGI's door for the models of a hub repeats the inputs, unless they are a question to a
  // translator; its own doors do not.
  const bool is_list = delivery == TgiDelivery::kAsAsked;
  const bool repeats = request->returns_full_text.value_or(is_list && !model.info.has_encoder);
  call.writer = std::make_unique<TgiAnswer>(std::move(*request), call.requests,
                                            TgiForm{.is_list = is_list,
                                                    .repeats_inputs = repeats,
                                                    .is_constrained = is_constrained});
  return call;
}

}  // namespace

Parsed<Call> parse_tgi_generate(const DialectContext& context, const http::Request& request) {
  return parse(context, request, TgiDelivery::kWhole);
}

Parsed<Call> parse_tgi_stream(const DialectContext& context, const http::Request& request) {
  return parse(context, request, TgiDelivery::kStream);
}

Parsed<Call> parse_tgi_compat(const DialectContext& context, const http::Request& request) {
  return parse(context, request, TgiDelivery::kAsAsked);
}

}  // namespace quire
