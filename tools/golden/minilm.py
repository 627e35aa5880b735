"""Reference vectors of all-MiniLM-L6-v2 for tests/golden/minilm.json: what sentence-transformers
computes for it (mean over all tokens, then length one), in float32 by transformers.

    python tools/golden/minilm.py FOLDER_OF_THE_MODEL > tests/golden/minilm.json
"""

import json
import sys

import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = [
    "The capital of France is Paris.",
    "What is the capital of France?",
    "A cat sits on the mat.",
    "",
    "Größe, naïve café – 東京 и Москва 🙂",
    "word " * 400,  # cut to 256 tokens
]

folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
rows = []
for text in TEXTS:
    inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
    with torch.no_grad():
        states = model(**inputs).last_hidden_state
    vector = torch.nn.functional.normalize(states.mean(dim=1), dim=1)[0]
    rows.append({"text": text, "tokens": inputs["input_ids"].shape[1],
                 "vector": [float(f"{value:.7g}") for value in vector.tolist()]})
json.dump(rows, sys.stdout, ensure_ascii=False, separators=(",", ":"))
print()
