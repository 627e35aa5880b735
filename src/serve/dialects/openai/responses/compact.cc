#include "serve/dialects/openai/responses/compact.h"

#include <algorithm>

#include "base/clock.h"
#include "serve/answer/answer_counts.h"
#include "serve/answer/shaped_parts.h"
#include "serve/dialects/openai/responses/items.h"
#include "serve/dialects/openai/responses/sealed_text.h"
#include "serve/intake/prompt.h"

namespace quire {
namespace {

constexpr int kSummaryTokensMax = 1024;
constexpr std::string_view kWish =
    "Summarize our conversation so far, so that somebody who reads only your summary can go on "
    "with it: what was asked, what was decided, what was found out, and what is still to be done. "
    "Answer with the summary alone.";

class CompactAnswer : public AnswerWriter {
 public:
  CompactAnswer(const std::vector<Request>& requests, const AnswerShape& shape,
                const ModelLease& model, Json output, Json notes)
      : counts_(requests), parts_(shape, model, id_, 0), output_(std::move(output)),
        notes_(std::move(notes)) {
    counts_.begin_thought(0, shape.begins_in_thought);
  }

  std::string_view id() const override { return id_; }

  void take(std::size_t prompt, const TokenEvent& event, std::string&) override {
    counts_.count(prompt, event);
    std::vector<PartDelta> parts;
    parts_.take(event, parts);
    counts_.count_thought(0, event, parts);
    for (const PartDelta& part : parts) {
      if (part.kind == PartKind::kText) summary_ += part.text;
    }
  }

  void finish(std::string& out) override {
    output_.push(Json::object({{"id", random_id("cmp_")}, {"type", "compaction"},
                               {"encrypted_content", seal_text(summary_)}}));
    const std::uint64_t input = counts_.prompt_tokens(), output = counts_.generated_tokens();
    Json usage = Json::object({{"input_tokens", input}});
    usage.set("input_tokens_details", Json::object({{"cached_tokens", counts_.cached_tokens()},
                                                    {"cache_write_tokens", 0}}));
    usage.set("output_tokens", output);
    usage.set("output_tokens_details",
              Json::object({{"reasoning_tokens", counts_.thought_tokens()}}));
    usage.set("total_tokens", input + output);
    Json body = Json::object({{"id", id_}, {"object", "response.compaction"},
                              {"created_at", SteadyClock::unix_seconds()},
                              {"output", std::move(output_)}, {"usage", std::move(usage)}});
    if (!notes_.items().empty()) body.set("warnings", std::move(notes_));
    out += dump(body);
  }

  void fail(const ApiError&, std::string&) override {}  // it is no stream

 private:
  const std::string id_ = random_id("resp_");
  AnswerCounts counts_;
  ShapedParts parts_;
  Json output_, notes_;
  std::string summary_;
};

Json user_messages(const ResponsesRequest& asked) {
  Json list = Json::array();
  for (const std::vector<Json>* items : {&asked.history, &asked.input}) {
    for (const Json& item : *items) {
      if (item_text(item, "role") == "user") list.push(item);
    }
  }
  return list;
}

}  // namespace

Parsed<Call> compact_call(const DialectContext& context, ResponsesRequest asked) {
  if (asked.input.empty() && asked.history.empty()) {
    return ApiError{.message = "You must provide input.",
                    .param = "input",
                    .code = "missing_required_parameter"};
  }
  Json output = user_messages(asked);
  asked.input.push_back(Json::object(
      {{"id", random_id("msg_")}, {"type", "message"}, {"role", "user"},
       {"content", Json::array({Json::object({{"type", "input_text"}, {"text", kWish}})})}}));
  asked.truncates = true;
  asked.is_stream = false;
  asked.tokens_max = std::min<std::size_t>(kSummaryTokensMax,
                                           std::max(asked.model->info.context_max / 4, 1u));
  asked.params.temperature = 0;
  asked.params.logprobs = -1;
  Parsed<std::vector<TokenId>> ids = encode_turn(asked);
  if (!ids.is_ok()) return ids.error();
  auto tokens_max = fit_tokens_max(asked.model->info, ids->size(), std::nullopt,
                                   *asked.tokens_max, "input");
  if (!tokens_max.is_ok()) return tokens_max.error();
  asked.params.tokens_max = *tokens_max;
  Call call{.model = asked.model, .prompt_field = "input",
            .unknown_fields = asked.warnings.size()};
  asked.shape = shape_of(*asked.model, *ids, {}, asked.params);  // a summary calls nothing
  call.requests.push_back(make_request(asked, context.tenant, std::move(*ids)));
  call.writer = std::make_unique<CompactAnswer>(call.requests, asked.shape, asked.model,
                                                std::move(output), asked.notes);
  return call;
}

}  // namespace quire
