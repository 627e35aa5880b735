// Texts that become vectors: from what a client wrote to requests of the engine that are read as a
// whole and answered with one pooled row. A text that is too long is refused with its tokens
// counted, or cut where that was asked for, between the special tokens that its tokenizer writes.
// Pure; worker threads. Used by dialects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/request.h"
#include "host/hosted_model.h"
#include "serve/intake/api_error.h"
#include "serve/intake/tenant.h"

namespace quire {

// How the texts of one call are read.
struct PooledTexts {
  ModelLease model;
  bool adds_special = true;
  std::optional<std::int64_t> cut_to;  // tokens, special ones included; -1: as many as fit
  bool cuts_front = false;             // else the end goes
  int priority = 0;
  std::string cache_salt;
};

// `field` is where the text stands: "input[3]".
Parsed<std::vector<TokenId>> encode_whole(const PooledTexts& texts, std::string_view text,
                                          const std::string& field);
// Of tokens as they are, or of a chat.
Parsed<std::vector<TokenId>> fit_whole(const PooledTexts& texts, std::vector<TokenId> ids,
                                       const std::string& field);

Request make_pooled(const PooledTexts& texts, const Tenant& tenant, std::vector<TokenId> ids);

// Two texts as the model's tokenizer puts them together. REQUIRES: the model reads pairs.
struct PairOfTexts {
  std::string_view first, second;
  std::string first_field, second_field;  // for errors
};
Parsed<Request> make_pair(const PooledTexts& texts, const Tenant& tenant, const PairOfTexts& pair);

// The length that `cut_to` asks for, or why there is none.
std::optional<ApiError> check_cut(const PooledTexts& texts);

}  // namespace quire
