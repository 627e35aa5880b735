"""Writes a tiny BERT of random weights that scores pairs of texts, its tokenizer, and what
transformers makes of some pairs: the fixture of tests/clients/test_rankers.py.

    python tools/golden/tiny_ranker.py tests/clients/tiny_ranker
"""

import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification

QUERY = "w1 w2 w3"
DOCUMENTS = ["w9 w30 w5 w7", "w60", "w1 w2 w3 w4", "", "w5 " * 40]
TOKENS_MAX = 32

folder = pathlib.Path(sys.argv[1])
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + [f"w{i}" for i in range(60)]
tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
    special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
tokenizer.add_special_tokens(words[:4])
tokenizer.save(str(folder / "tokenizer.json"))

torch.manual_seed(5)
config = BertConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                    intermediate_size=48, max_position_embeddings=TOKENS_MAX, num_labels=1)
model = BertForSequenceClassification(config).eval()
with torch.no_grad():
    for weight in model.parameters():
        if weight.dim() > 1:
            weight.normal_(0, 0.3)
model.save_pretrained(folder)

tokenizer.enable_truncation(TOKENS_MAX)  # the longer one first
rows = []
for document in DOCUMENTS:
    pair = tokenizer.encode(QUERY, document)
    with torch.no_grad():
        logit = model(torch.tensor([pair.ids]),
                      token_type_ids=torch.tensor([pair.type_ids])).logits[0, 0].item()
    rows.append({"document": document, "tokens": len(pair.ids), "logit": float(f"{logit:.6g}")})
(folder / "scores.json").write_text(json.dumps({"query": QUERY, "rows": rows}, indent=1) + "\n")
