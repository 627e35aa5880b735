// What a Hugging Face directory says of its tokenizer beside the vocabulary: the class, whose
// habits are not written down, switches, the names of special tokens and tokens that were added.
// From tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json's
// model_type; what is absent or of another kind counts as not said.
// Plain values; any thread. Used by the readers of tokenizers that need a class.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace quire {

// The object in such a file; empty: there is none, of which its own reader complains.
Json read_words(const std::filesystem::path& path);

struct AddedWord {
  std::uint64_t id = 0;
  std::string text;
  bool is_special = true;
};

class ClassWords {
 public:
  static ClassWords read(const std::string& directory);

  // "BartTokenizer": without "Fast" behind it. Empty: nothing tells.
  const std::string& name() const { return name_; }
  std::string text(std::string_view key) const;  // "bos_token"; empty: not said
  bool flag(std::string_view key, bool fallback) const;
  std::int64_t number(std::string_view key, std::int64_t fallback) const;
  bool has(std::string_view key) const;

  const std::vector<AddedWord>& added() const { return added_; }      // with their ids
  const std::vector<std::string>& more() const { return more_; }      // additional_special_tokens
  std::vector<std::string> special_texts() const;                     // all that have a role

 private:
  Json words_ = Json::object(), specials_ = Json::object();
  std::string name_;
  std::vector<AddedWord> added_;
  std::vector<std::string> more_;
};

}  // namespace quire
