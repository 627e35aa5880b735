// Lark: what a client wrote in it, within bounds that its compiler does not set for itself, and
// lists of texts as a regular expression of their own.
// Pure; any thread. Used by serve/intake.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/grammar/source.h"

namespace quire {

inline constexpr std::size_t kLarkSizeMax = 256 * 1024;  // bytes
inline constexpr std::size_t kLarkDepthMax = 100;        // groups in groups
inline constexpr std::size_t kChoiceTextsMax = 10'000;
inline constexpr std::size_t kChoiceBytesMax = 256 * 1024;  // bytes of all of them

inline constexpr std::size_t kRuleChainMax = 400;  // rules that lead to each other

// Whether a compiler that goes from rule to rule where they are named, each once, beginning with
// the first, comes deeper than that. [rules][rules named in it]
bool is_chain_too_long(std::span<const std::vector<std::size_t>> names);

// Lark with the extensions of llguidance. Errors say line and column.
Result<GrammarSource> source_of_lark(std::string_view lark);

// One of these texts and nothing else. REQUIRES: at least one.
Result<GrammarSource> source_of_choice(std::span<const std::string> choices);

}  // namespace quire
