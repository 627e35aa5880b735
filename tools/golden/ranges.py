"""Mean and scale of each tensor, by its name: so that every part of a model has a visible effect.

Norms lie around 1 (offset norms, which add 1 themselves, around 0), biases are not zero, matrices
keep the size of what they multiply, gates and decays cover their useful range. A rule is (pattern,
mean, gain, kind); the first whose pattern is found in the name holds. Kinds: `vector` (scale =
gain), `matrix` (columns of the last axis are summed), `conv1d` (GPT-2's [columns, rows]).
"""

import math
import re

# What a block adds to the residual stream: small enough that products in bf16 stay near the answer.
OUTPUTS = (r"(o_proj|down_proj|c_proj|dense|dense_4h_to_h|w2|\.o|\.wo|out_proj|output_linear)"
           r"\.weight$")

COMMON = [
    (r"A_log$", 0.5, 1.0, "vector"),
    (r"dt_bias$", -1.0, 1.5, "vector"),
    (r"(mamba|mixer)\.D$", 1.0, 0.5, "vector"),
    (r"conv1d\.weight$", 0.0, 0.8, "vector"),
    (r"e_score_correction_bias$", 0.0, 0.125, "vector"),
    (r"(layer_?norm|layernorm|LayerNorm|norm|norm_?[1-4f]|ln_[1-4f]|ln_attn|ln_mlp)\.weight$",
     1.0, 0.375, "vector"),
    (r"(bias|\.b)$", 0.0, 0.25, "vector"),
    (r"(embed_tokens|word_embeddings|wte|embed_in|tok_embeddings|shared)\.weight$",
     0.0, 1.5, "vector"),
    (r"(wpe|position_embeddings|token_type_embeddings)\.weight$", 0.0, 0.75, "vector"),
    (r"relative_attention_bias\.weight$", 0.0, 1.5, "vector"),
    (r"lm_head\.weight$", 0.0, 0.75, "matrix"),
    (r"(q_proj|k_proj|query|key|query_key_value|wqkv|\.q|\.k|q_a_proj|q_b_proj|kv_a_proj_with_mqa"
     r"|kv_b_proj)\.weight$", 0.0, 1.125, "matrix"),
    (r"(mlp\.gate|router(\.layer)?|block_sparse_moe\.gate)\.weight$", 0.0, 1.5, "matrix"),
    # Where two experts tie, products in bf16 may choose the other one: that is no fault, and small.
    (r"experts\.(\d+\.)?(down_proj|w2)(\.weight)?$|moe\.output_linear\.weight$",
     0.0, 0.125, "matrix"),
    (OUTPUTS, 0.0, 0.5, "matrix"),
    (r"", 0.0, 1.0, "matrix"),
]
# An embedding that is the head as well: small, and the last norm has both signs, so that the layers
# decide and not the last token, which would repeat itself.
TIED = ((r"(embed_tokens|word_embeddings|wte|shared)\.weight$", 0.0, 0.0625, "vector"),
        (r"(^model\.norm|\.ln_f|^decoder\.final_layer_norm)\.weight$", 0.0, 1.5, "vector"),
        (OUTPUTS, 0.0, 0.0625, "matrix"),
        (OUTPUTS.replace("weight", "bias"), 0.0, 0.03125, "vector"))
GRAIN = 4096  # mean and scale are multiples of 1 / GRAIN: exact in float32 and in JSON


def mean_and_scale(name, shape, rules=()):
    """What fixture and generator agree on. `rules` of the family come before the common ones."""
    for pattern, mean, gain, kind in [*rules, *COMMON]:
        if not re.search(pattern, name):
            continue
        scale = gain
        if kind != "vector":
            columns = shape[0] if kind == "conv1d" else shape[-1]
            scale = gain * math.sqrt(3 / columns)
        return mean, max(1, round(scale * GRAIN)) / GRAIN
    raise ValueError(name)
