// Merges from scores.
#include "formats/words/spm_merges.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <unordered_set>

#include "base/check.h"

namespace quire {

std::vector<MergePair> spm_merges(std::span<const std::string> pieces,
                                  std::span<const float> scores,
                                  const std::vector<bool>& is_mergeable) {
  QUIRE_CHECK(scores.size() == pieces.size() && is_mergeable.size() == pieces.size(),
              "{} pieces, {} scores, {} marks", pieces.size(), scores.size(), is_mergeable.size());
  std::unordered_set<std::string_view> known;
  known.reserve(pieces.size());
  std::vector<std::uint32_t> order;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!is_mergeable[i]) continue;
    known.insert(pieces[i]);
    order.push_back(static_cast<std::uint32_t>(i));
  }
  // NaN scores would break the ordering; they count as the worst.
  const auto rank = [&](std::uint32_t i) {
    return scores[i] == scores[i] ? scores[i] : -std::numeric_limits<float>::infinity();
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return rank(a) > rank(b); });

  std::vector<MergePair> merges;
  for (const std::uint32_t i : order) {
    const std::string_view piece = pieces[i];
    for (std::size_t at = 1; at < piece.size(); ++at) {
      const bool is_inside_character = (static_cast<std::uint8_t>(piece[at]) & 0xC0) == 0x80;
      if (is_inside_character) continue;
      const std::string_view left = piece.substr(0, at);
      const std::string_view right = piece.substr(at);
      if (known.contains(left) && known.contains(right)) merges.emplace_back(left, right);
    }
  }
  return merges;
}

}  // namespace quire
