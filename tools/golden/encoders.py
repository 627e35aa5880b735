"""T5 (an encoder and a decoder with relative positions) and BERT (no causality, pooled)."""

import transformers

from golden import Golden
from ranges import TIED

T5 = {
    "model_type": "t5", "d_model": 72, "d_kv": 20, "d_ff": 120, "num_layers": 2,
    "num_decoder_layers": 3, "num_heads": 4, "vocab_size": 331,
    "relative_attention_num_buckets": 16, "relative_attention_max_distance": 48,
    "layer_norm_epsilon": 1e-5, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1,
}
# T5 does not divide its scores by the root of the head's width. Embeddings are small, so that the
# layers decide; a tied head divides by the root of the width: there they are larger.
T5_RULES = ((r"\.q\.weight$", 0.0, 0.375, "matrix"),
            (r"relative_attention_bias\.weight$", 0.0, 3.0, "vector"))
T5_TIED_RULES = ((r"shared\.weight$", 0.0, 0.5, "vector"),
                 (r"\.w?o\.weight$", 0.0, 0.375, "matrix"))


def t5(name, rules=(), **fields):
    return Golden(name, {**T5, **fields}, kind="encoder_decoder",
                  model_class=transformers.AutoModelForSeq2SeqLM, rules=(*T5_RULES, *rules, *TIED))


GOLDENS = [
    t5("t5", T5_TIED_RULES, feed_forward_proj="relu"),
    t5("t5_gated", feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    Golden("bert", {"model_type": "bert", "hidden_size": 72, "num_hidden_layers": 3,
                    "num_attention_heads": 4, "intermediate_size": 152, "vocab_size": 331,
                    "max_position_embeddings": 128, "type_vocab_size": 2},
           kind="encoder", model_class=transformers.AutoModel),
]
