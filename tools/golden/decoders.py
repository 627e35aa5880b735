"""Families of one kind of decoder with other values: OLMo, Granite, Cohere, GLM and more."""

from golden import Golden
from llama import LLAMA3, SMALL
from published import InternLm2
from ranges import TIED
from spelling import as_transformers_4, nested

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
# The library's reader of OLMo 3's old spelling knows one base only, that of the released models.
ROPE_500000 = {**ROPE, "rope_theta": 500000.0}
YARN = {"rope_type": "yarn", "rope_theta": 500000.0, "factor": 4.0,
        "original_max_position_embeddings": 48}
LONG_ROPE = {"rope_type": "longrope", "rope_theta": 10000.0,
             "original_max_position_embeddings": 512, "short_mscale": 1.125, "long_mscale": 1.25,
             "short_factor": [1.0 + i / 8 for i in range(9)],
             "long_factor": [2.0 + i / 2 for i in range(9)]}
HALF_ROPE = {**ROPE, "partial_rotary_factor": 0.5}
GRANITE = {"embedding_multiplier": 1.5, "attention_multiplier": 0.3125,
           "residual_multiplier": 0.75, "logits_scaling": 1.25}
DEEPSEEK_CHOICE = {"n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 40,
                   "n_shared_experts": 1, "n_group": 4, "topk_group": 2,
                   "first_k_dense_replace": 1, "routed_scaling_factor": 1.5,
                   "norm_topk_prob": True}
# Norms add 1 themselves.
NEMOTRON_RULES = ((r"norm\.weight$", 0.0, 0.375, "vector"),)
XIELU_RULES = ((r"act_fn\.alpha_[pn]$", 0.5, 0.5, "vector"), (r"act_fn\.beta$", 0.5, 0.0, "vector"),
               (r"act_fn\.eps$", -0.0009765625, 0.0, "vector"))
WITH_LAYER_NORMS = ("olmo", "cohere", "cohere2", "nemotron")
BY_TURNS = ["sliding_attention", "full_attention"] * 2


def decoder(name, model_type, rules=(), rounded_max=None, of_4=as_transformers_4, **fields):
    config = {**SMALL, "hidden_size": 72, "num_attention_heads": 4, "model_type": model_type,
              "rope_parameters": ROPE, **fields}
    if model_type in WITH_LAYER_NORMS:
        del config["rms_norm_eps"]
    return Golden(name, config, rules=rules, rounded_max=rounded_max,
                  spellings=lambda config: [of_4(config)])


def olmo3_of_4(config):
    """One rotation, whose scaling is meant for layers that see all."""
    full = dict(config["rope_parameters"]["full_attention"])
    return as_transformers_4(config, rope_theta=full.pop("rope_theta"), rope_scaling=full,
                             layer_types=config["layer_types"])


GOLDENS = [
    Golden("internlm2", {**SMALL, "hidden_size": 72, "num_attention_heads": 4,
                         "model_type": "llama", "rope_parameters": ROPE},
           published=InternLm2(heads=4, kv_heads=2)),
    decoder("olmo", "olmo", clip_qkv=0.75),
    decoder("olmo2", "olmo2"),
    decoder("olmo3", "olmo3", num_hidden_layers=4, sliding_window=20, layer_types=BY_TURNS,
            max_position_embeddings=192, of_4=olmo3_of_4,
            rope_parameters={"full_attention": YARN, "sliding_attention": ROPE_500000}),
    decoder("olmoe", "olmoe", intermediate_size=40, num_experts=8, num_experts_per_tok=3,
            clip_qkv=1.5, norm_topk_prob=False),
    decoder("granite", "granite", **GRANITE),
    decoder("granitemoe", "granitemoe", intermediate_size=40, num_local_experts=6,
            num_experts_per_tok=2, **GRANITE),
    decoder("granitemoe_shared", "granitemoeshared", intermediate_size=40, num_local_experts=6,
            num_experts_per_tok=2, shared_intermediate_size=56, **GRANITE),
    decoder("cohere", "cohere", rules=TIED, layer_norm_eps=1e-5, logit_scale=0.75,
            use_qk_norm=True, tie_word_embeddings=True),
    decoder("cohere2", "cohere2", rules=TIED, num_hidden_layers=4, layer_norm_eps=1e-5,
            logit_scale=0.75, sliding_window=20, layer_types=BY_TURNS, tie_word_embeddings=True,
            of_4=lambda config: as_transformers_4(config, sliding_window_pattern=2)),
    decoder("glm4", "glm4", head_dim=24, pad_token_id=0, rope_parameters=HALF_ROPE,
            attention_bias=True),
    decoder("glm4_moe", "glm4_moe", head_dim=24, rope_parameters=HALF_ROPE, attention_bias=True,
            use_qk_norm=True, **DEEPSEEK_CHOICE),
    decoder("dots1", "dots1", rounded_max=0.008, head_dim=24, num_hidden_layers=4,
            sliding_window=20, max_window_layers=2, **DEEPSEEK_CHOICE),
    decoder("smollm3", "smollm3", num_hidden_layers=4, pad_token_id=0, no_rope_layer_interval=2,
            no_rope_layers=[1, 0, 1, 0]),
    decoder("seed_oss", "seed_oss", head_dim=24, attention_bias=True, attention_out_bias=True,
            mlp_bias=True),
    decoder("exaone4", "exaone4", num_hidden_layers=4, sliding_window=20, layer_types=BY_TURNS,
            sliding_window_pattern=2),
    decoder("nemotron", "nemotron", rules=NEMOTRON_RULES, head_dim=24, norm_eps=1e-5,
            hidden_act="relu2", rope_parameters=HALF_ROPE, attention_bias=True, mlp_bias=True),
    decoder("arcee", "arcee", hidden_act="relu2", rope_parameters=YARN),
    decoder("apertus", "apertus", rules=XIELU_RULES, rope_parameters=LLAMA3),
    decoder("helium", "helium", head_dim=18),
    decoder("hunyuan", "hunyuan_v1_dense", head_dim=24),
    decoder("hunyuan_experts", "hunyuan_v1_moe", head_dim=24, intermediate_size=40, num_experts=6,
            moe_topk=2),
    decoder("ernie4_5", "ernie4_5", head_dim=24, use_bias=True),
    decoder("ernie4_5_experts", "ernie4_5_moe", rounded_max=0.008, moe_num_experts=6, moe_k=2,
            moe_intermediate_size=40, moe_num_shared_experts=1, moe_layer_start_index=1),
    decoder("gpt_oss", "gpt_oss", num_hidden_layers=4, head_dim=24, intermediate_size=40,
            num_local_experts=6, num_experts_per_tok=2, sliding_window=20, layer_types=BY_TURNS,
            swiglu_limit=1.0, attention_bias=True, max_position_embeddings=192,
            rope_parameters={**YARN, "truncate": False}),
    decoder("glm", "glm", head_dim=24, pad_token_id=0, rope_parameters=HALF_ROPE,
            attention_bias=True),
    decoder("ministral", "ministral", head_dim=24, sliding_window=20,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            of_4=lambda config: as_transformers_4(config, layer_types=config["layer_types"])),
    Golden("ministral3", {**SMALL, "hidden_size": 72, "num_attention_heads": 4, "head_dim": 24,
                          "model_type": "ministral3", "max_position_embeddings": 192,
                          "rope_parameters": {**YARN, "original_max_position_embeddings": 24,
                                              "factor": 8.0, "mscale": 1.0, "mscale_all_dim": 1.0,
                                              "llama_4_scaling_beta": 0.5}},
           spellings=lambda config: [
               nested(config, "mistral3", "Mistral3ForConditionalGeneration",
                      [["model.", "language_model.model."],
                       ["lm_head.", "language_model.lm_head."]])]),
    decoder("qwen2_moe_all", "qwen2_moe", num_experts=8, num_experts_per_tok=3,
            moe_intermediate_size=40, shared_expert_intermediate_size=56),
    decoder("qwen2_moe", "qwen2_moe", num_hidden_layers=4, num_experts=8, num_experts_per_tok=3,
            moe_intermediate_size=40, shared_expert_intermediate_size=56, mlp_only_layers=[1]),
    Golden("llama4", {**SMALL, "hidden_size": 72, "num_attention_heads": 4, "head_dim": 24,
                      "num_hidden_layers": 4, "intermediate_size": 40,
                      "intermediate_size_mlp": 152, "model_type": "llama4_text",
                      "num_local_experts": 4, "interleave_moe_layer_step": 2,
                      "no_rope_layer_interval": 2, "attention_chunk_size": 32, "floor_scale": 24,
                      "attn_scale": 0.5, "rope_parameters": LLAMA3},
           rules=((r"experts\.(gate_up_proj|down_proj)$", 0.0, 0.25, "vector"),),
           spellings=lambda config: [
               as_transformers_4(config),
               nested(config, "llama4", "Llama4ForConditionalGeneration",
                      [["model.", "language_model.model."],
                       ["lm_head.", "language_model.lm_head."]])]),
    decoder("llama4_two", "llama4_text", rounded_max=0.0105, head_dim=24, num_hidden_layers=4,
            intermediate_size=40, intermediate_size_mlp=152, num_local_experts=6,
            num_experts_per_tok=2, interleave_moe_layer_step=2, no_rope_layer_interval=2,
            attention_chunk_size=48, use_qk_norm=False,
            rules=((r"experts\.(gate_up_proj|down_proj)$", 0.0, 0.125, "vector"),)),
    decoder("phimoe", "phimoe", num_local_experts=6, num_experts_per_tok=2, intermediate_size=40,
            attention_bias=True, lm_head_bias=True, router_jitter_noise=0.25),
    # The library takes the short factors for long texts, too: only short ones say something.
    Golden("phimoe_short", {**SMALL, "hidden_size": 72, "num_attention_heads": 4,
                           "model_type": "phimoe", "num_local_experts": 6,
                           "num_experts_per_tok": 2, "intermediate_size": 40,
                           "max_position_embeddings": 512, "rope_parameters": LONG_ROPE}),
    Golden("dbrx", {"model_type": "dbrx", "d_model": 72, "n_heads": 4, "n_layers": 3,
                    "vocab_size": 331, "max_seq_len": 512, "bos_token_id": 1, "eos_token_id": 2,
                    "attn_config": {"kv_n_heads": 2, "clip_qkv": 0.75, "rope_theta": 500000.0},
                    "ffn_config": {"ffn_hidden_size": 40, "moe_num_experts": 6, "moe_top_k": 2}},
           rules=((r"(Wqkv)\.weight$", 0.0, 1.125, "matrix"), (r"mlp\.w2$", 0.0, 0.25, "vector"))),
    decoder("bitnet", "bitnet", rules=TIED, tie_word_embeddings=True),
    decoder("minimax_m2", "minimax_m2", rounded_max=0.008, head_dim=24, intermediate_size=40,
            num_local_experts=8, num_experts_per_tok=3, rope_parameters=HALF_ROPE),
]
