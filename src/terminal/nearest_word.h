// nearest_word: "did you mean": the candidate that a mistyped word was probably meant to be.
// Pure function; any thread. Called by command_line for commands and flags, by model_path for
// names of models.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quire {

// The candidate nearest to `word` by edit distance, if it is near enough to be a slip; else empty.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace quire
