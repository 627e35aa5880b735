#include "serve/answer/token_names.h"

#include <fmt/format.h>

#include "base/text/utf8.h"

namespace quire {
namespace {

std::string repaired(std::string_view bytes) {
  std::string text;
  Utf8Stream stream;
  stream.append(bytes, text);
  stream.flush(text);
  return text;
}

}  // namespace

std::string TokenNames::bytes(TokenId token) const {
  const std::string_view written = tokenizer_->is_special(token) ? tokenizer_->token_text(token)
                                                                 : tokenizer_->token_bytes(token);
  return std::string(written);
}

std::string TokenNames::name(TokenId token) const {
  return as_ids_ ? fmt::format("token_id:{}", token) : repaired(bytes(token));
}

}  // namespace quire
