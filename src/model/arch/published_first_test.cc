// Configurations in the words of released models' config.json, as far as they are known without the
// files: the families that most people run, from the first Llama on, and the first and the largest
// sizes of others. Each is read, no key of it is an unknown one.
#include <gtest/gtest.h>

#include "base/json.h"
#include "model/registry.h"

namespace quire {
namespace {

struct Published {
  const char* name;
  const char* config;
  int layers, width, experts;
};

constexpr Published kPublished[] = {
    {"llama-1-7b",
     R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": -1,
"hidden_size": 4096, "intermediate_size": 11008, "max_sequence_length": 2048,
"max_position_embeddings": 2048, "num_attention_heads": 32, "num_hidden_layers": 32,
"rms_norm_eps": 1e-06, "tie_word_embeddings": false, "vocab_size": 32000})",
     32, 4096, 0},
    {"llama-2-70b",
     R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 8192,
"intermediate_size": 28672, "max_position_embeddings": 4096, "num_attention_heads": 64,
"num_hidden_layers": 80, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps":
1e-05, "rope_scaling": null, "tie_word_embeddings": false, "vocab_size": 32000})",
     80, 8192, 0},
    {"llama-3-8b",
     R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_bias": false, "attention_dropout": 0.0, "bos_token_id":
128000, "eos_token_id": 128001, "hidden_size": 4096, "intermediate_size": 14336,
"max_position_embeddings": 8192, "num_attention_heads": 32, "num_hidden_layers": 32,
"num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling":
null, "rope_theta": 500000.0, "tie_word_embeddings": false, "vocab_size": 128256})",
     32, 4096, 0},
    {"llama-3.1-405b",
     R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_bias": false, "attention_dropout": 0.0, "bos_token_id":
128000, "eos_token_id": [128001, 128008, 128009], "hidden_size": 16384,
"intermediate_size": 53248, "max_position_embeddings": 131072, "mlp_bias": false,
"num_attention_heads": 128, "num_hidden_layers": 126, "num_key_value_heads": 8,
"pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 8.0,
"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
"rope_type": "llama3"}, "rope_theta": 500000.0, "tie_word_embeddings": false,
"vocab_size": 128256})",
     126, 16384, 0},
    {"llama-3.2-1b",
     R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_bias": false, "attention_dropout": 0.0, "bos_token_id":
128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_size": 2048,
"intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false,
"num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
"pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0,
"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
"rope_type": "llama3"}, "rope_theta": 500000.0, "tie_word_embeddings": true, "vocab_size":
128256})",
     16, 2048, 0},
    {"yi-34b-200k",
     R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_bias": false, "bos_token_id": 1, "eos_token_id": 2,
"pad_token_id": 0, "hidden_size": 7168, "intermediate_size": 20480,
"max_position_embeddings": 200000, "num_attention_heads": 56, "num_hidden_layers": 60,
"num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling":
null, "rope_theta": 10000000.0, "tie_word_embeddings": false, "vocab_size": 64000})",
     60, 7168, 0},
    {"smollm2-1.7b",
     R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
"eos_token_id": 2, "pad_token_id": 2, "hidden_size": 2048, "intermediate_size": 8192,
"max_position_embeddings": 8192, "mlp_bias": false, "num_attention_heads": 32,
"num_hidden_layers": 24, "num_key_value_heads": 32, "pretraining_tp": 1, "rms_norm_eps":
1e-05, "rope_scaling": null, "rope_theta": 130000, "tie_word_embeddings": true,
"vocab_size": 49152, "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}})",
     24, 2048, 0},
    {"mistral-7b-v0.1",
     R"({"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 4096,
"intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32,
"num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta":
10000.0, "sliding_window": 4096, "tie_word_embeddings": false, "vocab_size": 32000})",
     32, 4096, 0},
    {"mistral-7b-v0.3",
     R"({"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
"hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 32768,
"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
"rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "sliding_window": null,
"tie_word_embeddings": false, "vocab_size": 32768})",
     32, 4096, 0},
    {"mistral-nemo-12b",
     R"({"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
"head_dim": 128, "hidden_size": 5120, "intermediate_size": 14336,
"max_position_embeddings": 1024000, "num_attention_heads": 32, "num_hidden_layers": 40,
"num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
"sliding_window": null, "tie_word_embeddings": false, "vocab_size": 131072})",
     40, 5120, 0},
    {"mistral-small-24b",
     R"({"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu",
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2,
"head_dim": 128, "hidden_size": 5120, "intermediate_size": 32768,
"max_position_embeddings": 32768, "num_attention_heads": 32, "num_hidden_layers": 40,
"num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 100000000.0,
"sliding_window": null, "tie_word_embeddings": false, "vocab_size": 131072})",
     40, 5120, 0},
    {"mixtral-8x7b",
     R"({"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_act": "silu",
"attention_dropout": 0.0, "output_router_logits": false, "num_experts_per_tok": 2,
"num_local_experts": 8, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2,
"hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 32768,
"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
"rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.02,
"sliding_window": null, "tie_word_embeddings": false, "vocab_size": 32000})",
     32, 4096, 8},
    {"mixtral-8x22b",
     R"({"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_act": "silu",
"attention_dropout": 0.0, "output_router_logits": false, "num_experts_per_tok": 2,
"num_local_experts": 8, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2,
"hidden_size": 6144, "intermediate_size": 16384, "max_position_embeddings": 65536,
"num_attention_heads": 48, "num_hidden_layers": 56, "num_key_value_heads": 8,
"rms_norm_eps": 1e-05, "rope_theta": 1000000, "router_aux_loss_coef": 0.001,
"router_jitter_noise": 0.0, "sliding_window": null, "tie_word_embeddings": false,
"vocab_size": 32768})",
     56, 6144, 8},
    {"qwen1.5-0.5b",
     R"({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
"attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "bos_token_id": 151643,
"eos_token_id": 151643, "hidden_size": 1024, "intermediate_size": 2816,
"max_position_embeddings": 32768, "max_window_layers": 21, "num_attention_heads": 16,
"num_hidden_layers": 24, "num_key_value_heads": 16, "rms_norm_eps": 1e-06, "rope_theta":
1000000.0, "sliding_window": 32768, "tie_word_embeddings": true, "use_sliding_window":
false, "vocab_size": 151936})",
     24, 1024, 0},
    {"qwen2.5-72b",
     R"({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
"attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "bos_token_id": 151643,
"eos_token_id": 151645, "hidden_size": 8192, "intermediate_size": 29568,
"max_position_embeddings": 32768, "max_window_layers": 70, "num_attention_heads": 64,
"num_hidden_layers": 80, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_theta":
1000000.0, "sliding_window": 131072, "tie_word_embeddings": false, "use_sliding_window":
false, "vocab_size": 152064})",
     80, 8192, 0},
    {"qwen2.5-coder-1.5b",
     R"({"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu",
"attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "bos_token_id": 151643,
"eos_token_id": 151643, "hidden_size": 1536, "intermediate_size": 8960,
"max_position_embeddings": 32768, "max_window_layers": 28, "num_attention_heads": 12,
"num_hidden_layers": 28, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta":
1000000.0, "sliding_window": null, "tie_word_embeddings": true, "use_mrope": false,
"use_sliding_window": false, "vocab_size": 151936})",
     28, 1536, 0},
    {"qwen3-0.6b",
     R"({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu",
"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id":
151645, "head_dim": 128, "max_position_embeddings": 40960, "rms_norm_eps": 1e-06,
"rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "use_sliding_window":
false, "vocab_size": 151936, "num_key_value_heads": 8, "initializer_range": 0.02,
"torch_dtype": "bfloat16", "transformers_version": "4.44.0", "use_cache": true,
"hidden_size": 1024, "intermediate_size": 3072, "max_window_layers": 28,
"num_attention_heads": 16, "num_hidden_layers": 28, "tie_word_embeddings": true})",
     28, 1024, 0},
    {"qwen3-32b",
     R"({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu",
"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id":
151645, "head_dim": 128, "max_position_embeddings": 40960, "rms_norm_eps": 1e-06,
"rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "use_sliding_window":
false, "vocab_size": 151936, "num_key_value_heads": 8, "initializer_range": 0.02,
"torch_dtype": "bfloat16", "transformers_version": "4.44.0", "use_cache": true,
"hidden_size": 5120, "intermediate_size": 25600, "max_window_layers": 64,
"num_attention_heads": 64, "num_hidden_layers": 64, "tie_word_embeddings": false})",
     64, 5120, 0},
    {"qwen3-235b-a22b",
     R"({"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_act":
"silu", "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
"eos_token_id": 151645, "head_dim": 128, "decoder_sparse_step": 1, "mlp_only_layers": [],
"norm_topk_prob": true, "output_router_logits": false, "rms_norm_eps": 1e-06,
"rope_scaling": null, "router_aux_loss_coef": 0.001, "sliding_window": null,
"tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 151936,
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "hidden_size": 4096, "intermediate_size": 12288,
"max_position_embeddings": 40960, "max_window_layers": 94, "moe_intermediate_size": 1536,
"num_attention_heads": 64, "num_experts": 128, "num_experts_per_tok": 8,
"num_hidden_layers": 94, "num_key_value_heads": 4, "rope_theta": 1000000.0})",
     94, 4096, 128},
    {"qwen3-coder-480b-a35b",
     R"({"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_act":
"silu", "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
"eos_token_id": 151645, "head_dim": 128, "decoder_sparse_step": 1, "mlp_only_layers": [],
"norm_topk_prob": true, "output_router_logits": false, "rms_norm_eps": 1e-06,
"rope_scaling": null, "router_aux_loss_coef": 0.001, "sliding_window": null,
"tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 151936,
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true, "hidden_size": 6144, "intermediate_size": 8192,
"max_position_embeddings": 262144, "max_window_layers": 62, "moe_intermediate_size": 2560,
"num_attention_heads": 96, "num_experts": 160, "num_experts_per_tok": 8,
"num_hidden_layers": 62, "num_key_value_heads": 8, "rope_theta": 10000000, "qkv_bias":
false, "shared_expert_intermediate_size": 0, "use_qk_norm": true})",
     62, 6144, 160},
    {"qwen3-next-80b-a3b",
     R"({"architectures": ["Qwen3NextForCausalLM"], "attention_bias": false, "attention_dropout":
0.0, "bos_token_id": 151643, "decoder_sparse_step": 1, "eos_token_id": 151645,
"full_attention_interval": 4, "head_dim": 256, "hidden_act": "silu", "hidden_size": 2048,
"intermediate_size": 5120, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
"linear_num_key_heads": 16, "linear_num_value_heads": 32, "linear_value_head_dim": 128,
"max_position_embeddings": 262144, "mlp_only_layers": [], "model_type": "qwen3_next",
"moe_intermediate_size": 512, "norm_topk_prob": true, "num_attention_heads": 16,
"num_experts": 512, "num_experts_per_tok": 10, "num_hidden_layers": 48,
"num_key_value_heads": 2, "output_router_logits": false, "partial_rotary_factor": 0.25,
"rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 10000000,
"router_aux_loss_coef": 0.001, "shared_expert_intermediate_size": 512,
"tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 151936,
"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.44.0",
"use_cache": true})",
     48, 2048, 512},
    {"gemma-7b",
     R"({"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 2, "pad_token_id": 0,
"rms_norm_eps": 1e-06, "rope_theta": 10000.0, "initializer_range": 0.02, "torch_dtype":
"bfloat16", "transformers_version": "4.44.0", "use_cache": true, "architectures":
["GemmaForCausalLM"], "model_type": "gemma", "eos_token_id": 1, "head_dim": 256,
"hidden_act": "gelu", "hidden_activation": null, "hidden_size": 3072, "intermediate_size":
24576, "max_position_embeddings": 8192, "num_attention_heads": 16, "num_hidden_layers":
28, "num_key_value_heads": 16, "rope_scaling": null, "vocab_size": 256000})",
     28, 3072, 0},
    {"gemma-2-27b",
     R"({"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 2, "pad_token_id": 0,
"rms_norm_eps": 1e-06, "rope_theta": 10000.0, "initializer_range": 0.02, "torch_dtype":
"bfloat16", "transformers_version": "4.44.0", "use_cache": true, "architectures":
["Gemma2ForCausalLM"], "model_type": "gemma2", "attn_logit_softcapping": 50.0,
"cache_implementation": "hybrid", "eos_token_id": 1, "final_logit_softcapping": 30.0,
"head_dim": 128, "hidden_act": "gelu_pytorch_tanh", "hidden_activation":
"gelu_pytorch_tanh", "hidden_size": 4608, "intermediate_size": 36864,
"max_position_embeddings": 8192, "num_attention_heads": 32, "num_hidden_layers": 46,
"num_key_value_heads": 16, "query_pre_attn_scalar": 144, "sliding_window": 4096,
"sliding_window_size": 4096, "vocab_size": 256000})",
     46, 4608, 0},
    {"gemma-3-1b",
     R"({"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 2, "pad_token_id": 0,
"rms_norm_eps": 1e-06, "rope_theta": 1000000, "initializer_range": 0.02, "torch_dtype":
"bfloat16", "transformers_version": "4.44.0", "use_cache": true, "architectures":
["Gemma3ForCausalLM"], "model_type": "gemma3_text", "attn_logit_softcapping": null,
"cache_implementation": "hybrid", "eos_token_id": [1, 106], "final_logit_softcapping":
null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152,
"intermediate_size": 6912, "max_position_embeddings": 32768, "num_attention_heads": 4,
"num_hidden_layers": 26, "num_key_value_heads": 1, "query_pre_attn_scalar": 256,
"rope_local_base_freq": 10000, "rope_scaling": null, "sliding_window": 512,
"sliding_window_pattern": 6, "vocab_size": 262144})",
     26, 1152, 0},
    {"gemma-3-27b",
     R"({"model_type": "gemma3_text", "head_dim": 128, "hidden_size": 5376, "intermediate_size":
21504, "num_attention_heads": 32, "num_hidden_layers": 62, "num_key_value_heads": 16,
"query_pre_attn_scalar": 168, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
"sliding_window": 1024, "vocab_size": 262208})",
     62, 5376, 0},
    {"phi-1_5",
     R"({"architectures": ["PhiForCausalLM"], "model_type": "phi", "attention_dropout": 0.0,
"bos_token_id": null, "eos_token_id": null, "embd_pdrop": 0.0, "hidden_act": "gelu_new",
"layer_norm_eps": 1e-05, "partial_rotary_factor": 0.5, "qk_layernorm": false,
"resid_pdrop": 0.0, "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings":
false, "vocab_size": 51200, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "hidden_size": 2048,
"intermediate_size": 8192, "max_position_embeddings": 2048, "num_attention_heads": 32,
"num_hidden_layers": 24, "num_key_value_heads": null})",
     24, 2048, 0},
    {"phi-3-medium-4k",
     R"({"architectures": ["Phi3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}, "bos_token_id": 1,
"embd_pdrop": 0.0, "eos_token_id": 32000, "hidden_act": "silu", "hidden_size": 5120,
"intermediate_size": 17920, "max_position_embeddings": 4096, "model_type": "phi3",
"num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 10,
"original_max_position_embeddings": 4096, "pad_token_id": null, "resid_pdrop": 0.0,
"rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0, "sliding_window":
2047, "tie_word_embeddings": false, "vocab_size": 32064, "initializer_range": 0.02,
"torch_dtype": "bfloat16", "transformers_version": "4.44.0", "use_cache": true})",
     40, 5120, 0},
    {"gpt2",
     R"({"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop":
0.1, "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range":
0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_positions":
1024, "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1,
"summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
"task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
"vocab_size": 50257, "n_embd": 768, "n_head": 12, "n_layer": 12})",
     12, 768, 0},
    {"gpt2-xl",
     R"({"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop":
0.1, "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range":
0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_positions":
1024, "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1,
"summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
"task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
"vocab_size": 50257, "n_embd": 1600, "n_head": 25, "n_layer": 48, "output_past": true})",
     48, 1600, 0},
    {"pythia-160m",
     R"({"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0,
"hidden_act": "gelu", "initializer_range": 0.02, "layer_norm_eps": 1e-05,
"max_position_embeddings": 2048, "model_type": "gpt_neox", "rotary_emb_base": 10000,
"rotary_pct": 0.25, "tie_word_embeddings": false, "torch_dtype": "float16", "use_cache":
true, "use_parallel_residual": true, "hidden_size": 768, "intermediate_size": 3072,
"num_attention_heads": 12, "num_hidden_layers": 12, "vocab_size": 50304})",
     12, 768, 0},
    {"gpt-neox-20b",
     R"({"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0,
"hidden_act": "gelu_fast", "initializer_range": 0.02, "layer_norm_eps": 1e-05,
"max_position_embeddings": 2048, "model_type": "gpt_neox", "rotary_emb_base": 10000,
"rotary_pct": 0.25, "tie_word_embeddings": false, "torch_dtype": "float16", "use_cache":
true, "use_parallel_residual": true, "attention_probs_dropout_prob": 0,
"hidden_dropout_prob": 0, "hidden_size": 6144, "intermediate_size": 24576,
"num_attention_heads": 64, "num_hidden_layers": 44, "vocab_size": 50432})",
     44, 6144, 0},
    {"falcon-7b",
     R"({"architectures": ["FalconForCausalLM"], "model_type": "falcon",
"apply_residual_connection_post_layernorm": false, "attention_dropout": 0.0, "bias":
false, "bos_token_id": 11, "eos_token_id": 11, "hidden_dropout": 0.0, "initializer_range":
0.02, "layer_norm_epsilon": 1e-05, "torch_dtype": "bfloat16", "use_cache": true, "alibi":
false, "hidden_size": 4544, "multi_query": true, "new_decoder_architecture": false,
"num_attention_heads": 71, "num_hidden_layers": 32, "parallel_attn": true, "vocab_size":
65024})",
     32, 4544, 0},
    {"falcon-40b",
     R"({"architectures": ["FalconForCausalLM"], "model_type": "falcon",
"apply_residual_connection_post_layernorm": false, "attention_dropout": 0.0, "bias":
false, "bos_token_id": 11, "eos_token_id": 11, "hidden_dropout": 0.0, "initializer_range":
0.02, "layer_norm_epsilon": 1e-05, "torch_dtype": "bfloat16", "use_cache": true, "alibi":
false, "hidden_size": 8192, "new_decoder_architecture": true, "num_attention_heads": 128,
"num_hidden_layers": 60, "num_kv_heads": 8, "parallel_attn": true, "vocab_size": 65024})",
     60, 8192, 0},
    {"falcon-rw-1b",
     R"({"architectures": ["FalconForCausalLM"], "model_type": "falcon",
"apply_residual_connection_post_layernorm": false, "attention_dropout": 0.0, "bias": true,
"bos_token_id": 1, "eos_token_id": 2, "hidden_dropout": 0.0, "initializer_range": 0.02,
"layer_norm_epsilon": 1e-05, "torch_dtype": "bfloat16", "use_cache": true, "alibi": true,
"hidden_size": 2048, "multi_query": false, "new_decoder_architecture": false,
"num_attention_heads": 32, "num_hidden_layers": 24, "parallel_attn": false, "vocab_size":
50304})",
     24, 2048, 0},
    {"falcon-11b",
     R"({"architectures": ["FalconForCausalLM"], "model_type": "falcon",
"apply_residual_connection_post_layernorm": false, "attention_dropout": 0.0, "bias":
false, "bos_token_id": 11, "eos_token_id": 11, "hidden_dropout": 0.0, "initializer_range":
0.02, "layer_norm_epsilon": 1e-05, "torch_dtype": "bfloat16", "use_cache": true,
"activation": "gelu", "alibi": false, "ff_factor": 4, "ffn_hidden_size": 16384,
"hidden_size": 4096, "max_position_embeddings": 8192, "multi_query": true,
"new_decoder_architecture": true, "num_attention_heads": 32, "num_hidden_layers": 60,
"num_kv_heads": 8, "num_ln_in_parallel_attn": 1, "parallel_attn": true, "rope_scaling":
null, "rope_theta": 500042, "tie_word_embeddings": false, "vocab_size": 65024})",
     60, 4096, 0},
    {"bloom-560m",
     R"({"apply_residual_connection_post_layernorm": false, "attention_dropout": 0.0,
"attention_softmax_in_fp32": true, "architectures": ["BloomForCausalLM"],
"bias_dropout_fusion": true, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3,
"unk_token_id": 0, "hidden_dropout": 0.0, "initializer_range": 0.02, "layer_norm_epsilon":
1e-05, "masked_softmax_fusion": true, "model_type": "bloom", "n_embed": 1024, "n_inner":
null, "n_layer": 24, "num_attention_heads": 16, "offset_alibi": 100, "pretraining_tp": 1,
"skip_bias_add": true, "skip_bias_add_qkv": false, "slow_but_exact": false, "use_cache":
true, "vocab_size": 250880})",
     24, 1024, 0},
    {"starcoder2-15b",
     R"({"architectures": ["Starcoder2ForCausalLM"], "model_type": "starcoder2",
"attention_dropout": 0.1, "bos_token_id": 0, "embedding_dropout": 0.1, "eos_token_id": 0,
"hidden_act": "gelu_pytorch_tanh", "initializer_range": 0.018042, "mlp_type": "default",
"norm_epsilon": 1e-05, "norm_type": "layer_norm", "residual_dropout": 0.1,
"sliding_window": 4096, "use_bias": true, "use_cache": true, "vocab_size": 49152,
"max_position_embeddings": 16384, "hidden_size": 6144, "intermediate_size": 24576,
"num_attention_heads": 48, "num_hidden_layers": 40, "num_key_value_heads": 4,
"rope_theta": 100000})",
     40, 6144, 0},
    {"stablelm-3b-4e1t",
     R"({"architectures": ["StableLmForCausalLM"], "model_type": "stablelm", "attention_dropout":
0.0, "hidden_act": "silu", "hidden_dropout": 0.0, "initializer_range": 0.02,
"layer_norm_eps": 1e-05, "max_position_embeddings": 4096, "partial_rotary_factor": 0.25,
"rope_theta": 10000, "tie_word_embeddings": false, "use_cache": true, "bos_token_id": 0,
"eos_token_id": 0, "hidden_size": 2560, "intermediate_size": 6912, "num_attention_heads":
32, "num_hidden_layers": 32, "num_key_value_heads": 32, "use_qkv_bias": false,
"vocab_size": 50304})",
     32, 2560, 0},
    {"stablelm-2-12b",
     R"({"architectures": ["StableLmForCausalLM"], "model_type": "stablelm", "attention_dropout":
0.0, "hidden_act": "silu", "hidden_dropout": 0.0, "initializer_range": 0.02,
"layer_norm_eps": 1e-05, "max_position_embeddings": 4096, "partial_rotary_factor": 0.25,
"rope_theta": 10000, "tie_word_embeddings": false, "use_cache": true, "bos_token_id":
100257, "eos_token_id": 100257, "hidden_size": 5120, "intermediate_size": 13824,
"num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8,
"qk_layernorm": true, "use_parallel_residual": true, "use_qkv_bias": false, "vocab_size":
100352})",
     40, 5120, 0},
    {"olmo-3-7b",
     R"({"architectures": ["Olmo3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"eos_token_id": 100257, "hidden_act": "silu", "hidden_size": 4096, "initializer_range":
0.02, "intermediate_size": 11008, "layer_types": ["sliding_attention",
"sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
"sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
"sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
"sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
"sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
"sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
"sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
"sliding_attention", "sliding_attention", "full_attention"], "max_position_embeddings":
65536, "model_type": "olmo3", "num_attention_heads": 32, "num_hidden_layers": 32,
"num_key_value_heads": 32, "pad_token_id": 100277, "rms_norm_eps": 1e-06, "rope_scaling":
{"attention_factor": 1.2079441541679836, "beta_fast": 32.0, "beta_slow": 1.0, "factor":
8.0, "original_max_position_embeddings": 8192, "rope_type": "yarn"}, "rope_theta": 500000,
"sliding_window": 4096, "tie_word_embeddings": false, "use_cache": false, "vocab_size":
100278})",
     32, 4096, 0},
    {"deepseek-v2-lite",
     R"({"attention_bias": false, "attention_dropout": 0.0, "hidden_act": "silu", "bos_token_id":
100000, "eos_token_id": 100001, "ep_size": 1, "first_k_dense_replace": 1,
"max_position_embeddings": 163840, "model_type": "deepseek_v2", "moe_layer_freq": 1,
"n_shared_experts": 2, "norm_topk_prob": false, "num_experts_per_tok": 6,
"pretraining_tp": 1, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps":
1e-06, "rope_theta": 10000, "seq_aux": true, "scoring_func": "softmax",
"tie_word_embeddings": false, "v_head_dim": 128, "vocab_size": 102400, "aux_loss_alpha":
0.001, "kv_lora_rank": 512, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "architectures":
["DeepseekV2ForCausalLM"], "hidden_size": 2048, "intermediate_size": 10944,
"moe_intermediate_size": 1408, "n_group": 1, "n_routed_experts": 64,
"num_attention_heads": 16, "num_hidden_layers": 27, "num_key_value_heads": 16,
"q_lora_rank": null, "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40,
"mscale": 0.707, "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096,
"type": "yarn"}, "routed_scaling_factor": 1.0, "topk_group": 1, "topk_method": "greedy"})",
     27, 2048, 64},
    {"deepseek-v2",
     R"({"attention_bias": false, "attention_dropout": 0.0, "hidden_act": "silu", "bos_token_id":
100000, "eos_token_id": 100001, "ep_size": 1, "first_k_dense_replace": 1,
"max_position_embeddings": 163840, "model_type": "deepseek_v2", "moe_layer_freq": 1,
"n_shared_experts": 2, "norm_topk_prob": false, "num_experts_per_tok": 6,
"pretraining_tp": 1, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps":
1e-06, "rope_theta": 10000, "seq_aux": true, "scoring_func": "softmax",
"tie_word_embeddings": false, "v_head_dim": 128, "vocab_size": 102400, "aux_loss_alpha":
0.001, "kv_lora_rank": 512, "initializer_range": 0.02, "torch_dtype": "bfloat16",
"transformers_version": "4.44.0", "use_cache": true, "architectures":
["DeepseekV2ForCausalLM"], "hidden_size": 5120, "intermediate_size": 12288,
"moe_intermediate_size": 1536, "n_group": 8, "n_routed_experts": 160,
"num_attention_heads": 128, "num_hidden_layers": 60, "num_key_value_heads": 128,
"q_lora_rank": 1536, "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40,
"mscale": 0.707, "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096,
"type": "yarn"}, "routed_scaling_factor": 16.0, "topk_group": 3, "topk_method":
"group_limited_greedy"})",
     60, 5120, 160},
    {"deepseek-r1",
     R"({"architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "attention_dropout":
0.0, "aux_loss_alpha": 0.001, "auto_map": {"AutoConfig":
"configuration_deepseek.DeepseekV3Config"}, "bos_token_id": 0, "eos_token_id": 1,
"ep_size": 1, "first_k_dense_replace": 3, "hidden_act": "silu", "hidden_size": 7168,
"initializer_range": 0.02, "intermediate_size": 18432, "kv_lora_rank": 512,
"max_position_embeddings": 163840, "model_type": "deepseek_v3", "moe_intermediate_size":
2048, "moe_layer_freq": 1, "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1,
"norm_topk_prob": true, "num_attention_heads": 128, "num_experts_per_tok": 8,
"num_hidden_layers": 61, "num_key_value_heads": 128, "num_nextn_predict_layers": 1,
"pretraining_tp": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
"quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method":
"fp8", "weight_block_size": [128, 128]}, "rms_norm_eps": 1e-06, "rope_scaling":
{"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
"original_max_position_embeddings": 4096, "type": "yarn"}, "rope_theta": 10000,
"routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "seq_aux": true,
"tie_word_embeddings": false, "topk_group": 4, "topk_method": "noaux_tc", "torch_dtype":
"bfloat16", "use_cache": true, "v_head_dim": 128, "vocab_size": 129280})",
     61, 7168, 256},
    {"gpt-oss-120b",
     R"({"architectures": ["GptOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.0,
"eos_token_id": 200002, "experts_per_token": 4, "head_dim": 64, "hidden_act": "silu",
"hidden_size": 2880, "initial_context_length": 4096, "initializer_range": 0.02,
"intermediate_size": 2880, "layer_types": ["sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention", "sliding_attention", "full_attention",
"sliding_attention", "full_attention"], "max_position_embeddings": 131072, "model_type":
"gpt_oss", "num_attention_heads": 64, "num_experts_per_tok": 4, "num_hidden_layers": 36,
"num_key_value_heads": 8, "num_local_experts": 128, "output_router_logits": false,
"pad_token_id": 199999, "quantization_config": {"modules_to_not_convert":
["model.layers.*.self_attn"], "quant_method": "mxfp4"}, "rms_norm_eps": 1e-05,
"rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
"original_max_position_embeddings": 4096, "rope_type": "yarn", "truncate": false},
"rope_theta": 150000, "router_aux_loss_coef": 0.9, "sliding_window": 128, "swiglu_limit":
7.0, "tie_word_embeddings": false, "use_cache": true, "vocab_size": 201088})",
     36, 2880, 128},
    {"exaone-4.0-32b",
     R"({"architectures": ["Exaone4ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1,
"eos_token_id": 361, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120,
"initializer_range": 0.02, "intermediate_size": 27392, "layer_types":
["sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
"sliding_attention", "sliding_attention", "sliding_attention", "full_attention"],
"max_position_embeddings": 131072, "model_type": "exaone4", "num_attention_heads": 40,
"num_hidden_layers": 64, "num_key_value_heads": 8, "pad_token_id": 0, "rms_norm_eps":
1e-05, "rope_scaling": {"factor": 16.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
"original_max_position_embeddings": 8192, "rope_type": "llama3"}, "rope_theta": 1000000,
"sliding_window": 4096, "sliding_window_pattern": "LLLG", "tie_word_embeddings": false,
"torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 102400})",
     64, 5120, 0},
    {"glm-4.6",
     R"({"architectures": ["Glm4MoeForCausalLM"], "attention_bias": true, "attention_dropout":
0.0, "eos_token_id": [151329, 151336, 151338], "pad_token_id": 151329, "head_dim": 128,
"hidden_act": "silu", "hidden_size": 5120, "initializer_range": 0.02, "intermediate_size":
12288, "max_position_embeddings": 202752, "model_type": "glm4_moe",
"moe_intermediate_size": 1536, "norm_topk_prob": true, "num_attention_heads": 96,
"n_group": 1, "topk_group": 1, "n_routed_experts": 160, "n_shared_experts": 1,
"routed_scaling_factor": 2.5, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
"num_hidden_layers": 92, "num_key_value_heads": 8, "num_nextn_predict_layers": 1,
"partial_rotary_factor": 0.5, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta":
1000000, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "use_cache": true,
"use_qk_norm": true, "vocab_size": 151552})",
     92, 5120, 160},
    {"codegen-350m-mono",
     R"({"activation_function": "gelu_new", "architectures": ["CodeGenForCausalLM"], "attn_pdrop":
0.0, "bos_token_id": 1, "embd_pdrop": 0.0, "eos_token_id": 50256,
"gradient_checkpointing": false, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
"model_type": "codegen", "n_ctx": 2048, "n_embd": 1024, "n_head": 16, "n_inner": null,
"n_layer": 20, "n_positions": 2048, "resid_pdrop": 0.0, "rotary_dim": 32,
"scale_attn_weights": true, "summary_activation": null, "summary_first_dropout": 0.1,
"summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
"task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50,
"temperature": 1.0}}, "tie_word_embeddings": false, "tokenizer_class": "GPT2Tokenizer",
"torch_dtype": "float16", "use_cache": true, "vocab_size": 51200})",
     20, 1024, 0},
    {"t5-small",
     R"({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5",
"decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1, "initializer_factor":
1.0, "is_encoder_decoder": true, "layer_norm_epsilon": 1e-06, "n_positions": 512,
"output_past": true, "pad_token_id": 0, "relative_attention_num_buckets": 32,
"task_specific_params": {"summarization": {"early_stopping": true}}, "use_cache": true,
"vocab_size": 32128, "d_ff": 2048, "d_kv": 64, "d_model": 512, "num_heads": 8,
"num_layers": 6})",
     12, 512, 0},  // of both sides
    {"flan-t5-base",
     R"({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5",
"decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1, "initializer_factor":
1.0, "is_encoder_decoder": true, "layer_norm_epsilon": 1e-06, "n_positions": 512,
"output_past": true, "pad_token_id": 0, "relative_attention_num_buckets": 32,
"task_specific_params": {"summarization": {"early_stopping": true}}, "use_cache": true,
"vocab_size": 32128, "d_ff": 2048, "d_kv": 64, "d_model": 768, "feed_forward_proj":
"gated-gelu", "num_decoder_layers": 12, "num_heads": 12, "num_layers": 12,
"relative_attention_max_distance": 128, "tie_word_embeddings": false})",
     24, 768, 0},
};

TEST(PublishedFirstTest, EveryConfigurationIsReadWithoutAnUnknownKey) {
  for (const Published& model : kPublished) {
    SCOPED_TRACE(model.name);
    const auto config = parse_json(model.config);
    ASSERT_TRUE(config.is_ok()) << config.status().message();
    const auto design = design_of_json(config->find("model_type")->as_string(), model.config,
                                       Naming::kHuggingFace);
    EXPECT_TRUE(design.is_ok()) << design.status().message();
    if (!design.is_ok()) continue;
    EXPECT_EQ(design->facts.layers, model.layers);
    EXPECT_EQ(design->facts.width, model.width);
    EXPECT_EQ(design->facts.experts, model.experts);
  }
}

}  // namespace
}  // namespace quire
