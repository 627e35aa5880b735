// Tokenizer over the crate: encoding is a call, everything about single tokens is a table that is
// copied out once, so that the engine never calls into the crate while it commits a step.
#include "text/tokenizer.h"

#include <algorithm>

#include "base/check.h"

#include "text/rust_boundary.h"

namespace quire {

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json(std::string_view json) {
  QuireTokenizer* raw = nullptr;
  QUIRE_RETURN_IF_ERROR(
      rust::to_status(quire_tokenizer_new(rust::bytes_of(json), json.size(), &raw)));
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer(raw));
  QUIRE_RETURN_IF_ERROR(tokenizer->load_table());
  return std::shared_ptr<const Tokenizer>(std::move(tokenizer));
}

Tokenizer::~Tokenizer() { quire_tokenizer_free(raw_); }

Status Tokenizer::load_table() {
  QuireTokenTable table = {};
  rust::Buffer names, name_offsets, bytes, byte_offsets, flags;
  QUIRE_RETURN_IF_ERROR(rust::to_status(quire_tokenizer_table(raw_, &table)));
  *names.out() = table.names;
  *name_offsets.out() = table.name_offsets;
  *bytes.out() = table.bytes;
  *byte_offsets.out() = table.byte_offsets;
  *flags.out() = table.flags;

  strips_leading_space_ = table.strips_leading_space != 0;
  names_ = names.text();
  name_offsets_ = name_offsets.values<std::uint32_t>();
  bytes_ = bytes.text();
  byte_offsets_ = byte_offsets.values<std::uint32_t>();
  flags_ = flags.values<std::uint8_t>();
  const std::size_t bounds = flags_.size() + 1;
  QUIRE_CHECK(name_offsets_.size() == bounds && byte_offsets_.size() == bounds,
              "{} bounds of names and {} of spellings of {} tokens", name_offsets_.size(),
              byte_offsets_.size(), flags_.size());
  QUIRE_CHECK(name_offsets_.back() == names_.size() && byte_offsets_.back() == bytes_.size(),
              "names to {} of {}, spellings to {} of {}", name_offsets_.back(), names_.size(),
              byte_offsets_.back(), bytes_.size());
  ids_.reserve(flags_.size());
  for (std::size_t i = 0; i < flags_.size(); ++i) {
    const auto token = static_cast<TokenId>(i);
    if (!is_present(token)) continue;
    ids_.emplace(token_text(token), token);
    if (is_special(token)) special_tokens_.push_back(token);
    token_size_max_ = std::max(token_size_max_, token_bytes(token).size());
  }
  return ok_status();
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  rust::Buffer ids;
  QUIRE_RETURN_IF_ERROR(rust::to_status(
      quire_tokenizer_encode(raw_, rust::bytes_of(text), text.size(), options.add_special ? 1 : 0,
                             options.parse_special ? 1 : 0, ids.out())));
  return ids.values<TokenId>();
}

bool Tokenizer::has_flag(TokenId token, std::uint8_t flag) const {
  return token >= 0 && static_cast<std::size_t>(token) < flags_.size() &&
         (flags_[static_cast<std::size_t>(token)] & flag) != 0;
}

bool Tokenizer::is_special(TokenId token) const { return has_flag(token, QUIRE_TOKEN_SPECIAL); }

bool Tokenizer::is_present(TokenId token) const { return has_flag(token, QUIRE_TOKEN_PRESENT); }

std::optional<TokenId> Tokenizer::find(std::string_view token_text) const {
  const auto found = ids_.find(token_text);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::size_t Tokenizer::tokens_min(std::string_view text) const {
  return text.size() / token_size_max_ + (text.size() % token_size_max_ != 0 ? 1 : 0);
}

std::string_view Tokenizer::slice(const std::string& all, const std::vector<std::uint32_t>& offsets,
                                  TokenId token) const {
  if (token < 0 || static_cast<std::size_t>(token) >= flags_.size()) return {};
  const auto index = static_cast<std::size_t>(token);
  return std::string_view(all).substr(offsets[index], offsets[index + 1] - offsets[index]);
}

}  // namespace quire
