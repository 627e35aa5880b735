"""T5 and BART's family: an encoder and a decoder."""

import transformers

from golden import Golden
from ranges import TIED
from spelling import as_transformers_4

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



BART = {
    "d_model": 72, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 120, "decoder_ffn_dim": 120,
    "max_position_embeddings": 192, "vocab_size": 331,
}
# The layers decide, as above: words and their sum are small, the last norm has both signs.
BART_RULES = (
    (r"(embed_positions)\.weight$", 0.0, 0.75, "vector"),
    (r"final_logits_bias$", 0.0, 0.25, "vector"),
    (r"^model\.decoder\.(layer_norm|layers\.2\.final_layer_norm)\.weight$", 0.0, 1.5, "vector"),
    (r"encoder_attn\.(q|k)_proj\.weight$", 0.0, 1.5, "matrix"),
)


class WithoutSines:
    """Files that hold no table of sines, which the library computes then."""

    @staticmethod
    def config(config):
        return config

    @staticmethod
    def shapes(shapes):
        return {name: shape for name, shape in shapes.items() if "embed_positions" not in name}

    @staticmethod
    def unweave(values):
        return values


def bart_of_4(config, **fields):
    """With the switches of the library of which the first files came."""
    return as_transformers_4(config, add_bias_logits=False, classif_dropout=0.0, num_beams=5,
                             num_hidden_layers=2, output_past=True, **fields)


def bart(name, model_type, published=None, switches=None, **fields):
    return Golden(name, {**BART, "model_type": model_type, **fields}, kind="encoder_decoder",
                  model_class=transformers.AutoModelForSeq2SeqLM, published=published,
                  spellings=lambda config: [bart_of_4(config, **switches)],
                  rules=(*BART_RULES, *TIED))


GOLDENS = [
    t5("t5", T5_TIED_RULES, feed_forward_proj="relu"),
    t5("t5_gated", feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    t5("umt5", model_type="umt5", feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    bart("bart", "bart", decoder_ffn_dim=136, decoder_start_token_id=2,
         switches={"normalize_before": False, "add_final_layer_norm": False,
                   "normalize_embedding": True, "forced_bos_token_id": 0}),
    bart("mbart", "mbart", scale_embedding=True, decoder_start_token_id=2,
         switches={"normalize_before": True, "add_final_layer_norm": True,
                   "static_position_embeddings": False, "forced_bos_token_id": 325}),
    bart("pegasus", "pegasus", scale_embedding=True, activation_function="relu",
         switches={"normalize_before": True, "normalize_embedding": False,
                   "static_position_embeddings": True, "extra_pos_embeddings": 1}),
    bart("marian", "marian", scale_embedding=True, activation_function="swish", pad_token_id=330,
         decoder_start_token_id=330, eos_token_id=0, published=WithoutSines,
         switches={"add_final_layer_norm": False, "bad_words_ids": [[330]],
                   "static_position_embeddings": True}),
    bart("m2m_100", "m2m_100", decoder_start_token_id=2,
         switches={"max_length": 200, "early_stopping": True}),
]
