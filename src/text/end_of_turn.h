// Tokens that end a turn, known by their text: a file may name only the end of a text as its end
// ("<|endoftext|>") although its chats end their turns with another token ("<|im_end|>").
// Pure; any thread. Used by apps when a model is loaded.
#pragma once

#include <string_view>
#include <vector>

#include "base/ids.h"
#include "text/tokenizer.h"

namespace quire {

// Those that the vocabulary has, in order of id.
std::vector<TokenId> end_of_turn_ids(const Tokenizer& tokenizer);

// Those that `chat_template` writes out, in order of id.
std::vector<TokenId> end_of_turn_ids(const Tokenizer& tokenizer, std::string_view chat_template);

}  // namespace quire
