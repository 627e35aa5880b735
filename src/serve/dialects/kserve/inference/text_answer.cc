#include "serve/dialects/kserve/inference/text_answer.h"

#include <fmt/ranges.h>

#include <utility>

namespace quire {
namespace {

// The protocol's own words for how a text ends. What is complete by its grammar, or goes round in
// circles, has been stopped: its last token ends nothing.
std::string_view finish_of_generate(const TokenEvent& event, const Tokenizer& tokenizer) {
  if (event.finish == FinishReason::kLength) return "length";
  const bool is_end = event.accepted.empty() || tokenizer.is_special(event.accepted.back());
  const bool is_stopped = event.finish != FinishReason::kStop || !event.stop_string.empty();
  return is_end && !is_stopped ? "eos_token" : "stop_sequence";
}

}  // namespace

TextAnswer::TextAnswer(Setup setup, std::size_t batch, std::unique_ptr<InferFormat> format)
    : setup_(std::move(setup)),
      rows_(batch),
      names_(setup_.tokenizer, false),
      format_(std::move(format)) {
  for (std::size_t i = 0; i < setup_.prompts.size(); ++i) rows_[i].text = setup_.prompts[i];
  if (!setup_.unknown.empty()) {
    const std::string name = "quire_unknown_parameters";
    setup_.head.parameters.set(name, fmt::format("{}", fmt::join(setup_.unknown, ",")));
  }
}

void TextAnswer::take(std::size_t prompt, const TokenEvent& event, std::string& out) {
  Row& row = rows_[prompt];
  row.text += event.text;
  row.tokens += static_cast<std::uint32_t>(event.accepted.size());
  row.prompt_tokens = event.usage.prompt_tokens;
  for (const TokenScore& score : event.scores) row.logprob += score.logprob;
  row.scores.insert(row.scores.end(), event.scores.begin(), event.scores.end());
  if (!row.scores.empty()) row.last_score = row.scores.back();
  if (event.finish != FinishReason::kNone) {
    row.finish = finish_reason_name(event.finish);
    row.oip_finish = finish_of_generate(event, names_.tokenizer());
  }
  if (!setup_.is_stream || (event.text.empty() && !event.is_last)) return;
  format_->append(response(), event.is_last, out);
  row.text.clear();
  row.scores.clear();
  row.tokens = 0;
}

void TextAnswer::finish(std::string& out) {
  if (!setup_.is_stream) format_->append(response(), true, out);
}

void TextAnswer::add(std::string_view name, TensorType type, std::string bytes,
                     InferResponse& made) const {
  std::vector<std::int64_t> shape = {static_cast<std::int64_t>(rows_.size())};
  if (setup_.has_batch_dim) shape.push_back(1);
  made.outputs.push_back({std::string(name), type, std::move(shape), std::move(bytes)});
}

InferResponse TextAnswer::response() {
  InferResponse made = setup_.head;
  std::string texts, finishes, logprobs, sums, prompts, tokens;
  for (const Row& row : rows_) {
    append_text_element(row.text, texts);
    append_text_element(row.finish, finishes);
    if (setup_.outputs.logprobs) append_text_element(logprobs_json(row), logprobs);
    append_element(row.logprob, sums);
    append_element(row.prompt_tokens, prompts);
    append_element(row.tokens, tokens);
  }
  const TextOutputs& wants = setup_.outputs;
  const TensorType bytes = TensorType::kBytes, counts = TensorType::kUint32;
  if (wants.text) add("text_output", bytes, std::move(texts), made);
  if (wants.finish_reason) add("finish_reason", bytes, std::move(finishes), made);
  if (wants.cumulative_logprob) {
    add("cumulative_logprob", TensorType::kFp32, std::move(sums), made);
  }
  if (wants.logprobs) add("logprobs", bytes, std::move(logprobs), made);
  if (wants.num_input_tokens) add("num_input_tokens", counts, std::move(prompts), made);
  if (wants.num_output_tokens) add("num_output_tokens", counts, std::move(tokens), made);
  if (wants.details) add_details(rows_.front(), made);
  return made;
}

// As vLLM writes its list of dictionaries: one for each token, by id.
std::string TextAnswer::logprobs_json(const Row& row) const {
  Json list = Json::array();
  for (const TokenScore& score : row.scores) {
    Json entry = Json::object();
    const auto add_one = [&](TokenId token, float logprob, std::int32_t rank) {
      entry.set(std::to_string(token), Json::object({{"logprob", static_cast<double>(logprob)},
                                                     {"rank", rank},
                                                     {"decoded_token", names_.name(token)}}));
    };
    for (std::size_t i = 0; i < score.top.size(); ++i) {
      add_one(score.top[i].token, score.top[i].logprob, static_cast<std::int32_t>(i + 1));
    }
    add_one(score.token, score.logprob, score.rank);
    list.push(std::move(entry));
  }
  return dump(list);
}

// `details` say how it ended, so a piece before the end has its token beside them.
void TextAnswer::add_details(const Row& row, InferResponse& made) const {
  const auto token_json = [&](const TokenScore& score) {
    return Json::object({{"id", score.token},
                         {"text", names_.name(score.token)},
                         {"logprob", static_cast<double>(score.logprob)},
                         {"special", names_.tokenizer().is_special(score.token)}});
  };
  if (row.oip_finish.empty()) {
    if (!row.scores.empty()) made.token = dump(token_json(row.scores.back()));
    return;
  }
  Json details = Json::object({{"finish_reason", row.oip_finish}});
  if (setup_.is_stream) {
    if (row.last_score) details.set("token", token_json(*row.last_score));
  } else {
    Json list = Json::array();
    for (const TokenScore& score : row.scores) list.push(token_json(score));
    details.set("logprobs", std::move(list));
  }
  made.details = dump(details);
}

}  // namespace quire
