// Answers of this protocol in the response cache: which requests may be answered from it, what a
// question is, and the two ends: an answer that is there, and one that is kept when it is made.
// A model is asked to (its config's response_cache), and the answer must be one response that would
// be the same again: logits, vectors, and texts that are drawn greedily or with a seed of the
// client's. The question is the client's tenant, the inputs (names, datatypes, shapes, bytes), the
// parameters but for those of scheduling, and the outputs that are asked for; not the id, nor
// whether tensors come as JSON or as bytes: both transports share what is kept.
// Worker threads; the keeping format where formats are used. Used by infer_call and, for models
// without an engine, by light.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "serve/background/response_cache.h"
#include "serve/dialects/kserve/inference/infer_call.h"

namespace quire {

// What a request is to the cache; nothing: it has none to do with it.
struct CacheQuestion {
  ResponseCache* cache = nullptr;
  ResponseCache::Edition edition;
  std::string text;
};
std::optional<CacheQuestion> cache_question(const DialectContext& context, const ModelLease& model,
                                            const InferRequest& request, const InferTerms& terms);

// Everything that an answer depends on beside the model, so that no two questions are one text.
// `has_queues`: its settings of scheduling are among that.
std::string question_text(const DialectContext& context, const InferRequest& request,
                          const InferTerms& terms, bool has_queues);

// Keeps the response that it hands on, once it is told to.
class KeepingFormat : public InferFormat {
 public:
  explicit KeepingFormat(std::unique_ptr<InferFormat> inner) : inner_(std::move(inner)) {}

  // That was looked for in vain, for so long: it counts as a miss.
  void keep_for(CacheQuestion question, Nanos looked);

  void append(const InferResponse& response, bool is_last, std::string& out) override;
  void append_error(const ApiError& error, std::string& out) override {
    inner_->append_error(error, out);
  }
  void append_ping(std::string& out) override { inner_->append_ping(out); }
  void complete_head(http::Response& head) const override { inner_->complete_head(head); }
  StepNote& note() override { return inner_->note(); }

 private:
  std::unique_ptr<InferFormat> inner_;
  std::optional<CacheQuestion> question_;
};

// What an answer says of its own request.
struct AnswerHead {
  std::string model, version, id;
};

// An answer that was kept, counted as a hit; nothing: there is none, and nothing is counted.
// `looked`: how long that took.
std::optional<http::Response> find_kept(const CacheQuestion& question, const AnswerHead& head,
                                        InferFormat& format, Nanos& looked);

// `call` was made with `format`, which it owns: it becomes an answer that is ready, where one was
// kept; else its answer will be.
void answer_from_cache(const DialectContext& context, CacheQuestion question,
                       const AnswerHead& head, KeepingFormat& format, Call& call);

}  // namespace quire
