// MessageAnswer: the answer of POST /v1/messages, whole or as events. Parts of the answer are
// content blocks, numbered without gaps, one after the other: text, thinking (with a signature at
// its end), tool_use (whose input arrives as pieces of JSON). Usage is cumulative; what the prefix
// cache had is cache_read_input_tokens and no part of input_tokens.
// One call; I/O thread. Used by messages.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer/answer_counts.h"
#include "serve/answer/shaped_parts.h"
#include "serve/call.h"
#include "serve/dialects/anthropic/request.h"

namespace quire {

class MessageAnswer : public AnswerWriter {
 public:
  MessageAnswer(const AnthropicRequest& request, const std::vector<Request>& requests);

  std::string_view id() const override { return id_; }
  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  void ping(std::string& out) override;
  void finish(std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;
  void warn(const Warning& warning) override {
    notes_.add(warning.code, warning.param, warning.message);
    if (warning.code == kToolsNotEnforced) parts_.leave_free();
  }

  // What take() does with the parts of an event.
  void take_parts(const std::vector<PartDelta>& parts, std::string& out);

 private:
  // The block that grows. A part is one block.
  struct Block {
    PartKind kind = PartKind::kText;
    std::size_t part = 0;
    std::string text, call_id, call_name;
  };

  Json head() const;   // the message without its content
  Json usage(bool is_start) const;
  Json stop_reason() const;
  void begin_stream(std::string& out);
  void open_block(const PartDelta& part, std::string& out);
  void close_block(std::string& out);
  void append_delta(Json delta, std::string& out);
  Json block_json(const Block& block);

  const AnthropicRequest request_;
  AnswerCounts counts_;
  std::string id_;
  ShapedParts parts_;
  std::vector<Block> blocks_;  // of a stream: without their text
  bool is_open_ = false;       // of a stream: the last block
  bool is_begun_ = false;      // message_start is out
  bool has_calls_ = false;
  FinishReason finish_ = FinishReason::kNone;
  std::string stop_string_;
  AnthropicWarnings notes_;
};

}  // namespace quire
