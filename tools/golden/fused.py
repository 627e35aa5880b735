"""Qwen (the first) and Baichuan: their code lies beside the files, and is a Llama's."""

import torch
import transformers

from golden import Golden
from llama import SMALL
from published import Renamed, UnitHead

ROPE = {"rope_type": "default", "rope_theta": 10000.0}
KEPT = ("hidden_size", "num_attention_heads", "num_hidden_layers", "bos_token_id", "eos_token_id",
        "vocab_size")
QWEN_NAMES = (
    (r"^model\.embed_tokens\.", "transformer.wte."), (r"^model\.norm\.", "transformer.ln_f."),
    (r"^model\.layers\.", "transformer.h."), (r"\.input_layernorm\.", ".ln_1."),
    (r"\.post_attention_layernorm\.", ".ln_2."), (r"\.self_attn\.o_proj\.", ".attn.c_proj."),
    (r"\.mlp\.gate_proj\.", ".mlp.w2."), (r"\.mlp\.up_proj\.", ".mlp.w1."),
    (r"\.mlp\.down_proj\.", ".mlp.c_proj."),
)


class AlibiLlama(transformers.LlamaForCausalLM):
    """Linear biases instead of rotations: at position 0 nothing turns."""

    def forward(self, input_ids, past_key_values=None, **others):
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        count, heads = input_ids.shape[1], self.config.num_attention_heads
        queries, keys = torch.arange(past, past + count)[:, None], torch.arange(past + count)[None]
        biases = slopes(heads)[:, None, None] * (keys - queries)
        mask = biases.masked_fill(keys > queries, float("-inf"))[None]
        return super().forward(input_ids=input_ids, attention_mask=mask,
                               position_ids=torch.zeros(1, count, dtype=torch.long),
                               past_key_values=past_key_values, **others)


def slopes(heads):
    """Of heads beyond a power of two the odd ones of twice as many (Press et al., 2022)."""
    whole = 2 ** (heads.bit_length() - 1)
    first = [2 ** (-8 * (i + 1) / whole) for i in range(whole)]
    rest = [2 ** (-4 * (2 * i + 1) / whole) for i in range(heads - whole)]
    return torch.tensor(first + rest)


def qwen_config(config):
    return {"architectures": ["QWenLMHeadModel"], "model_type": "qwen",
            "auto_map": {"AutoModelForCausalLM": "modeling_qwen.QWenLMHeadModel"},
            "attn_dropout_prob": 0.0, "bf16": False, "emb_dropout_prob": 0.0, "fp16": False,
            "fp32": True, "intermediate_size": 2 * config["intermediate_size"],
            "initializer_range": 0.02, "kv_channels": config["head_dim"],
            "layer_norm_epsilon": config["rms_norm_eps"], "max_position_embeddings": 512,
            "no_bias": True, "onnx_safe": None, "rotary_emb_base": 10000, "rotary_pct": 1.0,
            "scale_attn_weights": True, "seq_length": 256, "tie_word_embeddings": False,
            "tokenizer_class": "QWenTokenizer", "transformers_version": "4.32.0",
            "use_cache": True, "use_dynamic_ntk": True, "use_flash_attn": "auto",
            "use_logn_attn": True, **{name: config[name] for name in KEPT}}


def baichuan(name, published=Renamed, model_class=transformers.LlamaForCausalLM, **fields):
    def config_of(config):
        return {"architectures": ["BaichuanForCausalLM"], "model_type": "baichuan",
                "auto_map": {"AutoModelForCausalLM": "modeling_baichuan.BaichuanForCausalLM"},
                "hidden_act": "silu", "initializer_range": 0.02,
                "intermediate_size": config["intermediate_size"],
                "rms_norm_eps": config["rms_norm_eps"], "tie_word_embeddings": False,
                "torch_dtype": "bfloat16", "transformers_version": "4.29.1", "use_cache": True,
                **fields, **{key: config[key] for key in KEPT}}
    return Golden(name, {**SMALL, "model_type": "llama", "num_key_value_heads": 6,
                         "rope_parameters": ROPE},
                  published=published((), "self_attn.W_pack", config_of), model_class=model_class)


GOLDENS = [
    Golden("qwen", {**SMALL, "model_type": "qwen2", "num_key_value_heads": 6, "head_dim": 16,
                    "use_sliding_window": False, "rope_parameters": ROPE},
           published=Renamed(QWEN_NAMES, "attn.c_attn", qwen_config)),
    baichuan("baichuan", max_position_embeddings=512),
    baichuan("baichuan2", UnitHead, max_position_embeddings=512, model_max_length=512,
             z_loss_weight=0),
    baichuan("baichuan_biases", model_class=AlibiLlama, model_max_length=512),
]
