// ScriptExecutor: an executor without a model, for tests of everything above the seam. In place of
// KV it keeps in every slot of every block which token at which position was written there and what
// its writer had read, and as a state all that, folded in order; it applies copies, and answers
// with a keyed hash of what the block tables really point at. A swapped copy, a block freed too
// early, a wrong offset or a foreign block changes the hash, so every answer must equal that of
// ScriptOracle, which has seen one branch alone.
//
// Depth 1 to any; a plan runs when it is finished, in launch order, and promises take what the plan
// before it drew. At launch it looks whether the plan writes what an unfinished one still names.
// Engine thread.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "core/executor.h"

namespace quire {

struct ScriptOptions {
  Capacity capacity;
  std::uint32_t drafts_max = 0;   // proposals per row; about two thirds come true
  TokenId token_non_finite = -1;  // a row that reads it comes out as NaN
  TokenId token_reluctant = -1;   // drawn only where no other is allowed
  StepId step_fault = 0;          // this step fails as a whole
  Nanos elapsed_per_token{1000};
};

// A capacity that is generous but for what tests set.
Capacity script_capacity(std::uint32_t blocks, std::uint32_t block_tokens = 4);

// What the model makes of one sequence of tokens: the hash that stands for a logits row.
class ScriptOracle {
 public:
  explicit ScriptOracle(const Capacity& capacity, std::span<const TokenId> encoder_input = {});
  void push(TokenId token);
  void push(std::span<const TokenId> tokens) {
    for (const TokenId token : tokens) push(token);
  }
  std::uint64_t logits() const { return logits_; }  // of the token pushed last
  std::vector<float> pooled() const;                // likewise
  std::vector<float> raw_logits() const;            // likewise  [vocabulary]
  // The token that follows, drawn with this noise; -1: everything is banned.
  TokenId draw(std::uint64_t seed, std::uint64_t stream,
               std::span<const TokenId> banned = {}) const;
  TokenScore score(TokenId token, int alternatives) const;

 private:
  const Capacity* capacity_;
  std::vector<TokenId> tokens_;
  std::vector<std::uint64_t> contexts_;
  std::uint64_t encoded_ = 0;  // over the encoder's input
  std::uint64_t folded_ = 0;   // over all slots
  std::uint64_t history_ = 0;  // hash of the tokens
  std::uint64_t logits_ = 0;
};

class ScriptExecutor : public Executor {
 public:
  explicit ScriptExecutor(ScriptOptions options);

  const Capacity& capacity() const override { return options_.capacity; }
  Ticket launch(const StepPlan& plan) override;
  void sample(Ticket ticket, const SampleSpec& spec) override;
  StepResult finish(Ticket ticket) override;

  // The first breach of the contract that it noticed; empty: none.
  const std::string& violation() const { return violation_; }
  std::uint64_t plans_hash() const { return plans_hash_; }
  std::uint64_t promises() const { return promises_; }
  std::uint64_t copies() const { return copies_; }
  std::uint64_t drafts_accepted() const { return drafts_accepted_; }

 private:
  struct Slot {
    TokenId token = -1;
    std::uint32_t position = 0;
    std::uint64_t context = 0;  // what its writer had read
  };
  // Of a recurrent layer: all that was fed so far, folded in order.
  struct State {
    std::uint64_t hash = 0;
    bool is_finite = true;
  };
  struct Flight {
    StepPlan plan;
    SampleSpec spec;
    bool is_sampled = false;
  };
  struct Reading;

  void note(std::string what);
  void look_for_hazards(const StepPlan& plan);
  void run_row(Flight& flight, std::size_t r, std::uint32_t logits_begin, RowResult& result);
  void encode(const StepPlan& plan, std::size_t r);
  void read_token(const StepPlan& plan, std::size_t r, Reading& reading);
  void add(State& to, const Slot& slot) const;
  void answer(const Flight& flight, std::size_t r, std::uint32_t output, const Reading& reading,
              TokenId next, RowResult& result, bool& is_open);
  void propose(const SampleRow& sample, RowResult& result) const;
  Slot& slot(const StepPlan& plan, std::size_t r, std::uint32_t group, std::uint32_t position);
  State& state(const StepPlan& plan, std::size_t r, std::uint32_t group, std::uint32_t entry);

  ScriptOptions options_;
  std::vector<std::vector<Slot>> slots_;    // [groups][blocks * block_tokens] of positions
  std::vector<std::vector<State>> states_;  // [groups][blocks] of states
  std::deque<Flight> flights_;
  std::vector<TokenId> outputs_;  // [logits rows] of the plan finished last
  StepId launched_ = 0;
  std::string violation_;
  std::uint64_t plans_hash_ = 0;
  std::uint64_t promises_ = 0, copies_ = 0, drafts_accepted_ = 0;
};

}  // namespace quire
