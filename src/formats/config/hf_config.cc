#include "formats/config/hf_config.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "formats/config/config_fields.h"
#include "formats/config/config_ranges.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

// Fields of config.json that change results in ways we do not compute.
constexpr std::string_view kRefused[] = {
    "mlp_bias",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "num_local_experts",
    "num_experts",
    "is_encoder_decoder",
    "use_parallel_residual",
    "clip_qkv",
    "logit_scale",
    "residual_multiplier",
    "embedding_multiplier",
    "logits_scaling",
    "attention_multiplier",
};

// The JSON object in a file of the directory; an empty object if the file is absent.
Result<Json> read_object(const std::string& directory, const std::string& name) {
  const Result<std::string> text = read_file(fs::path(directory) / name, kConfigFileSizeMax);
  if (!text.is_ok()) {
    if (text.status().code() == StatusCode::kNotFound) return Json::object();
    return text.status();
  }
  JsonLimits limits;
  limits.huge_integers_are_doubles = true;
  limits.values_max = kConfigValuesMax;
  Result<Json> json = parse_json(*text, limits);
  if (!json.is_ok()) {
    return error(StatusCode::kCorrupt, "'{}': {}", name, json.status().message());
  }
  if (!json->is_object()) {
    return error(StatusCode::kCorrupt, "'{}': it is {}, not an object", name,
                 kind_name(json->kind()));
  }
  return json;
}

void read_sizes(ConfigFields& fields, ModelConfig& config) {
  config.layers = fields.integer("num_hidden_layers", 1, kLayersMax);
  config.d_model = fields.integer("hidden_size", 1, kModelWidthMax);
  config.ffn = fields.integer("intermediate_size", 1, kFfnMax);
  config.heads = fields.integer("num_attention_heads", 1, kHeadsMax);
  config.kv_heads = fields.integer("num_key_value_heads", 1, kHeadsMax, config.heads);
  config.vocab = fields.integer("vocab_size", 1, kVocabMax);
  config.context_max = fields.integer("max_position_embeddings", 1, kContextMax);
  config.rms_eps = static_cast<float>(fields.number("rms_norm_eps", kRmsEpsMin, kRmsEpsMax));
  config.head_dim = fields.integer("head_dim", 2, kHeadDimMax, config.d_model / config.heads);
  if (!fields.has("head_dim") && config.d_model % config.heads != 0) {
    fields.fail(error(StatusCode::kCorrupt, "num_attention_heads: {} heads do not divide {}",
                      config.heads, config.d_model));
  }
}

void read_llama3_scaling(ConfigFields& fields, RopeConfig& rope) {
  rope.scaling = RopeScaling::kLlama3;
  rope.low_freq_factor = static_cast<float>(fields.number("low_freq_factor", 1e-3, 1e6));
  rope.high_freq_factor = static_cast<float>(fields.number("high_freq_factor", 1e-3, 1e6));
  rope.original_context =
      static_cast<float>(fields.integer("original_max_position_embeddings", 1, kContextMax));
}

// `rope_scaling`, or in newer files `rope_parameters`, which also holds theta.
Status read_rope(const Json& root, ConfigFields& fields, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  rope.pairing = RopePairs::kHalfSplit;
  rope.theta = static_cast<float>(fields.number("rope_theta", kThetaMin, kThetaMax, 10000.0));
  fields.refuse_unless("partial_rotary_factor", 1);
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const Json* object = root.find(name);
    if (object == nullptr || object->is_null()) continue;
    if (!object->is_object()) {
      return error(StatusCode::kCorrupt, "{} in config.json: it is {}", name,
                   kind_name(object->kind()));
    }
    ConfigFields scaling = json_fields(*object, fmt::format("of {} in config.json", name));
    rope.theta = static_cast<float>(scaling.number("rope_theta", kThetaMin, kThetaMax, rope.theta));
    scaling.refuse_unless("partial_rotary_factor", 1);
    const std::string type = scaling.string("rope_type", scaling.string("type", "default"));
    if (type == "linear" || type == "llama3") {
      rope.factor = static_cast<float>(scaling.number("factor", kRopeFactorMin, kRopeFactorMax));
      rope.scaling = RopeScaling::kLinear;
      if (type == "llama3") read_llama3_scaling(scaling, rope);
    } else if (type != "default") {
      return error(
          StatusCode::kUnsupported,
          "{} in config.json: type '{}' is not supported; known are default, linear, llama3", name,
          type.substr(0, 64));
    }
    QUIRE_RETURN_IF_ERROR(scaling.status());
  }
  return ok_status();
}

// A window for all layers or none; a mix of both is another architecture.
Status read_window(const Json& root, ConfigFields& fields, ModelConfig& config) {
  const bool is_qwen = config.architecture.starts_with("qwen");
  const bool is_used = !is_qwen || fields.boolean("use_sliding_window", false);
  if (is_qwen && is_used) fields.refuse("use_sliding_window");
  // Null means none; a Mistral that says nothing at all has the window of the first one.
  const bool is_silent = root.find("sliding_window") == nullptr;
  const int fallback = config.architecture == "mistral" && is_silent ? 4096 : 0;
  if (is_used) config.sliding_window = fields.integer("sliding_window", 0, kContextMax, fallback);
  const Json* types = root.find("layer_types");
  if (types == nullptr || !types->is_array()) return ok_status();
  const std::string_view wanted =
      config.sliding_window > 0 ? "sliding_attention" : "full_attention";
  for (const Json& type : types->items()) {
    if (type.is_string() && type.as_string() == wanted) continue;
    return error(StatusCode::kUnsupported, "layer_types in config.json: {} where only '{}' fits",
                 dump(type).substr(0, 64), wanted);
  }
  return ok_status();
}

Status check_features(const Json& root, ConfigFields& fields, const ModelConfig& config) {
  for (const std::string_view name : kRefused) fields.refuse(name);
  if (config.architecture != "qwen2") fields.refuse("attention_bias");
  const std::string activation = fields.string("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    return error(StatusCode::kUnsupported,
                 "hidden_act in config.json: '{}' is not supported, only silu",
                 activation.substr(0, 64));
  }
  QUIRE_RETURN_IF_ERROR(read_compressed_tensors(root).status());
  const Json* classes = root.find("architectures");
  if (classes == nullptr || !classes->is_array()) return ok_status();
  for (const Json& name : classes->items()) {
    if (name.is_string() && name.as_string().ends_with("ForCausalLM")) continue;
    return error(StatusCode::kUnsupported,
                 "architectures in config.json: {} is not a causal language model",
                 dump(name).substr(0, 64));
  }
  return ok_status();
}

// `bos_token_id`: an id or null. `eos_token_id`: an id or a list of ids.
Status read_ids(const Json& root, std::string_view file, std::string_view key, int vocab,
                std::vector<TokenId>& ids) {
  const Json* value = root.find(key);
  if (value == nullptr || value->is_null()) return ok_status();
  const std::vector<Json> list = value->is_array() ? value->items() : std::vector<Json>{*value};
  for (const Json& item : list) {
    if (!item.is_int() || item.as_int() < 0 || item.as_int() >= vocab) {
      return error(StatusCode::kCorrupt, "{} in {}: {} is not an id below {}", key, file,
                   dump(item).substr(0, 64), vocab);
    }
    const auto id = static_cast<TokenId>(item.as_int());
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ok_status();
}

// The generation file speaks last: a chat model adds its end of turn there.
Status read_generation(const Json& root, const Json& generation, ModelConfig& config) {
  std::vector<TokenId> bos;
  for (const auto& [object, file] :
       {std::pair{&generation, "generation_config.json"}, std::pair{&root, "config.json"}}) {
    QUIRE_RETURN_IF_ERROR(read_ids(*object, file, "bos_token_id", config.vocab, bos));
    QUIRE_RETURN_IF_ERROR(read_ids(*object, file, "eos_token_id", config.vocab, config.eos_ids));
  }
  if (!bos.empty()) config.bos_id = bos[0];
  ConfigFields fields = json_fields(generation, "in generation_config.json");
  GenerationDefaults& defaults = config.generation;
  defaults.temperature = static_cast<float>(fields.number("temperature", 0, 100, -1.0));
  defaults.top_p = static_cast<float>(fields.number("top_p", 0, 1, -1.0));
  defaults.top_k = fields.integer("top_k", 0, kVocabMax, -1);
  defaults.repetition_penalty =
      static_cast<float>(fields.number("repetition_penalty", 0, 100, -1.0));
  return fields.status();
}

// "bos_token": a string, or an object with "content".
std::string token_text(const Json& root, std::string_view key) {
  const Json* value = root.find(key);
  if (value != nullptr && value->is_object()) value = value->find("content");
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

// A string, or a list of named templates of which "default" is ours.
std::string template_of(const Json& root) {
  const Json* value = root.find("chat_template");
  if (value == nullptr) return {};
  if (value->is_string()) return value->as_string();
  if (!value->is_array()) return {};
  for (const Json& item : value->items()) {
    if (token_text(item, "name") == "default") return token_text(item, "template");
  }
  return {};
}

Status read_words(const std::string& directory, ModelConfig& config) {
  QUIRE_ASSIGN_OR_RETURN(const Json words, read_object(directory, "tokenizer_config.json"));
  QUIRE_ASSIGN_OR_RETURN(const Json specials, read_object(directory, "special_tokens_map.json"));
  const auto text = [&](std::string_view key) {
    const std::string first = token_text(words, key);
    return first.empty() ? token_text(specials, key) : first;
  };
  config.bos_text = text("bos_token");
  config.eos_text = text("eos_token");
  ConfigFields fields = json_fields(words, "in tokenizer_config.json");
  config.add_bos = fields.boolean("add_bos_token", false);
  config.add_eos = fields.boolean("add_eos_token", false);
  QUIRE_RETURN_IF_ERROR(fields.status());
  const Result<std::string> file =
      read_file(fs::path(directory) / "chat_template.jinja", kChatTemplateSizeMax);
  if (!file.is_ok() && file.status().code() != StatusCode::kNotFound) return file.status();
  config.chat_template = file.is_ok() ? *file : template_of(words);
  if (config.chat_template.size() > kChatTemplateSizeMax) {
    return error(StatusCode::kResourceExhausted,
                 "chat_template in tokenizer_config.json: {} bytes, at most {} are read",
                 config.chat_template.size(), kChatTemplateSizeMax);
  }
  return ok_status();
}

std::string name_of(const std::string& directory) {
  const fs::path path = fs::path(directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename();
}

}  // namespace

Result<std::optional<CompressedTensors>> read_hf_quantization(const std::string& directory) {
  QUIRE_ASSIGN_OR_RETURN(const Json root, read_object(directory, "config.json"));
  return read_compressed_tensors(root);
}

Result<ModelConfig> read_hf_config(const std::string& directory, bool has_head) {
  QUIRE_ASSIGN_OR_RETURN(const Json root, read_object(directory, "config.json"));
  QUIRE_ASSIGN_OR_RETURN(const Json generation, read_object(directory, "generation_config.json"));
  ConfigFields fields = json_fields(root, "in config.json");
  ModelConfig config;
  config.name = name_of(directory);
  config.architecture = fields.string("model_type");
  QUIRE_RETURN_IF_ERROR(fields.status());
  if (const Status status = check_architecture(config.architecture); !status.is_ok()) {
    return error(status.code(), "model_type in config.json: {}", status.message());
  }
  read_sizes(fields, config);
  config.tied_head = fields.boolean("tie_word_embeddings", !has_head);
  config.qkv_bias = config.architecture == "qwen2";
  config.qk_norm = config.architecture == "qwen3";
  QUIRE_RETURN_IF_ERROR(read_rope(root, fields, config));
  QUIRE_RETURN_IF_ERROR(read_window(root, fields, config));
  QUIRE_RETURN_IF_ERROR(check_features(root, fields, config));
  QUIRE_RETURN_IF_ERROR(fields.status());
  QUIRE_RETURN_IF_ERROR(read_generation(root, generation, config));
  QUIRE_RETURN_IF_ERROR(read_words(directory, config));
  QUIRE_RETURN_IF_ERROR(check_model_config(config));
  return config;
}

}  // namespace quire
