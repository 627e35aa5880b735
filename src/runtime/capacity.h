// How much fits: KV blocks from what the user asked for or from the machine's memory, and the
// limits of a step. Pure arithmetic but for the one look at free memory. Called once, at start-up,
// by make_executor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "core/executor.h"
#include "model/model.h"
#include "model/model_facts.h"

namespace quire {

struct CapacityRequest {
  std::uint32_t rows_max = 64;      // --max-num-seqs
  std::uint32_t tokens_max = 512;   // --max-num-batched-tokens
  std::uint32_t context_max = 0;    // --max-model-len
  std::uint32_t blocks = 0;         // --num-kv-blocks: of the first group; 0: from kv_bytes
  std::uint64_t kv_bytes = 0;       // --kv-cache-memory; 0: from the machine's free memory
  std::uint32_t depth = 1;          // plans in flight: more where it runs behind a thread
  std::uint32_t drafts_max = 0;     // verified per row
  // A text without an end (--attention-sinks, --sliding-window): every position sees the first
  // `sinks` ones and the last `window`, and the others are forgotten. 0: not asked for.
  std::uint32_t sinks = 0, window = 0;
};

inline constexpr std::uint32_t kSinksMax = kSplitTokens;
inline constexpr std::uint32_t kEndlessContext = 1u << 24;  // positions of a text without an end

// kInvalidArgument if keys and values are one latent and their types differ.
Status check_kv_types(const ModelFacts& facts, KvTypes types);

// Positions of a sequence: those asked for, else the model's, or kEndlessContext if it forgets.
// kInvalidArgument or kUnsupported if the model cannot have them, or cannot forget.
Result<std::uint32_t> find_context(const ModelFacts& facts, const CapacityRequest& request);

// Free memory in bytes now (MemAvailable); 0 when the system does not tell.
std::uint64_t memory_available();

// Memory in bytes that this process can ever have: the machine's, or less where its control group
// is bounded; 0 when the system does not tell.
std::uint64_t memory_total();

// What the model remembers, as its facts say it, with keys and values of these types. Groups that
// see more than a window that is asked for get it, and its sinks.
std::vector<KvGroupShape> group_shapes(const ModelFacts& facts, KvTypes types,
                                       const CapacityRequest& request = {});

// Blocks that a sequence of a full context takes at most in a group, cached snapshots included.
std::uint32_t blocks_per_sequence(const KvGroupShape& group, const CapacityRequest& request);

// Of every group, allocatable ones: as many as equally many sequences need. Without a wish, KV
// takes what rows_max full contexts need, at most half of the free memory and at most
// kKvBytesDefault. An error if not even one sequence of one block fits.
Result<std::vector<std::uint32_t>> choose_kv_blocks(std::span<const KvGroupShape> groups,
                                                    const CapacityRequest& request);

// Of all groups, for a sequence of a full context.
std::uint64_t sequence_kv_bytes(std::span<const KvGroupShape> groups,
                                const CapacityRequest& request);

// The bytes of so many blocks and the padding block of each group.
std::uint64_t kv_bytes(std::span<const KvGroupShape> groups, std::span<const std::uint32_t> blocks);

// Wanted logits rows are bounded by memory: at least one a sequence, more for prompt log-probs.
std::uint32_t choose_logits_rows(const CapacityRequest& request, int vocab);

Capacity make_capacity(std::span<const KvGroupShape> groups, const CapacityRequest& request,
                       int vocab);

}  // namespace quire
