// Words: what a model's files say about its special tokens, its chat template and how its authors
// would sample from it, whatever the kind of file.
// Plain values; any thread. Read by the config readers; used by apps, and through them by serve.
#pragma once

#include <string>
#include <utility>
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

// What the files of a model that makes vectors of texts say beside its weights: those of
// sentence-transformers, and the names of labels.
struct PooledWords {
  int tokens_max = 0;  // of a text, as its authors would have it cut; 0: not said
  std::vector<std::pair<std::string, std::string>> prompts;  // by name: what stands before a text
  std::string default_prompt;       // the name of one of them; empty: none
  bool is_matryoshka = false;       // the first columns of a vector are a vector, too
  std::vector<int> dimensions;      // at which it may be cut; none: anywhere
  std::vector<std::string> labels;  // of a classifier, by index; empty: not named
  std::string activation;           // of scores, as PyTorch calls it; empty: not said
  std::string pair_text;            // "..{query}..{document}..": two texts as one; empty: none
  std::string problem;              // "regression", "multi_label_classification"; empty: not said
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
  PooledWords pooled;
};

}  // namespace quire
