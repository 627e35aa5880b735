"""What makes one vector of a text: encoders, classifiers, and decoders that embed or score."""

import functools

import torch
import transformers

import published
from fused import slopes
from gemma import RULES as GEMMA_RULES
from golden import Golden
from spelling import as_transformers_4

BERT = {"model_type": "bert", "hidden_size": 72, "num_hidden_layers": 3, "num_attention_heads": 4,
        "intermediate_size": 152, "vocab_size": 331, "max_position_embeddings": 128,
        "type_vocab_size": 2}
XLM_R = {**BERT, "model_type": "xlm-roberta", "type_vocab_size": 1, "pad_token_id": 1,
         "layer_norm_eps": 1e-5}
DISTILBERT = {"model_type": "distilbert", "dim": 72, "n_layers": 3, "n_heads": 4,
              "hidden_dim": 152, "vocab_size": 331, "max_position_embeddings": 128}
MPNET = {**BERT, "model_type": "mpnet", "layer_norm_eps": 1e-5}
del MPNET["type_vocab_size"]
ALBERT = {**BERT, "model_type": "albert", "embedding_size": 40, "num_hidden_layers": 4,
          "num_hidden_groups": 2}
NOMIC = {**BERT, "model_type": "nomic_bert", "num_attention_heads": 6}
MODERNBERT = {"model_type": "modernbert", "hidden_size": 72, "num_hidden_layers": 5,
              "num_attention_heads": 6, "intermediate_size": 104, "vocab_size": 331,
              "max_position_embeddings": 256, "local_attention": 24, "pad_token_id": 0,
              "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
DEBERTA = {"model_type": "deberta", "hidden_size": 72, "num_hidden_layers": 3,
           "num_attention_heads": 4, "intermediate_size": 152, "vocab_size": 331,
           "max_position_embeddings": 128, "type_vocab_size": 2, "relative_attention": True,
           "pos_att_type": ["c2p", "p2c"], "layer_norm_eps": 1e-7}
DEBERTA_V2 = {**DEBERTA, "model_type": "deberta-v2", "type_vocab_size": 0, "position_buckets": 16,
              "norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False}
EUROBERT = {"model_type": "eurobert", "hidden_size": 72, "num_hidden_layers": 3,
            "num_attention_heads": 6, "num_key_value_heads": 2, "intermediate_size": 136,
            "vocab_size": 331, "max_position_embeddings": 256, "bos_token_id": 1,
            "eos_token_id": 2, "pad_token_id": 0, "mask_token_id": 3,
            "rope_parameters": {"rope_type": "default", "rope_theta": 250000.0}}
QWEN3 = {"model_type": "qwen3", "hidden_size": 72, "num_hidden_layers": 3,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24,
         "intermediate_size": 136, "vocab_size": 331, "max_position_embeddings": 256,
         "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
         "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}
LLAMA = {**QWEN3, "model_type": "llama", "head_dim": 18}
MISTRAL = {**LLAMA, "model_type": "mistral", "sliding_window": 20}
QWEN2 = {**QWEN3, "model_type": "qwen2"}
del QWEN2["head_dim"]
GEMMA = {"model_type": "gemma3_text", "hidden_size": 72, "intermediate_size": 136,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24, "vocab_size": 331,
         "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "pad_token_id": 0,
         "eos_token_id": 1, "bos_token_id": 2, "query_pre_attn_scalar": 24, "sliding_window": 20,
         "num_hidden_layers": 7, "use_bidirectional_attention": True}
# Biases by distance that matter beside scores of unit size.
MPNET_RULES = ((r"relative_attention_bias\.weight$", 0.0, 2.0, "vector"),)
# Places that matter beside contents.
DEBERTA_RULES = ((r"rel_embeddings\.weight$", 0.0, 1.0, "vector"),)
# Heads over states that are normed: labels of a few units.
HEAD_RULES = ((r"(classifier|score|out_proj)\.weight$", 0.0, 1.0, "matrix"),)



class Nowhere(torch.nn.Module):
    """Positions that add nothing."""

    def forward(self, position_ids):
        return 0.0


class GatedBlock(torch.nn.Module):
    """The way into a block of Jina's BERT: GELU of one half, times the other."""

    def __init__(self, config):
        super().__init__()
        self.gated_layers = torch.nn.Linear(config.hidden_size, 2 * config.intermediate_size,
                                            bias=False)

    def forward(self, states):
        gate, up = self.gated_layers(states).chunk(2, dim=-1)
        return torch.nn.functional.gelu(gate) * up


class JinaBert(transformers.BertModel):
    """Linear biases by the distance to either side instead of positions, and gated blocks."""

    def __init__(self, config):
        super().__init__(config, add_pooling_layer=False)
        self.embeddings.position_embeddings = Nowhere()
        for layer in self.encoder.layer:
            layer.intermediate = GatedBlock(config)

    def forward(self, input_ids, attention_mask=None, **others):
        places = torch.arange(input_ids.shape[1])
        biases = slopes(self.config.num_attention_heads)[:, None, None]
        mask = -biases * (places[None] - places[:, None]).abs()
        return super().forward(input_ids=input_ids, attention_mask=mask[None], **others)


Encoder = functools.partial(Golden, kind="encoder", model_class=transformers.AutoModel)


def classifier(name, config, rules=(), **fields):
    return Golden(name, {"num_labels": 3, **config, **fields}, kind="encoder",
                  model_class=transformers.AutoModelForSequenceClassification,
                  rules=(*rules, *HEAD_RULES))


def modernbert_of_4(config):
    """A number of layers from one that sees all to the next, and a base for each kind."""
    rope = config["rope_parameters"]
    return as_transformers_4(
        config, global_rope_theta=rope["full_attention"]["rope_theta"],
        local_rope_theta=rope["sliding_attention"]["rope_theta"], global_attn_every_n_layers=3,
        position_embedding_type="absolute", layer_norm_eps=1e-5)


GOLDENS = [
    Encoder("bert", BERT),
    Encoder("bert_dense", BERT,
            modules={"pooling": "cls", "is_normalised": True, "dense": [(40, 72, True, "Tanh")]}),
    classifier("bert_classifier", BERT),
    Encoder("xlm_roberta", XLM_R,
            modules={"pooling": "cls", "is_normalised": True}),
    classifier("xlm_roberta_ranker", {**XLM_R, "num_labels": 1}),
    Encoder("roberta", {**XLM_R, "model_type": "roberta", "type_vocab_size": 2}),
    Encoder("distilbert", DISTILBERT),
    classifier("distilbert_classifier", DISTILBERT),
    Encoder("modernbert", MODERNBERT, spellings=lambda config: [modernbert_of_4(config)]),
    classifier("modernbert_classifier", MODERNBERT, classifier_pooling="mean",
               classifier_bias=True, norm_bias=True, attention_bias=True, mlp_bias=True),
    classifier("modernbert_ranker", MODERNBERT, num_labels=1, classifier_pooling="mean"),
    Golden("jina_bert", {**BERT, "num_attention_heads": 6}, kind="encoder",
           model_class=JinaBert, published=published.JinaBert()),
    Encoder("mpnet", MPNET, rules=MPNET_RULES),
    classifier("mpnet_classifier", MPNET, rules=MPNET_RULES),
    Encoder("albert", ALBERT),
    classifier("albert_classifier", ALBERT),
    Encoder("deberta", DEBERTA, rules=DEBERTA_RULES),
    Encoder("deberta_v2", DEBERTA_V2, rules=DEBERTA_RULES),
    classifier("deberta_v2_classifier", DEBERTA_V2, rules=DEBERTA_RULES, share_att_key=False,
               pos_att_type="p2c|c2p", norm_rel_ebd="none", type_vocab_size=2),
    classifier("deberta_ranker", DEBERTA, rules=DEBERTA_RULES, num_labels=1, pos_att_type=["c2p"],
               position_biased_input=False),
    Encoder("nomic_bert", NOMIC,
            modules={"pooling": "mean", "is_normalised": True}),
    Encoder("nomic_bert_published", NOMIC, published=published.NomicBert()),
    Encoder("eurobert", EUROBERT),
    classifier("eurobert_classifier", EUROBERT),
    classifier("eurobert_mean", EUROBERT, classifier_pooling="mean"),
    Encoder("embedding_gemma", GEMMA, rules=GEMMA_RULES,
            modules={"pooling": "mean", "is_normalised": True,
                     "dense": [(96, 72, False, "Identity"), (72, 96, False, "Identity")]}),
    Encoder("qwen3_embedding", QWEN3,
            modules={"pooling": "lasttoken", "is_normalised": True}),
    classifier("qwen3_classifier", QWEN3),
    classifier("qwen2_classifier", QWEN2),
    classifier("llama_classifier", LLAMA),
    classifier("mistral_classifier", MISTRAL),
    classifier("gemma3_classifier", {**GEMMA, "use_bidirectional_attention": False},
               rules=GEMMA_RULES),
]
