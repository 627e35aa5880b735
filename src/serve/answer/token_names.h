// TokenNames: tokens as log-probabilities name them: bytes, or text that is valid UTF-8, or
// "token_id:N" where the client wants that.
// One call; I/O thread. Used by dialects.
#pragma once

#include <memory>
#include <string>

#include "text/tokenizer.h"

namespace quire {

class TokenNames {
 public:
  TokenNames(std::shared_ptr<const Tokenizer> tokenizer, bool as_ids)
      : tokenizer_(std::move(tokenizer)), as_ids_(as_ids) {}

  std::string bytes(TokenId token) const;  // control tokens as they are written
  std::string name(TokenId token) const;   // valid UTF-8, or "token_id:N"
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool as_ids_;
};

}  // namespace quire
