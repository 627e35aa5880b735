#include "gguf_families.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tiny_checkpoint.h"

namespace quire::testing {
namespace {

constexpr std::string_view kArchitectures[] = {
    "apertus", "baichuan", "bitnet",    "chatglm", "dbrx",        "gemma3n",
    "gemma4",  "gpt-oss",  "internlm2", "llama4",  "kimi-linear", "phimoe",  "qwen"};

// --- keys ---

void add_gpt_oss(Keys& keys) {
  add_common(keys);
  keys.copy_whole("attention.sliding_window", {"sliding_window"});
  keys.copy_whole("expert_feed_forward_length", {"intermediate_size"});
}

void add_llama4(Keys& keys) {
  add_llama(keys);
  keys.copy_whole("feed_forward_length", {"intermediate_size_mlp"});
  keys.copy_whole("expert_feed_forward_length", {"intermediate_size"});
  keys.copy_whole("interleave_moe_layer_step", {"interleave_moe_layer_step"});
}

std::vector<bool> local_layers(const Keys& keys) {
  std::vector<bool> are_local;
  for (const Json& type : keys.find({"layer_types"})->items()) {
    are_local.push_back(type.as_string() == "sliding_attention");
  }
  return are_local;
}

// What Gemma 3n and 4 say alike.
void add_new_gemma(Keys& keys) {
  keys.copy_whole("block_count", {"num_hidden_layers"});
  keys.copy_whole("context_length", {"max_position_embeddings"});
  keys.copy_whole("embedding_length", {"hidden_size"});
  keys.copy_whole("attention.head_count", {"num_attention_heads"});
  keys.copy_whole("attention.head_count_kv", {"num_key_value_heads"});
  keys.copy_real("attention.layer_norm_rms_epsilon", {"rms_norm_eps"});
  keys.copy_whole("attention.key_length", {"head_dim"});
  keys.copy_whole("attention.value_length", {"head_dim"});
  keys.copy_whole("attention.sliding_window", {"sliding_window"});
  keys.copy_real("final_logit_softcapping", {"final_logit_softcapping"});
  keys.copy_whole("embedding_length_per_layer_input", {"hidden_size_per_layer_input"});
  keys.copy_whole("attention.shared_kv_layers", {"num_kv_shared_layers"});
  keys.set("attention.sliding_window_pattern", local_layers(keys));
  add_rope(keys);
}

// How many deviations above the mean so large a share of normal values is below.
float deviations_of(double share) {
  if (share == 0) return -std::numeric_limits<float>::infinity();
  double low = -10, high = 10;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < share ? low : high) = middle;
  }
  return static_cast<float>(low);
}

void add_gemma3n(Keys& keys) {
  add_new_gemma(keys);
  std::vector<std::int32_t> widths;
  for (const Json& width : keys.find({"intermediate_size"})->items()) {
    widths.push_back(static_cast<std::int32_t>(width.as_int()));
  }
  keys.set("feed_forward_length", widths);
  keys.copy_whole("altup.active_idx", {"altup_active_idx"});
  keys.copy_whole("altup.num_inputs", {"altup_num_inputs"});
  std::vector<float> scales;
  for (const Json& share : keys.find({"activation_sparsity_pattern"})->items()) {
    scales.push_back(deviations_of(share.as_double()));
  }
  keys.set("activation_sparsity_scale", scales);
}

// What layers that see all have instead, in any spelling of it.
std::size_t of_wide_layer(const Keys& keys, const char* name) {
  for (const auto& [layer, said] : keys.find({"per_layer_config"})->members()) {
    const Json* value = said.find(name);
    if (value != nullptr) return value->as_uint();
  }
  return keys.number(name);
}

void add_gemma4(Keys& keys) {
  add_new_gemma(keys);
  const std::size_t wide = of_wide_layer(keys, "head_dim");
  for (const char* key : {"attention.key_length", "attention.value_length"}) {
    keys.whole(key, wide);
    keys.copy_whole(std::string(key) + "_swa", {"head_dim"});
  }
  keys.whole("rope.dimension_count", wide);
  keys.copy_whole("rope.dimension_count_swa", {"head_dim"});
  const std::vector<bool> are_local = local_layers(keys);
  const std::size_t own = keys.number("num_key_value_heads");
  std::vector<std::int32_t> heads, widths;
  const std::size_t kept = are_local.size() - keys.number("num_kv_shared_layers");
  const bool doubles = keys.find({"use_double_wide_mlp"})->as_bool();
  for (std::size_t i = 0; i < are_local.size(); ++i) {
    const std::size_t all = of_wide_layer(keys, "num_key_value_heads");
    heads.push_back(static_cast<std::int32_t>(are_local[i] ? own : all));
    const std::size_t width = keys.number("intermediate_size") * (doubles && i >= kept ? 2 : 1);
    widths.push_back(static_cast<std::int32_t>(width));
  }
  if (of_wide_layer(keys, "num_key_value_heads") != own) {
    keys.set("attention.head_count_kv", heads);
  }
  keys.copy_whole("feed_forward_length", {"intermediate_size"});
  if (doubles) keys.set("feed_forward_length", widths);
  keys.copy_whole("expert_count", {"num_experts"});
  keys.copy_whole("expert_used_count", {"top_k_experts"});
  keys.copy_whole("expert_feed_forward_length", {"moe_intermediate_size"});
}

void add_apertus(Keys& keys, const TinyFixture& fixture) {
  add_llama(keys);
  for (const auto& [key, end] : {std::pair{"xielu.alpha_p", "act_fn.alpha_p"},
                                 std::pair{"xielu.alpha_n", "act_fn.alpha_n"},
                                 std::pair{"xielu.beta", "act_fn.beta"},
                                 std::pair{"xielu.eps", "act_fn.eps"}}) {
    std::vector<float> values;
    for (std::size_t i = 0; i < keys.number("num_hidden_layers"); ++i) {
      const std::string name = "model.layers." + std::to_string(i) + ".mlp." + end;
      for (const GoldenTensor& tensor : fixture.tensors) {
        if (tensor.name == name) values.push_back(tiny_values(fixture.seed, tensor)[0]);
      }
    }
    keys.set_bare(key, values);
  }
}

void add_dbrx(Keys& keys) {
  const Json& attention = *keys.find({"attn_config"});
  const Json& block = *keys.find({"ffn_config"});
  keys.copy_whole("block_count", {"n_layers"});
  keys.copy_whole("context_length", {"max_seq_len"});
  keys.copy_whole("embedding_length", {"d_model"});
  keys.whole("feed_forward_length", block.find("ffn_hidden_size")->as_uint());
  keys.copy_whole("attention.head_count", {"n_heads"});
  keys.whole("attention.head_count_kv", attention.find("kv_n_heads")->as_uint());
  keys.real("rope.freq_base", keys.find({"rope_parameters"})->find("rope_theta")->as_double());
  keys.real("attention.clamp_kqv", attention.find("clip_qkv")->as_double());
  keys.whole("expert_count", block.find("moe_num_experts")->as_uint());
  keys.whole("expert_used_count", block.find("moe_top_k")->as_uint());
  keys.real("attention.layer_norm_epsilon", 1e-5);
}

void add_phimoe(Keys& keys) {
  add_common(keys);
  const std::size_t context = keys.number("max_position_embeddings");
  const Json* trained = keys.find({"original_max_position_embeddings"});
  keys.whole("rope.scaling.original_context_length",
             trained != nullptr ? trained->as_uint() : context);
  keys.whole("rope.dimension_count",
             keys.number("hidden_size") / keys.number("num_attention_heads"));
  keys.whole("attention.sliding_window", 0);
  if (keys.find({"rope_parameters"})->find("long_factor") == nullptr) return;
  const double stretched = static_cast<double>(context) / static_cast<double>(trained->as_uint());
  const double more = std::log(stretched) / std::log(static_cast<double>(trained->as_uint()));
  keys.real("rope.scaling.attn_factor", stretched > 1 ? std::sqrt(1 + more) : 1);
}

void add_qwen(Keys& keys) {
  add_common(keys);
  keys.copy_real("rope.freq_base", {"rotary_emb_base"});
  keys.whole("rope.dimension_count",
             keys.number("hidden_size") / keys.number("num_attention_heads"));
  keys.copy_real("attention.layer_norm_rms_epsilon", {"layer_norm_epsilon"});
}

void add_baichuan(Keys& keys) {
  add_common(keys);
  keys.copy_whole("attention.head_count_kv", {"num_attention_heads"});
  keys.set("tensor_data_layout", std::string("Meta AI original pth"));
  keys.whole("rope.dimension_count",
             keys.number("hidden_size") / keys.number("num_attention_heads"));
}

void add_bitnet(Keys& keys) {
  add_common(keys);
  keys.set("rope.scaling.type", std::string("linear"));
  keys.real("rope.scaling.factor", 1);
}

// Of GLM-4's first generation, whose keys are those of its own files.
void add_chatglm(Keys& keys) {
  keys.copy_whole("block_count", {"num_hidden_layers"});
  keys.copy_whole("context_length", {"max_position_embeddings"});
  keys.copy_whole("embedding_length", {"hidden_size"});
  keys.copy_whole("feed_forward_length", {"intermediate_size"});
  keys.copy_whole("attention.head_count", {"num_attention_heads"});
  keys.copy_whole("attention.head_count_kv", {"num_key_value_heads"});
  keys.real("attention.layer_norm_rms_epsilon", 1e-5);
  keys.whole("rope.dimension_count", keys.number("head_dim") / 2);
  keys.real("rope.freq_base", 10000);
}

void add_kimi(Keys& keys) {
  add_common(keys);
  std::vector<std::int32_t> kv_heads;
  for (const Json& type : keys.find({"layer_types"})->items()) {
    kv_heads.push_back(type.as_string() == "full_attention" ? 1 : 0);
  }
  const std::size_t rank = keys.number("kv_lora_rank"), rope = keys.number("qk_rope_head_dim");
  keys.set("attention.head_count_kv", kv_heads);
  keys.copy_whole("context_length", {"model_max_length"});
  keys.real("rope.freq_base", 10000);
  keys.copy_whole("vocab_size", {"vocab_size"});
  keys.copy_whole("ssm.conv_kernel", {"linear_conv_kernel_dim"});
  keys.copy_whole("kda.head_dim", {"linear_head_dim"});
  keys.whole("attention.kv_lora_rank", rank);
  keys.whole("rope.dimension_count", rope);
  keys.whole("attention.key_length", rank + rope);
  keys.whole("attention.key_length_mla", keys.number("qk_nope_head_dim") + rope);
  keys.copy_whole("attention.value_length_mla", {"v_head_dim"});
  keys.copy_whole("expert_used_count", {"num_experts_per_token"});
  keys.copy_whole("expert_feed_forward_length", {"moe_intermediate_size"});
  keys.copy_whole("expert_shared_count", {"num_shared_experts"});
  keys.whole("expert_gating_func", 2);
  keys.copy_real("expert_weights_scale", {"routed_scaling_factor"});
  const auto& blocks = keys.find({"mlp_layer_types"})->items();
  keys.whole("leading_dense_block_count", static_cast<std::size_t>(std::count(
                                              blocks.begin(), blocks.end(), Json("dense"))));
}

// --- what such files imply ---

Json without(const Json& config, std::string_view name) {
  Json out = Json::object();
  for (const auto& [key, value] : config.members()) {
    if (key != name) out.set(key, value);
  }
  return out;
}

void imply_llama4(Json& config) {
  Json turns = Json::array(), types = Json::array();
  for (std::int64_t i = 1; i <= config.find("num_hidden_layers")->as_int(); ++i) {
    const bool is_turned = i % 4 != 0;
    turns.push(Json(std::int64_t{is_turned}));
    types.push(is_turned ? "chunked_attention" : "full_attention");
  }
  config.set("no_rope_layers", std::move(turns));
  config.set("layer_types", std::move(types));
  config.set("attention_chunk_size", std::int64_t{8192});
  config.set("attn_scale", 0.1);
  config.set("floor_scale", std::int64_t{8192});
  config.set("use_qk_norm", true);
}

void imply_rope(Json& config, const char* name, Json value) {
  Json rope = *config.find("rope_parameters");
  rope.set(name, std::move(value));
  config.set("rope_parameters", std::move(rope));
}

}  // namespace

bool is_family(std::string_view architecture) {
  return std::find(std::begin(kArchitectures), std::end(kArchitectures), architecture) !=
         std::end(kArchitectures);
}

void add_family_keys(Keys& keys, std::string_view architecture, const TinyFixture& fixture) {
  if (architecture == "gpt-oss") return add_gpt_oss(keys);
  if (architecture == "llama4") return add_llama4(keys);
  if (architecture == "gemma3n") return add_gemma3n(keys);
  if (architecture == "gemma4") return add_gemma4(keys);
  if (architecture == "apertus") return add_apertus(keys, fixture);
  if (architecture == "dbrx") return add_dbrx(keys);
  if (architecture == "phimoe") return add_phimoe(keys);
  if (architecture == "qwen") return add_qwen(keys);
  if (architecture == "baichuan") return add_baichuan(keys);
  if (architecture == "bitnet") return add_bitnet(keys);
  if (architecture == "chatglm") return add_chatglm(keys);
  if (architecture == "kimi-linear") return add_kimi(keys);
  add_common(keys);  // InternLM2
  keys.copy_real("rope.freq_base", {"rope_theta"});
}

void imply_family(std::string_view architecture, Json& config) {
  if (architecture == "gpt-oss") {
    config.set("swiglu_limit", 7.0);
    return imply_rope(config, "truncate", true);
  }
  if (architecture == "llama4") return imply_llama4(config);
  if (architecture == "bitnet") return config.set("hidden_act", "silu");
  if (architecture == "baichuan") config = without(config, "z_loss_weight");
  if (architecture == "qwen") config.set("seq_length", *config.find("max_position_embeddings"));
  if (architecture == "kimi-linear") config.set("num_expert_group", std::int64_t{1});
  if (architecture == "phimoe") config.set("router_jitter_noise", 0.01);
  if (architecture == "phimoe" && config.find("rope_parameters")->find("long_factor") != nullptr) {
    imply_rope(config, "short_mscale", 1.0);  // of a context that is not stretched
    imply_rope(config, "long_mscale", 1.0);
  }
}

}  // namespace quire::testing
