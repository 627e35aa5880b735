"""Gemma 2 and 3: offset norms before and after, soft caps, windows, RoPE of two bases."""

from golden import Golden
from spelling import as_transformers_4, nested

SMALL = {
    "hidden_size": 72, "intermediate_size": 136, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 24, "vocab_size": 331, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2,
    "query_pre_attn_scalar": 20, "sliding_window": 20,
}
# Norms add 1 themselves; the embedding is multiplied by the root of the width.
RULES = ((r"^model\.norm\.weight$", -1.0, 1.5, "vector"), (r"norm\.weight$", 0.0, 0.375, "vector"),
         (r"embed_tokens\.weight$", 0.0, 0.078125, "vector"))


def gemma2_of_4(config):
    return as_transformers_4(config, hidden_act="gelu_pytorch_tanh", cache_implementation="hybrid")


def gemma3_of_4(config):
    rope = config["rope_parameters"]
    scaling = {k: v for k, v in rope["full_attention"].items() if k != "rope_theta"}
    fields = {"rope_theta": rope["full_attention"]["rope_theta"],
              "rope_local_base_freq": rope["sliding_attention"]["rope_theta"],
              "rope_scaling": scaling, "sliding_window_pattern": 3}
    return as_transformers_4(config, **fields)


def gemma3_that_sees(spelling):
    return nested({**spelling["config"]}, "gemma3", "Gemma3ForConditionalGeneration",
                  [["model.", "language_model.model."]], mm_tokens_per_image=256,
                  image_token_index=330)


GEMMA4 = {
    "model_type": "gemma4_text", "hidden_size": 72, "intermediate_size": 136,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24, "global_head_dim": 32,
    "vocab_size": 331, "vocab_size_per_layer_input": 331, "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2,
    "sliding_window": 20,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
    "rope_parameters": {
        "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.5,
                           "rope_theta": 100000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}},
}
# Scores are not divided by anything: the norms of queries and keys are small instead.
RULES4 = ((r"^model\.norm\.weight$", 0.0, 1.5, "vector"),
          (r"(q_norm|k_norm)\.weight$", 0.375, 0.125, "vector"),
          (r"layer_scalar$", 0.875, 0.125, "vector"),
          (r"router\.scale$", 1.0, 0.375, "vector"),
          (r"per_expert_scale$", 1.0, 0.375, "vector"),
          (r"experts\.(gate_up_proj|down_proj)$", 0.0, 0.25, "vector"),
          (r"embed_tokens_per_layer\.weight$", 0.0, 0.25, "vector"),
          (r"embed_tokens\.weight$", 0.0, 0.078125, "vector"))


GEMMA3N = {
    "model_type": "gemma3n_text", "hidden_size": 72, "intermediate_size": 136,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24, "vocab_size": 331,
    "vocab_size_per_layer_input": 300, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
    "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "sliding_window": 20,
    "num_hidden_layers": 6, "num_kv_shared_layers": 2, "hidden_size_per_layer_input": 16,
    "laurel_rank": 12, "activation_sparsity_pattern": [0.75, 0.75, 0.0, 0.0, 0.0, 0.0],
    "final_logit_softcapping": 3.0,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 100000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}},
}
RULES3N = ((r"altup\.router_norm\.weight$", 1.0, 0.375, "vector"),
           (r"altup\.modality_router\.weight$", 0.0, 72.0, "matrix"),
           (r"altup\.(prediction|correction)_coefs\.weight$", 0.0, 0.25, "vector"),
           (r"altup\.correct_output_scale$", 1.0, 0.375, "vector"),
           (r"altup_(unembed_)?projections", 0.0, 1.0, "matrix"),
           *RULES4)


def gemma3n_of_4(config):
    rope = config["rope_parameters"]
    return as_transformers_4({**config, "rope_parameters": None},
                             rope_theta=rope["full_attention"]["rope_theta"],
                             rope_local_base_freq=rope["sliding_attention"]["rope_theta"],
                             layer_types=config["layer_types"])


def gemma3n_that_sees(config):
    return nested(config, "gemma3n", "Gemma3nForConditionalGeneration",
                  [["model.", "model.language_model."]], audio_config={"depth": 2})


def gemma4_that_sees(config):
    return nested(config, "gemma4", "Gemma4ForConditionalGeneration",
                  [["model.", "model.language_model."]], image_token_id=330)


GOLDENS = [
    Golden("gemma", {**{key: value for key, value in SMALL.items()
                        if key not in ("query_pre_attn_scalar", "sliding_window")},
                     "model_type": "gemma", "num_hidden_layers": 3,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
           rules=RULES, spellings=lambda config: [
               as_transformers_4(config, hidden_act="gelu", hidden_activation=None)]),
    Golden("gemma2", {**SMALL, "model_type": "gemma2", "num_hidden_layers": 4,
                      "attn_logit_softcapping": 3.0, "final_logit_softcapping": 1.5,
                      "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
           rules=RULES, spellings=lambda config: [gemma2_of_4(config)]),
    Golden("gemma3", {**SMALL, "model_type": "gemma3_text", "num_hidden_layers": 6,
                      "layer_types": (["sliding_attention"] * 2 + ["full_attention"]) * 2,
                      "rope_parameters": {
                          "full_attention": {"rope_type": "linear", "factor": 8.0,
                                             "rope_theta": 100000.0},
                          "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
           rules=RULES,
           spellings=lambda config: [gemma3_of_4(config), gemma3_that_sees(gemma3_of_4(config)),
                                     gemma3_that_sees({"config": config})]),
    Golden("gemma4", {**GEMMA4, "num_hidden_layers": 6, "num_kv_shared_layers": 2,
                      "hidden_size_per_layer_input": 16, "use_double_wide_mlp": True,
                      "final_logit_softcapping": 1.5},
           rules=RULES4, spellings=lambda config: [gemma4_that_sees(config)], rounded_max=0.016),
    Golden("gemma4_experts", {**GEMMA4, "num_hidden_layers": 4, "hidden_size_per_layer_input": 0,
                              "attention_k_eq_v": True, "num_global_key_value_heads": 1,
                              "layer_types": ["sliding_attention", "full_attention"] * 2,
                              "enable_moe_block": True, "num_experts": 6, "top_k_experts": 2,
                              "moe_intermediate_size": 40},
           rules=((r"post_feedforward_layernorm_2\.weight$", 0.0625, 0.03125, "vector"), *RULES4),
           rounded_max=0.013),
    Golden("gemma3n", {**GEMMA3N}, rules=RULES3N,
           spellings=lambda config: [gemma3n_of_4(config), gemma3n_that_sees(config)]),
]
