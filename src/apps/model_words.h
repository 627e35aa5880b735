// ModelWords: what a model reads and writes, beside its numbers: tokenizer, chat template, where
// its prompts begin and its answers end, and what had to be guessed. A template that cannot be used
// takes chats away and nothing else.
// Main thread at start-up; ModelHost's loading thread. Used by load and show.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/model_files.h"
#include "text/chat_prompt.h"
#include "text/chat_template.h"
#include "text/layout/pair_template.h"
#include "text/tokenizer.h"

namespace quire {

struct ModelWords {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat_template;  // null: there is none, or chat_problem
  std::shared_ptr<const PairTemplate> pair_template;  // of a ranker; null: it is none
  std::string chat_problem;  // why the template cannot be used
  ChatWords chat;
  std::vector<TokenId> eos_ids;       // what the files state, then ends of turns known by text
  std::vector<std::string> warnings;  // sentences
};

// `template_path`: a file in place of the model's own template; empty: the model's.
Result<ModelWords> load_words(const ModelFiles& files, const std::string& template_path);

}  // namespace quire
