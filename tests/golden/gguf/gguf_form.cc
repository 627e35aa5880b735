#include "gguf_form.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/check.h"
#include "formats/testing/gguf_writer.h"
#include "gguf_encoders.h"
#include "gguf_families.h"
#include "gguf_keys.h"
#include "gguf_recurrent.h"
#include "gguf_tensors.h"

namespace quire::testing {
namespace {

struct Row {
  std::string_view model_type;
  std::string_view architecture;
};
constexpr Row kRows[] = {
    {"llama", "llama"},
    {"mistral", "llama"},
    {"mixtral", "llama"},
    {"qwen2", "qwen2"},
    {"qwen3", "qwen3"},
    {"qwen3_moe", "qwen3moe"},
    {"qwen3_next", "qwen3next"},
    {"qwen3_5_text", "qwen35"},
    {"qwen3_5_moe_text", "qwen35moe"},
    {"qwen2_moe", "qwen2moe"},
    {"gemma", "gemma"},
    {"gemma2", "gemma2"},
    {"gemma3_text", "gemma3"},
    {"gpt2", "gpt2"},
    {"gpt_neox", "gptneox"},
    {"bloom", "bloom"},
    {"falcon", "falcon"},
    {"deepseek_v2", "deepseek2"},
    {"deepseek_v3", "deepseek2"},
    {"granitemoehybrid", "granitehybrid"},
    {"falcon_h1", "falcon-h1"},
    {"falcon_mamba", "mamba"},
    {"jamba", "jamba"},
    {"lfm2", "lfm2"},
    {"lfm2_moe", "lfm2moe"},
    {"mamba", "mamba"},
    {"mamba2", "mamba2"},
    {"nemotron_h", "nemotron_h"},
    {"phi3", "phi3"},
    {"phi", "phi2"},
    {"stablelm", "stablelm"},
    {"starcoder2", "starcoder2"},
    {"gpt_bigcode", "starcoder"},
    {"mpt", "mpt"},
    {"t5", "t5"},
    {"umt5", "t5"},
    {"olmo", "olmo"},
    {"olmo2", "olmo2"},
    {"olmo3", "olmo2"},
    {"olmoe", "olmoe"},
    {"granite", "granite"},
    {"granitemoe", "granitemoe"},
    {"granitemoeshared", "granitemoe"},
    {"cohere", "command-r"},
    {"cohere2", "cohere2"},
    {"glm", "chatglm"},
    {"glm4", "glm4"},
    {"glm4_moe", "glm4moe"},
    {"dots1", "dots1"},
    {"smollm3", "smollm3"},
    {"exaone4", "exaone4"},
    {"seed_oss", "seed_oss"},
    {"nemotron", "nemotron"},
    {"arcee", "arcee"},
    {"hunyuan_v1_dense", "hunyuan-dense"},
    {"hunyuan_v1_moe", "hunyuan-moe"},
    {"ernie4_5", "ernie4_5"},
    {"ernie4_5_moe", "ernie4_5-moe"},
    {"minimax_m2", "minimax-m2"},
    {"gpt_oss", "gpt-oss"},
    {"llama4_text", "llama4"},
    {"gemma3n_text", "gemma3n"},
    {"gemma4_text", "gemma4"},
    {"ministral3", "mistral3"},
    {"mistral4", "mistral4"},
    {"deepseek_v32", "deepseek32"},
    {"apertus", "apertus"},
    {"dbrx", "dbrx"},
    {"phimoe", "phimoe"},
    {"qwen", "qwen"},
    {"baichuan", "baichuan"},
    {"bitnet", "bitnet"},
    {"internlm2", "internlm2"},
    {"kimi_linear", "kimi-linear"},
};

void add_qwen_experts(Keys& keys) {
  add_common(keys);
  keys.copy_whole("expert_feed_forward_length", {"moe_intermediate_size"});
  keys.copy_whole("expert_shared_feed_forward_length", {"shared_expert_intermediate_size"});
}

void add_qwen_next(Keys& keys) {
  add_qwen_experts(keys);
  const std::size_t v_heads = keys.number("linear_num_value_heads");
  keys.copy_whole("ssm.conv_kernel", {"linear_conv_kernel_dim"});
  keys.copy_whole("ssm.state_size", {"linear_key_head_dim"});
  keys.copy_whole("ssm.group_count", {"linear_num_key_heads"});
  keys.whole("ssm.time_step_rank", v_heads);
  keys.whole("ssm.inner_size", v_heads * keys.number("linear_value_head_dim"));
  // Released models say it beside the list of layers.
  const auto& types = keys.find({"layer_types"})->items();
  const auto first = std::find(types.begin(), types.end(), Json("full_attention"));
  keys.whole("full_attention_interval", static_cast<std::size_t>(first - types.begin() + 1));
  keys.whole("rope.dimension_count", keys.number("head_dim") / 4);
}

// Released ones have a head that drafts, which counts as a layer behind the others.
void add_qwen35(Keys& keys) {
  add_qwen_next(keys);
  keys.whole("block_count", keys.number("num_hidden_layers") + 1);
  keys.whole("nextn_predict_layers", 1);
  keys.set("rope.dimension_sections", std::vector<std::int32_t>{11, 11, 10, 0});
}

void add_gemma(Keys& keys) {
  add_common(keys);
  keys.copy_real("attn_logit_softcapping", {"attn_logit_softcapping"});
  keys.copy_real("final_logit_softcapping", {"final_logit_softcapping"});
  keys.copy_whole("attention.sliding_window", {"sliding_window"});
}

void add_gpt2(Keys& keys) {
  keys.copy_whole("block_count", {"n_layer"});
  keys.copy_whole("context_length", {"n_ctx", "n_positions"});
  keys.copy_whole("embedding_length", {"n_embd"});
  keys.whole("feed_forward_length", 4 * keys.number("n_embd"));
  keys.copy_whole("attention.head_count", {"n_head"});
  keys.copy_real("attention.layer_norm_epsilon", {"layer_norm_epsilon"});
}

void add_neox(Keys& keys) {
  const std::size_t head_dim = keys.number("hidden_size") / keys.number("num_attention_heads");
  keys.copy_whole("context_length", {"max_position_embeddings"});
  keys.copy_whole("embedding_length", {"hidden_size"});
  keys.copy_whole("block_count", {"num_hidden_layers"});
  keys.copy_whole("feed_forward_length", {"intermediate_size"});
  const double part =
      keys.find({"rope_parameters"})->find("partial_rotary_factor")->as_double();
  keys.whole("rope.dimension_count",
             static_cast<std::size_t>(part * static_cast<double>(head_dim)));
  keys.copy_whole("attention.head_count", {"num_attention_heads"});
  keys.set("use_parallel_residual", keys.find({"use_parallel_residual"})->as_bool());
  keys.copy_real("attention.layer_norm_epsilon", {"layer_norm_eps"});
}

void add_bloom(Keys& keys) {
  keys.whole("context_length", 2048);  // seq_length of released models
  keys.copy_whole("embedding_length", {"hidden_size"});
  keys.whole("feed_forward_length", 4 * keys.number("hidden_size"));
  keys.copy_whole("block_count", {"n_layer"});
  keys.copy_whole("attention.head_count", {"n_head"});
  keys.copy_whole("attention.head_count_kv", {"n_head"});
  keys.copy_real("attention.layer_norm_epsilon", {"layer_norm_epsilon"});
}

void add_falcon(Keys& keys) {
  const bool is_new = keys.find({"new_decoder_architecture"})->as_bool();
  keys.whole("context_length", 2048);
  keys.set("tensor_data_layout", std::string("jploski"));
  keys.copy_whole("embedding_length", {"hidden_size"});
  keys.whole("feed_forward_length", 4 * keys.number("hidden_size"));
  keys.copy_whole("block_count", {"num_hidden_layers"});
  keys.copy_whole("attention.head_count", {"num_attention_heads"});
  keys.whole("attention.head_count_kv", is_new ? keys.number("num_kv_heads") : 1);
  keys.copy_real("attention.layer_norm_epsilon", {"layer_norm_epsilon"});
}

void add_deepseek(Keys& keys, bool is_v3) {
  add_common(keys);
  const std::size_t rank = keys.number("kv_lora_rank"), rope = keys.number("qk_rope_head_dim");
  keys.whole("attention.head_count_kv", 1);
  keys.copy_whole("leading_dense_block_count", {"first_k_dense_replace"});
  keys.copy_whole("vocab_size", {"vocab_size"});
  keys.copy_whole("attention.q_lora_rank", {"q_lora_rank"});
  keys.whole("attention.kv_lora_rank", rank);
  keys.whole("attention.key_length", rank + rope);
  keys.whole("attention.value_length", rank);
  keys.whole("attention.key_length_mla", keys.number("qk_nope_head_dim") + rope);
  keys.copy_whole("attention.value_length_mla", {"v_head_dim"});
  keys.copy_whole("expert_feed_forward_length", {"moe_intermediate_size"});
  keys.copy_whole("expert_count", {"n_routed_experts"});
  keys.copy_whole("expert_shared_count", {"n_shared_experts"});
  keys.copy_real("expert_weights_scale", {"routed_scaling_factor"});
  if (keys.find({"norm_topk_prob"})->as_bool()) keys.set("expert_weights_norm", true);
  keys.whole("expert_gating_func", is_v3 ? 2 : 1);  // scoring_func of released models
  keys.whole("rope.dimension_count", rope);
  if (const Json* all = keys.find({"rope_parameters"})->find("mscale_all_dim")) {
    keys.real("rope.scaling.yarn_log_multiplier", 0.1 * all->as_double());
  }
}

// As it is written from Mistral's own files, which say how scores grow.
void add_growth(Keys& keys, bool has_length) {
  const Json& rope = *keys.find({"rope_parameters"});
  keys.real("attention.temperature_scale", rope.find("llama_4_scaling_beta")->as_double());
  if (has_length) {
    keys.whole("attention.temperature_length",
               rope.find("original_max_position_embeddings")->as_uint());
  }
}

void add_mistral3(Keys& keys) {
  add_llama(keys);
  keys.real("rope.scaling.yarn_log_multiplier",
            keys.find({"rope_parameters"})->find("mscale_all_dim")->as_double());
  add_growth(keys, false);
}

void add_deepseek32(Keys& keys) {
  add_deepseek(keys, true);
  keys.whole("block_count", keys.number("num_hidden_layers") + 1);
  keys.whole("nextn_predict_layers", 1);
  keys.copy_whole("attention.indexer.head_count", {"index_n_heads"});
  keys.copy_whole("attention.indexer.key_length", {"index_head_dim"});
  keys.copy_whole("attention.indexer.top_k", {"index_topk"});
}

void add_granite(Keys& keys) {
  add_llama(keys);
  keys.copy_real("attention.scale", {"attention_multiplier"});
  keys.copy_real("embedding_scale", {"embedding_multiplier"});
  keys.copy_real("residual_scale", {"residual_multiplier"});
  keys.copy_real("logit_scale", {"logits_scaling"});
  keys.copy_whole("expert_shared_feed_forward_length", {"shared_intermediate_size"});
  keys.copy_whole("ssm.conv_kernel", {"mamba_d_conv"});
  keys.copy_whole("ssm.state_size", {"mamba_d_state"});
  keys.copy_whole("ssm.group_count", {"mamba_n_groups"});
  keys.whole("ssm.inner_size", keys.number("mamba_expand") * keys.number("hidden_size"));
  keys.copy_whole("ssm.time_step_rank", {"mamba_n_heads"});
  std::vector<std::int32_t> kv_heads;
  for (const Json& type : keys.find({"layer_types"})->items()) {
    const bool is_attention = type.as_string() == "full_attention";
    kv_heads.push_back(is_attention ? static_cast<std::int32_t>(keys.number("num_key_value_heads"))
                                    : 0);
  }
  keys.set("attention.head_count_kv", kv_heads);
  keys.set("rope.scaling.finetuned", false);
  keys.whole("context_length", std::size_t{1} << 20);
}

std::size_t head_dim_of(const Keys& keys) {
  return keys.number("hidden_size") / keys.number("num_attention_heads");
}

std::size_t turned_dims(const Keys& keys) {
  const Json* part = keys.find({"rope_parameters"})->find("partial_rotary_factor");
  return static_cast<std::size_t>((part != nullptr ? part->as_double() : 1) *
                                  static_cast<double>(head_dim_of(keys)));
}

void add_phi3(Keys& keys) {
  add_common(keys);
  const std::size_t trained = keys.number("original_max_position_embeddings");
  keys.whole("rope.scaling.original_context_length", trained);
  keys.whole("attention.head_count_kv", keys.number("num_key_value_heads"));
  keys.whole("rope.dimension_count", turned_dims(keys));
  const Json* window = keys.find({"sliding_window"});
  keys.whole("attention.sliding_window", window != nullptr ? window->as_uint() : 0);
  const Json* rope = keys.find({"rope_parameters"});
  if (rope->find("long_factor") == nullptr) return;
  const double stretched =
      static_cast<double>(keys.number("max_position_embeddings")) / static_cast<double>(trained);
  const double more = std::log(stretched) / std::log(static_cast<double>(trained));
  keys.real("rope.scaling.attn_factor", stretched > 1 ? std::sqrt(1 + more) : 1);
}

void add_partial(Keys& keys) {
  add_common(keys);
  keys.whole("rope.dimension_count", turned_dims(keys));
}

void add_stablelm(Keys& keys) {
  add_partial(keys);
  keys.set("use_parallel_residual", true);  // in every file
}

void add_starcoder2(Keys& keys) {
  add_common(keys);
  keys.copy_real("attention.layer_norm_epsilon", {"norm_epsilon"});
  keys.copy_whole("attention.sliding_window", {"sliding_window"});
}

void add_starcoder(Keys& keys) {
  add_gpt2(keys);
  keys.copy_whole("feed_forward_length", {"n_inner"});
  keys.whole("attention.head_count_kv", 1);
}

void add_mpt(Keys& keys) {
  keys.copy_whole("context_length", {"max_seq_len"});
  keys.copy_whole("embedding_length", {"d_model"});
  keys.copy_whole("block_count", {"n_layers"});
  keys.whole("feed_forward_length", 4 * keys.number("d_model"));
  keys.copy_whole("attention.head_count", {"n_heads"});
  keys.real("attention.layer_norm_epsilon", 1e-5);
  keys.real("attention.max_alibi_bias", 8);
}

void add_t5(Keys& keys) {
  keys.whole("context_length", 512);
  keys.copy_whole("embedding_length", {"d_model"});
  keys.copy_whole("feed_forward_length", {"d_ff"});
  keys.copy_whole("block_count", {"num_layers"});
  keys.copy_whole("decoder_block_count", {"num_decoder_layers"});
  keys.copy_whole("attention.head_count", {"num_heads"});
  keys.copy_whole("attention.key_length", {"d_kv"});
  keys.copy_whole("attention.value_length", {"d_kv"});
  keys.copy_real("attention.layer_norm_epsilon", {"layer_norm_epsilon"});
  keys.copy_whole("attention.relative_buckets_count", {"relative_attention_num_buckets"});
  keys.copy_real("attention.layer_norm_rms_epsilon", {"layer_norm_epsilon"});
  keys.copy_whole("decoder_start_token_id", {"decoder_start_token_id"});
}

void add_encoder(Keys& keys, const EncoderKeys& encoder) {
  for (const auto& [name, value] : encoder.wholes) keys.whole(name, value);
  for (const auto& [name, value] : encoder.reals) keys.real(name, double{value});
  if (!encoder.is_causal) keys.set("attention.causal", false);
}

// Families of one kind of decoder: what each says beside what all say.
void add_experts_of(Keys& keys) {
  keys.copy_whole("expert_count", {"n_routed_experts", "num_local_experts", "num_experts",
                                   "moe_num_experts"});
  keys.copy_whole("expert_used_count", {"num_experts_per_tok", "moe_topk", "moe_k"});
  keys.copy_whole("expert_feed_forward_length", {"moe_intermediate_size"});
  keys.copy_whole("expert_shared_count", {"n_shared_experts", "moe_num_shared_experts"});
  keys.copy_whole("expert_shared_feed_forward_length", {"shared_intermediate_size"});
  keys.copy_whole("leading_dense_block_count",
                  {"first_k_dense_replace", "moe_layer_start_index"});
  keys.copy_whole("interleave_moe_layer_step", {"moe_layer_interval"});
  keys.copy_real("expert_weights_scale", {"routed_scaling_factor"});
}

void add_variant(Keys& keys, const std::string& architecture) {
  add_llama(keys);
  add_experts_of(keys);
  const bool is_granite = architecture.starts_with("granite");
  if (is_granite) {
    keys.copy_real("attention.scale", {"attention_multiplier"});
    keys.copy_real("embedding_scale", {"embedding_multiplier"});
    keys.copy_real("residual_scale", {"residual_multiplier"});
  }
  keys.copy_real("logit_scale", {is_granite ? "logits_scaling" : "logit_scale"});
  keys.copy_real("attention.layer_norm_epsilon", {"norm_eps", "layer_norm_eps"});
  if (architecture == "olmo") keys.real("attention.layer_norm_epsilon", 1e-5);
  keys.copy_real("attention.clamp_kqv", {"clip_qkv"});
  if (const Json* rope = keys.find({"rope_parameters"})) {
    if (const Json* part = rope->find("partial_rotary_factor")) {
      const auto head_dim = static_cast<double>(keys.number("head_dim"));
      keys.whole("rope.dimension_count", static_cast<std::size_t>(part->as_double() * head_dim));
    }
  }
  if (architecture == "glm4moe" || architecture == "dots1") {
    keys.whole("expert_gating_func", 2);
    keys.set("expert_weights_norm", true);
  }
  if (architecture == "minimax-m2") keys.whole("expert_gating_func", 2);
  if (architecture != "cohere2" && architecture != "exaone4" && architecture != "olmo2") return;
  keys.copy_whole("attention.sliding_window", {"sliding_window"});
  const Json* types = keys.find({"layer_types"});
  if (types == nullptr || architecture == "cohere2") return;
  std::vector<bool> are_sliding;
  for (const Json& type : types->items()) {
    are_sliding.push_back(type.as_string() == "sliding_attention");
  }
  keys.set("attention.sliding_window_pattern", are_sliding);
}

void add_keys(Keys& keys, const std::string& architecture, bool is_v3) {
  if (architecture == "llama") return add_llama(keys);
  if (architecture == "qwen2" || architecture == "qwen3") return add_common(keys);
  if (architecture == "qwen2moe" || architecture == "qwen3moe") return add_qwen_experts(keys);
  if (architecture == "qwen3next") return add_qwen_next(keys);
  if (architecture.starts_with("qwen35")) return add_qwen35(keys);
  if (is_recurrent(architecture)) return add_recurrent_keys(keys, architecture);
  if (architecture.starts_with("gemma")) return add_gemma(keys);
  if (architecture == "gpt2") return add_gpt2(keys);
  if (architecture == "gptneox") return add_neox(keys);
  if (architecture == "bloom") return add_bloom(keys);
  if (architecture == "falcon") return add_falcon(keys);
  if (architecture == "deepseek2") return add_deepseek(keys, is_v3);
  if (architecture == "deepseek32") return add_deepseek32(keys);
  if (architecture == "mistral4") return add_deepseek(keys, false), add_growth(keys, true);
  if (architecture == "mistral3") return add_mistral3(keys);
  if (architecture == "granitehybrid") return add_granite(keys);
  if (architecture == "phi3") return add_phi3(keys);
  if (architecture == "phi2") return add_partial(keys);
  if (architecture == "stablelm") return add_stablelm(keys);
  if (architecture == "starcoder2") return add_starcoder2(keys);
  if (architecture == "starcoder") return add_starcoder(keys);
  if (architecture == "mpt") return add_mpt(keys);
  if (architecture == "t5") return add_t5(keys);
  add_variant(keys, architecture);
}

void set_inside(Json& config, const char* object, const char* name, Json value) {
  Json inside = *config.find(object);
  inside.set(name, std::move(value));
  config.set(object, std::move(inside));
}

bool is_true(const Json& config, const char* name) {
  const Json* value = config.find(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

// The values of what GGUF has no key for, as whoever reads such a file takes them.
void imply(const std::string& architecture, Json& config) {
  const Json* rope = config.find("rope_parameters");
  if (architecture == "llama") {
    if (config.find("sliding_window") != nullptr) config.set("sliding_window", Json());
    if (rope != nullptr && rope->find("truncate") != nullptr) {
      set_inside(config, "rope_parameters", "truncate", true);
    }
  } else if (architecture == "qwen2" && is_true(config, "use_sliding_window")) {
    config.set("use_sliding_window", false);
    Json types = Json::array();
    for (std::size_t i = 0; i < config.find("layer_types")->items().size(); ++i) {
      types.push("full_attention");
    }
    config.set("layer_types", std::move(types));
  } else if (architecture == "qwen3moe") {
    config.set("norm_topk_prob", true);
  } else if (architecture == "gemma2" || architecture == "gemma3") {
    config.set("query_pre_attn_scalar", *config.find("head_dim"));
    if (architecture == "gemma2") return;
    Json types = Json::array();
    for (std::int64_t i = 1; i <= config.find("num_hidden_layers")->as_int(); ++i) {
      types.push(i % 6 == 0 ? "full_attention" : "sliding_attention");
    }
    config.set("layer_types", std::move(types));
  } else if (is_family(architecture)) {
    imply_family(architecture, config);
  } else if ((architecture == "deepseek2" || architecture == "mistral4") &&
             rope->find("mscale") != nullptr) {
    set_inside(config, "rope_parameters", "mscale", *rope->find("mscale_all_dim"));
  } else if (architecture == "phi3" && rope->find("factor") != nullptr) {
    const double trained = config.find("original_max_position_embeddings")->as_double();
    set_inside(config, "rope_parameters", "factor",
               config.find("max_position_embeddings")->as_double() / trained);
  } else if (architecture == "granitehybrid") {
    config.set("position_embedding_type", "nope");
  } else if (config.find("mixer_rms_eps") != nullptr) {  // Falcon-Mamba
    config.set("mixer_rms_eps", *config.find("layer_norm_epsilon"));
  } else if (architecture == "cohere2") {  // three windows, and one layer that sees all
    Json types = Json::array();
    for (std::int64_t i = 1; i <= config.find("num_hidden_layers")->as_int(); ++i) {
      types.push(i % 4 == 0 ? "full_attention" : "sliding_attention");
    }
    config.set("layer_types", std::move(types));
  } else if (architecture == "smollm3") {
    Json turns = Json::array();
    for (std::int64_t i = 1; i <= config.find("num_hidden_layers")->as_int(); ++i) {
      turns.push(Json(std::int64_t{i % 4 != 0}));
    }
    config.set("no_rope_layers", std::move(turns));
  } else if (architecture == "dots1") {
    config.set("sliding_window", Json());
    config.set("layer_types", Json());
  } else if (architecture == "t5") {
    config.set("relative_attention_max_distance", 128);
    config.set("scale_decoder_outputs", *config.find("tie_word_embeddings"));
  }
}

}  // namespace

GgufForm gguf_form(const TinyFixture& fixture) {
  GgufForm form;
  form.config = fixture.spellings.front().config;
  if (fixture.kind == "encoder") {
    const EncoderGguf encoder = encoder_gguf(fixture);
    form.architecture = encoder.architecture;
    form.why_none = encoder.why_none;
    return form;
  }
  const std::string type = form.config.find("model_type")->as_string();
  const auto row = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const Row& it) { return it.model_type == type; });
  if (row == std::end(kRows)) {
    form.why_none = "no row in gguf_form.cc";
    return form;
  }
  if (is_true(form.config, "alibi")) {
    form.why_none = "no key says that positions are biases, and its second norm has no name";
    return form;
  }
  const Json* plain = form.config.find("mlp_only_layers");
  if (plain != nullptr && !plain->items().empty()) {
    form.why_none = "a block without experts has no names beside those with them";
    return form;
  }
  if (type == "gpt_bigcode" && !is_true(form.config, "multi_query")) {
    form.why_none = "the converter of StarCoder knows one key head only";
    return form;
  }
  if (type == "baichuan" && form.config.find("max_position_embeddings") == nullptr) {
    form.why_none = "of Baichuan only a model of 40 layers is meant to have biases";
    return form;
  }
  if (type == "phi" && is_true(form.config, "qk_layernorm")) {
    form.why_none = "the norms of heads of Phi have no names";
    return form;
  }
  if (type == "mamba" && is_true(form.config, "use_bias")) {
    form.why_none = "the biases of Mamba's projections have no names";
    return form;
  }
  form.architecture = row->architecture;
  if (type == "nemotron_h" && has_experts_of_nemotron(form.config)) form.architecture += "_moe";
  imply(form.architecture, form.config);
  return form;
}

std::string gguf_bytes(const TinyFixture& fixture, const GgufForm& form) {
  QUIRE_CHECK(!form.architecture.empty(), "{} has no form", fixture.name);
  const Json& config = fixture.spellings.front().config;
  GgufWriter writer;
  writer.set("general.architecture", form.architecture)
      .set("general.name", fixture.name)
      .set("general.type", std::string("model"));
  Keys keys(config, form.architecture);
  const bool is_encoder = fixture.kind == "encoder";
  const EncoderKeys encoder = is_encoder ? encoder_keys(fixture) : EncoderKeys();
  if (is_encoder) {
    add_encoder(keys, encoder);
  } else if (is_family(form.architecture)) {
    add_family_keys(keys, form.architecture, fixture);
  } else {
    add_keys(keys, form.architecture, config.find("model_type")->as_string() == "deepseek_v3");
  }
  keys.write(writer);
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < config.find("vocab_size")->as_uint(); ++i) {
    tokens.push_back("token" + std::to_string(i));
  }
  writer.set("tokenizer.ggml.model", std::string("gpt2")).set("tokenizer.ggml.tokens", tokens);
  if (encoder.segments > 0) {
    writer.set("tokenizer.ggml.token_type_count", static_cast<std::uint32_t>(encoder.segments));
  }
  for (const StoredTensor& tensor : gguf_tensors(fixture, form.architecture)) {
    writer.add_tensor(tensor.name, tensor.shape, tensor.values);
  }
  return writer.bytes();
}

}  // namespace quire::testing
