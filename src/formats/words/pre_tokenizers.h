// How byte-level BPE vocabularies cut text before merging: the table behind `tokenizer.ggml.pre`.
// A rule is a list of regular expressions, applied one after the other to the pieces that the one
// before left; each match is a piece of its own. The expressions are facts about published
// vocabularies. To add one: a row in the table.
// Constant data; any thread. Used by gguf_tokenizer.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace quire {

struct PreTokenizer {
  std::string_view name;                       // tokenizer.ggml.pre
  std::span<const std::string_view> patterns;  // in order
  bool ignores_merges = false;                 // a piece that is a token is taken whole
  bool adds_bos = false;                       // where the file does not say
  bool normalizes_nfc = false;
};

// An unknown name is an error that lists the known ones.
Result<PreTokenizer> find_pre_tokenizer(std::string_view name);

}  // namespace quire
