"""Gated delta nets, both kinds of Mamba, short convolutions and gated units, most of them beside
attention: Qwen3-Next and Qwen3.5, Granite 4, Falcon-H1, Bamba, Nemotron-H, Mamba, LFM2, Jamba and
RecurrentGemma."""

from golden import Golden
from llama import SMALL
from ranges import TIED
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


def qwen3_5_that_sees(config, model_type="qwen3_5", name="Qwen3_5"):
    text = {**config, "rope_parameters": {**config["rope_parameters"],
                                          "mrope_section": [2, 1, 1], "mrope_interleaved": True}}
    return nested(text, model_type, name + "ForConditionalGeneration",
                  [["model.", "model.language_model."]])


def granite(name, layers, **fields):
    return Golden(name, {**GRANITE, "layer_types": layers, **fields},
                  spellings=lambda config: [as_transformers_4(
                      config, layer_types=["attention" if "full" in layer or layer == "attention"
                                           else "mamba" for layer in layers])])


FALCON_H1 = {
    **SMALL, "model_type": "falcon_h1", "hidden_size": 60, "num_attention_heads": 5,
    "num_key_value_heads": 1, "head_dim": 16, "num_hidden_layers": 3, "intermediate_size": 88,
    "mamba_d_ssm": 96, "mamba_n_heads": 6, "mamba_d_head": 16, "mamba_n_groups": 2,
    "mamba_d_state": 24, "mamba_d_conv": 4, "mamba_chunk_size": 32, "mamba_rms_norm": True,
    "mamba_norm_before_gate": False, "key_multiplier": 0.75, "attention_in_multiplier": 1.25,
    "attention_out_multiplier": 0.8125, "ssm_in_multiplier": 1.125, "ssm_out_multiplier": 0.6875,
    "ssm_multipliers": [0.875, 0.75, 1.25, 1.125, 0.5], "mlp_multipliers": [0.75, 0.875],
    "embedding_multiplier": 1.25, "lm_head_multiplier": 0.75, "pad_token_id": 0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "tie_word_embeddings": False,
}
BAMBA = {
    **SMALL, "model_type": "bamba", "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "num_hidden_layers": 4, "intermediate_size": 88,
    "attn_layer_indices": [1, 3], "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_n_groups": 2,
    "mamba_d_state": 24, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_chunk_size": 32,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                        "partial_rotary_factor": 0.5},
    "tie_word_embeddings": False,
}
NEMOTRON_H = {
    **SMALL, "model_type": "nemotron_h", "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 24, "intermediate_size": 88, "mamba_num_heads": 6,
    "mamba_head_dim": 16, "n_groups": 2, "ssm_state_size": 24, "conv_kernel": 4, "chunk_size": 32,
    "tie_word_embeddings": False,
}
BARE = {key: SMALL[key] for key in ("vocab_size", "bos_token_id", "eos_token_id")}
MAMBA = {**BARE, "hidden_size": 60, "num_hidden_layers": 3, "state_size": 12, "conv_kernel": 4,
         "expand": 2, "time_step_rank": 7, "use_bias": False, "tie_word_embeddings": False}
MAMBA2 = {**BARE, "model_type": "mamba2", "hidden_size": 64, "num_hidden_layers": 3,
          "num_heads": 8, "head_dim": 16, "state_size": 24, "n_groups": 2, "conv_kernel": 4,
          "expand": 2, "chunk_size": 32, "tie_word_embeddings": False}
LFM2 = {**BARE, "max_position_embeddings": 512, "hidden_size": 60, "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "num_hidden_layers": 4, "conv_L_cache": 3, "norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "layer_types": ["conv", "full_attention", "conv", "full_attention"]}
JAMBA = {**SMALL, "model_type": "jamba", "hidden_size": 60, "num_attention_heads": 5,
         "num_key_value_heads": 1, "num_hidden_layers": 5, "intermediate_size": 56,
         "num_experts": 6, "num_experts_per_tok": 2, "expert_layer_period": 2,
         "expert_layer_offset": 1, "attn_layer_period": 3, "attn_layer_offset": 1,
         "mamba_d_state": 12, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 7,
         "tie_word_embeddings": False}
GRIFFIN = {**SMALL, "model_type": "recurrent_gemma", "hidden_size": 64, "num_attention_heads": 4,
           "num_key_value_heads": 1, "num_hidden_layers": 5, "intermediate_size": 176,
           "lru_width": 80, "attention_window_size": 24, "conv1d_width": 4,
           "block_types": ["recurrent", "recurrent", "attention"],
           "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                               "partial_rotary_factor": 0.5}}
ZAMBA2 = {**BARE, "model_type": "zamba2", "hidden_size": 48, "num_hidden_layers": 6,
          "layers_block_type": ["linear_attention", "hybrid", "hybrid", "linear_attention",
                                "hybrid", "hybrid"],
          "mamba_d_state": 16, "n_mamba_heads": 6, "mamba_ngroups": 2, "mamba_d_conv": 4,
          "mamba_expand": 2, "chunk_size": 32, "num_attention_heads": 4,
          "num_key_value_heads": 4, "num_mem_blocks": 2, "use_shared_attention_adapter": True,
          "adapter_rank": 8, "use_mem_rope": True, "intermediate_size": 72,
          "max_position_embeddings": 512, "tie_word_embeddings": True,
          "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}
KIMI = {**BARE, "model_type": "kimi_linear", "hidden_size": 64, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 88,
        "moe_intermediate_size": 40, "kv_lora_rank": 40, "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 16, "v_head_dim": 24, "linear_head_dim": 20, "linear_num_heads": 3,
        "num_local_experts": 8, "num_experts_per_tok": 3, "n_group": 2, "topk_group": 1,
        "routed_scaling_factor": 1.5, "max_position_embeddings": 512,
        "layer_types": ["linear_attention", "full_attention", "linear_attention",
                        "linear_attention"], "tie_word_embeddings": False, "pad_token_id": 0}
LFM2_RULES = ((r"conv\.conv\.weight$", 0.0, 0.8, "vector"),
              (r"expert_bias$", 0.0, 0.125, "vector"),
              (r"feed_forward\.gate\.weight$", 0.0, 1.5, "matrix"))
# Nothing but recurrent layers: what they add is small, so that rounding stays so, too.
CALM = ((r"(mixer|mamba)\.(out_proj|down_proj)\.weight$", 0.0, 0.125, "matrix"),
        (r"(in_proj|x_proj|dt_proj)\.weight$", 0.0, 0.5, "matrix"),
        (r"lm_head\.weight$", 0.0, 0.5, "matrix"))
MAMBA_RULES = ((r"dt_proj\.bias$", -1.0, 1.5, "vector"), *CALM)
NEMOTRON_RULES = (*CALM, (r"mixer\.gate\.weight$", 0.0, 1.5, "matrix"))
GRIFFIN_RULES = ((r"norm\.weight$", 0.0, 0.375, "vector"),
                 (r"recurrent_param$", -0.5, 1.0, "vector"),
                 (r"conv_1d\.weight$", 0.0, 0.8, "vector"),
                 (r"gate_bias$", 0.0, 0.5, "vector"))


ZAMBA_RULES = ((r"adapter_list\.\d+\.[01]\.weight$", 0.0, 0.75, "matrix"),
               (r"\d\.linear\.weight$", 0.0, 0.5, "matrix"), *CALM)


def nemotron_of_makers(config):
    """As its makers write it: a pattern of letters."""
    letters = {"linear_attention": "M", "moe": "E", "full_attention": "*", "mlp": "-"}
    words = config["layers_block_type"]
    spelling = as_transformers_4(config, num_hidden_layers=len(words),
                                 hybrid_override_pattern="".join(letters[w] for w in words))
    del spelling["config"]["layers_block_type"]
    return spelling


def zamba_of_4(config):
    words = {"linear_attention": "mamba", "hybrid": "hybrid"}
    return as_transformers_4(config, layers_block_type=[words[word] for word in
                                                        config["layers_block_type"]])


def kimi_of_makers(config):
    """As its makers write it: an object for the delta attention, layers counted from one."""
    spelling = as_transformers_4(config, linear_attn_config={
        "full_attn_layers": [i + 1 for i, word in enumerate(config["layer_types"])
                             if word == "full_attention"],
        "kda_layers": [i + 1 for i, word in enumerate(config["layer_types"])
                       if word != "full_attention"],
        "head_dim": config["linear_head_dim"], "num_heads": config["linear_num_heads"],
        "short_conv_kernel_size": config["linear_conv_kernel_dim"]},
        first_k_dense_replace=1, moe_layer_freq=1, moe_router_activation_func="sigmoid",
        mla_use_nope=True, use_grouped_topk=True)
    for name in ("linear_head_dim", "linear_num_heads", "linear_conv_kernel_dim",
                 "mlp_layer_types"):
        del spelling["config"][name]
    return spelling


def lfm2_of_makers(config):
    """With the indices of attention, and other names for two keys."""
    attends = [i for i, word in enumerate(config["layer_types"]) if word == "full_attention"]
    spelling = as_transformers_4(config, full_attn_idxs=attends,
                                 block_ff_dim=config["intermediate_size"],
                                 tie_embedding=config["tie_word_embeddings"])
    for name in ("intermediate_size", "tie_word_embeddings"):
        del spelling["config"][name]
    return spelling


GOLDENS = [
    Golden("qwen3_5_moe", {**QWEN, "model_type": "qwen3_5_moe_text", "num_experts": 8,
                           "num_experts_per_tok": 3, "moe_intermediate_size": 40,
                           "shared_expert_intermediate_size": 48},
           rules=QWEN_RULES,
           spellings=lambda config: [qwen_of_4(config), qwen3_5_that_sees(
               config, "qwen3_5_moe", "Qwen3_5Moe")]),
    Golden("falcon_h1", FALCON_H1, spellings=lambda config: [as_transformers_4(config)]),
    Golden("falcon_h1_plain", {**FALCON_H1, "mamba_rms_norm": False, "mamba_d_ssm": 120,
                               "mamba_n_heads": 8, "mamba_d_head": 15},
           spellings=lambda config: [as_transformers_4(config)]),
    Golden("bamba", BAMBA, spellings=lambda config: [as_transformers_4(config)]),
    Golden("nemotron_h", {**NEMOTRON_H, "layers_block_type": [
        "linear_attention", "mlp", "linear_attention", "full_attention", "mlp"]},
        rules=NEMOTRON_RULES, rounded_max=0.012,
        spellings=lambda config: [nemotron_of_makers(config)]),
    Golden("nemotron_h_experts", {**NEMOTRON_H, "layers_block_type": [
        "linear_attention", "moe", "full_attention", "moe"], "n_routed_experts": 8,
        "num_experts_per_tok": 3, "moe_intermediate_size": 40, "n_group": 2, "topk_group": 1,
        "moe_shared_expert_intermediate_size": 48, "routed_scaling_factor": 1.5},
        rules=NEMOTRON_RULES, rounded_max=0.012,
        spellings=lambda config: [nemotron_of_makers(config)]),
    Golden("mamba", {**MAMBA, "model_type": "mamba"}, rules=MAMBA_RULES, rounded_max=0.012),
    Golden("mamba_biases", {**MAMBA, "model_type": "mamba", "use_bias": True,
                            "use_conv_bias": False},
           rules=MAMBA_RULES, rounded_max=0.012),
    Golden("falcon_mamba", {**MAMBA, "model_type": "falcon_mamba"}, rules=MAMBA_RULES,
           rounded_max=0.012),
    Golden("mamba2", MAMBA2, rules=CALM, rounded_max=0.012),
    Golden("lfm2", {**LFM2, "model_type": "lfm2", "intermediate_size": 132,
                    "block_multiple_of": 8},
           rules=(*LFM2_RULES, (r"embedding_norm\.weight$", 0.0, 1.5, "vector"), *TIED),
           spellings=lambda config: [lfm2_of_makers(config)]),
    Golden("lfm2_moe", {**LFM2, "model_type": "lfm2_moe", "intermediate_size": 88,
                        "moe_intermediate_size": 40, "num_experts": 8, "num_experts_per_tok": 3,
                        "num_dense_layers": 1, "tie_word_embeddings": False}, rules=LFM2_RULES,
           spellings=lambda config: [as_transformers_4(config,
                                                       layer_types=config["layer_types"])]),
    Golden("jamba", JAMBA, rules=MAMBA_RULES, rounded_max=0.012,
           spellings=lambda config: [as_transformers_4(config)]),
    Golden("zamba2", ZAMBA2, rounded_max=0.012,
           rules=((r"final_layernorm\.weight$", 0.0, 0.75, "vector"), *ZAMBA_RULES, *TIED),
           spellings=lambda config: [zamba_of_4(config)]),
    Golden("zamba2_plain", {**ZAMBA2, "use_shared_attention_adapter": False,
                            "use_mem_rope": False, "num_mem_blocks": 1, "add_bias_linear": True,
                            "tie_word_embeddings": False}, rules=ZAMBA_RULES, rounded_max=0.012),
    Golden("kimi_linear", KIMI, spellings=lambda config: [kimi_of_makers(config)]),
    Golden("recurrent_gemma", GRIFFIN, rules=GRIFFIN_RULES,
           spellings=lambda config: [as_transformers_4(config)]),
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
