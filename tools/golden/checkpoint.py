"""A Hugging Face folder of a tiny model: names and shapes come from transformers itself.

The library saves a model of the configuration once; the names and shapes that it wrote are the
checkpoint's. The values are then replaced by ours and the folder is read back through
from_pretrained, which must find every tensor and no other.
"""

import json
import pathlib

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

import weights


def make_config(fields):
    fields = dict(fields)
    return transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)


def write_untrained(folder, config, model_class):
    """Writes the folder with the library's own start values. Returns {name: shape} in its order."""
    torch.manual_seed(0)
    model = model_class(config).float()
    model.save_pretrained(folder)
    shapes = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                shapes[name] = file.get_slice(name).get_shape()
    return shapes


def config_of(folder):
    """The config.json of the folder without what says nothing about the model."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    return {key: value for key, value in config.items() if value is not None}


def fill(folder, tensors, seed, published=None):
    """Replaces the values by ours. tensors: [{name, shape, mean, scale}]"""
    values = {
        t["name"]: torch.from_numpy(
            weights.tensor(seed, t["name"], t["shape"], t["mean"], t["scale"]).copy())
        for t in tensors if "/" not in t["name"]  # those of modules.py
    }
    if published is not None:
        values = published.unweave(values)
    save_file(values, pathlib.Path(folder) / "model.safetensors", {"format": "pt"})


def load(folder, model_class, attention="eager"):
    model, info = model_class.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention, output_loading_info=True)
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[problem]:
            raise ValueError(f"{problem}: {info[problem]}")
    return model.eval()


def load_spelled(folder, spelling, model_class, attention="eager"):
    """The same folder read with another config.json; of a nested one, the text part is read."""
    config = spelling.get("library", spelling["config"])
    (pathlib.Path(folder) / "config.json").write_text(
        json.dumps(config.get("text_config", config)))
    return load(folder, model_class, attention)
