#include "serve/answer/parts.h"

namespace quire {

void PartStream::take(const TokenEvent& event, std::vector<PartDelta>& out) {
  if (!event.text.empty()) out.push_back({.kind = PartKind::kText, .text = event.text});
}

}  // namespace quire
