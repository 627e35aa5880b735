// OpenAiAnswer: what the answers of chat and text completions share: their head (id, created,
// model), usage, log-probabilities and the frame of server-sent events. A concrete answer keeps one
// record a choice; choice = prompt * n + branch.
// One call; I/O thread. Used by chat and completions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer/answer_counts.h"
#include "serve/answer/token_names.h"
#include "serve/call.h"
#include "serve/dialects/openai/generation.h"

namespace quire {

class OpenAiAnswer : public AnswerWriter {
 public:
  OpenAiAnswer(const OpenAiRequest& request, const std::vector<Request>& requests,
               std::string_view id_prefix);

  std::string_view id() const override { return id_; }
  void fail(const ApiError& error, std::string& out) override;
  void warn(const Warning& warning) override { notes_.push_back(warning); }

 protected:
  Json head(std::string_view object) const;  // id, object, created, model, fingerprint
  Json usage() const;
  void add_warnings(Json& body) const;
  // One event of a stream: a body whose "choices" is this one choice.
  void append_event(std::string_view object, Json choice, std::string& out);
  void append_end(std::string_view object, std::string& out);  // usage if asked for, then [DONE]

  Json token_ids(const std::vector<TokenId>& ids) const;

  const OpenAiRequest request_;
  const TokenNames names_;
  AnswerCounts counts_;
  std::vector<std::vector<TokenId>> prompts_;  // kept only where the answer repeats them

 private:
  std::string id_;
  std::int64_t created_;
  std::string model_name_;
  std::string fingerprint_;
  std::vector<Warning> notes_;  // the request's, and what turned out later
  bool is_begun_ = false;  // the first event of the stream is out
};

// JSON for a log-probability; minus infinity is -9999, as OpenAI writes it.
Json logprob_json(float logprob);
// A token with its log-probability, its bytes and the alternatives that were asked for, as chats
// show it: so many of the likeliest, or itself and those that the client has named.
Json score_json(const TokenNames& names, const TokenScore& score, const SamplingParams& params);
// "stop", "length", ...; null while the choice goes on.
Json finish_json(FinishReason reason);
// vLLM's stop_reason: the string or token that ended it, null otherwise.
Json stop_reason_json(const TokenEvent& event);
// vLLM's prompt_logprobs: null, then for each prompt token an object {id: {logprob, rank, text}}.
Json prompt_logprobs_json(const std::vector<TokenScore>& scores, int alternatives,
                          const TokenNames& names);

void append_server_sent(const Json& body, std::string& out);

}  // namespace quire
