// Strong integers for what must not be mixed up, plain ones for what fills flat arrays. RequestId
// and SeqId are handed out once and never reused within a process. Negative TokenIds are promises
// (core/step.h). Plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace quire {

template <typename Tag>
struct StrongId {
  std::uint64_t value = 0;
  auto operator<=>(const StrongId&) const = default;
};

using RequestId = StrongId<struct RequestTag>;  // one client request
using SeqId = StrongId<struct SeqTag>;          // one branch of one request

using TokenId = std::int32_t;  // >= 0 in a vocabulary; negative values are promises (core/step.h)
using BlockId = std::int32_t;  // of a KV group; 0 is the padding block and never allocated
using StepId = std::uint64_t;  // counts launched plans, from 1

}  // namespace quire

template <typename Tag>
struct std::hash<quire::StrongId<Tag>> {
  std::size_t operator()(quire::StrongId<Tag> id) const noexcept {
    return std::hash<std::uint64_t>()(id.value);
  }
};
