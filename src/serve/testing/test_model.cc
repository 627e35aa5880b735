#include "serve/testing/test_model.h"

namespace quire {

void StepGate::close() {
  const std::lock_guard lock(mutex_);
  is_open_ = false;
  permits_ = 0;
}

void StepGate::open() {
  const std::lock_guard lock(mutex_);
  is_open_ = true;
  changed_.notify_all();
}

void StepGate::let_pass(int steps) {
  const std::lock_guard lock(mutex_);
  permits_ += steps;
  changed_.notify_all();
}

void StepGate::pass() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_open_ || permits_ > 0; });
  if (!is_open_) --permits_;
}

namespace {

// "<|im_start|>first<|im_end|>second<|im_end|>", the second text marked.
std::shared_ptr<const PairTemplate> make_test_pairs() {
  auto made = PairTemplate::from_json(
      R"({"post_processor":{"type":"BertProcessing","cls":["<|im_start|>",256],)"
      R"("sep":["<|im_end|>",257]}})");
  QUIRE_CHECK(made.is_ok(), "the test pairs: {}", made.status().message());
  return std::make_shared<const PairTemplate>(std::move(made).value());
}

}  // namespace

HostedModel make_test_model(const TestModelOptions& options) {
  HostedModel model;
  model.own_name = options.names.front();
  model.tokenizer = make_test_tokenizer();
  if (options.has_template) {
    auto chat_template = ChatTemplate::compile(options.chat_template);
    QUIRE_CHECK(chat_template.is_ok(), "the test template: {}", chat_template.status().message());
    model.chat_template = *chat_template;
  }
  model.info.context_max = options.context_max;
  model.info.vocab = kTestVocab;
  model.info.eos_ids = {kTestImEnd};
  model.info.words.bos_id = options.bos_id;
  model.info.words.eos_text = "<|im_end|>";
  model.info.created = 1'700'000'000;
  model.info.isa = "script";
  model.info.fingerprint = "fp_test";
  model.info.chats = options.has_template;
  model.info.has_encoder = options.has_encoder;
  model.grammars = options.grammars;
  if (options.has_encoder) model.info.decoder_start = {kTestImStart};
  if (options.pooled) {
    model.info.generates = false;
    model.info.pooled = *options.pooled;
    if (options.pooled->reads_pairs) model.pair_template = make_test_pairs();
  }
  return model;
}

ModelRecipe make_test_recipe(const TestModelOptions& options, std::shared_ptr<StepGate> gate) {
  const auto load = [options, gate](EventSink sink) {
    ScriptOptions script{.capacity = script_capacity(options.blocks, 32),
                         .token_non_finite = options.token_non_finite,
                         .token_reluctant = kTestImEnd};  // no answer ends by chance
    script.capacity.groups.insert(script.capacity.groups.end(), options.more_groups.begin(),
                                  options.more_groups.end());
    script.capacity.context_max = options.context_max;
    script.capacity.rows_max = options.rows_max;
    script.capacity.vocab = kTestVocab;
    if (options.has_encoder) {
      script.capacity.lanes = 2;
      script.capacity.groups.push_back({.name = "encoder", .layers = 1,
                                        .length = GroupLength::kEncoder, .block_tokens = 32,
                                        .blocks = options.blocks});
    }
    if (options.pooled) {
      script.capacity.is_causal = false;
      script.capacity.pooled_max = options.rows_max;
      script.capacity.segments = 2;
    }
    EngineOptions engine;
    engine.scheduler.rows_max = options.rows_max;
    engine.queue_max = options.queue_max;
    engine.batching = options.batching;
    engine.eos_ids = {kTestImEnd};
    engine.is_checking_invariants = true;
    auto model = std::make_unique<HostedModel>(make_test_model(options));
    model->info.kv_groups = script.capacity.groups;
    model->info.instances = options.instances;
    std::vector<std::unique_ptr<Executor>> executors;
    while (executors.size() < options.instances) {
      executors.push_back(std::make_unique<GatedExecutor>(script, gate));
    }
    model->engine = std::make_unique<Engine>(engine, std::move(executors), make_test_tokenizer(),
                                             std::move(sink));
    return Result<std::unique_ptr<HostedModel>>(std::move(model));
  };
  return {options.names, [load] { return Result<OpenedModel>(OpenedModel{1000, load}); }};
}

std::unique_ptr<ModelHost> make_test_host(const TestModelOptions& options,
                                          std::shared_ptr<StepGate> gate) {
  auto host = std::make_unique<ModelHost>();
  const Status status = host->add(make_test_recipe(options, std::move(gate))).status();
  QUIRE_CHECK(status.is_ok(), "the test model: {}", status.message());
  const auto loaded = host->load_now(0);
  QUIRE_CHECK(loaded.is_ok(), "the test model: {}", loaded.status().message());
  return host;
}

}  // namespace quire
