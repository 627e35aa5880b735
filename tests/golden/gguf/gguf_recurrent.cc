#include "gguf_recurrent.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace quire::testing {
namespace {

constexpr std::string_view kArchitectures[] = {"falcon-h1", "jamba", "lfm2", "lfm2moe",
                                               "mamba", "mamba2", "nemotron_h",
                                               "nemotron_h_moe"};

bool is_any(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void add_sizes(Keys& keys) {
  keys.copy_whole("block_count", {"num_hidden_layers"});
  keys.copy_whole("context_length", {"max_position_embeddings"});
  keys.copy_whole("embedding_length", {"hidden_size"});
  keys.copy_whole("vocab_size", {"vocab_size"});
  keys.copy_whole("attention.head_count", {"num_attention_heads"});
  keys.copy_real("attention.layer_norm_rms_epsilon",
                 {"layer_norm_epsilon", "norm_eps", "rms_norm_eps"});
}

// Zero for layers without attention.
template <typename Attends>
void add_kv_heads(Keys& keys, std::size_t layers, const Attends& attends) {
  std::vector<std::int32_t> heads;
  for (std::size_t i = 0; i < layers; ++i) {
    heads.push_back(attends(i) ? static_cast<std::int32_t>(keys.number("num_key_value_heads")) : 0);
  }
  keys.set("attention.head_count_kv", heads);
}

void add_mamba(Keys& keys, bool is_second) {
  keys.whole("context_length", std::size_t{1} << 20);
  keys.whole("feed_forward_length", 0);
  keys.whole("attention.head_count", 0);
  keys.copy_whole("ssm.conv_kernel", {"conv_kernel"});
  keys.whole("ssm.inner_size", keys.number("expand") * keys.number("hidden_size"));
  keys.copy_whole("ssm.state_size", {"state_size"});
  if (is_second) {
    keys.copy_whole("ssm.time_step_rank", {"num_heads"});
    keys.copy_whole("ssm.group_count", {"n_groups"});
  } else {
    keys.copy_whole("ssm.time_step_rank", {"time_step_rank"});
    keys.set("ssm.dt_b_c_rms", keys.find({"mixer_rms_eps"}) != nullptr);
  }
}

void add_jamba(Keys& keys) {
  const std::size_t period = keys.number("attn_layer_period");
  add_kv_heads(keys, keys.number("num_hidden_layers"), [&](std::size_t i) {
    return i % period == keys.number("attn_layer_offset");
  });
  keys.copy_whole("feed_forward_length", {"intermediate_size"});
  keys.copy_whole("expert_count", {"num_experts", "num_local_experts"});
  keys.copy_whole("expert_used_count", {"num_experts_per_tok"});
  keys.copy_whole("ssm.conv_kernel", {"mamba_d_conv"});
  keys.whole("ssm.inner_size", keys.number("mamba_expand") * keys.number("hidden_size"));
  keys.copy_whole("ssm.state_size", {"mamba_d_state"});
  keys.copy_whole("ssm.time_step_rank", {"mamba_dt_rank"});
}

void add_head_size(Keys& keys) {
  keys.copy_whole("attention.key_length", {"head_dim"});
  keys.copy_whole("attention.value_length", {"head_dim"});
}

void add_falcon_h1(Keys& keys) {
  add_head_size(keys);
  keys.copy_whole("attention.head_count_kv", {"num_key_value_heads"});
  keys.copy_whole("feed_forward_length", {"intermediate_size"});
  keys.copy_whole("ssm.conv_kernel", {"mamba_d_conv"});
  keys.copy_whole("ssm.inner_size", {"mamba_d_ssm"});
  keys.copy_whole("ssm.state_size", {"mamba_d_state"});
  keys.copy_whole("ssm.time_step_rank", {"mamba_n_heads"});
  keys.copy_whole("ssm.group_count", {"mamba_n_groups"});
  keys.real("rope.freq_base", keys.find({"rope_parameters"})->find("rope_theta")->as_double());
}

void add_lfm2(Keys& keys, bool has_experts) {
  const auto& types = keys.find({"layer_types"})->items();
  add_kv_heads(keys, types.size(),
               [&](std::size_t i) { return types[i].as_string() == "full_attention"; });
  keys.copy_whole("shortconv.l_cache", {"conv_L_cache"});
  keys.real("rope.freq_base", keys.find({"rope_parameters"})->find("rope_theta")->as_double());
  if (!has_experts) {
    const std::size_t multiple = keys.number("block_multiple_of");
    const std::size_t ffn = 2 * keys.number("intermediate_size") / 3;
    return keys.whole("feed_forward_length", (ffn + multiple - 1) / multiple * multiple);
  }
  keys.copy_whole("feed_forward_length", {"intermediate_size"});
  keys.copy_whole("leading_dense_block_count", {"num_dense_layers"});
  keys.copy_whole("expert_count", {"num_experts"});
  keys.copy_whole("expert_used_count", {"num_experts_per_tok"});
  keys.copy_whole("expert_feed_forward_length", {"moe_intermediate_size"});
  keys.whole("expert_gating_func", 2);
}

void add_nemotron_h(Keys& keys) {
  add_head_size(keys);
  const auto& types = keys.find({"layers_block_type"})->items();
  add_kv_heads(keys, types.size(),
               [&](std::size_t i) { return types[i].as_string() == "full_attention"; });
  std::vector<std::int32_t> widths;
  for (const Json& type : types) {
    const bool is_mlp = type.as_string() == "mlp", is_moe = type.as_string() == "moe";
    const char* name = is_moe ? "moe_intermediate_size" : "intermediate_size";
    widths.push_back(is_mlp || is_moe ? static_cast<std::int32_t>(keys.number(name)) : 0);
  }
  keys.set("feed_forward_length", widths);
  keys.whole("block_count", types.size());
  keys.whole("context_length", std::size_t{1} << 20);
  keys.copy_whole("ssm.conv_kernel", {"conv_kernel"});
  keys.copy_whole("ssm.state_size", {"ssm_state_size"});
  keys.copy_whole("ssm.group_count", {"n_groups"});
  keys.whole("ssm.inner_size", keys.number("mamba_num_heads") * keys.number("mamba_head_dim"));
  keys.copy_whole("ssm.time_step_rank", {"mamba_num_heads"});
  keys.set("rope.scaling.finetuned", false);
}

void add_nemotron_experts(Keys& keys) {
  keys.copy_whole("expert_count", {"n_routed_experts"});
  keys.copy_whole("expert_used_count", {"num_experts_per_tok"});
  keys.copy_whole("expert_shared_count", {"n_shared_experts"});
  keys.copy_whole("expert_feed_forward_length", {"moe_intermediate_size"});
  keys.copy_whole("expert_shared_feed_forward_length", {"moe_shared_expert_intermediate_size"});
  keys.set("expert_weights_norm", keys.find({"norm_topk_prob"})->as_bool());
  keys.copy_real("expert_weights_scale", {"routed_scaling_factor"});
  keys.copy_whole("expert_group_count", {"n_group"});
  keys.copy_whole("expert_group_used_count", {"topk_group"});
}

// --- tensors ---

void scale_rows(StoredTensor& tensor, std::size_t first, std::size_t end, double factor) {
  const std::size_t columns = tensor.values.size() / tensor.shape[0];
  for (std::size_t i = first * columns; i < end * columns; ++i) {
    tensor.values[i] = static_cast<float>(tensor.values[i] * factor);
  }
}

// Every factor of Falcon-H1 goes into the weights.
void scale_falcon_h1(const Json& config, StoredTensor& tensor) {
  const auto one = [&](const char* name) { return config.find(name)->as_double(); };
  const auto part = [&](const char* name, std::size_t i) {
    return config.find(name)->items()[i].as_double();
  };
  const auto all = [&](double factor) { scale_rows(tensor, 0, tensor.shape[0], factor); };
  const auto is = [&](std::string_view end) { return tensor.name.ends_with(end); };
  const double in = one("attention_in_multiplier");
  if (is("down_proj.weight")) return all(part("mlp_multipliers", 1));
  if (is("gate_proj.weight")) return all(part("mlp_multipliers", 0));
  if (is("k_proj.weight")) return all(one("key_multiplier") * in);
  if (is("q_proj.weight") || is("v_proj.weight")) return all(in);
  if (is("o_proj.weight")) return all(one("attention_out_multiplier"));
  if (is("out_proj.weight")) return all(one("ssm_out_multiplier"));
  if (is("lm_head.weight")) return all(one("lm_head_multiplier"));
  if (is("embed_tokens.weight")) return all(one("embedding_multiplier"));
  if (!is("in_proj.weight")) return;
  all(one("ssm_in_multiplier"));
  const std::size_t inner = config.find("mamba_d_ssm")->as_uint();
  const std::size_t keys =
      config.find("mamba_n_groups")->as_uint() * config.find("mamba_d_state")->as_uint();
  const std::size_t ends[] = {inner, 2 * inner, 2 * inner + keys, 2 * inner + 2 * keys,
                              tensor.shape[0]};
  for (std::size_t i = 0; i < 5; ++i) {
    scale_rows(tensor, i == 0 ? 0 : ends[i - 1], ends[i], part("ssm_multipliers", i));
  }
}

void rename_end(StoredTensor& tensor, std::string_view end, std::string_view now) {
  if (!tensor.name.ends_with(end)) return;
  tensor.name.replace(tensor.name.size() - end.size(), end.size(), now);
}

}  // namespace

bool is_recurrent(std::string_view architecture) {
  return std::find(std::begin(kArchitectures), std::end(kArchitectures), architecture) !=
         std::end(kArchitectures);
}

bool has_experts_of_nemotron(const Json& config) {
  const auto& types = config.find("layers_block_type")->items();
  return std::find(types.begin(), types.end(), Json("moe")) != types.end();
}

void add_recurrent_keys(Keys& keys, std::string_view architecture) {
  add_sizes(keys);
  if (architecture == "mamba" || architecture == "mamba2") {
    return add_mamba(keys, architecture == "mamba2");
  }
  if (architecture == "jamba") return add_jamba(keys);
  if (architecture == "falcon-h1") return add_falcon_h1(keys);
  if (architecture.starts_with("nemotron_h")) add_nemotron_h(keys);
  if (architecture == "nemotron_h_moe") add_nemotron_experts(keys);
  if (architecture.starts_with("nemotron_h")) return;
  add_lfm2(keys, architecture == "lfm2moe");
}

StoredTensor recurrent_tensor(const Json& config, std::string_view architecture,
                              StoredTensor tensor) {
  if (architecture == "falcon-h1") scale_falcon_h1(config, tensor);
  const bool is_decay = tensor.name.ends_with("A_log");
  if (is_decay) {
    for (float& value : tensor.values) value = -std::exp(value);
  }
  const bool has_heads =
      is_any(architecture, {"falcon-h1", "mamba2", "nemotron_h", "nemotron_h_moe"});
  if (has_heads && (is_decay || tensor.name.ends_with(".D"))) tensor.shape.push_back(1);
  if (tensor.name.ends_with("conv1d.weight") || tensor.name.ends_with("conv.conv.weight")) {
    tensor.shape = {tensor.shape[0], tensor.shape[2]};
  }
  const bool is_group_norm =
      tensor.name.ends_with("mamba.norm.weight") || tensor.name.ends_with("mixer.norm.weight");
  if (has_heads && is_group_norm) {
    const Json* groups = config.find("n_groups");
    if (groups == nullptr) groups = config.find("mamba_n_groups");
    tensor.shape = {groups->as_uint(), tensor.shape[0] / groups->as_uint()};
  }
  rename_end(tensor, ".dt_bias", ".dt_proj.bias");
  rename_end(tensor, ".expert_bias", ".gate.e_score_correction.bias");
  rename_end(tensor, "e_score_correction_bias", "e_score_correction.bias");
  return tensor;
}

}  // namespace quire::testing
