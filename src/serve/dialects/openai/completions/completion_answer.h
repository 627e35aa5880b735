// CompletionAnswer: the answer of POST /v1/completions, whole or as chunks. Log-probabilities are
// four columns (tokens, token_logprobs, top_logprobs, text_offset) that grow with the text.
// One call; I/O thread. Used by openai_completions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "serve/dialects/openai/answer.h"
#include "text/detokenizer.h"

namespace quire {

struct CompletionOptions {
  bool echo = false;
  int logprobs = -1;         // alternatives shown; -1: no log-probabilities
  int prompt_logprobs = -1;  // in vLLM's form; -1: none
  int shown = 1;             // choices of each prompt that are shown: the likeliest of those made
  std::vector<std::string> prompt_texts;  // [prompts], for echo
};

class CompletionAnswer : public OpenAiAnswer {
 public:
  CompletionAnswer(const OpenAiRequest& request, const std::vector<Request>& requests,
                   CompletionOptions options);

  void take(std::size_t prompt, const TokenEvent& event, std::string& out) override;
  void finish(std::string& out) override;

 private:
  struct Columns {
    Json tokens = Json::array();
    Json token_logprobs = Json::array();
    Json top_logprobs = Json::array();
    Json text_offset = Json::array();
  };
  struct Choice {
    std::string text;       // of a stream: what the next chunk says
    Columns columns;        // likewise
    std::size_t offset = 0;  // whole characters of the text before the next token
    std::optional<Detokenizer> words;  // as the engine's: what each token adds to the text
    std::vector<TokenId> token_ids;
    std::size_t tokens = 0;  // of a stream: since the last chunk
    double logprob = 0;      // of all its tokens, summed over `scored` of them
    std::size_t scored = 0;
    Json finish_reason, stop_reason;
    bool is_begun = false;
    bool shows_prompt = true;  // its ids, in the first chunk only
  };

  void echo_prompt(std::size_t prompt, Choice& choice);
  void begin_words(std::size_t prompt, Choice& choice) const;
  void advance(TokenId token, Choice& choice) const;
  void append_score(const TokenScore& score, Choice& choice) const;
  void append_row(std::string name, Json logprob, Json top, Choice& choice) const;
  Json choice_json(std::size_t index, Choice& choice);
  std::vector<std::size_t> shown_choices() const;
  void stream(std::size_t index, Choice& choice, const TokenEvent& event, std::string& out);

  CompletionOptions options_;
  std::vector<std::vector<TokenScore>> prompt_scores_;  // [prompts]
  std::vector<bool> is_start_of_text_;                  // [prompts]: the answer begins a text
  std::vector<Choice> choices_;
};

}  // namespace quire
