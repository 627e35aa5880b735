#include "serve/dialects/kserve/inference/text_call.h"

#include <fmt/format.h>


#include "serve/dialects/kserve/inference/generation_inputs.h"
#include "serve/dialects/kserve/inference/text_answer.h"
#include "serve/dialects/openai/sampling_fields.h"
#include "serve/intake/constraint.h"
#include "serve/intake/fields.h"
#include "serve/intake/generation.h"
#include "serve/intake/prompt.h"

namespace quire {
namespace {

constexpr std::int64_t kTokensMaxDefault = 20;  // the protocol's
constexpr std::int64_t kScoresMax = 20;

// Known to Triton's backends and not delivered: at their neutral value they change nothing.
constexpr NeutralField kNeutral[] = {
    {"n", "1"},
    {"best_of", "1"},
    {"beam_width", "1"},
    {"num_return_sequences", "1"},
    {"length_penalty", "1.0", "0.0"},
    {"use_beam_search", "false"},
    {"return_log_probs", "false"},
    {"return_context_logits", "false"},
    {"return_generation_logits", "false"},
    {"return_perf_metrics", "false"},
    {"prompt_logprobs", "null"},
    {"detokenize", "true"},
    {"spaces_between_special_tokens", "true"},
    {"image", "null"},
    {"lora_name", "null"},
    {"lora_task_id", "0"},
};

// The rest of one row's object, beside what says how tokens are drawn.
struct RowWishes {
  Generation generation;
  TextOutputs outputs;
  std::optional<bool> streams, excludes_input;
  std::optional<AskedGrammar> grammar;
  int logprobs = -1;
};

RowWishes read_row(Fields& fields, const DialectContext& context, const ModelLease& model,
                   const InferTerms& terms) {
  RowWishes row;
  row.generation.model = model;
  read_sampling(fields, model.get(), row.generation.params);
  row.generation.tokens_max = fields.integer("max_tokens", 1, kInt32Max);
  row.logprobs = static_cast<int>(fields.integer("logprobs", 0, kScoresMax).value_or(-1));
  row.streams = fields.boolean("stream");
  row.excludes_input = fields.boolean("exclude_input_in_output");
  const auto read = [&](const char* name) { return fields.boolean(name).value_or(false); };
  row.outputs.finish_reason = read("return_finish_reason");
  row.outputs.cumulative_logprob = read("return_cumulative_logprob");
  row.outputs.logprobs = read("return_logprobs") || row.logprobs >= 0;
  row.outputs.num_input_tokens = read("return_num_input_tokens");
  row.outputs.num_output_tokens = read("return_num_output_tokens");
  if (terms.has_details) row.outputs.details = read("details");
  fields.integer("pad_id", -1, kInt32Max);  // of batches with gaps, which there are none of
  row.grammar = read_constraint(fields);
  fields.expect_neutral(kNeutral);
  refuse_unknown(fields, context.unknown_fields_warn, row.generation.warnings);
  return row;
}

// What is named, where something is; and the flags that ask for more.
void settle_outputs(const InferRequest& request, TextOutputs& outputs) {
  outputs.text = is_wanted(request, "text_output", true);
  outputs.finish_reason = is_wanted(request, "finish_reason", outputs.finish_reason);
  outputs.cumulative_logprob = is_wanted(request, "cumulative_logprob", outputs.cumulative_logprob);
  outputs.logprobs = is_wanted(request, "logprobs", outputs.logprobs);
  outputs.num_input_tokens = is_wanted(request, "num_input_tokens", outputs.num_input_tokens);
  outputs.num_output_tokens = is_wanted(request, "num_output_tokens", outputs.num_output_tokens);
}

// Whether the answer comes in pieces; or why it cannot.
Parsed<bool> settle_stream(const RowWishes& row, std::size_t batch, const InferTerms& terms) {
  const bool is_stream = row.streams.value_or(terms.does_stream);
  if (!is_stream) return false;
  if (!terms.may_stream) {
    if (!terms.one_response.empty()) {
      return ApiError{.status = 501,
                      .message = fmt::format("{}: 'stream' is true", terms.one_response),
                      .param = "stream"};
    }
    return ApiError{.status = 400,
                    .message = "generate expects model to produce exactly 1 response, use generate "
                               "stream for model that generates various number of responses: "
                               "'stream' is true",
                    .param = "stream"};
  }
  if (batch > 1) {
    return invalid_value("stream", fmt::format("'stream' takes one text at a time, got {}", batch));
  }
  if (row.excludes_input == false) {
    return invalid_value("exclude_input_in_output",
                         "When streaming, `exclude_input_in_output` = False is not allowed.");
  }
  return true;
}

bool has_seed(const Json& object) {
  const Json* seed = object.find("seed");
  return seed != nullptr && !seed->is_null();
}

struct TextBatch {
  std::vector<std::string_view> texts;
  std::vector<GenerationFields> rows;
};

Parsed<TextBatch> read_batch(const InferRequest& request, const InferParameters& rest) {
  TextBatch batch{.texts = texts_of(*find_input(request, "text_input"))};
  auto rows = generation_fields(request, rest, batch.texts.size());
  if (!rows.is_ok()) return rows.error();
  batch.rows = std::move(*rows);
  if (is_wanted(request, "logits", false)) {
    return invalid_value("logits", "output 'logits' is there for 'input_ids', not for "
                                   "'text_input'");
  }
  return batch;
}

std::optional<ApiError> add_row(const DialectContext& context, RowWishes& row,
                                std::string_view text, Call& call) {
  Generation& generation = row.generation;
  auto ids = encode_text(*generation.model, text, true, "text_input");
  if (!ids.is_ok()) return ids.error();
  auto tokens_max = settle_tokens_max(generation, ids->size(), kTokensMaxDefault, "text_input");
  if (!tokens_max.is_ok()) return tokens_max.error();
  generation.params.tokens_max = *tokens_max;
  generation.params.logprobs = row.outputs.need_scores() ? std::max(row.logprobs, 0) : -1;
  call.requests.push_back(make_request(generation, context.tenant, std::move(*ids)));
  const bool is_first = call.requests.size() == 1;
  const bool is_same = row.grammar.has_value() == call.grammar.has_value() &&
                       (!row.grammar || row.grammar->source == call.grammar->source);
  if (is_first) {
    call.grammar = std::move(row.grammar);
  } else if (!is_same) {
    return invalid_value("sampling_parameters", "all texts of a batch must be held to the same "
                                                "grammar");
  }
  return std::nullopt;
}

}  // namespace

Parsed<TextCall> make_text_call(const DialectContext& context, const ModelLease& model,
                                InferRequest request, const InferTerms& terms,
                                std::unique_ptr<InferFormat> format) {
  InferParameters rest;
  auto schedule = read_schedule(request, *model, rest);
  if (!schedule.is_ok()) return schedule.error();
  auto batch = read_batch(request, rest);
  if (!batch.is_ok()) return batch.error();

  TextCall made{.call = {.model = model, .prompt_field = "text_input"}};
  Call& call = made.call;
  TextAnswer::Setup setup{.head = {.model = request.model, .version = request.version,
                                   .id = request.id},
                          .has_batch_dim = find_input(request, "text_input")->shape.size() > 1,
                          .tokenizer = model->tokenizer};
  for (std::size_t i = 0; i < batch->texts.size(); ++i) {
    const GenerationFields& sent = batch->rows[i];
    Fields fields(sent.object);
    RowWishes row = read_row(fields, context, model, terms);
    if (fields.error()) return told_as_sent(*fields.error(), sent);
    made.is_repeatable &= row.generation.params.temperature == 0 || has_seed(sent.object);
    settle_outputs(request, row.outputs);
    auto is_stream = settle_stream(row, batch->texts.size(), terms);
    if (!is_stream.is_ok()) return is_stream.error();
    row.generation.priority = schedule->priority;
    const auto fault = add_row(context, row, batch->texts[i], call);
    if (fault) return told_as_sent(*fault, sent);
    call.requests.back().deadline = schedule->deadline;
    setup.is_stream = call.is_stream = *is_stream;
    setup.outputs = row.outputs;
    const bool begins_with_input = !*is_stream && !row.excludes_input.value_or(false);
    setup.prompts.emplace_back(begins_with_input ? batch->texts[i] : std::string_view());
    call.unknown_fields += row.generation.warnings.size();
    setup.unknown = std::move(row.generation.warnings);
  }
  if (schedule->is_deadline_idle) {
    ++call.unknown_fields;
    setup.unknown.emplace_back("timeout");
  }
  call.writer = std::make_unique<TextAnswer>(std::move(setup), call.requests.size(),
                                             std::move(format));
  return made;
}

}  // namespace quire
