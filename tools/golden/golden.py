"""Golden: one tiny model of which a fixture is made, as the family files list them."""

import dataclasses
from collections.abc import Callable

import transformers


@dataclasses.dataclass
class Golden:
    """`config` holds the fields that differ from the library's defaults, model_type among them."""

    name: str
    config: dict
    kind: str = "decoder"  # or "encoder_decoder", "encoder"
    model_class: type = transformers.AutoModelForCausalLM
    prompt_tokens: int = 90
    rules: tuple = ()  # of ranges.py, before the common ones
    spellings: Callable = lambda config: []  # config.json -> [{config, rename}]
    # Of sentence-transformers, beside an encoder: {"pooling": "mean", "dense": [(rows, columns,
    # has_bias, activation)], "is_normalised": True}.
    modules: dict | None = None
    attention: str = "eager"  # the library's own code that computes it
    published: object = None  # of published.py: files of a kind that the library does not read
    is_stepwise: bool = False  # the answer depends on how tokens came: through the cache

    # The largest error that rounding to bf16 alone may make, in the library's own run: a small
    # model that exceeds it says nothing about a program with bf16 weights.
    rounded_max: float | None = None

    def class_of_config(self):
        """The class that makes an untrained model of a configuration."""
        if hasattr(self.model_class, "from_config"):
            return self.model_class.from_config
        return self.model_class
