// Words: what a model's files say about its special tokens, its chat template and how its authors
// would sample from it, whatever the kind of file.
// Plain values; any thread. Read by the config readers; used by apps, and through them by serve.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"

namespace quire {

// Sampling values that a model's authors suggest (generation_config.json); negative: not given.
struct GenerationDefaults {
  float temperature = -1;
  float top_p = -1;
  int top_k = -1;
  float repetition_penalty = -1;
};

struct Words {
  TokenId bos_id = -1;  // -1: none
  std::vector<TokenId> eos_ids;
  // What the text of an encoder's decoder begins with: the start, then what must come first (the
  // language of a translation). Empty: not said, as of all other models.
  std::vector<TokenId> decoder_start;
  std::string bos_text;
  std::string eos_text;
  bool add_bos = false;
  bool add_eos = false;
  bool is_of_gguf = false;  // its add_bos holds for chats, too; its list of ends is short
  std::vector<std::string> warnings;  // sentences: what had to be guessed
  std::string chat_template;  // Jinja; empty: none
  GenerationDefaults generation;
};

}  // namespace quire
