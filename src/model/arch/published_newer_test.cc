// Configurations in the words of released models' config.json, as far as they are known without the
// files: families of experts and of several kinds of layers, and the first ones of Gemma, Qwen and
// Baichuan. Each is read, no key of it is an unknown one; of a model that sees it is the
// text_config.
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
    {"llama-4-scout",
     R"({"_attn_implementation_autoset": true, "attention_bias": false,
"attention_chunk_size": 8192, "attention_dropout": 0.0, "attn_scale": 0.1,
"attn_temperature_tuning": 4, "bos_token_id": 200000,
"cache_implementation": "hybrid", "eos_token_id": [200001, 200007, 200008], "floor_scale": 8192,
"for_llm_compressor": false, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120,
"initializer_range": 0.02, "interleave_moe_layer_step": 1, "intermediate_size": 8192,
"intermediate_size_mlp": 16384, "max_position_embeddings": 10485760, "model_type": "llama4_text",
"no_rope_layers": [1,1,1,0,1,1,1,0,1,1,1,0,1,1,1,0,1,1,1,0,1,1,1,0,1,1,1,0,1,1,1,0,1,1,1,0,1,1,1,0,
1,1,1,0,1,1,1,0], "num_attention_heads": 40, "num_experts_per_tok": 1, "num_hidden_layers": 48,
"num_key_value_heads": 8, "num_local_experts": 16, "output_router_logits": false, "pad_token_id":
200018, "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 16.0, "high_freq_factor": 1.0,
"low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
"rope_theta": 500000.0, "router_aux_loss_coef": 0.001, "router_jitter_noise": 0.0, "torch_dtype":
"bfloat16", "use_cache": true, "use_qk_norm": true, "vocab_size": 202048})",
     48, 5120, 16},
    {"llama-4-maverick",
     R"({"attention_chunk_size": 8192, "attention_dropout": 0.0, "attn_scale": 0.1,
"attn_temperature_tuning": 4, "bos_token_id": 200000, "eos_token_id": [200001, 200007, 200008],
"floor_scale": 8192, "for_llm_compressor": false, "head_dim": 128, "hidden_act": "silu",
"hidden_size": 5120, "interleave_moe_layer_step": 2, "intermediate_size": 8192,
"intermediate_size_mlp": 16384, "max_position_embeddings": 1048576, "model_type": "llama4_text",
"moe_layers": [1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45,47],
"no_rope_layers": [], "num_attention_heads": 40, "num_experts_per_tok": 1, "num_hidden_layers": 48,
"num_key_value_heads": 8, "num_local_experts": 128, "rms_norm_eps": 1e-05, "rope_scaling": null,
"rope_theta": 500000.0, "use_qk_norm": false, "vocab_size": 202048})",
     48, 5120, 128},
    {"ministral-3-8b",
     R"({"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096,
"initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 262144,
"model_type": "ministral3", "num_attention_heads": 32, "num_hidden_layers": 34,
"num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_parameters": {"beta_fast": 32.0,
"beta_slow": 1.0, "factor": 16.0, "llama_4_scaling_beta": 0.1, "mscale": 1.0, "mscale_all_dim": 1.0,
"original_max_position_embeddings": 16384, "rope_theta": 1000000.0, "rope_type": "yarn", "type":
"yarn"}, "sliding_window": null, "tie_word_embeddings": false, "use_cache": true, "vocab_size":
131072})",
     34, 4096, 0},
    {"qwen1.5-moe-a2.7b",
     R"({"architectures": ["Qwen2MoeForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
"decoder_sparse_step": 1, "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 2048,
"initializer_range": 0.02, "intermediate_size": 5632, "max_position_embeddings": 8192,
"max_window_layers": 21, "model_type": "qwen2_moe", "moe_intermediate_size": 1408,
"norm_topk_prob": false, "num_attention_heads": 16, "num_experts": 60, "num_experts_per_tok": 4,
"num_hidden_layers": 24, "num_key_value_heads": 16, "output_router_logits": false, "qkv_bias": true,
"rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.001,
"shared_expert_intermediate_size": 5632, "sliding_window": 32768, "tie_word_embeddings": false,
"torch_dtype": "bfloat16", "use_cache": true, "use_sliding_window": false, "vocab_size": 151936})",
     24, 2048, 60},
    {"dbrx-instruct",
     R"({"architectures": ["DbrxForCausalLM"], "attn_config": {"clip_qkv": 8, "kv_n_heads": 8,
"model_type": "", "rope_theta": 500000}, "auto_map": {}, "d_model": 6144, "emb_pdrop": 0.0,
"ffn_config": {"ffn_hidden_size": 10752, "model_type": "", "moe_jitter_eps": 0, "moe_loss_weight":
0.05, "moe_num_experts": 16, "moe_top_k": 4}, "initializer_range": 0.02, "max_seq_len": 32768,
"model_type": "dbrx", "n_heads": 48, "n_layers": 40, "output_router_logits": false, "resid_pdrop":
0.0, "router_aux_loss_coef": 0.05, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
"use_cache": true, "vocab_size": 100352})",
     40, 6144, 16},
    {"bitnet-b1.58-2b-4t",
     R"({"architectures": ["BitNetForCausalLM"], "bos_token_id": 128000, "eos_token_id": 128001,
"hidden_act": "relu2", "hidden_size": 2560, "initializer_range": 0.02, "intermediate_size": 6912,
"max_position_embeddings": 4096, "model_type": "bitnet", "rms_norm_eps": 1e-05,
"num_attention_heads": 20, "num_hidden_layers": 30, "num_key_value_heads": 5, "rope_theta":
500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size":
128256})",
     30, 2560, 0},
    {"gemma-2b",
     R"({"architectures": ["GemmaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
"bos_token_id": 2, "eos_token_id": 1, "head_dim": 256, "hidden_act": "gelu", "hidden_activation":
null, "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 16384,
"max_position_embeddings": 8192, "model_type": "gemma", "num_attention_heads": 8,
"num_hidden_layers": 18, "num_key_value_heads": 1, "pad_token_id": 0, "rms_norm_eps": 1e-06,
"rope_scaling": null, "rope_theta": 10000.0, "torch_dtype": "bfloat16", "use_cache": true,
"vocab_size": 256000})",
     18, 2048, 0},
    {"gemma-3n-e2b",
     R"({"activation_sparsity_pattern": [0.95,0.95,0.95,0.95,0.95,0.95,0.95,0.95,0.95,0.95,0.0,0.0,
0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0], "altup_active_idx": 0,
"altup_coef_clip": 120.0, "altup_correct_scale": true, "altup_num_inputs": 4, "attention_bias":
false, "attention_dropout": 0.0, "final_logit_softcapping": 30.0, "head_dim": 256,
"hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2048, "hidden_size_per_layer_input": 256,
"initializer_range": 0.02, "intermediate_size": [8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,
8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,8192,
8192], "laurel_rank": 64, "layer_types": ["sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","full_attention","sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","full_attention","sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","full_attention","sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","full_attention","sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","full_attention","sliding_attention","sliding_attention",
"sliding_attention","sliding_attention","full_attention"], "max_position_embeddings": 32768,
"model_type": "gemma3n_text", "num_attention_heads": 8, "num_hidden_layers": 30,
"num_key_value_heads": 2, "num_kv_shared_layers": 10, "rms_norm_eps": 1e-06,
"rope_local_base_freq": 10000.0, "rope_scaling": null, "rope_theta": 1000000.0, "sliding_window":
512, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 262400,
"vocab_size_per_layer_input": 262144})",
     30, 2048, 0},
    {"qwen-7b",
     R"({"architectures": ["QWenLMHeadModel"], "auto_map": {"AutoConfig":
"configuration_qwen.QWenConfig"}, "attn_dropout_prob": 0.0, "bf16": false, "emb_dropout_prob": 0.0,
"fp16": false, "fp32": false, "hidden_size": 4096, "intermediate_size": 22016, "initializer_range":
0.02, "kv_channels": 128, "layer_norm_epsilon": 1e-06, "max_position_embeddings": 32768,
"model_type": "qwen", "no_bias": true, "num_attention_heads": 32, "num_hidden_layers": 32,
"onnx_safe": null, "rotary_emb_base": 10000, "rotary_pct": 1.0, "scale_attn_weights": true,
"seq_length": 8192, "tie_word_embeddings": false, "tokenizer_class": "QWenTokenizer",
"transformers_version": "4.32.0", "use_cache": true, "use_dynamic_ntk": true, "use_flash_attn":
"auto", "use_logn_attn": true, "vocab_size": 151936})",
     32, 4096, 0},
    {"baichuan2-13b",
     R"({"_from_model_config": true, "architectures": ["BaichuanForCausalLM"], "auto_map": {},
"tokenizer_class": "BaichuanTokenizer", "bos_token_id": 1, "eos_token_id": 2,
"gradient_checkpointing": false, "hidden_act": "silu", "hidden_size": 5120,
"initializer_range": 0.02, "intermediate_size":
13696, "model_max_length": 4096, "model_type": "baichuan", "num_attention_heads": 40,
"num_hidden_layers": 40, "pad_token_id": 0, "rms_norm_eps": 1e-06, "tie_word_embeddings": false,
"torch_dtype": "bfloat16", "transformers_version": "4.29.2", "use_cache": true, "vocab_size":
125696, "z_loss_weight": 0})",
     40, 5120, 0},
    {"qwen2.5-vl-7b",
     R"({"architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0,
"bos_token_id": 151643, "eos_token_id": 151645, "vision_start_token_id": 151652,
"vision_end_token_id": 151653, "vision_token_id": 151654, "image_token_id": 151655,
"video_token_id": 151656, "hidden_act": "silu", "hidden_size": 3584, "initializer_range": 0.02,
"intermediate_size": 18944, "max_position_embeddings": 128000, "max_window_layers": 28,
"model_type": "qwen2_5_vl", "num_attention_heads": 28, "num_hidden_layers": 28,
"num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
"tie_word_embeddings": false, "torch_dtype": "bfloat16", "use_cache": true, "use_sliding_window":
false, "vision_config": {"depth": 32, "hidden_size": 1280}, "rope_scaling": {"type": "mrope",
"mrope_section": [16, 24, 24]}, "vocab_size": 152064})",
     28, 3584, 0},
    {"deepseek-v3.2-exp",
     R"({"architectures": ["DeepseekV32ForCausalLM"], "attention_bias": false, "attention_dropout":
0.0, "bos_token_id": 0, "eos_token_id": 1, "ep_size": 1, "first_k_dense_replace": 3, "hidden_act":
"silu", "hidden_size": 7168, "index_head_dim": 128, "index_n_heads": 64, "index_topk": 2048,
"initializer_range": 0.02, "intermediate_size": 18432, "kv_lora_rank": 512,
"max_position_embeddings": 163840, "model_type": "deepseek_v32", "moe_intermediate_size": 2048,
"moe_layer_freq": 1, "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1,
"norm_topk_prob": true, "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers":
61, "num_key_value_heads": 128, "num_nextn_predict_layers": 1, "q_lora_rank": 1536,
"qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06, "rope_scaling":
{"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
"original_max_position_embeddings": 4096, "type": "yarn"}, "rope_theta": 10000,
"routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": false,
"topk_group": 4, "topk_method": "noaux_tc", "torch_dtype": "bfloat16", "use_cache": true,
"v_head_dim": 128, "vocab_size": 129280})",
     61, 7168, 256},
};

TEST(PublishedNewerTest, EveryConfigurationIsReadWithoutAnUnknownKey) {
  for (const Published& model : kPublished) {
    SCOPED_TRACE(model.name);
    const auto config = parse_json(model.config);
    ASSERT_TRUE(config.is_ok()) << config.status().message();
    const auto design = design_of_json(config->find("model_type")->as_string(), model.config,
                                       Naming::kHuggingFace);
    ASSERT_TRUE(design.is_ok()) << design.status().message();
    EXPECT_EQ(design->facts.layers, model.layers);
    EXPECT_EQ(design->facts.width, model.width);
    EXPECT_EQ(design->facts.experts, model.experts);
  }
}

// A file of GGUF that calls itself so is none that anybody's converter writes.
TEST(PublishedNewerTest, FamiliesWithoutAFormInGgufAreRefused) {
  for (const char* name :
       {"albert", "bamba", "bart", "codegen", "deberta-v2", "gpt_neo", "gptj", "helium", "marian",
        "ministral", "mpnet", "opt", "persimmon", "recurrent_gemma", "zamba2"}) {
    const auto design = design_of_json(name, R"({"vocab_size":331})", Naming::kGguf);
    ASSERT_FALSE(design.is_ok()) << name;
    EXPECT_EQ(design.status().code(), StatusCode::kUnsupported) << name;
    EXPECT_NE(design.status().message().find("no form of it is defined"), std::string::npos)
        << name << ": " << design.status().message();
  }
}

}  // namespace
}  // namespace quire
