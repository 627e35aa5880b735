"""Writes a tiny T5 with random weights and its tokenizer, and what transformers answers greedily:
the fixture of tests/clients/test_encoder_decoder.py.

    python tools/golden/tiny_t5.py tests/clients/tiny_t5
"""

import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import T5Config, T5ForConditionalGeneration

PROMPTS = ["w1 w2 w3", "w9 w30 w5 w7", "w60", "w4 w4 w4 w8 w8 w8"]

folder = pathlib.Path(sys.argv[1])
words = ["<pad>", "</s>", "<unk>"] + [f"w{i}" for i in range(61)]
tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>",
                                                         special_tokens=[("</s>", 1)])
tokenizer.add_special_tokens(words[:3])
tokenizer.save(str(folder / "tokenizer.json"))
(folder / "tokenizer_config.json").write_text(
    json.dumps({"eos_token": "</s>", "pad_token": "<pad>"}) + "\n")

torch.manual_seed(11)
config = T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4,
                  decoder_start_token_id=0, feed_forward_proj="gated-gelu",
                  tie_word_embeddings=False)
model = T5ForConditionalGeneration(config).eval()
with torch.no_grad():
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            weight.copy_(torch.randn_like(weight) * (1.0 if "shared" in name else 0.35))
model.save_pretrained(folder)

answers = []
for prompt in PROMPTS:
    ids = tokenizer.encode(prompt).ids
    out = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)[0].tolist()
    answers.append({"prompt": prompt, "prompt_tokens": len(ids), "tokens": out[1:]})
(folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")
