// Tokenizer: text to token ids and ids to bytes, for one vocabulary, from tokenizer.json bytes (a
// file's, or what formats/gguf_tokenizer made of a GGUF vocabulary).
//
// A text is the concatenation of its tokens' bytes, exactly; a token may be half a character. The
// one exception belongs to the start of a text: SentencePiece vocabularies write a space there that
// the text did not have (`strips_leading_space`). Detokenizer puts both together for a stream.
// Which ids mean end-of-text is the model's business, not this class's.
// Immutable after creation; any thread. Used by serve and apps (encode) and engine (bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/status.h"

struct QuireTokenizer;

namespace quire {

struct EncodeOptions {
  bool add_special = true;     // BOS and EOS as the vocabulary's template says
  bool parse_special = false;  // "<|im_end|>" in the text becomes that token instead of its letters
};

class Tokenizer {
 public:
  static Result<std::shared_ptr<const Tokenizer>> from_json(std::string_view json);

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  ~Tokenizer();

  // Text that is no UTF-8 is an error which names the byte.
  Result<std::vector<TokenId>> encode(std::string_view text, EncodeOptions options) const;

  // One more than the largest id; ids in between may be absent (empty bytes and text).
  std::size_t vocab_size() const { return flags_.size(); }

  // Empty for an id outside the vocabulary: models may have more rows than tokens.
  std::string_view token_bytes(TokenId token) const { return slice(bytes_, byte_offsets_, token); }
  std::string_view token_text(TokenId token) const { return slice(names_, name_offsets_, token); }
  bool is_special(TokenId token) const;
  bool is_present(TokenId token) const;
  std::optional<TokenId> find(std::string_view token_text) const;

  // The ids whose text is matched as a whole when `parse_special`, in order of id.
  const std::vector<TokenId>& special_tokens() const { return special_tokens_; }

  bool strips_leading_space() const { return strips_leading_space_; }

  // A bound for refusing a prompt before it is tokenized: no token is longer than token_size_max()
  // bytes, so the text has at least tokens_min(text) tokens.
  std::size_t token_size_max() const { return token_size_max_; }
  std::size_t tokens_min(std::string_view text) const;

  // For grammar.cc.
  const QuireTokenizer* raw() const { return raw_; }

 private:
  explicit Tokenizer(QuireTokenizer* raw) : raw_(raw) {}
  Status load_table();
  bool has_flag(TokenId token, std::uint8_t flag) const;
  std::string_view slice(const std::string& all, const std::vector<std::uint32_t>& offsets,
                         TokenId token) const;

  QuireTokenizer* raw_;
  std::string names_;
  std::vector<std::uint32_t> name_offsets_;  // [vocab_size + 1]
  std::string bytes_;
  std::vector<std::uint32_t> byte_offsets_;            // [vocab_size + 1]
  std::vector<std::uint8_t> flags_;                    // [vocab_size]
  std::unordered_map<std::string_view, TokenId> ids_;  // views of names_
  std::vector<TokenId> special_tokens_;
  std::size_t token_size_max_ = 1;
  bool strips_leading_space_ = false;
};

}  // namespace quire
