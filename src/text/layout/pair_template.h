// PairTemplate: what a model's tokenizer writes around and between two texts that are read as one
// sequence: "[CLS] question [SEP] document [SEP]", and where the second text begins. As the
// post-processor of a tokenizer.json says it; without one the second text follows the first. A
// ranker that was made of a chat model has a text with room for both instead, which is then
// tokenized as one: what joins tokens across the seams is part of what the model knows.
// Immutable; any thread. Made where a model is loaded, used by serve.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "text/tokenizer.h"

namespace quire {

class PairTemplate {
 public:
  // kUnsupported: the file asks for a post-processor that we do not know.
  static Result<PairTemplate> from_json(std::string_view tokenizer_json);

  // "..{query}..{document}..": tokens are parsed in front of the last special one before the first
  // text and from the first one behind the second; between them all is letters.
  // kCorrupt: it has not each of them once, in that order.
  static Result<PairTemplate> from_text(std::string_view text, const Tokenizer& tokenizer);

  // Whether it is of that kind: `join` is of what `body` gives, as the first text.
  bool is_text() const { return is_text_; }
  std::string body(std::string_view first, std::string_view second) const;

  struct Pair {
    std::vector<TokenId> ids;
    std::uint32_t second = 0;  // where the second segment begins; 0: the tokenizer names none
  };
  // Of texts that were encoded without special tokens.
  Pair join(std::span<const TokenId> first, std::span<const TokenId> second) const;

  // Tokens that are neither text.
  std::size_t special_count() const;

 private:
  struct Piece {
    enum class Kind : std::uint8_t { kSpecial, kFirst, kSecond };
    Kind kind = Kind::kSpecial;
    std::vector<TokenId> ids;  // of a special one
    bool is_second_segment = false;
  };
  friend struct PairReader;

  std::vector<Piece> pieces_;
  bool is_text_ = false;
  std::string before_, between_, after_;  // of both texts, in what is tokenized as one
};

// How many tokens of each text stay where both together may have `tokens_max`: the longer one is
// cut first, as the libraries do it.
struct PairLengths {
  std::size_t first = 0, second = 0;
};
PairLengths fit_pair(std::size_t first, std::size_t second, std::size_t tokens_max);

}  // namespace quire
