"""GPT-2, BLOOM, GPT-NeoX, Falcon: LayerNorm, biases, learned positions, ALiBi, parallel blocks."""

from golden import Golden
from ranges import OUTPUTS, TIED
from spelling import as_transformers_4

VOCAB = {"vocab_size": 331, "bos_token_id": 1, "eos_token_id": 2}
GPT2_RULES = ((r"wpe\.weight$", 0.0, 0.03125, "vector"),
              (r"c_attn\.weight$", 0.0, 1.125, "conv1d"), (r"c_fc\.weight$", 0.0, 1.0, "conv1d"),
              (r"c_proj\.weight$", 0.0, 0.0625, "conv1d"), *TIED)
# Its embedding passes a norm of its own and enters the layers at full size.
BLOOM_RULES = (*TIED[:2], (OUTPUTS, 0.0, 1.0, "matrix"))


def without_prefix(config):
    """As the first files on the hub name the tensors."""
    spelling = as_transformers_4(config)
    spelling["rename"] = [["transformer.", ""]]
    return spelling


def neox_of_4(config):
    """Which has names of its own for the base and for the part that turns."""
    spelling = as_transformers_4(config, rotary_pct=0.25, rotary_emb_base=10000)
    for name in ("rope_theta", "partial_rotary_factor", "rope_scaling"):
        del spelling["config"][name]
    return spelling


def falcon(name, attention="eager", **fields):
    config = {**VOCAB, "model_type": "falcon", "hidden_size": 96, "num_hidden_layers": 3,
              "num_attention_heads": 6, "max_position_embeddings": 512,
              "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, **fields}
    return Golden(name, config, attention=attention, rules=TIED,
                  spellings=lambda config: [as_transformers_4(config)])


GOLDENS = [
    Golden("gpt2", {**VOCAB, "model_type": "gpt2", "n_embd": 96, "n_layer": 3, "n_head": 6,
                    "n_positions": 192},
           rules=GPT2_RULES,
           spellings=lambda config: [as_transformers_4(config), without_prefix(config)]),
    Golden("bloom", {**VOCAB, "model_type": "bloom", "hidden_size": 96, "n_layer": 3, "n_head": 6},
           rules=BLOOM_RULES, spellings=lambda config: [without_prefix(config)]),
    Golden("gpt_neox", {**VOCAB, "model_type": "gpt_neox", "hidden_size": 96,
                        "num_hidden_layers": 3, "num_attention_heads": 6,
                        "intermediate_size": 160, "max_position_embeddings": 512},
           spellings=lambda config: [neox_of_4(config)]),
    # As Falcon-7B, Falcon-40B and Falcon-RW.
    falcon("falcon_7b", multi_query=True, parallel_attn=True, bias=False),
    falcon("falcon_40b", new_decoder_architecture=True, num_kv_heads=2, bias=False,
           parallel_attn=True, tie_word_embeddings=False),
    # The library's eager code adds the biases of ALiBi a second time, with the mask.
    falcon("falcon_rw", attention="sdpa", alibi=True, multi_query=False, parallel_attn=False,
           bias=True),
]
