// A model for tests of the front door: one token a byte and two control tokens, ChatML, and a
// ScriptExecutor in place of weights behind a gate that a test can close, so that "while it
// generates" is a fact and not a matter of timing.
// The gate: any thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/testing/script_executor.h"
#include "host/model_host.h"
#include "text/testing/byte_tokenizer.h"

namespace quire {

class StepGate {
 public:
  void close();
  void open();
  void let_pass(int steps);  // so many more, while closed
  void pass();               // executor: waits until it may

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = true;
  int permits_ = 0;
};

// ScriptExecutor whose steps finish only while the gate lets them.
class GatedExecutor : public Executor {
 public:
  GatedExecutor(ScriptOptions options, std::shared_ptr<StepGate> gate)
      : script_(std::move(options)), gate_(std::move(gate)) {}

  const Capacity& capacity() const override { return script_.capacity(); }
  Ticket launch(const StepPlan& plan) override { return script_.launch(plan); }
  void sample(Ticket ticket, const SampleSpec& spec) override { script_.sample(ticket, spec); }
  StepResult finish(Ticket ticket) override {
    gate_->pass();
    return script_.finish(ticket);
  }

 private:
  ScriptExecutor script_;
  std::shared_ptr<StepGate> gate_;
};

struct TestModelOptions {
  std::uint32_t blocks = 512;
  std::uint32_t context_max = 1024;
  std::uint32_t rows_max = 64;
  std::uint32_t queue_max = 256;
  std::uint32_t instances = 1;
  DynamicBatching batching = {};
  TokenId token_non_finite = -1;
  bool has_template = true;
  const char* chat_template = kTestChatTemplate;
  TokenId bos_id = -1;
  std::vector<std::string> names = {"m", "other-name"};
  std::vector<KvGroup> more_groups = {};  // beside the one of `blocks`
  bool has_encoder = false;  // the answer begins with kTestImStart
  std::shared_ptr<Grammars> grammars = {};
  std::optional<PooledInfo> pooled = {};  // such a model: it generates nothing; vectors have two
                                          // columns, whatever is said here
};

// How to come to such a model; its steps pass the gate.
ModelRecipe make_test_recipe(const TestModelOptions& options, std::shared_ptr<StepGate> gate);

// A host with one model, in memory, called "m" and "other-name".
std::unique_ptr<ModelHost> make_test_host(const TestModelOptions& options,
                                          std::shared_ptr<StepGate> gate);

// The same without an engine, for parsing.
HostedModel make_test_model(const TestModelOptions& options);

}  // namespace quire
