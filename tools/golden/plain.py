"""Phi and others that are one decoder with different values (model/arch/decoder.h)."""

from golden import Golden
from ranges import TIED
from spelling import as_transformers_4, as_type_before_4_43

SMALL = {"vocab_size": 331, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SIZES = {**SMALL, "hidden_size": 96, "num_hidden_layers": 3, "num_attention_heads": 6,
         "intermediate_size": 152, "max_position_embeddings": 512}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def plain(name, model_type, spellings=lambda config: [as_transformers_4(config)], rules=(),
          **fields):
    return Golden(name, {**SIZES, "model_type": model_type, **fields}, rules=rules,
                  spellings=spellings)


def factors(first, last, count):
    """`count` of them, exact in float32."""
    return [first + round((last - first) * i / (count - 1) * 64) / 64 for i in range(count)]


def longrope(pairs, **fields):
    return {"rope_type": "longrope", "rope_theta": 10000.0,
            "short_factor": factors(1.0, 1.5, pairs), "long_factor": factors(1.0, 8.0, pairs),
            **fields}


def phi3_of_before(config):
    """As the first files said it, which was "su"."""
    spelling = as_type_before_4_43(config)
    spelling["config"]["rope_scaling"]["type"] = "su"
    return spelling


GPT = {**SMALL, "n_embd": 96, "n_layer": 3, "n_positions": 512}
OPT = {**SMALL, "model_type": "opt", "hidden_size": 96, "num_hidden_layers": 3, "ffn_dim": 152,
       "num_attention_heads": 6, "max_position_embeddings": 512}
# Learned positions beside a small embedding that is the head as well.
POSITIONS = ((r"(wpe|embed_positions)\.weight$", 0.0, 0.03125, "vector"),)
OUTPUT = r"(c_proj|fc2|out_proj|down_proj|fc_out)\."
SMALL_OUTPUTS = ((OUTPUT + "weight$", 0.0, 0.0625, "matrix"),
                 (OUTPUT + "bias$", 0.0, 0.03125, "vector"))
LEARNED = (*POSITIONS, *SMALL_OUTPUTS, *TIED)
OPT_RULES = (*POSITIONS, *SMALL_OUTPUTS,
             (r"decoder\.final_layer_norm\.weight$", 0.0, 1.5, "vector"), *TIED)
# Each layer norms what it leaves, so that nothing stays small.
OPT_350M_RULES = ((OUTPUT + "weight$", 0.0, 0.25, "matrix"),
                  (r"embed_positions\.weight$", 0.0, 0.75, "vector"),
                  (r"project_out\.weight$", 0.0, 0.125, "matrix"))
MPT_RULES = ((r"norm_f\.weight$", 0.0, 1.5, "vector"), *SMALL_OUTPUTS, *TIED)
GPTJ_RULES = ((OUTPUT + "weight$", 0.0, 0.5, "matrix"),)
# Whose scores are not scaled.
GPT_NEO_RULES = ((r"(q_proj|k_proj)\.weight$", 0.0, 0.5, "matrix"), *LEARNED)


def opt_spellings(config):
    """As the first files on the hub name the tensors."""
    old = as_transformers_4(config, activation_dropout=0.0, prefix="</s>")
    old["rename"] = [["model.", ""]]
    return [as_transformers_4(config), old]


GOLDENS = [
    # As Phi-3-mini-4k; Phi-3.5-mini in a long text; Phi-4-mini in a short one.
    plain("phi3", "phi3", num_key_value_heads=2, sliding_window=20, rope_parameters=PLAIN_ROPE),
    plain("phi3_long", "phi3", lambda config: [as_transformers_4(config), phi3_of_before(config)],
          original_max_position_embeddings=64, rope_parameters=longrope(8)),
    plain("phi3_short", "phi3", num_key_value_heads=2, tie_word_embeddings=True, rules=TIED,
          hidden_size=192, original_max_position_embeddings=512,
          rope_parameters=longrope(12, partial_rotary_factor=0.75, factor=4.0)),
    plain("phi", "phi", rope_parameters={**PLAIN_ROPE, "partial_rotary_factor": 0.5}),
    plain("phi_2", "phi", hidden_size=120, num_key_value_heads=2, qk_layernorm=True,
          rope_parameters={**PLAIN_ROPE, "partial_rotary_factor": 0.4}),
    # As the 3B, the 1.6B and the 12B.
    plain("stablelm", "stablelm", num_key_value_heads=6, hidden_size=192,
          rope_parameters={**PLAIN_ROPE, "partial_rotary_factor": 0.25}),
    plain("stablelm_biases", "stablelm", num_key_value_heads=6, hidden_size=192, use_qkv_bias=True,
          rope_parameters={**PLAIN_ROPE, "partial_rotary_factor": 0.25}),
    plain("stablelm_head_norms", "stablelm", num_key_value_heads=2, hidden_size=192,
          qk_layernorm=True, use_parallel_residual=True,
          rope_parameters={**PLAIN_ROPE, "partial_rotary_factor": 0.25}),
    plain("starcoder2", "starcoder2", num_key_value_heads=2, sliding_window=20, rules=TIED,
          rope_parameters=PLAIN_ROPE),
    plain("starcoder2_untied", "starcoder2", num_key_value_heads=2, sliding_window=None,
          use_bias=False, tie_word_embeddings=False, rope_parameters=PLAIN_ROPE),
    Golden("gpt_bigcode", {**GPT, "model_type": "gpt_bigcode", "n_head": 6}, rules=LEARNED,
           spellings=lambda config: [as_transformers_4(config)]),
    Golden("gpt_bigcode_heads", {**GPT, "model_type": "gpt_bigcode", "n_head": 6,
                                 "multi_query": False, "n_inner": 152}, rules=LEARNED,
           spellings=lambda config: [as_transformers_4(config)]),
    Golden("opt", {**OPT}, rules=OPT_RULES, spellings=opt_spellings),
    Golden("opt_350m", {**OPT, "word_embed_proj_dim": 56, "do_layer_norm_before": False},
           rules=OPT_350M_RULES, spellings=opt_spellings),
    Golden("mpt", {**SMALL, "model_type": "mpt", "d_model": 96, "n_layers": 3, "n_heads": 6,
                   "max_seq_len": 512}, rules=MPT_RULES,
           spellings=lambda config: [as_transformers_4(config)]),
    Golden("gptj", {**GPT, "model_type": "gptj", "n_head": 6, "rotary_dim": 8}, rules=GPTJ_RULES,
           spellings=lambda config: [as_transformers_4(config, rotary=True)]),
    Golden("codegen", {**GPT, "model_type": "codegen", "n_head": 4, "rotary_dim": 8},
           rules=GPTJ_RULES, spellings=lambda config: [as_transformers_4(config)]),
    Golden("gpt_neo", {**SMALL, "model_type": "gpt_neo", "hidden_size": 96, "num_layers": 4,
                       "num_heads": 6, "max_position_embeddings": 512, "window_size": 20,
                       "attention_types": [[["global", "local"], 2]]}, rules=GPT_NEO_RULES,
           spellings=lambda config: [as_transformers_4(config)]),
    plain("persimmon", "persimmon",
          rope_parameters={**PLAIN_ROPE, "rope_theta": 25000.0, "partial_rotary_factor": 0.5}),
]
