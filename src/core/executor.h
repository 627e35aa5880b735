// Executor: the seam between the wing that decides and the wing that computes. Four calls hide
// devices, ranks, overlap and time. Called by the engine thread alone.
//   depth 1:  launch(t) sample(t) finish(t)
//   depth 2:  ... sample(t) launch(t+1) finish(t) [commit t] sample(t+1) ...
// Implementations: runtime/local_executor, sim/sim_executor, engine/testing/script_executor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/step.h"

namespace quire {

// What one block of a group is: `block_tokens` positions, or the whole state of a recurrent layer
// after one position.
enum class GroupHolds : std::uint8_t { kPositions, kState };
// How many positions a sequence has in it: those of its text, or those of the encoder's input.
enum class GroupLength : std::uint8_t { kText, kEncoder };

// One kind of memory that a model keeps per sequence. docs/step_contract.md says what a row's table
// of each kind means.
struct KvGroup {
  std::string name{};  // for people
  std::uint32_t layers = 0;
  GroupHolds holds = GroupHolds::kPositions;
  GroupLength length = GroupLength::kText;
  std::uint32_t block_tokens = 32;  // equal in all groups; states are kept where a block ends
  std::uint32_t blocks = 0;  // ids 1..blocks-1 are allocatable; 0 is padding
  std::uint32_t window = 0;  // positions kept; 0: all
  std::uint32_t sinks = 0;   // first positions that are kept beside the window
  std::uint64_t bytes_per_block = 0;
  std::string k_type{}, v_type{};  // for people: "F16"; of a state: both empty
};

// One block in `block_tokens` positions of the encoder's input.
inline bool holds_encoder(const KvGroup& group) { return group.length == GroupLength::kEncoder; }
inline bool holds_states(const KvGroup& group) { return group.holds == GroupHolds::kState; }
// One block in `block_tokens` positions of the text.
inline bool holds_text(const KvGroup& group) {
  return group.holds == GroupHolds::kPositions && group.length == GroupLength::kText;
}
// Blocks from the start that the sinks lie in.
inline std::uint32_t sink_blocks(const KvGroup& group) {
  return (group.sinks + group.block_tokens - 1) / group.block_tokens;
}

struct Capacity {
  std::vector<KvGroup> groups;     // at least one
  std::uint32_t rows_max = 0;      // per step
  std::uint32_t tokens_max = 0;    // per step
  std::uint32_t logits_rows_max = 0;
  std::uint32_t context_max = 0;   // positions per sequence
  std::uint32_t vocab = 0;
  std::uint32_t depth = 1;         // launched plans not yet finished, at most
  bool is_causal = true;           // else a row is a whole text: neither chunked nor cached
  std::uint32_t drafts_max = 0;    // verified per row; 0: none
  std::uint32_t adapters = 0;      // 1..adapters beside the base model, which is 0
  std::uint32_t lanes = 1;         // 2: there is an encoder, and lane 1 feeds it
  std::uint32_t pooled_max = 0;    // rows per step that ask for a pooled vector; 0: none may
  std::uint32_t segments = 1;      // 2: a row may be a pair of texts
};

struct Ticket {
  StepId step = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual const Capacity& capacity() const = 0;
  virtual Ticket launch(const StepPlan& plan) = 0;
  virtual void sample(Ticket ticket, const SampleSpec& spec) = 0;
  virtual StepResult finish(Ticket ticket) = 0;  // tickets finish in launch order

  // Calls work(i) for every i below `count`, on as many threads as it has for the host's own work,
  // and returns when all are done. Between launch and finish.
  virtual void for_each(std::size_t count, const std::function<void(std::size_t)>& work) {
    for (std::size_t i = 0; i < count; ++i) work(i);
  }
};

}  // namespace quire
