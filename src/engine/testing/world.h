// ScriptWorld: an EngineCore over a ScriptExecutor, with a memory of what was asked and what came
// back. Tests submit and cancel; every finished branch is compared with the oracle of one branch
// alone, token by token, score by score. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine_core.h"
#include "engine/testing/script_executor.h"

namespace quire {

// What one branch has shown so far.
struct ShownBranch {
  std::vector<TokenId> tokens;
  std::vector<TokenScore> scores;
  std::vector<TokenScore> prompt_scores;
  std::vector<float> logits;  // [rows, vocabulary], raw
  std::string text;
  FinishReason finish = FinishReason::kNone;
  TokenEvent last;
};

EngineOptions checked_options();  // invariants are checked after every step
Request ask_seeded(std::vector<TokenId> prompt, int tokens_max);  // with a seed

class ScriptWorld {
 public:
  // `wrap` may put something between the core and the script, to plant a bug.
  using Wrap = std::function<std::unique_ptr<Executor>(Executor&)>;
  ScriptWorld(const EngineOptions& options, const ScriptOptions& script, const Wrap& wrap = {},
              std::shared_ptr<const Tokenizer> tokenizer = nullptr);

  // The id is given here when it is zero.
  Status submit(Request request);
  void cancel(RequestId id);
  StepEvents advance();
  void run_until_idle(std::uint64_t steps_max = 100'000);

  // What ended since the last call: the first difference from the oracle, or empty.
  std::string check_ended();
  // Nothing is referenced and nothing is lost; empty if so.
  std::string check_idle() const;

  EngineCore& core() { return core_; }
  ScriptExecutor& script() { return script_; }
  const std::vector<ShownBranch>& shown(RequestId id) const { return asked_.at(id).branches; }
  std::vector<RequestId> live() const;
  std::uint64_t branches_compared() const { return branches_compared_; }
  Nanos now() const { return now_; }
  void pass(Nanos time) { now_ += time; }

 private:
  struct Asked {
    Request request;
    std::vector<ShownBranch> branches;
    bool is_over = false;
  };
  std::string compare(const Asked& asked, int branch) const;

  EngineOptions options_;
  ScriptExecutor script_;
  std::unique_ptr<Executor> wrapped_;
  EngineCore core_;
  std::map<RequestId, Asked> asked_;
  std::vector<RequestId> ended_;
  std::uint64_t ids_ = 0;
  std::uint64_t branches_compared_ = 0;
  Nanos now_{0};
};

}  // namespace quire
