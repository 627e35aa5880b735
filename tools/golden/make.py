#!/usr/bin/env python3
"""Writes tests/golden/tiny/NAME.json: what transformers answers for a tiny model.

    tools/golden/make.py [NAME...]     all of them, or those named; --list tells the names

Deterministic: the same versions (requirements.txt) on the same processor write the same bytes.
"""

import argparse
import logging
import pathlib
import sys
import tempfile
import warnings

import torch
import transformers

import checkpoint
import fixture
import classic
import decoders
import encoders
import experts
import fused
import gemma
import llama
import modules
import plain
import pooled
import ranges
import recurrent
import reference
import weights

FAMILIES = [llama, fused, gemma, classic, plain, decoders, experts, recurrent, encoders,
            pooled]
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/tiny"
SEEDS = range(1, 60)


def answers_of(golden, model, config, seed, tensors):
    """(what the fixture says of the input, what it says of the output)"""
    vocab = config["vocab_size"]
    prompt = [3 + i for i in
              weights.token_ids(seed, "prompt", golden.prompt_tokens, vocab - 3)]
    if golden.kind == "encoder_decoder":
        start = config["decoder_start_token_id"]
        return ({"prompt": prompt, "decoder_start": start},
                reference.encoder_decoder(model, prompt, start))
    if golden.kind == "encoder":
        has_pairs = config.get("type_vocab_size", 1) > 1
        types = [int(has_pairs and i >= len(prompt) // 3) for i in range(len(prompt))]
        return ({"prompt": prompt, "token_types": types},
                reference.encoder(model, prompt, types, golden.modules,
                                  modules.values_of(golden.modules, tensors, seed)))
    return {"prompt": prompt}, reference.decoder(
        model, prompt, golden.is_stepwise, golden.rounded_max)


def first_suitable(golden, folder, tensors, config):
    for seed in SEEDS:
        checkpoint.fill(folder, tensors, seed, golden.published)
        model = checkpoint.load(folder, golden.model_class, golden.attention)
        try:
            found = seed, *answers_of(golden, model, config, seed, tensors)
            check_spellings(golden, folder, model, config, found[1]["prompt"])
            return found
        except reference.Unsuitable as reason:
            print(f"{golden.name}: seed {seed}: {reason}", flush=True)
    raise ValueError(f"{golden.name}: no seed up to {SEEDS[-1]} is suitable")


def check_spellings(golden, folder, model, config, prompt):
    for index, spelling in enumerate(golden.spellings(config)):
        other = checkpoint.load_spelled(folder, spelling, golden.model_class, golden.attention)
        if not reference.is_same_model(model, other, prompt):
            raise ValueError(f"spelling {index} is another model")


def make(golden):
    with tempfile.TemporaryDirectory() as folder:
        config = checkpoint.make_config(golden.config)
        shapes = checkpoint.write_untrained(folder, config, golden.class_of_config())
        config = checkpoint.config_of(folder)
        if golden.published is not None:
            shapes = golden.published.shapes(shapes)
            config = golden.published.config(config)
        shapes = {**shapes, **modules.shapes_of(golden.modules)}
        tensors = []
        for name, shape in shapes.items():
            mean, scale = ranges.mean_and_scale(name, shape, golden.rules)
            tensors.append({"name": name, "shape": shape, "mean": mean, "scale": scale})
        seed, given, answers = first_suitable(golden, folder, tensors, config)
    files = modules.files_of(golden.modules, config.get("hidden_size"))
    return {
        "kind": golden.kind,
        "made_with": {"transformers": transformers.__version__, "torch": torch.__version__},
        "config": config,
        "other_spellings": [{key: spelling[key] for key in ("config", "rename")}
                            for spelling in golden.spellings(config)],
        **({"files": files} if files else {}),
        "seed": seed,
        "tensors": tensors,
        **given,
        **answers,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="the names, one a line")
    arguments = parser.parse_args()
    goldens = {golden.name: golden for family in FAMILIES for golden in family.GOLDENS}
    if arguments.list:
        print("\n".join(goldens))
        return 0
    unknown = [name for name in arguments.names if name not in goldens]
    if unknown:
        parser.error(f"no such model: {' '.join(unknown)}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in arguments.names or goldens:
        try:
            made = make(goldens[name])
        except ValueError as problem:
            print(f"{name}: {problem}", flush=True)
            failed += 1
            continue
        path = FOLDER / f"{name}.json"
        path.write_text(fixture.text_of(made))
        margin = min(made.get("margins", [0]))
        print(f"{name}: seed {made['seed']}, {path.stat().st_size} bytes, "
              f"least margin {margin:.3f}, {len(set(made.get('greedy', [])))} different ids",
              flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
