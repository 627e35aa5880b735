"""Checkpoints whose code lies beside them: the library reads the same model under other names.

A published form has config (the library's config.json -> theirs), shapes (the library's
{name: shape} -> theirs) and unweave (their {name: values} -> the library's).
"""

import re

INTERNLM2_NAMES = (
    (r"^model\.embed_tokens\.", "model.tok_embeddings."), (r"^lm_head\.", "output."),
    (r"\.input_layernorm\.", ".attention_norm."), (r"\.post_attention_layernorm\.", ".ffn_norm."),
    (r"\.self_attn\.o_proj\.", ".attention.wo."), (r"\.mlp\.gate_proj\.", ".feed_forward.w1."),
    (r"\.mlp\.up_proj\.", ".feed_forward.w3."), (r"\.mlp\.down_proj\.", ".feed_forward.w2."),
)


class InternLm2:
    """Of each key head its queries, its key and its value, in one tensor."""

    def __init__(self, heads, kv_heads):
        self.heads, self.kv_heads = heads, kv_heads

    def config(self, config):
        """In the words of transformers 4, of which all such files are."""
        kept = ("hidden_act", "hidden_size", "intermediate_size", "max_position_embeddings",
                "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "rms_norm_eps",
                "bos_token_id", "eos_token_id", "tie_word_embeddings", "vocab_size")
        return {"architectures": ["InternLM2ForCausalLM"], "model_type": "internlm2",
                "auto_map": {"AutoModelForCausalLM": "modeling_internlm2.InternLM2ForCausalLM"},
                "bias": False, "rope_theta": config["rope_parameters"]["rope_theta"],
                "rope_scaling": None, "torch_dtype": "float32", "transformers_version": "4.41.0",
                **{name: config[name] for name in kept}}

    def name(self, name):
        for pattern, theirs in INTERNLM2_NAMES:
            name = re.sub(pattern, theirs, name)
        return name

    def shapes(self, shapes):
        out = {}
        for name, shape in shapes.items():
            if re.search(r"self_attn\.[qkv]_proj", name):
                name = re.sub(r"self_attn\.[qkv]_proj", "attention.wqkv", name)
                rows = out.get(name, [0])[0] + shape[0]
                out[name] = [rows, shape[1]]
            else:
                out[self.name(name)] = shape
        return out

    def unweave(self, values):
        names = {self.name(name): name for name in self.library_names(values)}
        out = {}
        for name, value in values.items():
            if "wqkv" not in name:
                out[names[name]] = value
                continue
            groups = value.reshape(self.kv_heads, self.heads // self.kv_heads + 2, -1,
                                   value.shape[1])
            for part, index in (("q", slice(0, -2)), ("k", slice(-2, -1)), ("v", slice(-1, None))):
                library_name = name.replace("attention.wqkv", f"self_attn.{part}_proj")
                out[library_name] = groups[:, index].reshape(-1, value.shape[1]).contiguous()
        return out

    def library_names(self, values):
        names = ["model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"]
        for name in values:
            if ".attention.wo." in name:
                layer = name[:name.index("attention.wo")]
                names += [layer + part + ".weight" for part in (
                    "input_layernorm", "post_attention_layernorm", "self_attn.o_proj",
                    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")]
        return names


class NomicBert:
    """GPT-2's words; the names of the tensors are those that the library writes."""

    def config(self, config):
        return {"architectures": ["NomicBertModel"], "model_type": "nomic_bert",
                "auto_map": {"AutoModel": "modeling_hf_nomic_bert.NomicBertModel"},
                "activation_function": "swiglu", "attn_pdrop": 0.0, "causal": False,
                "dense_seq_output": True, "embd_pdrop": 0.0, "fused_bias_fc": True,
                "fused_dropout_add_ln": True, "initializer_range": 0.02,
                "layer_norm_epsilon": config["layer_norm_eps"],
                "max_trained_positions": config["max_position_embeddings"],
                "mlp_fc1_bias": False, "mlp_fc2_bias": False, "n_embd": config["hidden_size"],
                "n_head": config["num_attention_heads"], "n_inner": config["intermediate_size"],
                "n_layer": config["num_hidden_layers"],
                "n_positions": 4 * config["max_position_embeddings"],
                "pad_vocab_size_multiple": 64, "parallel_block": False,
                "parallel_block_tied_norm": False, "prenorm": False, "qkv_proj_bias": False,
                "reorder_and_upcast_attn": False, "resid_pdrop": 0.0,
                "rotary_emb_base": config["rope_parameters"]["rope_theta"],
                "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False,
                "rotary_emb_scale_base": None, "rotary_scaling_factor": 2,
                "scale_attn_by_inverse_layer_idx": False, "scale_attn_weights": True,
                "summary_activation": None, "summary_type": "cls_index", "torch_dtype": "float32",
                "transformers_version": "4.34.0", "type_vocab_size": config["type_vocab_size"],
                "use_cache": True, "use_flash_attn": True, "use_rms_norm": False,
                "use_xentropy": True, "vocab_size": config["vocab_size"]}

    def shapes(self, shapes):
        return shapes

    def unweave(self, values):
        return values


class JinaBert:
    """BERT's words; a block and its norm have other names."""

    NAMES = ((r"\.intermediate\.gated_layers\.", ".mlp.gated_layers."),
             (r"(\d)\.output\.dense\.", r"\1.mlp.wo."),
             (r"(\d)\.output\.LayerNorm\.", r"\1.mlp.layernorm."))

    def config(self, config):
        kept = ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size",
                "max_position_embeddings", "type_vocab_size", "vocab_size", "layer_norm_eps",
                "hidden_act", "pad_token_id")
        return {"architectures": ["JinaBertForMaskedLM"], "model_type": "bert",
                "auto_map": {"AutoModel": "modeling_bert.JinaBertModel"},
                "attention_probs_dropout_prob": 0.0, "attn_implementation": "torch",
                "classifier_dropout": None, "emb_pooler": "mean", "feed_forward_type": "geglu",
                "gradient_checkpointing": False, "hidden_dropout_prob": 0.1,
                "initializer_range": 0.02, "model_max_length": 8192,
                "position_embedding_type": "alibi", "torch_dtype": "float32",
                "transformers_version": "4.26.0", "use_cache": True,
                **{name: config[name] for name in kept}}

    def name(self, name):
        for pattern, theirs in self.NAMES:
            name = re.sub(pattern, theirs, name)
        return name

    def shapes(self, shapes):
        self.library = {self.name(name): name for name in shapes}
        return {self.name(name): shape for name, shape in shapes.items()}

    def unweave(self, values):
        return {self.library[name]: value for name, value in values.items()}


class Renamed:
    """A Llama under other names, whose queries, keys and values are one tensor, one behind the
    other. `names`: [(pattern of the library's names, theirs)]; `fused`: theirs of the one tensor;
    `config`: the library's config.json -> theirs."""

    def __init__(self, names, fused, config):
        self.names, self.fused, self.config = names, fused, config

    def name(self, name):
        name = re.sub(r"self_attn\.[qkv]_proj", self.fused, name)
        for pattern, theirs in self.names:
            name = re.sub(pattern, theirs, name)
        return name

    def shapes(self, shapes):
        """Remembers {theirs: [(the library's name, rows)]}, queries before keys before values."""
        self.parts, out = {}, {}
        order = lambda name: [name.find(f"self_attn.{part}_proj") >= 0 for part in "qkv"]
        for name in sorted(shapes, key=order, reverse=True):
            theirs, shape = self.name(name), shapes[name]
            self.parts.setdefault(theirs, []).append((name, shape[0]))
            out[theirs] = [sum(rows for _, rows in self.parts[theirs]), *shape[1:]]
        return dict(sorted(out.items()))

    def unweave(self, values):
        out = {}
        for theirs, parts in self.parts.items():
            pieces = values[theirs].split([rows for _, rows in parts])
            out |= {name: piece.contiguous() for (name, _), piece in zip(parts, pieces)}
        return out


class UnitHead(Renamed):
    """Rows of the head count by their direction alone, as the code beside Baichuan 2 has it."""

    def unweave(self, values):
        values = super().unweave(values)
        head = values["lm_head.weight"].double()
        values["lm_head.weight"] = (head / head.norm(dim=1, keepdim=True)).float().contiguous()
        return values
