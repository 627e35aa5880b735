#include "formats/config/gguf_config.h"

#include <algorithm>
#include <cstring>

#include "formats/config/config_fields.h"
#include "formats/config/config_ranges.h"

namespace quire {
namespace {

// Features of other architectures that some writers put under a known name.
constexpr std::string_view kRefused[] = {
    "expert_count",          "attention.clamp_kqv",    "attention.max_alibi_bias",
    "logit_scale",           "attention.scale",        "residual_scale",
    "embedding_scale",       "attn_logit_softcapping", "final_logit_softcapping",
    "use_parallel_residual",
};

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";

ConfigField field_of(const GgufFile& file, std::string_view key) {
  const GgufEntry* entry = file.find_entry(key);
  ConfigField field;
  field.where = "in the metadata at offset 24";
  if (entry == nullptr) return field;
  field.where = fmt::format("at offset {}", entry->offset);
  switch (entry->type) {
    case GgufType::kBool:
      field.value = **file.boolean(key);
      break;
    case GgufType::kString:
      field.value = std::string(**file.string(key));
      break;
    case GgufType::kF32:
    case GgufType::kF64:
      field.value = **file.f64(key);
      break;
    case GgufType::kArray:
      field.value = OtherKind{fmt::format("an array of {}", gguf_type_name(entry->element_type))};
      break;
    default:
      if (const auto value = file.i64(key); value.is_ok()) {
        field.value = **value;
      } else {
        field.value = OtherKind{"an integer above 63 bits"};
      }
  }
  return field;
}

void read_sizes(ConfigFields& fields, const std::string& prefix, ModelConfig& config) {
  config.layers = fields.integer(prefix + "block_count", 1, kLayersMax);
  config.d_model = fields.integer(prefix + "embedding_length", 1, kModelWidthMax);
  config.ffn = fields.integer(prefix + "feed_forward_length", 1, kFfnMax);
  config.heads = fields.integer(prefix + "attention.head_count", 1, kHeadsMax);
  config.kv_heads = fields.integer(prefix + "attention.head_count_kv", 1, kHeadsMax, config.heads);
  config.context_max = fields.integer(prefix + "context_length", 1, kContextMax);
  config.sliding_window = fields.integer(prefix + "attention.sliding_window", 0, kContextMax, 0);
  config.rms_eps = static_cast<float>(
      fields.number(prefix + "attention.layer_norm_rms_epsilon", kRmsEpsMin, kRmsEpsMax));
  config.head_dim = fields.integer(prefix + "attention.key_length", 2, kHeadDimMax,
                                   config.d_model / config.heads);
  if (!fields.has(prefix + "attention.key_length") && config.d_model % config.heads != 0) {
    fields.fail(error(StatusCode::kCorrupt, "{}attention.head_count: {} heads do not divide {}",
                      prefix, config.heads, config.d_model));
  }
  fields.refuse_unless(prefix + "attention.value_length", config.head_dim);
}

void read_rope(ConfigFields& fields, const std::string& prefix, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  const bool is_permuted = config.architecture == "llama" || config.architecture == "mistral";
  rope.pairing = is_permuted ? RopePairs::kAdjacent : RopePairs::kHalfSplit;
  fields.refuse_unless(prefix + "rope.dimension_count", config.head_dim);
  rope.theta =
      static_cast<float>(fields.number(prefix + "rope.freq_base", kThetaMin, kThetaMax, 10000.0));
  const std::string key = prefix + "rope.scaling.type";
  const std::string type = fields.string(key, "none");
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
    rope.factor = static_cast<float>(
        fields.number(prefix + "rope.scaling.factor", kRopeFactorMin, kRopeFactorMax));
  } else if (type != "none") {
    fields.fail(error(StatusCode::kUnsupported,
                      "{}: scaling '{}' is not supported; known are none, linear", key,
                      type.substr(0, 64)));
  }
  fields.refuse_unless(prefix + "rope.scaling.attn_factor", 1);
  if (fields.has(prefix + "rope.scale_linear"))
    fields.refuse_unless(prefix + "rope.scale_linear", 1);
}

// Llama 3 scaling, worked out per frequency by whoever wrote the file.
Status read_frequency_factors(const GgufFile& file, ModelConfig& config) {
  const TensorView* tensor = file.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) return ok_status();
  const auto count = static_cast<std::size_t>(config.head_dim / 2);
  if (tensor->dtype != DType::kF32 || tensor->shape != std::vector<std::size_t>{count}) {
    return error(StatusCode::kCorrupt, "rope_freqs.weight at offset {}: not {} values of F32",
                 file.offset_of(*tensor), count);
  }
  config.rope.frequency_factors.resize(count);
  std::memcpy(config.rope.frequency_factors.data(), tensor->data, count * sizeof(float));
  return ok_status();
}

// One id of the vocabulary; -1 if the key is absent.
TokenId token_id(ConfigFields& fields, std::string_view key, int vocab) {
  return fields.has(key) ? fields.integer(key, 0, vocab - 1) : -1;
}

Status read_words(const GgufFile& file, ConfigFields& fields, ModelConfig& config) {
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_gguf_vocabulary(file));
  config.bos_id = token_id(fields, "tokenizer.ggml.bos_token_id", config.vocab);
  // The end of a turn ends an answer as the end of a text does.
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    const TokenId id = token_id(fields, key, config.vocab);
    const bool is_new =
        std::find(config.eos_ids.begin(), config.eos_ids.end(), id) == config.eos_ids.end();
    if (id >= 0 && is_new) config.eos_ids.push_back(id);
  }
  config.chat_template = fields.string("tokenizer.chat_template", "");
  if (config.chat_template.size() > kChatTemplateSizeMax) {
    return error(StatusCode::kResourceExhausted,
                 "tokenizer.chat_template at offset {}: {} bytes, at most {} are read",
                 file.find_entry("tokenizer.chat_template")->offset, config.chat_template.size(),
                 kChatTemplateSizeMax);
  }
  QUIRE_RETURN_IF_ERROR(fields.status());
  config.add_bos = !vocabulary.tokens.empty() && adds_bos(vocabulary);
  config.add_eos = vocabulary.add_eos.value_or(false);
  if (vocabulary.tokens.empty()) return ok_status();
  if (config.bos_id >= 0) config.bos_text = vocabulary.tokens[config.bos_id];
  if (!config.eos_ids.empty()) config.eos_text = vocabulary.tokens[config.eos_ids[0]];
  return ok_status();
}

}  // namespace

Result<ModelConfig> read_gguf_config(const GgufFile& file) {
  ConfigFields fields([&file](std::string_view key) { return field_of(file, key); });
  ModelConfig config;
  const std::string type = fields.string("general.type", "model");
  config.architecture = fields.string("general.architecture");
  config.name = fields.string("general.name", "");
  QUIRE_RETURN_IF_ERROR(fields.status());
  if (type != "model") {
    return error(StatusCode::kUnsupported, "general.type at offset {}: '{}' is not a model",
                 file.find_entry("general.type")->offset, type.substr(0, 64));
  }
  if (const Status status = check_architecture(config.architecture); !status.is_ok()) {
    return error(status.code(), "general.architecture at offset {}: {}",
                 file.find_entry("general.architecture")->offset, status.message());
  }
  if (file.tensors().empty()) {
    return error(StatusCode::kUnsupported,
                 "tensor_count at offset 8: a vocabulary without weights, not a model");
  }
  const std::string prefix = config.architecture + ".";
  read_sizes(fields, prefix, config);
  read_rope(fields, prefix, config);
  for (const std::string_view name : kRefused) fields.refuse(prefix + std::string(name));

  const GgufEntry* tokens = file.find_entry(kTokens);
  config.vocab = fields.integer(prefix + "vocab_size", 1, kVocabMax,
                                tokens ? std::optional<int>(1) : std::nullopt);
  QUIRE_RETURN_IF_ERROR(fields.status());
  if (tokens != nullptr) {
    if (tokens->type != GgufType::kArray || tokens->count < 1 || tokens->count > kVocabMax) {
      return error(StatusCode::kCorrupt, "{} at offset {}: not an array of 1 to {} tokens", kTokens,
                   tokens->offset, kVocabMax);
    }
    config.vocab = static_cast<int>(tokens->count);
    fields.refuse_unless(prefix + "vocab_size", config.vocab);
  }
  QUIRE_RETURN_IF_ERROR(read_words(file, fields, config));
  QUIRE_RETURN_IF_ERROR(read_frequency_factors(file, config));
  config.tied_head = file.find_tensor("output.weight") == nullptr;
  config.qk_norm = config.architecture == "qwen3";
  config.qkv_bias =
      config.architecture == "qwen2" || file.find_tensor("blk.0.attn_q.bias") != nullptr;
  QUIRE_RETURN_IF_ERROR(check_model_config(config));
  return config;
}

Result<GgufVocabulary> read_gguf_vocabulary(const GgufFile& file) {
  GgufVocabulary vocabulary;
  const auto text = [&file](std::string_view key, std::string& target) -> Status {
    QUIRE_ASSIGN_OR_RETURN(const auto value, file.string(key));
    if (value) target = *value;
    return ok_status();
  };
  QUIRE_RETURN_IF_ERROR(text("tokenizer.ggml.model", vocabulary.model));
  QUIRE_RETURN_IF_ERROR(text("tokenizer.ggml.pre", vocabulary.pre));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.tokens, file.strings(kTokens));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.scores, file.floats("tokenizer.ggml.scores"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.token_types, file.int32s("tokenizer.ggml.token_type"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.merges, file.strings("tokenizer.ggml.merges"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.bos, file.u64("tokenizer.ggml.bos_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.eos, file.u64("tokenizer.ggml.eos_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.unknown, file.u64("tokenizer.ggml.unknown_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.cls, file.u64("tokenizer.ggml.cls_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.separator, file.u64("tokenizer.ggml.seperator_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.padding, file.u64("tokenizer.ggml.padding_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.mask, file.u64("tokenizer.ggml.mask_token_id"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.add_bos, file.boolean("tokenizer.ggml.add_bos_token"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.add_eos, file.boolean("tokenizer.ggml.add_eos_token"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.add_space_prefix,
                         file.boolean("tokenizer.ggml.add_space_prefix"));
  QUIRE_ASSIGN_OR_RETURN(vocabulary.character_map,
                         file.bytes("tokenizer.ggml.precompiled_charsmap"));
  QUIRE_ASSIGN_OR_RETURN(const auto removes_spaces,
                         file.boolean("tokenizer.ggml.remove_extra_whitespaces"));
  vocabulary.removes_extra_spaces = removes_spaces.value_or(false);
  return vocabulary;
}

Result<std::string> read_gguf_tokenizer(const GgufFile& file) {
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_gguf_vocabulary(file));
  Result<std::string> json = gguf_tokenizer_json(vocabulary);
  if (json.is_ok()) return json;
  // The message begins with the key ("tokenizer.ggml.tokens[7]: ..."); only we know its offset.
  const std::string& message = json.status().message();
  const GgufEntry* entry = file.find_entry(message.substr(0, message.find_first_of("[: ")));
  return error(json.status().code(), "{} (the value is at offset {})", message,
               entry ? entry->offset : 0);
}

}  // namespace quire
