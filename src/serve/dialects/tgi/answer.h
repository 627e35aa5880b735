// TgiAnswer: what a generate request is answered with, whole or as events of a stream. A token's
// text is what it adds to the answer, so that the texts of all that are not special are the
// generated text; a stream has an event for every token, however many came at once.
// One call; I/O thread. Used by generate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer/token_names.h"
#include "serve/call.h"
#include "serve/dialects/tgi/request.h"
#include "text/detokenizer.h"

namespace quire {

struct TgiForm {
  bool is_list = false;           // a list of one, as POST / has it
  bool repeats_inputs = false;    // before the generated text
  bool is_constrained = false;    // by a grammar
};

class TgiAnswer : public AnswerWriter {
 public:
  // `requests`: one for each of best_of.
  TgiAnswer(TgiRequest request, const std::vector<Request>& requests, TgiForm form);

  void complete_head(const CallTimes& times, http::Response& head) override;
  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  void ping(std::string& out) override { out += ":\n\n"; }
  void finish(std::string& out) override;
  void fail(const ApiError& error, std::string& out) override;

 private:
  struct Token {
    TokenId id = -1;
    std::string text;
    float logprob = 0;
    bool is_special = false;
    std::vector<TokenLogprob> top;
  };
  struct Sequence {
    explicit Sequence(Detokenizer the_words) : words(std::move(the_words)) {}

    Detokenizer words;
    std::string text;        // the engine's
    std::size_t told = 0;    // bytes of the texts of its tokens
    std::vector<Token> tokens;  // of a stream: those of the present event
    std::vector<TokenId> prompt;
    std::vector<TokenScore> prompt_scores;
    double logprob = 0;      // of all tokens
    std::size_t generated = 0;
    std::uint64_t seed = 0;
    FinishReason finish = FinishReason::kNone;
    bool is_stop_string = false;
  };

  void add_tokens(const TokenEvent& event, Sequence& sequence) const;
  void settle_last(Sequence& sequence) const;
  bool ends_without_token(const TokenEvent& event, const Sequence& sequence) const;
  void add_end(Sequence& sequence) const;
  void append_event(const Token& token, const Sequence* ended, std::string& out);
  Json token_json(TokenId id, std::string text, float logprob, bool is_special) const;
  Json top_json(const Token& token) const;
  Json prefill_json(const Sequence& sequence) const;
  void add_facts(const Sequence& sequence, Json& details) const;
  Json details_json(const Sequence& sequence) const;
  bool has_warnings() const { return !request_.warnings.empty() || !request_.notes.empty(); }
  Json warnings_json() const;
  std::string generated_text(const Sequence& sequence) const;
  std::size_t best() const;

  const TgiRequest request_;
  const TgiForm form_;
  const TokenNames names_;
  std::vector<Sequence> sequences_;
  std::uint64_t events_ = 0;
};

}  // namespace quire
