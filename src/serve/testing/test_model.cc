#include "serve/testing/test_model.h"

#include "base/json.h"

namespace quire {
namespace {

// GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on.
std::string byte_name(int byte, int& next) {
  const bool is_itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const int point = is_itself ? byte : 256 + next++;
  std::string name;
  if (point < 128) {
    name = static_cast<char>(point);
  } else {
    name = static_cast<char>(0xC0 | point >> 6);
    name += static_cast<char>(0x80 | (point & 0x3F));
  }
  return name;
}

Json added_token(TokenId id, const char* text) {
  return Json::object({{"id", id}, {"content", text}, {"single_word", false}, {"lstrip", false},
                       {"rstrip", false}, {"normalized", false}, {"special", true}});
}

}  // namespace

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

std::shared_ptr<const Tokenizer> make_test_tokenizer() {
  Json vocab = Json::object();
  int next = 0;
  for (int byte = 0; byte < 256; ++byte) vocab.set(byte_name(byte, next), byte);
  const Json byte_level = Json::object({{"type", "ByteLevel"}, {"add_prefix_space", false},
                                        {"trim_offsets", false}, {"use_regex", false}});
  const Json json = Json::object(
      {{"version", "1.0"}, {"truncation", Json()}, {"padding", Json()},
       {"added_tokens", Json::array({added_token(kTestImStart, "<|im_start|>"),
                                     added_token(kTestImEnd, "<|im_end|>")})},
       {"normalizer", Json()}, {"pre_tokenizer", byte_level}, {"post_processor", Json()},
       {"decoder", byte_level},
       {"model", Json::object({{"type", "BPE"}, {"dropout", Json()}, {"unk_token", Json()},
                               {"continuing_subword_prefix", Json()},
                               {"end_of_word_suffix", Json()}, {"fuse_unk", false},
                               {"byte_fallback", false}, {"vocab", std::move(vocab)},
                               {"merges", Json::array()}})}});
  auto tokenizer = Tokenizer::from_json(dump(json));
  QUIRE_CHECK(tokenizer.is_ok(), "the test tokenizer: {}", tokenizer.status().message());
  return *tokenizer;
}

HostedModel make_test_model(const TestModelOptions& options) {
  HostedModel model;
  model.names = options.names;
  model.tokenizer = make_test_tokenizer();
  if (options.has_template) {
    auto chat_template = ChatTemplate::compile(kTestChatTemplate);
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
  return model;
}

ModelRecipe make_test_recipe(const TestModelOptions& options, std::shared_ptr<StepGate> gate) {
  const auto load = [options, gate](EventSink sink) {
    ScriptOptions script{.capacity = script_capacity(options.blocks, 32),
                         .token_non_finite = options.token_non_finite};
    script.capacity.groups.insert(script.capacity.groups.end(), options.more_groups.begin(),
                                  options.more_groups.end());
    script.capacity.context_max = options.context_max;
    script.capacity.rows_max = options.rows_max;
    script.capacity.vocab = kTestVocab;
    EngineOptions engine;
    engine.scheduler.rows_max = options.rows_max;
    engine.queue_max = options.queue_max;
    engine.eos_ids = {kTestImEnd};
    engine.is_checking_invariants = true;
    auto model = std::make_unique<HostedModel>(make_test_model(options));
    model->engine = std::make_unique<Engine>(
        engine, std::make_unique<GatedExecutor>(std::move(script), gate), make_test_tokenizer(),
        std::move(sink));
    return Result<std::unique_ptr<HostedModel>>(std::move(model));
  };
  return {options.names, [load] { return Result<OpenedModel>(OpenedModel{1000, load}); }};
}

std::unique_ptr<ModelHost> make_test_host(const TestModelOptions& options,
                                          std::shared_ptr<StepGate> gate) {
  auto host = std::make_unique<ModelHost>();
  const Status status = host->add(make_test_recipe(options, std::move(gate)));
  QUIRE_CHECK(status.is_ok(), "the test model: {}", status.message());
  const auto loaded = host->load_now(0);
  QUIRE_CHECK(loaded.is_ok(), "the test model: {}", loaded.status().message());
  return host;
}

}  // namespace quire
