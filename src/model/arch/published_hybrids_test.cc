// Configurations in the words of released recurrent and hybrid models' config.json, as far as they
// are known without the files: each is read, no key of it is an unknown one. As published_test.
#include <gtest/gtest.h>

#include "base/json.h"
#include "model/registry.h"

namespace quire {
namespace {

struct Hybrid {
  const char* name;
  const char* config;
  int experts;  // of a layer
};

constexpr Hybrid kHybrids[] = {
    {"falcon-h1-0.5b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["FalconH1ForCausalLM"], "model_type":
"falcon_h1", "attention_bias": false, "attention_dropout": 0.0, "attn_layer_indices": null,
"bos_token_id": 1, "eos_token_id": 11, "hidden_act": "silu", "mamba_chunk_size": 128,
"mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_norm_before_gate":
false, "mamba_proj_bias": false, "mamba_rms_norm": false, "mamba_use_mlp": true, "mlp_bias":
false, "mlp_expansion_factor": 8, "num_logits_to_keep": 1, "pad_token_id": 0,
"projectors_bias": false, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta":
100000000000.0, "tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit":
[0.0, {"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001,
"attention_in_multiplier": 1.0, "attention_out_multiplier": 0.9375, "embedding_multiplier":
5.656854249492381, "head_dim": 64, "hidden_size": 1024, "intermediate_size": 2048,
"key_multiplier": 0.390625, "lm_head_multiplier": 0.0390625, "mamba_d_head": 64,
"mamba_d_ssm": 1536, "mamba_d_state": 128, "mamba_n_groups": 1, "mamba_n_heads": 24,
"max_position_embeddings": 16384, "mlp_multipliers": [0.8838834764831844, 0.5859375],
"num_attention_heads": 8, "num_hidden_layers": 36, "num_key_value_heads": 2,
"ssm_in_multiplier": 1.25, "ssm_multipliers": [0.3535533905932738, 0.25, 0.3535533905932738,
0.5, 0.3535533905932738], "ssm_out_multiplier": 0.23570226039551587, "vocab_size": 32784})",
     0},
    {"falcon-h1-1.5b-deep",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["FalconH1ForCausalLM"], "model_type":
"falcon_h1", "attention_bias": false, "attention_dropout": 0.0, "attn_layer_indices": null,
"bos_token_id": 1, "eos_token_id": 11, "hidden_act": "silu", "mamba_chunk_size": 128,
"mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_norm_before_gate":
false, "mamba_proj_bias": false, "mamba_rms_norm": false, "mamba_use_mlp": true, "mlp_bias":
false, "mlp_expansion_factor": 8, "num_logits_to_keep": 1, "pad_token_id": 0,
"projectors_bias": false, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta":
100000000000.0, "tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit":
[0.0, {"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001,
"attention_in_multiplier": 1.0, "attention_out_multiplier": 0.6666666666666666,
"embedding_multiplier": 5.656854249492381, "head_dim": 128, "hidden_size": 1280,
"intermediate_size": 3072, "key_multiplier": 0.19611613513818404, "lm_head_multiplier":
0.03125, "mamba_d_head": 64, "mamba_d_ssm": 1536, "mamba_d_state": 256, "mamba_n_groups": 1,
"mamba_n_heads": 24, "max_position_embeddings": 131072, "mlp_multipliers":
[0.7071067811865475, 0.33], "num_attention_heads": 6, "num_hidden_layers": 66,
"num_key_value_heads": 2, "ssm_in_multiplier": 1.0, "ssm_multipliers": [0.35, 0.25, 0.17,
0.5, 0.35], "ssm_out_multiplier": 0.23, "vocab_size": 65536})",
     0},
    {"falcon-h1-3b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["FalconH1ForCausalLM"], "model_type":
"falcon_h1", "attention_bias": false, "attention_dropout": 0.0, "attn_layer_indices": null,
"bos_token_id": 1, "eos_token_id": 11, "hidden_act": "silu", "mamba_chunk_size": 128,
"mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_norm_before_gate":
false, "mamba_proj_bias": false, "mamba_rms_norm": false, "mamba_use_mlp": true, "mlp_bias":
false, "mlp_expansion_factor": 8, "num_logits_to_keep": 1, "pad_token_id": 0,
"projectors_bias": false, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta":
100000000000.0, "tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit":
[0.0, {"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001,
"attention_in_multiplier": 1.0, "attention_out_multiplier": 0.9375, "embedding_multiplier":
5.65, "head_dim": 128, "hidden_size": 2560, "intermediate_size": 10240, "key_multiplier":
0.39, "lm_head_multiplier": 0.039, "mamba_d_head": 128, "mamba_d_ssm": 4096,
"mamba_d_state": 256, "mamba_n_groups": 1, "mamba_n_heads": 32, "max_position_embeddings":
131072, "mlp_multipliers": [0.88, 0.58], "num_attention_heads": 10, "num_hidden_layers": 32,
"num_key_value_heads": 2, "ssm_in_multiplier": 1.25, "ssm_multipliers": [0.35, 0.25, 0.35,
0.5, 0.35], "ssm_out_multiplier": 0.23, "vocab_size": 65537})",
     0},
    {"falcon-h1-7b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["FalconH1ForCausalLM"], "model_type":
"falcon_h1", "attention_bias": false, "attention_dropout": 0.0, "attn_layer_indices": null,
"bos_token_id": 1, "eos_token_id": 11, "hidden_act": "silu", "mamba_chunk_size": 128,
"mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_norm_before_gate":
false, "mamba_proj_bias": false, "mamba_rms_norm": false, "mamba_use_mlp": true, "mlp_bias":
false, "mlp_expansion_factor": 8, "num_logits_to_keep": 1, "pad_token_id": 0,
"projectors_bias": false, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta":
100000000000.0, "tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit":
[0.0, {"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001,
"attention_in_multiplier": 1.0, "attention_out_multiplier": 0.9375, "embedding_multiplier":
5.65, "head_dim": 128, "hidden_size": 3072, "intermediate_size": 12288, "key_multiplier":
0.39, "lm_head_multiplier": 0.039, "mamba_d_head": 128, "mamba_d_ssm": 3072,
"mamba_d_state": 256, "mamba_n_groups": 1, "mamba_n_heads": 24, "max_position_embeddings":
262144, "mlp_multipliers": [0.88, 0.58], "num_attention_heads": 12, "num_hidden_layers": 44,
"num_key_value_heads": 2, "ssm_in_multiplier": 1.25, "ssm_multipliers": [0.35, 0.25, 0.35,
0.5, 0.35], "ssm_out_multiplier": 0.23, "vocab_size": 130048})",
     0},
    {"falcon-h1-34b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["FalconH1ForCausalLM"], "model_type":
"falcon_h1", "attention_bias": false, "attention_dropout": 0.0, "attn_layer_indices": null,
"bos_token_id": 1, "eos_token_id": 11, "hidden_act": "silu", "mamba_chunk_size": 128,
"mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_norm_before_gate":
false, "mamba_proj_bias": false, "mamba_rms_norm": false, "mamba_use_mlp": true, "mlp_bias":
false, "mlp_expansion_factor": 8, "num_logits_to_keep": 1, "pad_token_id": 0,
"projectors_bias": false, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta":
100000000000.0, "tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit":
[0.0, {"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001,
"attention_in_multiplier": 1.0, "attention_out_multiplier": 0.9375, "embedding_multiplier":
5.65, "head_dim": 128, "hidden_size": 5120, "intermediate_size": 21504, "key_multiplier":
0.39, "lm_head_multiplier": 0.0195, "mamba_d_head": 128, "mamba_d_ssm": 4096,
"mamba_d_state": 256, "mamba_n_groups": 2, "mamba_n_heads": 32, "max_position_embeddings":
262144, "mlp_multipliers": [0.88, 0.58], "num_attention_heads": 20, "num_hidden_layers": 72,
"num_key_value_heads": 4, "ssm_in_multiplier": 1.25, "ssm_multipliers": [0.35, 0.25, 0.35,
0.5, 0.35], "ssm_out_multiplier": 0.23, "vocab_size": 261120})",
     0},
    {"bamba-9b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["BambaForCausalLM"], "model_type": "bamba",
"attention_bias": false, "attention_dropout": 0.0, "attn_layer_indices": [9, 18, 27],
"attn_rotary_emb": 64, "bos_token_id": 128000, "eos_token_id": 128001, "hidden_act": "silu",
"hidden_size": 4096, "intermediate_size": 14336, "mamba_chunk_size": 256, "mamba_conv_bias":
true, "mamba_d_conv": 4, "mamba_d_head": 64, "mamba_d_state": 128, "mamba_expand": 2,
"mamba_n_groups": 1, "mamba_n_heads": 128, "mamba_proj_bias": false,
"max_position_embeddings": 262144, "mlp_bias": false, "num_attention_heads": 32,
"num_hidden_layers": 32, "num_key_value_heads": 8, "num_logits_to_keep": 1, "pad_token_id":
0, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0,
"tie_word_embeddings": false, "vocab_size": 128256})",
     0},
    {"nemotron-h-8b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["NemotronHForCausalLM"], "model_type":
"nemotron_h", "attention_bias": false, "attention_dropout": 0.0, "auto_map": {"AutoConfig":
"configuration_nemotron_h.NemotronHConfig"}, "bos_token_id": 1, "chunk_size": 128,
"conv_kernel": 4, "eos_token_id": 12, "expand": 2, "hidden_dropout": 0.0,
"layer_norm_epsilon": 1e-05, "mamba_hidden_act": "silu", "mamba_proj_bias": false,
"max_position_embeddings": 131072, "mlp_bias": false, "mlp_hidden_act": "relu2",
"num_logits_to_keep": 1, "pad_token_id": 0, "rescale_prenorm_residual": true,
"residual_in_fp32": false, "rms_norm_eps": 1e-05, "sliding_window": null,
"tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit": [0.0,
{"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001, "time_step_rank":
256, "use_bias": false, "use_conv_bias": true, "use_mamba_kernels": true, "vocab_size":
131072, "attention_head_dim": 128, "hidden_size": 4096, "hybrid_override_pattern":
"M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-", "intermediate_size": 21504,
"mamba_head_dim": 64, "mamba_num_heads": 128, "n_groups": 8, "num_attention_heads": 32,
"num_hidden_layers": 52, "num_key_value_heads": 8, "ssm_state_size": 128})",
     0},
    {"nemotron-nano-9b-v2",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["NemotronHForCausalLM"], "model_type":
"nemotron_h", "attention_bias": false, "attention_dropout": 0.0, "auto_map": {"AutoConfig":
"configuration_nemotron_h.NemotronHConfig"}, "bos_token_id": 1, "chunk_size": 128,
"conv_kernel": 4, "eos_token_id": 12, "expand": 2, "hidden_dropout": 0.0,
"layer_norm_epsilon": 1e-05, "mamba_hidden_act": "silu", "mamba_proj_bias": false,
"max_position_embeddings": 131072, "mlp_bias": false, "mlp_hidden_act": "relu2",
"num_logits_to_keep": 1, "pad_token_id": 0, "rescale_prenorm_residual": true,
"residual_in_fp32": false, "rms_norm_eps": 1e-05, "sliding_window": null,
"tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit": [0.0,
{"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001, "time_step_rank":
256, "use_bias": false, "use_conv_bias": true, "use_mamba_kernels": true, "vocab_size":
131072, "head_dim": 128, "hidden_size": 4480, "hybrid_override_pattern":
"M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-", "intermediate_size": 15680,
"mamba_head_dim": 80, "mamba_num_heads": 128, "n_groups": 8, "num_attention_heads": 40,
"num_hidden_layers": 56, "num_key_value_heads": 8, "ssm_state_size": 128})",
     0},
    {"nemotron-3-nano-30b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["NemotronHForCausalLM"], "model_type":
"nemotron_h", "attention_bias": false, "attention_dropout": 0.0, "auto_map": {"AutoConfig":
"configuration_nemotron_h.NemotronHConfig"}, "bos_token_id": 1, "chunk_size": 128,
"conv_kernel": 4, "eos_token_id": 12, "expand": 2, "hidden_dropout": 0.0,
"layer_norm_epsilon": 1e-05, "mamba_hidden_act": "silu", "mamba_proj_bias": false,
"max_position_embeddings": 131072, "mlp_bias": false, "mlp_hidden_act": "relu2",
"num_logits_to_keep": 1, "pad_token_id": 0, "rescale_prenorm_residual": true,
"residual_in_fp32": false, "rms_norm_eps": 1e-05, "sliding_window": null,
"tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_limit": [0.0,
{"__float__": "Infinity"}], "time_step_max": 0.1, "time_step_min": 0.001, "time_step_rank":
256, "use_bias": false, "use_conv_bias": true, "use_mamba_kernels": true, "vocab_size":
131072, "head_dim": 128, "hidden_size": 2688, "hybrid_override_pattern":
"MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME", "intermediate_size": 1856,
"mamba_head_dim": 64, "mamba_num_heads": 64, "mamba_ssm_cache_dtype": "float32",
"moe_intermediate_size": 1856, "moe_shared_expert_intermediate_size": 3712, "n_group": 1,
"n_groups": 8, "n_routed_experts": 128, "n_shared_experts": 1, "norm_eps": 1e-05,
"norm_topk_prob": true, "num_attention_heads": 32, "num_experts_per_tok": 6,
"num_hidden_layers": 52, "num_key_value_heads": 2, "partial_rotary_factor": 1.0,
"rope_theta": 10000, "routed_scaling_factor": 2.5, "ssm_state_size": 128, "topk_group": 1})",
     128},
    {"mamba-130m-hf",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["MambaForCausalLM"], "model_type": "mamba",
"bos_token_id": 0, "conv_kernel": 4, "eos_token_id": 0, "expand": 2, "fused_add_norm": true,
"hidden_act": "silu", "layer_norm_epsilon": 1e-05, "pad_token_id": 0,
"rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true, "ssm_cfg":
{}, "state_size": 16, "time_step_floor": 0.0001, "time_step_init_scheme": "random",
"time_step_max": 0.1, "time_step_min": 0.001, "time_step_scale": 1.0, "use_bias": false,
"use_conv_bias": true, "vocab_size": 50280, "pad_vocab_size_multiple": 8, "d_inner": 1536,
"d_model": 768, "hidden_size": 768, "intermediate_size": 1536, "n_layer": 24,
"num_hidden_layers": 24, "time_step_rank": 48})",
     0},
    {"mamba-2.8b-hf",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["MambaForCausalLM"], "model_type": "mamba",
"bos_token_id": 0, "conv_kernel": 4, "eos_token_id": 0, "expand": 2, "fused_add_norm": true,
"hidden_act": "silu", "layer_norm_epsilon": 1e-05, "pad_token_id": 0,
"rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true, "ssm_cfg":
{}, "state_size": 16, "time_step_floor": 0.0001, "time_step_init_scheme": "random",
"time_step_max": 0.1, "time_step_min": 0.001, "time_step_scale": 1.0, "use_bias": false,
"use_conv_bias": true, "vocab_size": 50280, "pad_vocab_size_multiple": 8, "d_inner": 5120,
"d_model": 2560, "hidden_size": 2560, "intermediate_size": 5120, "n_layer": 64,
"num_hidden_layers": 64, "time_step_rank": 160})",
     0},
    {"falcon-mamba-7b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["FalconMambaForCausalLM"], "model_type":
"falcon_mamba", "bos_token_id": 0, "conv_kernel": 4, "eos_token_id": 11, "expand": 16,
"hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 8192, "layer_norm_epsilon":
1e-05, "mixer_rms_eps": 1e-06, "num_hidden_layers": 64, "pad_token_id": 11,
"rescale_prenorm_residual": false, "residual_in_fp32": true, "state_size": 16,
"tie_word_embeddings": false, "time_step_floor": 0.0001, "time_step_init_scheme": "random",
"time_step_max": 0.1, "time_step_min": 0.001, "time_step_rank": 256, "time_step_scale": 1.0,
"use_bias": false, "use_conv_bias": true, "use_falcon_mambapy": false, "vocab_size": 65024})",
     0},
    {"mamba-codestral-7b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Mamba2ForCausalLM"], "model_type": "mamba2",
"bos_token_id": 0, "chunk_size": 256, "conv_kernel": 4, "eos_token_id": 0, "expand": 2,
"hidden_act": "silu", "layer_norm_epsilon": 1e-05, "pad_token_id": 0,
"rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true, "state_size":
128, "time_step_floor": 0.0001, "time_step_limit": [0.0, {"__float__": "Infinity"}],
"time_step_max": 0.1, "time_step_min": 0.001, "use_bias": false, "use_conv_bias": true,
"head_dim": 64, "hidden_size": 4096, "intermediate_size": 8192, "n_groups": 8,
"norm_before_gate": true, "num_heads": 128, "num_hidden_layers": 64, "tie_word_embeddings":
false, "time_step_init_scheme": "random", "time_step_rank": 256, "time_step_scale": 1.0,
"vocab_size": 32768})",
     0},
    {"mamba2-2.7b-hf",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Mamba2ForCausalLM"], "model_type": "mamba2",
"bos_token_id": 0, "chunk_size": 256, "conv_kernel": 4, "eos_token_id": 0, "expand": 2,
"hidden_act": "silu", "layer_norm_epsilon": 1e-05, "pad_token_id": 0,
"rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true, "state_size":
128, "time_step_floor": 0.0001, "time_step_limit": [0.0, {"__float__": "Infinity"}],
"time_step_max": 0.1, "time_step_min": 0.001, "use_bias": false, "use_conv_bias": true,
"head_dim": 64, "hidden_size": 2560, "n_groups": 1, "num_heads": 80, "num_hidden_layers":
64, "tie_word_embeddings": true, "time_step_rank": 160, "vocab_size": 50288})",
     0},
    {"lfm2-350m",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2",
"block_auto_adjust_ff_dim": true, "block_ffn_dim_multiplier": 1.0, "block_mlp_init_scale":
1.0, "block_multiple_of": 256, "block_norm_eps": 1e-05, "block_out_init_scale": 1.0,
"block_use_swiglu": true, "block_use_xavier_init": true, "bos_token_id": 1, "conv_L_cache":
3, "conv_bias": false, "conv_use_xavier_init": true, "eos_token_id": 7,
"max_position_embeddings": 128000, "norm_eps": 1e-05, "pad_token_id": 0, "rope_theta":
1000000.0, "use_pos_enc": true, "vocab_size": 65536, "block_dim": 1024, "block_ff_dim":
6656, "conv_dim": 1024, "conv_dim_out": 1024, "full_attn_idxs": [2, 5, 8, 10, 12, 14],
"hidden_size": 1024, "num_attention_heads": 16, "num_heads": 16, "num_hidden_layers": 16,
"num_key_value_heads": 8})",
     0},
    {"lfm2-700m",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2",
"block_auto_adjust_ff_dim": true, "block_ffn_dim_multiplier": 1.0, "block_mlp_init_scale":
1.0, "block_multiple_of": 256, "block_norm_eps": 1e-05, "block_out_init_scale": 1.0,
"block_use_swiglu": true, "block_use_xavier_init": true, "bos_token_id": 1, "conv_L_cache":
3, "conv_bias": false, "conv_use_xavier_init": true, "eos_token_id": 7,
"max_position_embeddings": 128000, "norm_eps": 1e-05, "pad_token_id": 0, "rope_theta":
1000000.0, "use_pos_enc": true, "vocab_size": 65536, "block_dim": 1536, "block_ff_dim":
10240, "conv_dim": 1536, "conv_dim_out": 1536, "full_attn_idxs": [2, 5, 8, 10, 12, 14],
"hidden_size": 1536, "num_attention_heads": 24, "num_heads": 24, "num_hidden_layers": 16,
"num_key_value_heads": 8})",
     0},
    {"lfm2-1.2b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2",
"block_auto_adjust_ff_dim": true, "block_ffn_dim_multiplier": 1.0, "block_mlp_init_scale":
1.0, "block_multiple_of": 256, "block_norm_eps": 1e-05, "block_out_init_scale": 1.0,
"block_use_swiglu": true, "block_use_xavier_init": true, "bos_token_id": 1, "conv_L_cache":
3, "conv_bias": false, "conv_use_xavier_init": true, "eos_token_id": 7,
"max_position_embeddings": 128000, "norm_eps": 1e-05, "pad_token_id": 0, "rope_theta":
1000000.0, "use_pos_enc": true, "vocab_size": 65536, "block_dim": 2048, "block_ff_dim":
12288, "conv_dim": 2048, "conv_dim_out": 2048, "full_attn_idxs": [2, 5, 8, 10, 12, 14],
"hidden_size": 2048, "num_attention_heads": 32, "num_heads": 32, "num_hidden_layers": 16,
"num_key_value_heads": 8})",
     0},
    {"lfm2-2.6b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2",
"block_auto_adjust_ff_dim": true, "block_ffn_dim_multiplier": 1.0, "block_multiple_of": 256,
"block_norm_eps": 1e-05, "block_use_swiglu": true, "block_use_xavier_init": true,
"bos_token_id": 1, "conv_L_cache": 3, "conv_bias": false, "conv_use_xavier_init": true,
"eos_token_id": 7, "max_position_embeddings": 128000, "norm_eps": 1e-05, "pad_token_id": 0,
"rope_theta": 1000000.0, "use_pos_enc": true, "vocab_size": 65536, "block_dim": 2048,
"block_ff_dim": 10752, "conv_dim": 2048, "conv_dim_out": 2048, "hidden_size": 2048,
"intermediate_size": 10752, "layer_types": ["conv", "conv", "full_attention", "conv",
"conv", "full_attention", "conv", "conv", "full_attention", "conv", "conv",
"full_attention", "conv", "conv", "full_attention", "conv", "conv", "full_attention",
"conv", "conv", "full_attention", "conv", "conv", "full_attention", "conv", "conv",
"full_attention", "conv", "conv", "full_attention"], "num_attention_heads": 32, "num_heads":
32, "num_hidden_layers": 30, "num_key_value_heads": 8, "tie_embedding": true, "theta":
1000000.0})",
     0},
    {"lfm2-8b-a1b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Lfm2MoeForCausalLM"], "model_type":
"lfm2_moe", "bos_token_id": 1, "conv_L_cache": 3, "conv_bias": false, "eos_token_id": 7,
"hidden_size": 2048, "intermediate_size": 7168, "layer_types": ["conv", "conv",
"full_attention", "conv", "conv", "conv", "full_attention", "conv", "conv", "conv",
"full_attention", "conv", "conv", "conv", "full_attention", "conv", "conv", "conv",
"full_attention", "conv", "conv", "conv", "full_attention", "conv"],
"max_position_embeddings": 128000, "moe_intermediate_size": 1792, "norm_eps": 1e-05,
"norm_topk_prob": true, "num_attention_heads": 32, "num_dense_layers": 2, "num_experts": 32,
"num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 8, "pad_token_id":
0, "rope_theta": 1000000.0, "routed_scaling_factor": 1.0, "use_expert_bias": true,
"vocab_size": 65536})",
     32},
    {"jamba-v0.1",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["JambaForCausalLM"], "model_type": "jamba",
"attention_dropout": 0.0, "attn_layer_offset": 4, "attn_layer_period": 8, "bos_token_id": 1,
"eos_token_id": 2, "expert_layer_offset": 1, "expert_layer_period": 2, "hidden_act": "silu",
"mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_d_state": 16, "mamba_expand": 2,
"mamba_proj_bias": false, "max_position_embeddings": 262144, "num_key_value_heads": 8,
"num_logits_to_keep": 1, "output_router_logits": false, "pad_token_id": 0, "rms_norm_eps":
1e-06, "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings": false,
"use_mamba_kernels": true, "vocab_size": 65536, "calc_logits_for_entire_prompt": false,
"hidden_size": 4096, "intermediate_size": 14336, "mamba_dt_rank": 256,
"mamba_inner_layernorms": true, "n_ctx": 262144, "num_attention_heads": 32, "num_experts":
16, "num_experts_per_tok": 2, "num_hidden_layers": 32})",
     16},
    {"jamba-1.5-large",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["JambaForCausalLM"], "model_type": "jamba",
"attention_dropout": 0.0, "attn_layer_offset": 4, "attn_layer_period": 8, "bos_token_id": 1,
"eos_token_id": 2, "expert_layer_offset": 1, "expert_layer_period": 2, "hidden_act": "silu",
"mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_d_state": 16, "mamba_expand": 2,
"mamba_proj_bias": false, "max_position_embeddings": 262144, "num_key_value_heads": 8,
"num_logits_to_keep": 1, "output_router_logits": false, "pad_token_id": 0, "rms_norm_eps":
1e-06, "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings": false,
"use_mamba_kernels": true, "vocab_size": 65536, "hidden_size": 8192, "intermediate_size":
24576, "mamba_dt_rank": 512, "num_attention_heads": 64, "num_experts": 16,
"num_experts_per_tok": 2, "num_hidden_layers": 72})",
     16},
    {"jamba-reasoning-3b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["JambaForCausalLM"], "model_type": "jamba",
"attention_dropout": 0.0, "attn_layer_offset": 7, "attn_layer_period": 14, "bos_token_id":
1, "eos_token_id": 2, "expert_layer_offset": 1, "expert_layer_period": 2, "hidden_act":
"silu", "mamba_conv_bias": true, "mamba_d_conv": 4, "mamba_d_state": 16, "mamba_expand": 2,
"mamba_proj_bias": false, "max_position_embeddings": 262144, "num_key_value_heads": 1,
"num_logits_to_keep": 1, "output_router_logits": false, "pad_token_id": 0, "rms_norm_eps":
1e-06, "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings": false,
"use_mamba_kernels": true, "vocab_size": 65536, "hidden_size": 2560, "intermediate_size":
8192, "mamba_dt_rank": 160, "num_attention_heads": 20, "num_experts": 1,
"num_experts_per_tok": 1, "num_hidden_layers": 28})",
     0},
    {"recurrentgemma-2b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["RecurrentGemmaForCausalLM"], "model_type":
"recurrent_gemma", "_block_types": ["recurrent", "recurrent", "attention"],
"attention_bias": false, "attention_dropout": 0.0, "attention_window_size": 2048,
"block_types": ["recurrent", "recurrent", "attention"], "bos_token_id": 2, "conv1d_width":
4, "embeddings_scale_by_sqrt_dim": true, "eos_token_id": 1, "head_dim": 256,
"hidden_activation": "gelu_pytorch_tanh", "logits_soft_cap": 30.0, "num_attention_heads":
10, "num_key_value_heads": 1, "pad_token_id": 0, "partial_rotary_factor": 0.5,
"rms_norm_eps": 1e-06, "rope_theta": 10000.0, "vocab_size": 256000, "w_init_variance_scale":
0.01, "final_w_init_variance_scale": 0.0769, "hidden_size": 2560, "intermediate_size":
15360, "lru_width": 2560, "num_hidden_layers": 26})",
     0},
    {"recurrentgemma-9b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["RecurrentGemmaForCausalLM"], "model_type":
"recurrent_gemma", "_block_types": ["recurrent", "recurrent", "attention"],
"attention_bias": false, "attention_dropout": 0.0, "attention_window_size": 2048,
"block_types": ["recurrent", "recurrent", "attention"], "bos_token_id": 2, "conv1d_width":
4, "embeddings_scale_by_sqrt_dim": true, "eos_token_id": 1, "head_dim": 256,
"hidden_activation": "gelu_pytorch_tanh", "logits_soft_cap": 30.0, "num_attention_heads":
16, "num_key_value_heads": 1, "pad_token_id": 0, "partial_rotary_factor": 0.5,
"rms_norm_eps": 1e-06, "rope_theta": 10000.0, "vocab_size": 256000, "w_init_variance_scale":
0.01, "final_w_init_variance_scale": 0.05, "hidden_size": 4096, "intermediate_size": 24576,
"lru_width": 4096, "num_hidden_layers": 38})",
     0},
    {"zamba2-2.7b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Zamba2ForCausalLM"], "model_type": "zamba2",
"add_bias_linear": false, "attention_dropout": 0.0, "bos_token_id": 1, "chunk_size": 256,
"eos_token_id": 2, "hidden_act": "gelu", "mamba_d_conv": 4, "mamba_d_state": 64,
"mamba_expand": 2, "max_position_embeddings": 4096, "num_logits_to_keep": 1, "pad_token_id":
0, "rms_norm_eps": 1e-05, "rope_theta": 10000, "time_step_floor": 0.0001, "time_step_limit":
null, "time_step_max": 0.1, "time_step_min": 0.001, "use_conv_bias": true,
"use_mamba_kernels": true, "use_mem_eff_path": false, "use_long_context": false,
"vocab_size": 32000, "tie_word_embeddings": true, "adapter_rank": 128, "attention_head_dim":
160, "attention_hidden_size": 5120, "hidden_size": 2560, "hybrid_layer_ids": [6, 12, 18, 24,
30, 36, 42, 47, 51], "intermediate_size": 10240, "kv_channels": 80, "layers_block_type":
["mamba", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba",
"mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba",
"mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba",
"hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba",
"mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba",
"mamba", "hybrid", "mamba", "mamba"], "mamba_headdim": 64, "mamba_ngroups": 1,
"n_mamba_heads": 80, "num_attention_heads": 32, "num_hidden_layers": 54,
"num_key_value_heads": 32, "num_mem_blocks": 2, "num_query_groups": 32, "use_mem_rope":
false, "use_shared_attention_adapter": false, "use_shared_mlp_adapter": true})",
     0},
    {"zamba2-7b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Zamba2ForCausalLM"], "model_type": "zamba2",
"add_bias_linear": false, "attention_dropout": 0.0, "bos_token_id": 1, "chunk_size": 256,
"eos_token_id": 2, "hidden_act": "gelu", "mamba_d_conv": 4, "mamba_d_state": 64,
"mamba_expand": 2, "max_position_embeddings": 4096, "num_logits_to_keep": 1, "pad_token_id":
0, "rms_norm_eps": 1e-05, "rope_theta": 10000, "time_step_floor": 0.0001, "time_step_limit":
null, "time_step_max": 0.1, "time_step_min": 0.001, "use_conv_bias": true,
"use_mamba_kernels": true, "use_mem_eff_path": false, "use_long_context": false,
"vocab_size": 32000, "tie_word_embeddings": true, "adapter_rank": 128, "attention_head_dim":
224, "attention_hidden_size": 7168, "hidden_size": 3584, "hybrid_layer_ids": [6, 11, 17, 23,
29, 35, 41, 47, 53, 59, 65, 71, 77], "intermediate_size": 14336, "kv_channels": 112,
"layers_block_type": ["mamba", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid",
"mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba",
"hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba",
"mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba",
"mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba",
"hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba",
"mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba", "hybrid", "mamba",
"mamba", "mamba", "mamba", "mamba", "hybrid", "mamba", "mamba", "mamba", "mamba", "mamba",
"hybrid", "mamba", "mamba", "mamba"], "mamba_headdim": 64, "mamba_ngroups": 2,
"n_mamba_heads": 112, "num_attention_heads": 32, "num_hidden_layers": 81,
"num_key_value_heads": 32, "num_mem_blocks": 2, "num_query_groups": 32, "use_mem_rope":
true, "use_shared_attention_adapter": false, "use_shared_mlp_adapter": true})",
     0},
    {"kimi-linear-48b-a3b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["KimiLinearForCausalLM"], "model_type":
"kimi_linear", "auto_map": {"AutoConfig": "configuration_kimi.KimiLinearConfig"},
"bos_token_id": 163584, "eos_token_id": 163586, "first_k_dense_replace": 1, "head_dim": 72,
"hidden_act": "silu", "hidden_size": 2304, "intermediate_size": 9216, "kv_lora_rank": 512,
"linear_attn_config": {"full_attn_layers": [4, 8, 12, 16, 20, 24, 27], "head_dim": 128,
"kda_layers": [1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25, 26],
"num_heads": 32, "short_conv_kernel_size": 4}, "mla_use_nope": true, "model_max_length":
1048576, "moe_intermediate_size": 1024, "moe_layer_freq": 1, "moe_renormalize": true,
"moe_router_activation_func": "sigmoid", "num_attention_heads": 32, "num_expert_group": 1,
"num_experts": 256, "num_experts_per_token": 8, "num_hidden_layers": 27,
"num_key_value_heads": 32, "num_nextn_predict_layers": 0, "num_shared_experts": 1,
"pad_token_id": 163839, "q_lora_rank": null, "qk_nope_head_dim": 128, "qk_rope_head_dim":
64, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0,
"routed_scaling_factor": 2.446, "tie_word_embeddings": false, "topk_group": 1,
"use_grouped_topk": true, "v_head_dim": 128, "vocab_size": 163840})",
     256},
    {"qwen3.5-35b-a3b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Qwen3_5MoeForConditionalGeneration"],
"model_type": "qwen3_5_moe_text", "attention_bias": false, "attention_dropout": 0.0,
"attn_output_gate": true, "eos_token_id": 248044, "full_attention_interval": 4, "head_dim":
256, "hidden_act": "silu", "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
"linear_num_key_heads": 16, "linear_value_head_dim": 128, "mamba_ssm_dtype": "float32",
"max_position_embeddings": 262144, "mlp_only_layers": [], "mtp_num_hidden_layers": 1,
"mtp_use_dedicated_embeddings": false, "num_key_value_heads": 2, "output_router_logits":
false, "rms_norm_eps": 1e-06, "rope_parameters": {"mrope_interleaved": true,
"mrope_section": [11, 11, 10], "partial_rotary_factor": 0.25, "rope_theta": 10000000,
"rope_type": "default"}, "router_aux_loss_coef": 0.001, "tie_word_embeddings": false,
"vocab_size": 248320, "hidden_size": 2048, "layer_types": ["linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention"], "linear_num_value_heads": 32,
"moe_intermediate_size": 512, "num_attention_heads": 16, "num_experts": 256,
"num_experts_per_tok": 8, "num_hidden_layers": 40, "shared_expert_intermediate_size": 512})",
     256},
    {"qwen3.5-122b-a10b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Qwen3_5MoeForConditionalGeneration"],
"model_type": "qwen3_5_moe_text", "attention_bias": false, "attention_dropout": 0.0,
"attn_output_gate": true, "eos_token_id": 248044, "full_attention_interval": 4, "head_dim":
256, "hidden_act": "silu", "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
"linear_num_key_heads": 16, "linear_value_head_dim": 128, "mamba_ssm_dtype": "float32",
"max_position_embeddings": 262144, "mlp_only_layers": [], "mtp_num_hidden_layers": 1,
"mtp_use_dedicated_embeddings": false, "num_key_value_heads": 2, "output_router_logits":
false, "rms_norm_eps": 1e-06, "rope_parameters": {"mrope_interleaved": true,
"mrope_section": [11, 11, 10], "partial_rotary_factor": 0.25, "rope_theta": 10000000,
"rope_type": "default"}, "router_aux_loss_coef": 0.001, "tie_word_embeddings": false,
"vocab_size": 248320, "hidden_size": 3072, "layer_types": ["linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention"], "linear_num_value_heads": 64,
"moe_intermediate_size": 1024, "num_attention_heads": 32, "num_experts": 256,
"num_experts_per_tok": 8, "num_hidden_layers": 48, "shared_expert_intermediate_size": 1024})",
     256},
    {"qwen3.5-397b-a17b",
     R"({"torch_dtype": "bfloat16", "transformers_version": "4.51.3", "use_cache": true,
"initializer_range": 0.02, "architectures": ["Qwen3_5MoeForConditionalGeneration"],
"model_type": "qwen3_5_moe_text", "attention_bias": false, "attention_dropout": 0.0,
"attn_output_gate": true, "eos_token_id": 248044, "full_attention_interval": 4, "head_dim":
256, "hidden_act": "silu", "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
"linear_num_key_heads": 16, "linear_value_head_dim": 128, "mamba_ssm_dtype": "float32",
"max_position_embeddings": 262144, "mlp_only_layers": [], "mtp_num_hidden_layers": 1,
"mtp_use_dedicated_embeddings": false, "num_key_value_heads": 2, "output_router_logits":
false, "rms_norm_eps": 1e-06, "rope_parameters": {"mrope_interleaved": true,
"mrope_section": [11, 11, 10], "partial_rotary_factor": 0.25, "rope_theta": 10000000,
"rope_type": "default"}, "router_aux_loss_coef": 0.001, "tie_word_embeddings": false,
"vocab_size": 248320, "hidden_size": 4096, "layer_types": ["linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention", "linear_attention",
"linear_attention", "linear_attention", "full_attention"], "linear_num_value_heads": 64,
"moe_intermediate_size": 1024, "num_attention_heads": 32, "num_experts": 512,
"num_experts_per_tok": 10, "num_hidden_layers": 60, "shared_expert_intermediate_size": 1024})",
     512},
};

TEST(PublishedTest, HybridConfigurationsAreReadWithoutAnUnknownKey) {
  for (const Hybrid& model : kHybrids) {
    SCOPED_TRACE(model.name);
    const auto config = parse_json(model.config);
    ASSERT_TRUE(config.is_ok()) << config.status().message();
    const auto design = design_of_json(config->find("model_type")->as_string(), model.config,
                                       Naming::kHuggingFace);
    ASSERT_TRUE(design.is_ok()) << design.status().message();
    const ModelFacts& facts = design->facts;
    EXPECT_EQ(facts.layers, config->find("num_hidden_layers")->as_int());
    EXPECT_EQ(facts.width, config->find("hidden_size")->as_int());
    EXPECT_EQ(facts.vocab, config->find("vocab_size")->as_int());
    EXPECT_EQ(facts.experts, model.experts);
    EXPECT_TRUE(facts.groups.back().holds_state);
  }
}

}  // namespace
}  // namespace quire
