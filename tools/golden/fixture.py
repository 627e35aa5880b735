"""Writes a fixture: JSON with a tensor and a row of log-probabilities per line."""

import json


def number(value):
    """Log-probabilities and margins to five digits behind the point, without trailing zeros."""
    text = f"{value:.5f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def row(values):
    return "[" + ",".join(number(value) for value in values) + "]"


def short(value):
    return json.dumps(value, separators=(",", ":"))


def lines(items):
    return "[\n" + ",\n".join("  " + item for item in items) + "\n ]"


def rows_of(items, key):
    return lines(f'{{"position":{item["position"]},"{key}":{row(item[key])}}}' for item in items)


WRITERS = {
    "other_spellings": lambda items: lines(map(short, items)),
    "tensors": lambda items: lines(map(short, items)),
    "next_logprobs": row,
    "rows": lambda items: rows_of(items, "logprobs"),
    "margins": row,
    "hidden": lambda items: rows_of(items, "values"),
    "pooled": lambda named: "{\n" + ",\n".join(
        f'  "{name}":{row(values)}' for name, values in named.items()) + "\n }",
}


def text_of(fixture):
    parts = [f' "{key}": {WRITERS.get(key, short)(value)}' for key, value in fixture.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"
