#include "gguf_encoders.h"

#include <algorithm>

#include "base/check.h"

namespace quire::testing {
namespace {

const Json& config_of(const TinyFixture& fixture) { return fixture.spellings.front().config; }

std::string text_of(const Json& config, const char* name) {
  const Json* value = config.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

bool is_classifier(const TinyFixture& fixture) { return fixture.pooled.at(0).first == "logits"; }

struct Row {
  std::string_view model_type, architecture;
};
constexpr Row kRows[] = {
    {"bert", "bert"},           {"roberta", "bert"},         {"xlm-roberta", "bert"},
    {"distilbert", "bert"},     {"modernbert", "modern-bert"}, {"nomic_bert", "nomic-bert"},
    {"gemma3_text", "gemma-embedding"}, {"qwen3", "qwen3"},  {"eurobert", "eurobert"},
};

// What a key of GGUF is called in config.json.
struct KeyRow {
  std::string_view gguf, hf;
};
constexpr KeyRow kWholes[] = {
    {"block_count", "num_hidden_layers"},
    {"block_count", "n_layers"},
    {"context_length", "max_position_embeddings"},
    {"embedding_length", "hidden_size"},
    {"embedding_length", "dim"},
    {"feed_forward_length", "intermediate_size"},
    {"feed_forward_length", "hidden_dim"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.head_count", "n_heads"},
    {"attention.head_count_kv", "num_key_value_heads"},
    {"attention.key_length", "head_dim"},
    {"attention.value_length", "head_dim"},
    {"attention.sliding_window", "sliding_window"},
    {"attention.sliding_window", "local_attention"},
};
constexpr KeyRow kReals[] = {
    {"attention.layer_norm_epsilon", "layer_norm_eps"},
    {"attention.layer_norm_epsilon", "norm_eps"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
};

// GGUF's number for what the fixture's modules say, or what such models do by themselves.
std::uint32_t pooling_of(const TinyFixture& fixture) {
  if (is_classifier(fixture)) return 4;
  for (const auto& [path, config] : fixture.files) {
    if (path != "1_Pooling/config.json") continue;
    const auto is_on = [&](const char* name) { return config.find(name)->as_bool(); };
    return is_on("pooling_mode_mean_tokens") ? 1 : is_on("pooling_mode_cls_token") ? 2 : 3;
  }
  return 2;
}

void add_ropes(const Json& config, EncoderKeys& keys) {
  const Json* rope = config.find("rope_parameters");
  if (rope == nullptr) return;
  const Json* full = rope->find("full_attention");
  const Json* sliding = rope->find("sliding_attention");
  const auto theta = [](const Json& of) {
    return static_cast<float>(of.find("rope_theta")->as_double());
  };
  keys.reals.emplace_back("rope.freq_base", theta(full != nullptr ? *full : *rope));
  if (sliding != nullptr) keys.reals.emplace_back("rope.freq_base_swa", theta(*sliding));
}

}  // namespace

EncoderGguf encoder_gguf(const TinyFixture& fixture) {
  const Json& config = config_of(fixture);
  const std::string type = text_of(config, "model_type");
  const auto row = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const Row& it) { return it.model_type == type; });
  if (row == std::end(kRows)) return {"", "no such encoder in the converter"};
  if (config.find("n_embd") != nullptr) return {"", "the same model in the library's words has"};
  if (text_of(config, "position_embedding_type") == "alibi") return {"jina-bert-v2", ""};
  const bool is_roberta = type == "roberta" || type == "xlm-roberta";
  if (is_classifier(fixture) && !is_roberta && fixture.name != "modernbert_ranker") {
    return {"", "of heads of labels only RoBERTa's and ModernBERT's are converted whole"};
  }
  if (fixture.name == "bert_dense") return {"", "its dense module would be left out"};
  return {std::string(row->architecture), ""};
}

EncoderKeys encoder_keys(const TinyFixture& fixture) {
  const Json& config = config_of(fixture);
  EncoderKeys keys;
  const std::string type = text_of(config, "model_type");
  for (const KeyRow& row : kWholes) {
    const Json* value = config.find(row.hf);
    if (value == nullptr || !value->is_int()) continue;
    auto whole = static_cast<std::uint32_t>(value->as_uint());
    const bool is_roberta = type == "roberta" || type == "xlm-roberta";
    if (is_roberta && row.hf == "max_position_embeddings") {
      whole -= static_cast<std::uint32_t>(config.find("pad_token_id")->as_uint()) + 1;
    }
    keys.wholes.emplace_back(row.gguf, whole);
  }
  for (const KeyRow& row : kReals) {
    if (const Json* value = config.find(row.hf)) {
      keys.reals.emplace_back(row.gguf, static_cast<float>(value->as_double()));
    }
  }
  if (type == "distilbert") keys.reals.emplace_back("attention.layer_norm_epsilon", 1e-12f);
  keys.wholes.emplace_back("pooling_type", pooling_of(fixture));
  add_ropes(config, keys);
  keys.is_causal = type == "qwen3";
  if (const Json* segments = config.find("type_vocab_size")) {
    keys.segments = static_cast<int>(segments->as_int());
  }
  return keys;
}

}  // namespace quire::testing
