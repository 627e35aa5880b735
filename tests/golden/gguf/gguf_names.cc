#include "gguf_names.h"

#include <algorithm>
#include <cctype>

namespace quire::testing {
namespace {

struct Row {
  std::string_view hf;    // behind the layer's number, without ".weight" or ".bias"
  std::string_view gguf;  // likewise
};

// Outside of the layers.
constexpr Row kOutside[] = {
    {"embed_tokens", "token_embd"},
    {"wte", "token_embd"},
    {"embed_in", "token_embd"},
    {"word_embeddings", "token_embd"},
    {"shared", "token_embd"},
    {"embeddings.word_embeddings", "token_embd"},
    {"word_embeddings_layernorm", "token_embd_norm"},
    {"embeddings.LayerNorm", "token_embd_norm"},
    {"embeddings", "token_embd"},
    {"embedding_norm", "token_embd_norm"},
    {"wpe", "position_embd"},
    {"embeddings.position_embeddings", "position_embd"},
    {"embeddings.token_type_embeddings", "token_types"},
    {"norm", "output_norm"},
    {"ln_f", "output_norm"},
    {"norm_f", "output_norm"},
    {"final_layernorm", "output_norm"},
    {"final_layer_norm", "output_norm"},
    {"encoder.final_layer_norm", "enc.output_norm"},
    {"decoder.final_layer_norm", "dec.output_norm"},
    {"lm_head", "output"},
    {"embed_out", "output"},
    {"embeddings.tok_embeddings", "token_embd"},
    {"embeddings.norm", "token_embd_norm"},
    {"emb_ln", "token_embd_norm"},
    {"final_norm", "output_norm"},
    {"classifier.dense", "cls"},
    {"head.dense", "cls"},
    {"head.norm", "cls.norm"},
    {"classifier", "cls.output"},
    {"classifier.out_proj", "cls.output"},
    {"2_Dense/linear", "dense_2"},
    {"3_Dense/linear", "dense_3"},
    {"rope_freqs", "rope_freqs"},
    {"tok_embeddings", "token_embd"},
    {"output", "output"},
    {"embed_tokens_per_layer", "per_layer_token_embd"},
    {"per_layer_model_projection", "per_layer_model_proj"},
    {"per_layer_projection_norm", "per_layer_proj_norm"},
    {"altup_projections.experts", "altup_proj"},
    {"altup_unembed_projections.experts", "altup_unembd_proj"},
    {"rope_factors_long", "rope_factors_long"},
    {"rope_factors_short", "rope_factors_short"},
};

// Of a layer.
constexpr Row kInside[] = {
    {"input_layernorm", "attn_norm"},
    {"ln_1", "attn_norm"},
    {"norm_1", "attn_norm"},
    {"ln_mlp", "attn_norm"},
    {"ln_attn", "attn_norm_2"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"ln_2", "ffn_norm"},
    {"norm_2", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
    {"post_self_attn_layernorm", "post_attention_norm"},
    {"post_mlp_layernorm", "post_ffw_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.qkv_proj", "attn_qkv"},
    {"attn.Wqkv", "attn_qkv"},
    {"self_attn.dense", "attn_output"},
    {"attn.out_proj", "attn_output"},
    {"self_attn.q_layernorm", "attn_q_norm"},
    {"self_attn.k_layernorm", "attn_k_norm"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.query_layernorm", "attn_q_norm"},
    {"self_attn.key_layernorm", "attn_k_norm"},
    {"self_attn.q_a_proj", "attn_q_a"},
    {"self_attn.q_a_layernorm", "attn_q_a_norm"},
    {"self_attn.q_b_proj", "attn_q_b"},
    {"self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"},
    {"self_attn.kv_a_layernorm", "attn_kv_a_norm"},
    {"self_attn.k_b_proj", "attn_k_b"},
    {"self_attn.v_b_proj", "attn_v_b"},
    {"self_attention.query_key_value", "attn_qkv"},
    {"attention.query_key_value", "attn_qkv"},
    {"attn.c_attn", "attn_qkv"},
    {"self_attention.dense", "attn_output"},
    {"attention.dense", "attn_output"},
    {"attn.c_proj", "attn_output"},
    {"attention.self.query", "attn_q"},
    {"attention.self.key", "attn_k"},
    {"attention.self.value", "attn_v"},
    {"attention.output.dense", "attn_output"},
    {"attention.output.LayerNorm", "attn_output_norm"},
    {"output.LayerNorm", "layer_output_norm"},
    {"intermediate.dense", "ffn_up"},
    {"output.dense", "ffn_down"},
    {"attention.q_lin", "attn_q"},
    {"attention.k_lin", "attn_k"},
    {"attention.v_lin", "attn_v"},
    {"attention.out_lin", "attn_output"},
    {"sa_layer_norm", "attn_output_norm"},
    {"ffn.lin1", "ffn_up"},
    {"ffn.lin2", "ffn_down"},
    {"output_layer_norm", "layer_output_norm"},
    {"attn_norm", "attn_norm"},
    {"attn.Wo", "attn_output"},
    {"mlp_norm", "ffn_norm"},
    {"mlp.Wi", "ffn_up"},
    {"mlp.Wo", "ffn_down"},
    {"mlp.gated_layers_w", "ffn_gate"},
    {"mlp.gated_layers_v", "ffn_up"},
    {"mlp.wo", "ffn_down"},
    {"mlp.layernorm", "layer_output_norm"},
    {"mlp.fc11", "ffn_up"},
    {"mlp.fc12", "ffn_gate"},
    {"norm1", "attn_output_norm"},
    {"norm2", "layer_output_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.gate_up_proj", "ffn_up"},
    {"mlp.fc1", "ffn_up"},
    {"mlp.fc2", "ffn_down"},
    {"ffn.up_proj", "ffn_up"},
    {"ffn.down_proj", "ffn_down"},
    {"mlp.dense_h_to_4h", "ffn_up"},
    {"mlp.c_fc", "ffn_up"},
    {"mlp.dense_4h_to_h", "ffn_down"},
    {"mlp.c_proj", "ffn_down"},
    {"mlp.gate", "ffn_gate_inp"},
    {"mlp.gate.wg", "ffn_gate_inp"},
    {"mlp.gate.e_score_correction", "exp_probs_b"},
    {"mlp.moe_statics.e_score_correction", "exp_probs_b"},
    {"block_sparse_moe.e_score_correction", "exp_probs_b"},
    {"mlp.experts.gate_proj", "ffn_gate_exps"},
    {"mlp.experts.up_proj", "ffn_up_exps"},
    {"mlp.experts.down_proj", "ffn_down_exps"},
    {"mlp.shared_expert.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_expert.up_proj", "ffn_up_shexp"},
    {"mlp.shared_expert.down_proj", "ffn_down_shexp"},
    {"mlp.shared_experts.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_experts.up_proj", "ffn_up_shexp"},
    {"mlp.shared_experts.down_proj", "ffn_down_shexp"},
    {"mlp.shared_expert_gate", "ffn_gate_inp_shexp"},
    {"mlp.shared_mlp.gate_proj", "ffn_gate_shexp"},
    {"mlp.shared_mlp.up_proj", "ffn_up_shexp"},
    {"mlp.shared_mlp.down_proj", "ffn_down_shexp"},
    {"block_sparse_moe.gate", "ffn_gate_inp"},
    {"block_sparse_moe.router.layer", "ffn_gate_inp"},
    {"block_sparse_moe.experts.w1", "ffn_gate_exps"},
    {"block_sparse_moe.experts.w2", "ffn_down_exps"},
    {"block_sparse_moe.experts.w3", "ffn_up_exps"},
    {"block_sparse_moe.output_linear", "ffn_down_exps"},
    {"shared_mlp.output_linear", "ffn_down_shexp"},
    {"linear_attn.in_proj_qkv", "attn_qkv"},
    {"linear_attn.in_proj_z", "attn_gate"},
    {"linear_attn.in_proj_ba", "ssm_ba"},
    {"linear_attn.in_proj_a", "ssm_alpha"},
    {"linear_attn.in_proj_b", "ssm_beta"},
    {"linear_attn.conv1d", "ssm_conv1d"},
    {"linear_attn.A_log", "ssm_a"},
    {"linear_attn.dt_proj", "ssm_dt"},
    {"linear_attn.norm", "ssm_norm"},
    {"linear_attn.out_proj", "ssm_out"},
    {"mamba.in_proj", "ssm_in"},
    {"mamba.conv1d", "ssm_conv1d"},
    {"mamba.A_log", "ssm_a"},
    {"mamba.D", "ssm_d"},
    {"mamba.dt_proj", "ssm_dt"},
    {"mamba.norm", "ssm_norm"},
    {"mamba.out_proj", "ssm_out"},
    {"mamba.x_proj", "ssm_x"},
    {"mamba.dt_layernorm", "ssm_dt_norm"},
    {"mamba.b_layernorm", "ssm_b_norm"},
    {"mamba.c_layernorm", "ssm_c_norm"},
    {"norm", "attn_norm"},
    {"mixer.in_proj", "ssm_in"},
    {"mixer.conv1d", "ssm_conv1d"},
    {"mixer.A_log", "ssm_a"},
    {"mixer.D", "ssm_d"},
    {"mixer.x_proj", "ssm_x"},
    {"mixer.dt_proj", "ssm_dt"},
    {"mixer.norm", "ssm_norm"},
    {"mixer.out_proj", "ssm_out"},
    {"mixer.q_proj", "attn_q"},
    {"mixer.k_proj", "attn_k"},
    {"mixer.v_proj", "attn_v"},
    {"mixer.o_proj", "attn_output"},
    {"mixer.gate", "ffn_gate_inp"},
    {"mixer.gate.e_score_correction", "exp_probs_b"},
    {"mixer.experts.up_proj", "ffn_up_exps"},
    {"mixer.experts.down_proj", "ffn_down_exps"},
    {"mixer.shared_experts.up_proj", "ffn_up_shexp"},
    {"mixer.shared_experts.down_proj", "ffn_down_shexp"},
    {"mixer.up_proj", "ffn_up"},
    {"mixer.down_proj", "ffn_down"},
    {"operator_norm", "attn_norm"},
    {"conv.in_proj", "shortconv.in_proj"},
    {"conv.conv", "shortconv.conv"},
    {"conv.out_proj", "shortconv.out_proj"},
    {"self_attn.out_proj", "attn_output"},
    {"ffn_norm", "ffn_norm"},
    {"pre_ff_layernorm", "ffn_norm"},
    {"feed_forward.w1", "ffn_gate"},
    {"feed_forward.w2", "ffn_down"},
    {"feed_forward.w3", "ffn_up"},
    {"feed_forward.gate_proj", "ffn_gate"},
    {"feed_forward.up_proj", "ffn_up"},
    {"feed_forward.down_proj", "ffn_down"},
    {"feed_forward.router", "ffn_gate_inp"},
    {"feed_forward.gate", "ffn_gate_inp"},
    {"feed_forward.gate.e_score_correction", "exp_probs_b"},
    {"feed_forward.experts.w1", "ffn_gate_exps"},
    {"feed_forward.experts.w2", "ffn_down_exps"},
    {"feed_forward.experts.w3", "ffn_up_exps"},
    {"feed_forward.experts.gate_proj", "ffn_gate_exps"},
    {"feed_forward.experts.up_proj", "ffn_up_exps"},
    {"feed_forward.experts.down_proj", "ffn_down_exps"},
    {"self_attn.sinks", "attn_sinks"},
    {"mlp.router", "ffn_gate_inp"},
    {"feed_forward.shared_expert.gate_proj", "ffn_gate_shexp"},
    {"feed_forward.shared_expert.up_proj", "ffn_up_shexp"},
    {"feed_forward.shared_expert.down_proj", "ffn_down_shexp"},
    {"per_layer_input_gate", "inp_gate"},
    {"per_layer_projection", "proj"},
    {"post_per_layer_input_norm", "post_norm"},
    {"altup.correct_output_scale", "altup_correct_scale"},
    {"altup.correction_coefs", "altup_correct_coef"},
    {"altup.prediction_coefs", "altup_predict_coef"},
    {"altup.modality_router", "altup_router"},
    {"altup.router_norm", "altup_router_norm"},
    {"laurel.linear_left", "laurel_l"},
    {"laurel.linear_right", "laurel_r"},
    {"laurel.post_laurel_norm", "laurel_post_norm"},
    {"layer_scalar", "layer_output_scale"},
    {"router.proj", "ffn_gate_inp"},
    {"experts.gate_up_proj", "ffn_gate_up_exps"},
    {"experts.down_proj", "ffn_down_exps"},
    {"mlp.experts.gate_up_proj", "ffn_gate_up_exps"},
    {"post_feedforward_layernorm_1", "post_ffw_norm_1"},
    {"post_feedforward_layernorm_2", "post_ffw_norm_2"},
    {"pre_feedforward_layernorm_2", "pre_ffw_norm_2"},
    {"self_attn.indexer.k_norm", "indexer.k_norm"},
    {"self_attn.indexer.weights_proj", "indexer.proj"},
    {"self_attn.indexer.wk", "indexer.attn_k"},
    {"self_attn.indexer.wq_b", "indexer.attn_q_b"},
    {"attention_layernorm", "attn_norm"},
    {"feedforward_layernorm", "ffn_norm"},
    {"norm_attn_norm.attn.Wqkv", "attn_qkv"},
    {"norm_attn_norm.attn.out_proj", "attn_output"},
    {"norm_attn_norm.norm_1", "attn_norm"},
    {"norm_attn_norm.norm_2", "attn_output_norm"},
    {"ffn.router.layer", "ffn_gate_inp"},
    {"ffn.experts.mlp.w1", "ffn_gate_exps"},
    {"ffn.experts.mlp.v1", "ffn_up_exps"},
    {"ffn.experts.mlp.w2", "ffn_down_exps"},
    {"mlp.w1", "ffn_up"},
    {"mlp.w2", "ffn_gate"},
    {"self_attn.attn_sub_norm", "attn_sub_norm"},
    {"mlp.ffn_sub_norm", "ffn_sub_norm"},
    {"attention.wo", "attn_output"},
    {"attention_norm", "attn_norm"},
    {"self_attn.q_conv1d", "ssm_conv1d_q"},
    {"self_attn.k_conv1d", "ssm_conv1d_k"},
    {"self_attn.v_conv1d", "ssm_conv1d_v"},
    {"self_attn.f_a_proj", "ssm_f_a"},
    {"self_attn.f_b_proj", "ssm_f_b"},
    {"self_attn.g_a_proj", "ssm_g_a"},
    {"self_attn.g_b_proj", "ssm_g_b"},
    {"self_attn.b_proj", "ssm_beta"},
    {"self_attn.A_log", "ssm_a"},
    {"self_attn.dt_proj", "ssm_dt"},
    {"self_attn.o_norm", "ssm_norm"},
    {"block_sparse_moe.gate_proj", "ffn_gate"},
    {"block_sparse_moe.up_proj", "ffn_up"},
    {"block_sparse_moe.down_proj", "ffn_down"},
    {"block_sparse_moe.gate.e_score_correction", "exp_probs_b"},
    {"block_sparse_moe.shared_experts.gate_proj", "ffn_gate_shexp"},
    {"block_sparse_moe.shared_experts.up_proj", "ffn_up_shexp"},
    {"block_sparse_moe.shared_experts.down_proj", "ffn_down_shexp"},
    {"SelfAttention.q", "attn_q"},
    {"SelfAttention.k", "attn_k"},
    {"SelfAttention.v", "attn_v"},
    {"SelfAttention.o", "attn_o"},
    {"SelfAttention.relative_attention_bias", "attn_rel_b"},
    {"EncDecAttention.q", "cross_attn_q"},
    {"EncDecAttention.k", "cross_attn_k"},
    {"EncDecAttention.v", "cross_attn_v"},
    {"EncDecAttention.o", "cross_attn_o"},
    {"DenseReluDense.wi", "ffn_up"},
    {"DenseReluDense.wi_0", "ffn_gate"},
    {"DenseReluDense.wi_1", "ffn_up"},
    {"DenseReluDense.wo", "ffn_down"},
};

constexpr std::string_view kPrefixes[] = {"model.", "transformer.", "gpt_neox.", "roberta.",
                                          "backbone."};
constexpr std::string_view kLayers[] = {"layers.", "layer.", "h.", "blocks.", "encoder.layer.",
                                        "encoder.layers."};

template <std::size_t kCount>
std::string_view find_in(const Row (&rows)[kCount], std::string_view name) {
  const auto row = std::find_if(std::begin(rows), std::end(rows),
                                [&](const Row& it) { return it.hf == name; });
  return row == std::end(rows) ? std::string_view() : row->gguf;
}

// Digits and a point at the front, taken off.
std::string take_number(std::string_view& name) {
  std::size_t digits = 0;
  while (digits < name.size() && std::isdigit(static_cast<unsigned char>(name[digits]))) ++digits;
  std::string number(name.substr(0, digits));
  name.remove_prefix(std::min(name.size(), digits + 1));
  return number;
}

bool has_norm_behind_attention(std::string_view architecture) {
  constexpr std::string_view kNames[] = {"gemma2",   "gemma3",   "qwen3next",
                                         "qwen35",   "qwen35moe", "olmo2",
                                         "exaone4",  "seed_oss", "glm4moe",
                                         "gemma-embedding", "gemma3n", "gemma4", "gpt-oss"};
  return std::find(std::begin(kNames), std::end(kNames), architecture) != std::end(kNames);
}

// "encoder.block.3.layer.0.SelfAttention.q": a norm is of the part that it stands in.
std::string t5_name(std::string_view name, std::string_view suffix) {
  const bool is_encoder = name.starts_with("encoder.");
  name.remove_prefix(std::string_view("encoder.block.").size());  // as long as the decoder's
  std::string out = std::string(is_encoder ? "enc" : "dec") + ".blk." + take_number(name) + ".";
  name.remove_prefix(std::string_view("layer.").size());
  const std::string part = take_number(name);
  if (name != "layer_norm") return out + std::string(find_in(kInside, name)) + std::string(suffix);
  const bool is_last = part == (is_encoder ? "1" : "2");
  return out + (is_last ? "ffn_norm" : part == "0" ? "attn_norm" : "cross_attn_norm") +
         std::string(suffix);
}

}  // namespace

std::string gguf_name(std::string_view architecture, std::string_view hf_name) {
  std::string_view name = hf_name, suffix;
  if (name.starts_with("blk.")) return std::string(name);
  for (const std::string_view end : {".weight", ".bias"}) {
    if (!name.ends_with(end)) continue;
    suffix = end;
    name.remove_suffix(end.size());
  }
  if (name.starts_with("encoder.block.") || name.starts_with("decoder.block.")) {
    return t5_name(name, suffix);
  }
  for (const std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  for (const std::string_view layers : kLayers) {
    if (!name.starts_with(layers)) continue;
    name.remove_prefix(layers.size());
    const std::string layer = take_number(name);
    std::string_view inside = find_in(kInside, name);
    if (name == "post_attention_layernorm") {
      inside = has_norm_behind_attention(architecture) ? "post_attention_norm" : "ffn_norm";
    }
    if (inside.empty()) return "";
    return "blk." + layer + "." + std::string(inside) + std::string(suffix);
  }
  const std::string_view outside = find_in(kOutside, name);
  return outside.empty() ? "" : std::string(outside) + std::string(suffix);
}

}  // namespace quire::testing
