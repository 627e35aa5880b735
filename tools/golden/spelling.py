"""One configuration in the words of others: of transformers 4, and nested in a text_config.

A spelling is {config, rename}: the config.json, and pairs [from, to] of prefixes by which the names
of the tensors change (the first that fits; empty where they stay).
"""

import copy

VERSION_4 = "4.51.3"


def as_transformers_4(config, **fields):
    """rope_theta and rope_scaling instead of rope_parameters, no layer_types, torch_dtype. What a
    family said in words of its own is given as fields."""
    config = copy.deepcopy(config)
    config.pop("layer_types", None)
    rope = config.pop("rope_parameters", None)
    if rope is not None and "rope_theta" in rope:
        config["rope_theta"] = rope.pop("rope_theta")
        if "partial_rotary_factor" in rope:
            config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype", "float32")
    config["transformers_version"] = VERSION_4
    config.update(fields)
    return {"config": config, "rename": []}


def as_type_before_4_43(config, **fields):
    """The same with `type` where `rope_type` stands now."""
    spelling = as_transformers_4(config, **fields)
    scaling = spelling["config"]["rope_scaling"]
    scaling["type"] = scaling.pop("rope_type")
    return spelling


def nested(config, model_type, architecture, rename, **fields):
    """As the text part of a model that also sees."""
    text = copy.deepcopy(config)
    for key in ("architectures", "transformers_version"):
        text.pop(key, None)
    outer = {"architectures": [architecture], "model_type": model_type, "text_config": text,
             "dtype": "float32", "transformers_version": config["transformers_version"], **fields}
    return {"config": outer, "rename": rename}


def of_text(spelling, config):
    """A spelling that the library reads as another class, so that it is not compared there: its
    text part is `config`."""
    return {**spelling, "library": config}
