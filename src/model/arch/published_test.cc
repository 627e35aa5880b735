// Configurations in the words of released models' config.json, as far as they are known without
// the files: each is read, no key of it is an unknown one. The facts that are compared are those
// a reader would look at first: layers, width, vocabulary, context, experts.
#include <gtest/gtest.h>

#include "base/json.h"
#include "model/registry.h"

namespace quire {
namespace {

struct Published {
  const char* name;
  const char* config;
  int experts;  // of a layer
};

constexpr Published kPublished[] = {
    {"phi3-mini-4k",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Phi3ForCausalLM"], "attention_dropout": 0.0, "auto_map": {"AutoConfig":
"configuration_phi3.Phi3Config"}, "embd_pdrop": 0.0, "hidden_act": "silu", "hidden_size":
3072, "intermediate_size": 8192, "max_position_embeddings": 4096, "model_type": "phi3",
"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
"original_max_position_embeddings": 4096, "pad_token_id": 32000, "resid_pdrop": 0.0,
"rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "sliding_window": 2047,
"tie_word_embeddings": false, "attention_bias": false, "vocab_size": 32064})",
     0},
    {"phi-4",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "embd_pdrop": 0.0,
"hidden_act": "silu", "hidden_size": 5120, "intermediate_size": 17920,
"max_position_embeddings": 16384, "model_type": "phi3", "num_attention_heads": 40,
"num_hidden_layers": 40, "num_key_value_heads": 10, "original_max_position_embeddings":
16384, "pad_token_id": 100349, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling":
null, "rope_theta": 250000, "sliding_window": null, "tie_word_embeddings": false,
"vocab_size": 100352})",
     0},
    {"phi-4-mini",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "auto_map": {},
"embd_pdrop": 0.0, "full_attn_mod": 1, "hidden_act": "silu", "hidden_size": 3072,
"intermediate_size": 8192, "interpolate_factor": 1, "lm_head_bias": false,
"max_position_embeddings": 131072, "mlp_bias": false, "model_type": "phi3",
"num_attention_heads": 24, "num_hidden_layers": 32, "num_key_value_heads": 8,
"original_max_position_embeddings": 4096, "pad_token_id": 199999, "partial_rotary_factor":
0.75, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": {"long_factor": [1.0, 1.0,
1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], "short_factor": [1.0, 1.0, 1.0, 1.0, 1.0,
1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], "type": "longrope"}, "rope_theta": 10000.0,
"sliding_window": 262144, "tie_word_embeddings": true, "vocab_size": 200064})",
     0},
    {"phi-2",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures": ["PhiForCausalLM"],
"attention_dropout": 0.0, "embd_pdrop": 0.0, "hidden_act": "gelu_new", "hidden_size": 2560,
"intermediate_size": 10240, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048,
"model_type": "phi", "num_attention_heads": 32, "num_hidden_layers": 32,
"num_key_value_heads": 32, "partial_rotary_factor": 0.4, "qk_layernorm": false,
"resid_pdrop": 0.1, "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings":
false, "vocab_size": 51200})",
     0},
    {"stablelm-2-1_6b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["StableLmForCausalLM"], "hidden_act": "silu", "hidden_size": 2048, "intermediate_size":
5632, "max_position_embeddings": 4096, "model_type": "stablelm", "num_attention_heads": 32,
"num_hidden_layers": 24, "num_key_value_heads": 32, "partial_rotary_factor": 0.25,
"norm_eps": 1e-05, "layer_norm_eps": 1e-05, "rope_theta": 10000, "use_qkv_bias": true,
"tie_word_embeddings": false, "vocab_size": 100352, "rotary_scaling_factor": 1.0,
"attention_dropout": 0.0, "hidden_dropout": 0.0, "qk_layernorm": false,
"use_parallel_residual": false, "rope_scaling": null})",
     0},
    {"starcoder2-3b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "activation_function": "gelu",
"architectures": ["Starcoder2ForCausalLM"], "attention_dropout": 0.1, "residual_dropout":
0.1, "embedding_dropout": 0.1, "attention_softmax_in_fp32": true, "hidden_act":
"gelu_pytorch_tanh", "hidden_size": 3072, "intermediate_size": 12288, "layer_norm_epsilon":
1e-05, "max_position_embeddings": 16384, "mlp_type": "default", "model_type": "starcoder2",
"norm_epsilon": 1e-05, "norm_type": "layer_norm", "num_attention_heads": 24,
"num_hidden_layers": 30, "num_key_value_heads": 2, "rope_theta": 999999.4420358813,
"sliding_window": 4096, "use_bias": true, "vocab_size": 49152,
"scale_attention_softmax_in_fp32": true, "scale_attn_weights": true})",
     0},
    {"olmo-1b-hf",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["OlmoForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "clip_qkv": null,
"hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192,
"max_position_embeddings": 2048, "model_type": "olmo", "num_attention_heads": 16,
"num_hidden_layers": 16, "num_key_value_heads": 16, "pad_token_id": 1, "pretraining_tp": 1,
"rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": true, "vocab_size":
50304})",
     0},
    {"olmo2-1b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Olmo2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "hidden_act":
"silu", "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 4096,
"model_type": "olmo2", "num_attention_heads": 16, "num_hidden_layers": 16,
"num_key_value_heads": 16, "pad_token_id": 100277, "rms_norm_eps": 1e-06, "rope_scaling":
null, "rope_theta": 500000, "tie_word_embeddings": false, "vocab_size": 100352})",
     0},
    {"olmoe",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["OlmoeForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "clip_qkv": null,
"hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 1024,
"max_position_embeddings": 4096, "model_type": "olmoe", "norm_topk_prob": false,
"num_attention_heads": 16, "num_experts": 64, "num_experts_per_tok": 8, "num_hidden_layers":
16, "num_key_value_heads": 16, "output_router_logits": false, "pad_token_id": 1,
"rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "router_aux_loss_coef":
0.01, "tie_word_embeddings": false, "vocab_size": 50304})",
     64},
    {"granite-3.1-2b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["GraniteForCausalLM"], "attention_bias": false, "attention_dropout": 0.1,
"attention_multiplier": 0.015625, "embedding_multiplier": 12.0, "hidden_act": "silu",
"hidden_size": 2048, "intermediate_size": 8192, "logits_scaling": 8.0,
"max_position_embeddings": 131072, "mlp_bias": false, "model_type": "granite",
"num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8,
"pad_token_id": 0, "residual_multiplier": 0.22, "rms_norm_eps": 1e-05, "rope_scaling": null,
"rope_theta": 5000000.0, "tie_word_embeddings": true, "vocab_size": 49155})",
     0},
    {"granite-3.1-1b-a400m",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["GraniteMoeForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"attention_multiplier": 0.015625, "embedding_multiplier": 12.0, "hidden_act": "silu",
"hidden_size": 1024, "intermediate_size": 512, "logits_scaling": 6.0,
"max_position_embeddings": 131072, "model_type": "granitemoe", "num_attention_heads": 16,
"num_experts_per_tok": 8, "num_hidden_layers": 24, "num_key_value_heads": 8,
"num_local_experts": 32, "output_router_logits": false, "pad_token_id": 0,
"residual_multiplier": 0.22, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta":
1500000.0, "router_aux_loss_coef": 0.0, "tie_word_embeddings": true, "vocab_size": 49155})",
     32},
    {"smollm3",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["SmolLM3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "hidden_act":
"silu", "hidden_size": 2048, "intermediate_size": 11008, "layer_types": ["full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention"],
"max_position_embeddings": 65536, "max_window_layers": 28, "mlp_bias": false, "model_type":
"smollm3", "no_rope_layer_interval": 4, "no_rope_layers": [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1,
0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0],
"num_attention_heads": 16, "num_hidden_layers": 36, "num_key_value_heads": 4,
"pad_token_id": 128004, "pretraining_tp": 2, "rms_norm_eps": 1e-06, "rope_scaling": null,
"rope_theta": 5000000.0, "sliding_window": null, "use_sliding_window": false, "vocab_size":
128256})",
     0},
    {"command-r-v01",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["CohereForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "hidden_act":
"silu", "hidden_size": 8192, "intermediate_size": 22528, "layer_norm_eps": 1e-05,
"logit_scale": 0.0625, "max_position_embeddings": 8192, "model_max_length": 131072,
"model_type": "cohere", "num_attention_heads": 64, "num_hidden_layers": 40,
"num_key_value_heads": 64, "pad_token_id": 0, "pretraining_tp": 1, "rope_theta": 8000000.0,
"use_qk_norm": false, "vocab_size": 256000, "tie_word_embeddings": true})",
     0},
    {"command-r7b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Cohere2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"cache_implementation": "hybrid", "head_dim": 128, "hidden_act": "silu", "hidden_size":
4096, "intermediate_size": 14336, "layer_norm_eps": 1e-05, "layer_switch": 4, "logit_scale":
0.25, "max_position_embeddings": 8192, "model_type": "cohere2", "num_attention_heads": 32,
"num_hidden_layers": 32, "num_key_value_heads": 8, "order_of_interleaved_layers":
"local_attn_first", "pad_token_id": 0, "position_embedding_type": "rope_gptj",
"rope_scaling": null, "rope_theta": 50000, "rotary_pct": 1.0, "sliding_window": 4096,
"sliding_window_pattern": 4, "use_embedding_sharing": true, "use_gated_activation": true,
"use_parallel_block": true, "use_parallel_embedding": true, "use_qk_norm": false,
"vocab_size": 256000})",
     0},
    {"glm-4-9b-0414",
     R"({"bos_token_id": 1, "eos_token_id": [151329, 151336, 151338], "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "initializer_range": 0.02,
"architectures": ["Glm4ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"head_dim": 128, "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 13696,
"max_position_embeddings": 32768, "model_type": "glm4", "num_attention_heads": 32,
"num_hidden_layers": 40, "num_key_value_heads": 2, "pad_token_id": 151329,
"partial_rotary_factor": 0.5, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
"tie_word_embeddings": false, "vocab_size": 151552})",
     0},
    {"glm-4.5-air",
     R"({"bos_token_id": 1, "eos_token_id": [151329, 151336, 151338], "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "initializer_range": 0.02,
"architectures": ["Glm4MoeForCausalLM"], "attention_bias": true, "attention_dropout": 0.0,
"pad_token_id": 151329, "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096,
"partial_rotary_factor": 0.5, "intermediate_size": 10944, "max_position_embeddings": 131072,
"model_type": "glm4_moe", "moe_intermediate_size": 1408, "norm_topk_prob": true,
"num_attention_heads": 96, "n_group": 1, "topk_group": 1, "n_routed_experts": 128,
"n_shared_experts": 1, "routed_scaling_factor": 1.0, "num_experts_per_tok": 8,
"first_k_dense_replace": 1, "num_hidden_layers": 46, "num_key_value_heads": 8,
"rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 1000000,
"num_nextn_predict_layers": 1, "tie_word_embeddings": false, "use_qk_norm": false,
"vocab_size": 151552})",
     128},
    {"seed-oss-36b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["SeedOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.1,
"attention_out_bias": false, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120,
"intermediate_size": 27648, "max_position_embeddings": 524288, "mlp_bias": false,
"model_type": "seed_oss", "num_attention_heads": 80, "num_hidden_layers": 64,
"num_key_value_heads": 8, "pad_token_id": 1, "residual_dropout": 0.1, "rms_norm_eps": 1e-06,
"rope_scaling": {"rope_type": "default"}, "rope_theta": 10000000.0, "tie_word_embeddings":
false, "vocab_size": 155136})",
     0},
    {"exaone4-1.2b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Exaone4ForCausalLM"], "attention_dropout": 0.0, "head_dim": 64, "hidden_act": "silu",
"hidden_size": 2048, "intermediate_size": 4096, "layer_types": ["full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention"],
"max_position_embeddings": 65536, "model_type": "exaone4", "num_attention_heads": 32,
"num_hidden_layers": 30, "num_key_value_heads": 8, "pad_token_id": 0, "rms_norm_eps": 1e-05,
"rope_scaling": {"factor": 16.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
"original_max_position_embeddings": 8192, "rope_type": "llama3"}, "rope_theta": 1000000,
"sliding_window": null, "sliding_window_pattern": null, "tie_word_embeddings": true,
"vocab_size": 102400})",
     0},
    {"minitron-4b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["NemotronForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "head_dim": 128,
"hidden_act": "relu2", "hidden_dropout": 0.0, "hidden_size": 3072, "intermediate_size":
9216, "max_position_embeddings": 4096, "mlp_bias": false, "model_type": "nemotron",
"norm_eps": 1e-05, "num_attention_heads": 24, "num_hidden_layers": 32,
"num_key_value_heads": 8, "pad_token_id": null, "partial_rotary_factor": 0.5, "rope_theta":
10000, "tie_word_embeddings": false, "vocab_size": 256000})",
     0},
    {"afm-4.5b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["ArceeForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "head_dim": 128,
"hidden_act": "relu2", "hidden_size": 2560, "intermediate_size": 18432,
"max_position_embeddings": 65536, "mlp_bias": false, "model_type": "arcee",
"num_attention_heads": 20, "num_hidden_layers": 36, "num_key_value_heads": 4,
"rms_norm_eps": 1e-05, "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 20.0,
"mscale": 1.0, "original_max_position_embeddings": 4096, "rope_type": "yarn", "type":
"yarn"}, "rope_theta": 10000.0, "tie_word_embeddings": false, "vocab_size": 128256})",
     0},
    {"helium-1",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["HeliumForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "head_dim": 128,
"hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192,
"max_position_embeddings": 4096, "mlp_bias": false, "model_type": "helium",
"num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
"pad_token_id": 3, "rms_norm_eps": 1e-08, "rope_theta": 20000.0, "tie_word_embeddings":
true, "vocab_size": 64000})",
     0},
    {"apertus-8b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["ApertusForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "hidden_act":
"xielu", "hidden_dropout": 0.0, "hidden_size": 4096, "intermediate_size": 21504,
"max_position_embeddings": 65536, "mlp_bias": false, "model_type": "apertus",
"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
"pad_token_id": 3, "post_norm": false, "qk_norm": true, "rms_norm_eps": 1e-05,
"rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
"original_max_position_embeddings": 8192, "rope_type": "llama3", "type": "llama3"},
"rope_theta": 12000000, "tie_word_embeddings": false, "vocab_size": 131072})",
     0},
    {"hunyuan-7b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["HunYuanDenseV1ForCausalLM"], "add_classification_head": false, "attention_bias": false,
"attention_dropout": 0.0, "attention_head_dim": 128, "cla_share_factor": 2, "class_num": 0,
"dense_list": [4096, 0], "eod_token_id": 127967, "enable_lm_head_fp32": true, "head_dim":
128, "hidden_act": "silu", "hidden_size": 4096, "im_end_id": 5, "im_newline_id": 11,
"im_start_id": 4, "intermediate_size": 14336, "mask_init_id": 12, "max_position_embeddings":
32768, "mlp_bias": false, "model_type": "hunyuan_v1_dense", "norm_type": "rms",
"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
"org_vocab_size": 128167, "pad_id": 127961, "pad_token_id": 127961, "pool_type": "last",
"pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": {"alpha": 1000.0, "beta_fast":
32, "beta_slow": 1, "factor": 1.0, "mscale": 1.0, "mscale_all_dim": 0.0, "type": "dynamic"},
"rope_theta": 10000.0, "sep_token_id": 127962, "text_end_id": 7, "text_start_id": 6,
"tie_word_embeddings": false, "use_cla": false, "use_qk_norm": true, "use_rotary_pos_emb":
true, "vocab_size": 128167})",
     0},
    {"ernie-0.3b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Ernie4_5_ForCausalLM"], "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
"intermediate_size": 3072, "max_position_embeddings": 131072, "model_type": "ernie4_5",
"num_attention_heads": 16, "num_hidden_layers": 18, "num_key_value_heads": 2,
"pad_token_id": 0, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 500000.0,
"tie_word_embeddings": true, "use_bias": false, "vocab_size": 103424})",
     0},
    {"ernie-21b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Ernie4_5_MoeForCausalLM"], "hidden_act": "silu", "hidden_size": 2560, "intermediate_size":
12288, "max_position_embeddings": 131072, "model_type": "ernie4_5_moe", "moe_capacity": [64,
64, 64], "moe_gate": "topk", "moe_intermediate_size": 1536, "moe_k": 6,
"moe_layer_interval": 1, "moe_layer_start_index": 1, "moe_layer_end_index": -1,
"moe_num_experts": 64, "moe_num_shared_experts": 2, "moe_use_aux_free": true,
"num_attention_heads": 20, "num_hidden_layers": 28, "num_key_value_heads": 4,
"num_nextn_predict_layers": 1, "pad_token_id": 0, "rms_norm_eps": 1e-05, "rope_scaling":
null, "rope_theta": 500000.0, "tie_word_embeddings": true, "use_bias": false, "vocab_size":
103424, "moe_norm_min": 1e-12, "output_router_logits": false, "router_aux_loss_coef": 0.001})",
     64},
    {"minimax-m2",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["MiniMaxM2ForCausalLM"], "attention_dropout": 0.0, "attn_type_list": [1, 1, 1, 1, 1, 1, 1,
1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "auto_map": {},
"head_dim": 128, "hidden_act": "silu", "hidden_size": 3072, "intermediate_size": 1536,
"max_position_embeddings": 196608, "model_type": "minimax_m2", "mtp_transformer_layers": 1,
"num_attention_heads": 48, "num_experts_per_tok": 8, "num_hidden_layers": 62,
"num_key_value_heads": 8, "num_local_experts": 256, "num_mtp_modules": 3,
"output_router_logits": false, "qk_norm_type": "per_layer", "rms_norm_eps": 1e-06,
"rope_theta": 5000000, "rotary_dim": 64, "router_aux_loss_coef": 0.001,
"router_jitter_noise": 0.0, "scoring_func": "sigmoid", "shared_intermediate_size": 0,
"sliding_window": null, "tie_word_embeddings": false, "use_mtp": true, "use_qk_norm": true,
"use_routing_bias": true, "vocab_size": 200064})",
     256},
    {"gpt-oss-20b-bf16",
     R"({"bos_token_id": 1, "eos_token_id": 200002, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "initializer_range": 0.02,
"architectures": ["GptOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.0,
"experts_per_token": 4, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2880,
"initial_context_length": 4096, "intermediate_size": 2880, "layer_types":
["sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention"],
"max_position_embeddings": 131072, "model_type": "gpt_oss", "num_attention_heads": 64,
"num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 8,
"num_local_experts": 32, "output_router_logits": false, "pad_token_id": 199999,
"rms_norm_eps": 1e-05, "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
"original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": false},
"rope_theta": 150000, "router_aux_loss_coef": 0.9, "sliding_window": 128, "swiglu_limit":
7.0, "tie_word_embeddings": false, "vocab_size": 201088})",
     32},
    {"internlm2-7b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["InternLM2ForCausalLM"], "attn_implementation": "eager", "auto_map": {}, "bias": false,
"hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
"max_position_embeddings": 32768, "model_type": "internlm2", "num_attention_heads": 32,
"num_hidden_layers": 32, "num_key_value_heads": 8, "pad_token_id": 2, "rms_norm_eps": 1e-05,
"rope_scaling": {"type": "dynamic", "factor": 2.0}, "rope_theta": 1000000,
"tie_word_embeddings": false, "vocab_size": 92544, "pretraining_tp": 1})",
     0},
    {"opt-125m",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "_name_or_path":
"facebook/opt-125m", "_remove_final_layer_norm": false, "activation_dropout": 0.0,
"activation_function": "relu", "architectures": ["OPTForCausalLM"], "attention_dropout":
0.0, "do_layer_norm_before": true, "dropout": 0.1, "ffn_dim": 3072, "hidden_size": 768,
"init_std": 0.02, "layerdrop": 0.0, "max_position_embeddings": 2048, "model_type": "opt",
"num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 1, "prefix": "</s>",
"vocab_size": 50272, "word_embed_proj_dim": 768})",
     0},
    {"opt-350m",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "_remove_final_layer_norm": false,
"activation_dropout": 0.0, "activation_function": "relu", "architectures":
["OPTForCausalLM"], "attention_dropout": 0.0, "do_layer_norm_before": false, "dropout": 0.1,
"ffn_dim": 4096, "hidden_size": 1024, "init_std": 0.02, "layerdrop": 0.0,
"max_position_embeddings": 2048, "model_type": "opt", "num_attention_heads": 16,
"num_hidden_layers": 24, "pad_token_id": 1, "prefix": "</s>", "vocab_size": 50272,
"word_embed_proj_dim": 512})",
     0},
    {"mpt-7b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures": ["MPTForCausalLM"],
"attn_config": {"alibi": true, "alibi_bias_max": 8, "attn_impl": "torch", "attn_pdrop": 0,
"attn_type": "multihead_attention", "attn_uses_sequence_id": false, "clip_qkv": null,
"prefix_lm": false, "qk_ln": false, "softmax_scale": null}, "auto_map": {}, "d_model": 4096,
"emb_pdrop": 0, "embedding_fraction": 1.0, "expansion_ratio": 4, "init_config":
{"emb_init_std": null}, "init_device": "cpu", "learned_pos_emb": true, "logit_scale": null,
"max_seq_len": 2048, "model_type": "mpt", "n_heads": 32, "n_layers": 32, "no_bias": true,
"norm_type": "low_precision_layernorm", "resid_pdrop": 0, "tokenizer_name":
"EleutherAI/gpt-neox-20b", "verbose": 0, "vocab_size": 50432})",
     0},
    {"gpt-j-6b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "activation_function": "gelu_new",
"architectures": ["GPTJForCausalLM"], "attn_pdrop": 0.0, "embd_pdrop": 0.0,
"gradient_checkpointing": false, "layer_norm_epsilon": 1e-05, "model_type": "gptj",
"n_embd": 4096, "n_head": 16, "n_inner": null, "n_layer": 28, "n_positions": 2048,
"resid_pdrop": 0.0, "rotary": true, "rotary_dim": 64, "scale_attn_weights": true,
"summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
"summary_type": "cls_index", "summary_use_proj": true, "task_specific_params":
{"text-generation": {"do_sample": true}}, "tie_word_embeddings": false, "tokenizer_class":
"GPT2Tokenizer", "vocab_size": 50400})",
     0},
    {"gpt-neo-125m",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "activation_function": "gelu_new",
"architectures": ["GPTNeoForCausalLM"], "attention_dropout": 0, "attention_layers":
["global", "local", "global", "local", "global", "local", "global", "local", "global",
"local", "global", "local"], "attention_types": [[["global", "local"], 6]], "embed_dropout":
0, "gradient_checkpointing": false, "hidden_size": 768, "intermediate_size": null,
"layer_norm_epsilon": 1e-05, "max_position_embeddings": 2048, "model_type": "gpt_neo",
"num_heads": 12, "num_layers": 12, "resid_dropout": 0, "summary_activation": null,
"summary_first_dropout": 0.1, "summary_proj_to_labels": true, "summary_type": "cls_index",
"summary_use_proj": true, "vocab_size": 50257, "window_size": 256})",
     0},
    {"starcoderbase-1b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "activation_function":
"gelu_pytorch_tanh", "architectures": ["GPTBigCodeForCausalLM"],
"attention_softmax_in_fp32": true, "attn_pdrop": 0.1, "embd_pdrop": 0.1, "inference_runner":
0, "layer_norm_epsilon": 1e-05, "max_batch_size": null, "max_sequence_length": null,
"model_type": "gpt_bigcode", "multi_query": true, "n_embd": 2048, "n_head": 16, "n_inner":
8192, "n_layer": 24, "n_positions": 8192, "pad_key_length": true, "pre_allocate_kv_cache":
false, "resid_pdrop": 0.1, "scale_attention_softmax_in_fp32": true, "scale_attn_weights":
true, "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels":
true, "summary_type": "cls_index", "summary_use_proj": true, "validate_runner_input": true,
"vocab_size": 49152})",
     0},
    {"persimmon-8b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["PersimmonForCausalLM"], "attention_dropout": 0.0, "hidden_act": "relu2", "hidden_dropout":
0.0, "hidden_size": 4096, "intermediate_size": 16384, "layer_norm_eps": 1e-05,
"max_position_embeddings": 16384, "model_type": "persimmon", "num_attention_heads": 64,
"num_hidden_layers": 36, "num_key_value_heads": 64, "partial_rotary_factor": 0.5,
"qk_layernorm": true, "rope_scaling": null, "rope_theta": 25000.0, "tie_word_embeddings":
false, "vocab_size": 262144, "use_sliding_window": false})",
     0},
    {"dots1",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Dots1ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 4096, "intermediate_size":
10944, "layer_types": ["full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention", "full_attention",
"full_attention", "full_attention", "full_attention", "full_attention"],
"max_position_embeddings": 32768, "max_window_layers": 62, "model_type": "dots1",
"moe_intermediate_size": 1408, "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 128,
"n_shared_experts": 2, "norm_topk_prob": true, "num_attention_heads": 32,
"num_experts_per_tok": 6, "num_hidden_layers": 62, "num_key_value_heads": 32,
"pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000000,
"routed_scaling_factor": 2.5, "scoring_func": "noaux_tc", "sliding_window": null,
"tie_word_embeddings": false, "topk_group": 1, "topk_method": "noaux_tc",
"use_sliding_window": false, "vocab_size": 152064})",
     128},
    {"gemma-2-2b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"attn_logit_softcapping": 50.0, "cache_implementation": "hybrid", "final_logit_softcapping":
30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh", "hidden_activation":
"gelu_pytorch_tanh", "hidden_size": 2304, "intermediate_size": 9216,
"max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8,
"num_hidden_layers": 26, "num_key_value_heads": 4, "pad_token_id": 0,
"query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
"sliding_window": 4096, "vocab_size": 256000})",
     0},
    {"qwen3-30b-a3b",
     R"({"bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16", "transformers_version":
"4.44.0", "use_cache": true, "initializer_range": 0.02, "architectures":
["Qwen3MoeForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"decoder_sparse_step": 1, "head_dim": 128, "hidden_act": "silu", "hidden_size": 2048,
"intermediate_size": 6144, "max_position_embeddings": 40960, "max_window_layers": 48,
"mlp_only_layers": [], "model_type": "qwen3_moe", "moe_intermediate_size": 768,
"norm_topk_prob": true, "num_attention_heads": 32, "num_experts": 128,
"num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4,
"output_router_logits": false, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta":
1000000.0, "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings":
false, "use_sliding_window": false, "vocab_size": 151936})",
     128},
};

int number(const Json& config, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const Json* value = config.find(name);
    if (value != nullptr && value->is_int()) return static_cast<int>(value->as_int());
  }
  return 0;
}

TEST(PublishedTest, EveryConfigurationIsReadWithoutAnUnknownKey) {
  for (const Published& model : kPublished) {
    SCOPED_TRACE(model.name);
    const auto config = parse_json(model.config);
    ASSERT_TRUE(config.is_ok()) << config.status().message();
    const auto design = design_of_json(config->find("model_type")->as_string(), model.config,
                                       Naming::kHuggingFace);
    ASSERT_TRUE(design.is_ok()) << design.status().message();
    const ModelFacts& facts = design->facts;
    EXPECT_EQ(facts.layers,
              number(*config, {"num_hidden_layers", "n_layer", "n_layers", "num_layers"}));
    EXPECT_EQ(facts.width, number(*config, {"hidden_size", "n_embd", "d_model"}));
    EXPECT_EQ(facts.vocab, number(*config, {"vocab_size"}));
    EXPECT_GE(facts.context_max,  // YaRN may reach further than the file says
              number(*config, {"max_position_embeddings", "n_positions", "max_seq_len"}));
    EXPECT_EQ(facts.experts, model.experts);
  }
}

}  // namespace
}  // namespace quire
