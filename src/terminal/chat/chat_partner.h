// ChatPartner: the model that a person talks to, as a chat needs it: its words, what computes, and
// the facts that may be asked for. Made by the commands' room, which knows how models are loaded.
// A plain value; main thread. Taken by Chat.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

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

struct ChatPartner {
  ChatModelFacts facts;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  // null: each message is a prompt of its own
  ChatWords words;
  std::shared_ptr<const void> files;  // what the executor computes with, mapped: outlives it
  EngineOptions options;
  std::unique_ptr<Executor> executor;
};

}  // namespace quire
