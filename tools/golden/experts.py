"""Mixtral, Qwen3-MoE, DeepSeek-V2 and V3: experts, shared experts, grouped routing, latent KV."""

import transformers

from golden import Golden
from llama import SMALL
from spelling import as_transformers_4

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
# The rope of DeepSeek-V2: YaRN whose scale of the softmax counts, too.
ROPE_MSCALE = {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "beta_fast": 4.0,
               "beta_slow": 1.0, "mscale": 0.707, "mscale_all_dim": 1.0,
               "original_max_position_embeddings": 48}
DEEPSEEK = {
    **SMALL, "hidden_size": 72, "num_attention_heads": 4, "num_key_value_heads": 4,
    "q_lora_rank": 40, "kv_lora_rank": 32, "qk_nope_head_dim": 20, "qk_rope_head_dim": 16,
    "v_head_dim": 24, "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 40,
    "first_k_dense_replace": 1, "max_position_embeddings": 192,
}


def experts(name, model_type, **fields):
    return Golden(name, {**SMALL, "hidden_size": 72, "model_type": model_type,
                         "rope_parameters": ROPE, **fields},
                  spellings=lambda config: [as_transformers_4(config)])


GOLDENS = [
    experts("mixtral", "mixtral", head_dim=24, num_local_experts=6, num_experts_per_tok=2,
            intermediate_size=56),
    experts("qwen3_moe", "qwen3_moe", head_dim=24, num_hidden_layers=4, num_experts=8,
            num_experts_per_tok=3, moe_intermediate_size=40, norm_topk_prob=True,
            mlp_only_layers=[1], decoder_sparse_step=1),
    experts("qwen3_moe_plain", "qwen3_moe", head_dim=16, num_hidden_layers=2, num_experts=10,
            num_experts_per_tok=4, moe_intermediate_size=40, norm_topk_prob=False),
    Golden("deepseek_v2", {**DEEPSEEK, "model_type": "deepseek_v2", "n_shared_experts": 2,
                           "topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2,
                           "routed_scaling_factor": 1.5, "norm_topk_prob": False,
                           "rope_parameters": ROPE_MSCALE},
           spellings=lambda config: [as_transformers_4(config)]),
    Golden("deepseek_v2_lite", {**DEEPSEEK, "model_type": "deepseek_v2", "q_lora_rank": None,
                                "n_shared_experts": 1, "topk_method": "greedy",
                                "rope_parameters": ROPE},
           spellings=lambda config: [as_transformers_4(config)]),
    Golden("deepseek_v3", {**DEEPSEEK, "model_type": "deepseek_v3", "n_shared_experts": 1,
                           "n_group": 4, "topk_group": 2, "routed_scaling_factor": 2.5,
                           "norm_topk_prob": True, "rope_parameters": ROPE_MSCALE},
           spellings=lambda config: [as_transformers_4(config)]),
    # As many positions as the model chooses, of which none is left out.
    Golden("deepseek_v32", {**DEEPSEEK, "model_type": "deepseek_v32", "n_shared_experts": 1,
                            "n_group": 4, "topk_group": 2, "routed_scaling_factor": 2.5,
                            "norm_topk_prob": True, "index_topk": 256, "index_n_heads": 2,
                            "index_head_dim": 24, "rope_parameters": ROPE},
           rounded_max=0.0095, spellings=lambda config: [as_transformers_4(config)]),
    Golden("mistral4", {**DEEPSEEK, "model_type": "mistral4", "n_shared_experts": 1,
                        "n_group": 4, "topk_group": 2, "routed_scaling_factor": 1.5,
                        "norm_topk_prob": True,
                        "rope_parameters": {**ROPE_MSCALE, "mscale": 1.0, "mscale_all_dim": 0.75,
                                            "original_max_position_embeddings": 24,
                                            "factor": 8.0, "llama_4_scaling_beta": 0.25}},
           model_class=transformers.Mistral4ForCausalLM, rounded_max=0.014),
]
