"""The modules that sentence-transformers keeps beside a model: their files and their tensors.

A tensor of a folder is "FOLDER/NAME" in a fixture; the folder has a model.safetensors of its own.
"""

import torch

import weights

TYPE = "sentence_transformers.models."
ACTIVATION = {"Identity": "torch.nn.modules.linear.Identity",
              "Tanh": "torch.nn.modules.activation.Tanh"}


def folder_of(index):
    return f"{2 + index}_Dense"


def files_of(modules, width):
    """{path: JSON} of what stands beside config.json."""
    if modules is None:
        return {}
    listed = [("", "Transformer"), ("1_Pooling", "Pooling")]
    pooling = {"word_embedding_dimension": width, "pooling_mode_cls_token": False,
               "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False,
               "pooling_mode_mean_sqrt_len_tokens": False,
               "pooling_mode_weightedmean_tokens": False, "pooling_mode_lasttoken": False,
               "include_prompt": True}
    pooling[{"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens",
             "lasttoken": "pooling_mode_lasttoken"}[modules["pooling"]]] = True
    files = {"1_Pooling/config.json": pooling}
    for index, (rows, columns, has_bias, activation) in enumerate(modules.get("dense", ())):
        folder = folder_of(index)
        listed.append((folder, "Dense"))
        files[f"{folder}/config.json"] = {"in_features": columns, "out_features": rows,
                                          "bias": has_bias,
                                          "activation_function": ACTIVATION[activation]}
    if modules.get("is_normalised"):
        listed.append((f"{len(listed)}_Normalize", "Normalize"))
    files["modules.json"] = [
        {"idx": index, "name": str(index), "path": path, "type": TYPE + kind}
        for index, (path, kind) in enumerate(listed)]
    return files


def shapes_of(modules):
    """{name: shape} of the tensors of its folders."""
    shapes = {}
    for index, (rows, columns, has_bias, _) in enumerate((modules or {}).get("dense", ())):
        shapes[f"{folder_of(index)}/linear.weight"] = [rows, columns]
        if has_bias:
            shapes[f"{folder_of(index)}/linear.bias"] = [rows]
    return shapes


def values_of(modules, tensors, seed):
    """[(matrix, bias or None)] of the folders."""
    made = {t["name"]: torch.from_numpy(
        weights.tensor(seed, t["name"], t["shape"], t["mean"], t["scale"]).copy())
        for t in tensors if "/" in t["name"]}
    return [(made[f"{folder_of(index)}/linear.weight"],
             made.get(f"{folder_of(index)}/linear.bias"))
            for index in range(len((modules or {}).get("dense", ())))]
