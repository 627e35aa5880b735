"""Writes a fixture: JSON with a tensor and a row of log-probabilities per line."""

import json


def number(value, digits=5):
    """Log-probabilities and margins to five digits behind the point, without trailing zeros."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def row(values, digits=5):
    return "[" + ",".join(number(value, digits) for value in values) + "]"


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
    # Vectors are compared within 1e-5.
    "pooled": lambda named: "{\n" + ",\n".join(
        f'  "{name}":{row(values, 7)}' for name, values in named.items()) + "\n }",
}


def text_of(fixture):
    parts = [f' "{key}": {WRITERS.get(key, short)(value)}' for key, value in fixture.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"
