// OllamaAnswer: the answer of /api/generate and /api/chat, whole or as lines of JSON. A call of a
// tool comes whole, in a line of its own, with its arguments as an object; a thought comes before
// what is said. The last line has why it ended, how many tokens there were and how long each stage
// took, in nanoseconds, and whatever there is to warn of.
// One call; I/O thread. Used by generate and chat.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer/answer_counts.h"
#include "serve/answer/shaped_parts.h"
#include "serve/answer/token_names.h"
#include "serve/call.h"
#include "serve/dialects/ollama/request.h"

namespace quire {

inline constexpr std::string_view kNdjson = "application/x-ndjson";

class OllamaAnswer : public AnswerWriter {
 public:
  OllamaAnswer(const OllamaRequest& request, const std::vector<Request>& requests);

  std::string_view id() const override { return id_; }
  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  void ping(std::string&) override {}  // a line would be an object
  void finish(std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;
  void warn(const Warning& warning) override {
    add_warning(request_.warned, warning);
    if (warning.code == kToolsNotEnforced) parts_.leave_free();
  }

 private:
  // What has been said since the last line, or all of it.
  struct Said {
    std::string text, thought;
    Json calls = Json::array();
    Json logprobs = Json::array();
    bool is_nothing() const {
      return text.empty() && thought.empty() && calls.items().empty() && logprobs.items().empty();
    }
  };
  struct OpenCall {
    std::size_t part = 0;
    std::string name, arguments;
  };

  void keep(const PartDelta& part);
  void close_call();
  void keep_scores(const TokenEvent& event);
  Json head() const;
  void set_said(Json& body);  // and forgets it
  void set_end(Json& body);

  OllamaRequest request_;
  TokenNames names_;
  AnswerCounts counts_;
  std::string id_;
  ShapedParts parts_;
  Said said_;
  std::optional<OpenCall> call_;
  std::size_t calls_ = 0;
  std::vector<TokenId> context_;  // prompt and answer, where they are shown
  FinishReason finish_ = FinishReason::kNone;
  Nanos first_token_{0};
};

}  // namespace quire
