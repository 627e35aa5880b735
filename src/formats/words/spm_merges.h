// SentencePiece BPE as a merge list. SentencePiece merges, again and again, the adjacent pair whose
// joined text is the piece with the best score; a merge list says the same once every way to split
// a piece into two pieces is listed under that piece's rank. The dearest part of reading a llama
// vocabulary: one pass over all splits of all pieces.
// Pure function; any thread. Used by gguf_tokenizer.cc.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

using MergePair = std::pair<std::string_view, std::string_view>;  // views of the pieces

// `is_mergeable` [pieces]: whether a piece may be part or result of a merge (no control tokens).
// Pieces are valid UTF-8; splits fall between characters. Best first; ties: the lower id first.
// REQUIRES: a score and a mark for every piece.
std::vector<MergePair> spm_merges(std::span<const std::string> pieces,
                                  std::span<const float> scores,
                                  const std::vector<bool>& is_mergeable);

}  // namespace quire
