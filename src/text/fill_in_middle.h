// Fill in the middle: what stands before and behind a gap, written with the control tokens by which
// code models were taught to fill it (Bavarian et al., "Efficient Training of Language Models to
// Fill in the Middle", 2022). Which tokens those are is told by their names in the vocabulary.
// Pure; any thread. Used by serve.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/tokenizer.h"

namespace quire {

struct GapTokens {
  TokenId prefix = -1, suffix = -1;
  TokenId middle = -1;           // -1: none; then the suffix comes first
  std::vector<TokenId> ends;     // that end such an answer, beside eos
};

// Nothing: the vocabulary has none.
std::optional<GapTokens> find_gap_tokens(const Tokenizer& tokenizer);

// The prompt whose answer goes between the two; BOS first where the tokenizer adds it.
Result<std::vector<TokenId>> encode_gap(const Tokenizer& tokenizer, const GapTokens& tokens,
                                        std::string_view before, std::string_view behind);

}  // namespace quire
