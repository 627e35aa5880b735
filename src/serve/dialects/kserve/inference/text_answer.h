// TextAnswer: the answers to a batch of texts as tensors: one response when all have ended, or one
// for each piece of the only text.
// One call; I/O thread. Used by text_call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/answer/token_names.h"
#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

// What goes beside text_output.
struct TextOutputs {
  bool text = true, finish_reason = false, cumulative_logprob = false, logprobs = false,
       num_input_tokens = false, num_output_tokens = false;
  bool details = false;  // of generate

  bool need_scores() const { return cumulative_logprob || logprobs || details; }
};

class TextAnswer : public AnswerWriter {
 public:
  struct Setup {
    InferResponse head;  // without outputs
    TextOutputs outputs;
    bool is_stream = false;
    bool has_batch_dim = true;             // of the shapes: [batch, 1], else [batch]
    std::vector<std::string> prompts;      // [batch] that answers begin with; empty: they do not
    std::shared_ptr<const Tokenizer> tokenizer;
    std::vector<std::string> unknown;      // fields that were accepted and do nothing
  };

  TextAnswer(Setup setup, std::size_t batch, std::unique_ptr<InferFormat> format);

  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  std::string_view id() const override { return setup_.head.id; }
  void ping(std::string& out) override { format_->append_ping(out); }
  void finish(std::string& out) override;
  void fail(const ApiError& error, std::string& out) override { format_->append_error(error, out); }
  void complete_head(const CallTimes& times, http::Response& head) override {
    note_times(times, *format_);
    format_->complete_head(head);
  }

 private:
  struct Row {
    std::string text;  // of a stream: since the last response
    std::vector<TokenScore> scores;  // of a stream: since the last response
    std::optional<TokenScore> last_score;
    float logprob = 0;  // of all tokens
    std::uint32_t prompt_tokens = 0, tokens = 0;
    std::string finish;
    std::string oip_finish;
  };

  InferResponse response();
  void add(std::string_view name, TensorType type, std::string bytes, InferResponse& made) const;
  void add_details(const Row& row, InferResponse& made) const;
  std::string logprobs_json(const Row& row) const;

  Setup setup_;
  std::vector<Row> rows_;  // [batch]
  TokenNames names_;
  std::unique_ptr<InferFormat> format_;
};

}  // namespace quire
