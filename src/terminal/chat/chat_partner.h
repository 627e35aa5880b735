// ChatPartner: the model that a person talks to, as a chat needs it: its words, what computes, and
// the facts that may be asked for. Made by the commands' room, which knows how models are loaded.
// A plain value; main thread. Taken by Chat.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/events.h"
#include "core/executor.h"
#include "core/options.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace quire {

// What is said of the model, by /show and at the beginning.
struct ChatModelFacts {
  std::string name;
  std::string page;           // sizes, context, machine: several lines
  std::string chat_template;  // its source; empty: none
  std::string chat_problem;   // why the template cannot be used
  std::uint32_t context_max = 0;
};

// A piece of an answer: what is said, or what was thought before.
struct AnswerPiece {
  bool is_thought = false;
  std::string text;
};

// Cuts the text of one answer into pieces as it comes.
class AnswerPieces {
 public:
  virtual ~AnswerPieces() = default;
  virtual std::vector<AnswerPiece> take(const TokenEvent& event) = 0;
};

struct ChatPartner {
  ChatModelFacts facts;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  // null: each message is a prompt of its own
  ChatWords words;
  std::vector<Json::Member> not_thinking;  // what asks the template for an answer without a thought
  std::shared_ptr<const void> files;  // what the executor computes with, mapped: outlives it
  EngineOptions options;
  std::unique_ptr<Executor> executor;
  // Of the answer to `prompt`, for which it may change `params`; empty: all of it is said.
  std::function<std::unique_ptr<AnswerPieces>(std::span<const TokenId> prompt,
                                              SamplingParams& params)> pieces;
  // What the answer to `prompt` has to look like; empty: anything.
  std::function<std::shared_ptr<const Constraint>(std::span<const TokenId> prompt)> constraint;
};

}  // namespace quire
