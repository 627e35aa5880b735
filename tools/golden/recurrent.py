"""Qwen3-Next, Qwen3.5 and Granite 4: gated delta nets and Mamba-2 beside attention."""

from golden import Golden
from llama import SMALL
from spelling import as_transformers_4, nested

QWEN = {
    **SMALL, "hidden_size": 72, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
    "num_hidden_layers": 4, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "linear_key_head_dim": 16, "linear_value_head_dim": 20, "linear_conv_kernel_dim": 4,
    "layer_types": ["linear_attention", "full_attention"] * 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                        "partial_rotary_factor": 0.25},
}
# All norms add 1 themselves but the one behind the delta net.
QWEN_RULES = ((r"linear_attn\.norm\.weight$", 1.0, 0.375, "vector"),
              (r"norm\.weight$", 0.0, 0.375, "vector"),
              (r"shared_expert_gate\.weight$", 0.0, 1.5, "matrix"))
GRANITE = {
    **SMALL, "model_type": "granitemoehybrid", "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "num_hidden_layers": 4, "intermediate_size": 40,
    "shared_intermediate_size": 88, "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_n_groups": 1,
    "mamba_d_state": 24, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_chunk_size": 32,
    "embedding_multiplier": 1.5, "attention_multiplier": 0.3125, "residual_multiplier": 0.75,
    "logits_scaling": 1.25, "tie_word_embeddings": False,
}


def qwen_of_4(config):
    return as_transformers_4(config, full_attention_interval=2)


def qwen3_5_that_sees(config):
    text = {**config, "rope_parameters": {**config["rope_parameters"],
                                          "mrope_section": [2, 1, 1], "mrope_interleaved": True}}
    return nested(text, "qwen3_5", "Qwen3_5ForConditionalGeneration",
                  [["model.", "model.language_model."]])


def granite(name, layers, **fields):
    return Golden(name, {**GRANITE, "layer_types": layers, **fields},
                  spellings=lambda config: [as_transformers_4(
                      config, layer_types=["attention" if "full" in layer or layer == "attention"
                                           else "mamba" for layer in layers])])


GOLDENS = [
    Golden("qwen3_next", {**QWEN, "model_type": "qwen3_next", "num_experts": 8,
                          "num_experts_per_tok": 3, "moe_intermediate_size": 40,
                          "shared_expert_intermediate_size": 48, "norm_topk_prob": True},
           rules=QWEN_RULES, spellings=lambda config: [qwen_of_4(config)]),
    Golden("qwen3_5", {**QWEN, "model_type": "qwen3_5_text"},
           rules=QWEN_RULES, rounded_max=0.015,
           spellings=lambda config: [qwen_of_4(config), qwen3_5_that_sees(config)]),
    granite("granite_hybrid", ["linear_attention", "full_attention"] * 2, num_local_experts=0,
            num_experts_per_tok=0, position_embedding_type="nope"),
    granite("granite_hybrid_experts", ["linear_attention", "full_attention"] * 2,
            num_local_experts=6, num_experts_per_tok=2, position_embedding_type="rope",
            mamba_n_groups=2,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0}),
]
