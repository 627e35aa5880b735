// ResponsesAnswer: the answer of POST /v1/responses, whole or as numbered events, and its end in
// the archive: what is to be kept is on the disk before the client reads that it is complete. An
// answer that goes on in the background tells its events to those who read along.
// One call; I/O thread, but for closing()'s work. Used by endpoints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "serve/answer/answer_counts.h"
#include "serve/answer/shaped_parts.h"
#include "serve/answer/token_names.h"
#include "serve/background/detached_answers.h"
#include "serve/call.h"
#include "serve/dialects/openai/responses/item_stream.h"
#include "serve/dialects/openai/responses/request.h"
#include "serve/dialects/openai/responses/store.h"

namespace quire {

// The response object but for what comes of it.
struct ResponseFacts {
  std::string id;
  std::int64_t created = 0;
  std::string model;
  Json echo;   // of the request
  Json notes = Json::array();
};

// `error`, `usage`: null where there is none.
Json response_json(const ResponseFacts& facts, std::string_view status, const Json& output,
                   const Json& usage, const Json& error);

// As its stream writes it.
std::string response_event(std::string_view type, std::size_t number, Json body);

class ResponsesAnswer : public AnswerWriter {
 public:
  // `detached`: null: the client waits.
  ResponsesAnswer(const ResponsesRequest& request, const std::vector<Request>& requests,
                  ResponseFacts facts, Turn turn, std::shared_ptr<DetachedAnswer> detached,
                  DetachedAnswers* list);

  std::string_view id() const override { return facts_.id; }
  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  std::function<void()> closing() override;
  void finish(std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;
  void warn(const Warning& warning) override;

  // As take() does with what it has cut into parts.
  void take_parts(const std::vector<PartDelta>& parts, const TokenEvent& event, std::string& out);

 private:
  struct Ending {  // shared with the worker that keeps it
    Turn turn;
    Json body;
    Status status;
  };

  void begin();
  void emit(std::string_view type, Json body);
  std::vector<Json> take_scores(const TokenEvent& event) const;
  Json usage() const;
  Json final_body(const Json& error) const;
  std::string_view status() const;

  const bool is_stream_;
  const SamplingParams params_;
  const TokenNames names_;
  AnswerCounts counts_;
  ResponseFacts facts_;
  std::shared_ptr<Ending> ending_;
  std::shared_ptr<DetachedAnswer> detached_;
  DetachedAnswers* list_;
  ShapedParts parts_;
  ItemStream items_;
  std::vector<Json> scores_;  // of tokens whose text has not come yet
  std::string tail_;          // written since the last call that had an `out`
  std::string events_;        // all of them, where they are kept
  std::size_t number_ = 0;    // of the next event
  FinishReason finish_ = FinishReason::kNone;
  bool is_begun_ = false;
};

}  // namespace quire
