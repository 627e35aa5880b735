#include "sched/sequence.h"

namespace quire {
namespace {

Status broken(const Sequence& seq, const char* what) {
  return error(StatusCode::kInternal,
               "sequence {}: {} (tokens {}, computed {}, planned {}, outputs {}, rows {})",
               seq.id.value, what, seq.known(), seq.computed, seq.planned, seq.outputs,
               seq.rows_in_flight);
}

}  // namespace

Status check_sequence(const Sequence& seq, std::span<const KvGroup> groups) {
  const std::uint32_t block_tokens = groups.front().block_tokens;
  if (seq.computed > seq.known()) return broken(seq, "KV of tokens that it does not know");
  if (seq.computed > seq.planned) return broken(seq, "computed more than was planned");
  if (seq.planned > seq.length_coming() + seq.drafts_in_flight) {
    return broken(seq, "planned tokens that nobody promised");
  }
  if (seq.known() > seq.length_max) return broken(seq, "longer than it may be");
  if (seq.published * block_tokens > seq.computed) return broken(seq, "published uncomputed KV");
  if (seq.scored > seq.scored_planned) return broken(seq, "scored more than was planned");
  const bool holds_blocks = !seq.tables.front().empty();
  switch (seq.state) {
    case SeqState::kWaiting:
      if (holds_blocks || seq.planned != 0) return broken(seq, "waits and holds blocks");
      [[fallthrough]];
    case SeqState::kFinished:
      if (holds_blocks || seq.rows_in_flight != 0) return broken(seq, "is away and has rows");
      return ok_status();
    case SeqState::kDraining:
      if (seq.rows_in_flight == 0) return broken(seq, "drains without a row in flight");
      break;
    case SeqState::kRunning:
      if (seq.is_returning) return broken(seq, "runs while it returns");
      if (seq.rows_in_flight == 0 && seq.planned != seq.computed) {
        return broken(seq, "planned without a row in flight");
      }
      break;
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::uint64_t held = seq.tables[g].size();
    if (holds_states(groups[g])) {
      if (held != 1 + std::uint64_t{seq.drafts_in_flight}) return broken(seq, "states are missing");
    } else {
      const std::uint32_t positions = holds_encoder(groups[g]) ? seq.encoder_count() : seq.planned;
      if (held * block_tokens < positions) return broken(seq, "a block table is too short");
    }
  }
  return ok_status();
}

}  // namespace quire
