"""Reads what `quire bench --save FILE` has written and shows what has changed: of each test the
tokens per second and the share of what the machine could do at that moment. Machines drift, so it
is the share that says slower or faster: where it has fallen by more than --fall (a tenth) the row
is marked and the exit status is 3. 1: there is nothing to compare; 2: a bad call.
Standard library only; used by bench/compare.
"""

import argparse
import datetime
import json
import sys

SUBJECT = ("model", "cpu", "isa", "threads", "kv_cache_dtype")  # of lines that can be compared


def read(path):
    entries = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                entry = json.loads(line)
                entry["tests"] = {test["name"]: test for test in entry["tests"]}
                entries.append(entry)
            except (KeyError, TypeError, ValueError):
                print(f"bench/compare: line {number} of {path} is no measurement and is left out",
                      file=sys.stderr)
    return entries


def earlier_of(entries, label):
    """The newest entry, and the one to hold it against; or None."""
    newest = entries[-1]
    for entry in reversed(entries[:-1]):
        is_same = all(entry.get(key) == newest.get(key) for key in SUBJECT)
        if is_same and (label is None or entry.get("label") == label):
            return newest, entry
    return newest, None


def title(entry):
    when = datetime.datetime.fromtimestamp(entry["saved_at"], datetime.timezone.utc)
    return f"{when:%Y-%m-%d %H:%M} {entry.get('label') or '(no label)'}"


def rows_of(newest, earlier, fall):
    rows = []
    for name, now in newest["tests"].items():
        then = earlier["tests"].get(name)
        if then is None or not then["share_of_limit"] or not then["tokens_per_second"]:
            continue
        ratio = now["share_of_limit"] / then["share_of_limit"]
        rows.append({"name": name, "then": then, "now": now, "share_ratio": ratio,
                     "is_slower": ratio < 1 - fall})
    return rows


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/compare --history",
                                     description=__doc__.split(":", maxsplit=1)[0])
    parser.add_argument("--history", required=True, metavar="FILE")
    parser.add_argument("--against", metavar="LABEL", help="the newest line with this label")
    parser.add_argument("--fall", type=float, default=0.1, help="of the share that is marked")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    try:
        entries = read(options.history)
    except OSError as error:
        print(f"bench/compare: {error}", file=sys.stderr)
        return 1
    newest, earlier = earlier_of(entries, options.against) if entries else (None, None)
    if earlier is None:
        print(f"bench/compare: {options.history} has no two measurements of one model, machine and "
              "number of threads", file=sys.stderr)
        return 1
    print(f"{newest['model']}, {newest['isa']}, {newest['threads']} threads, {newest['cpu']}")
    print(f"then  {title(earlier)}\nnow   {title(newest)}\n")
    print(f"{'test':<18}{'tokens/s':>20}{'of the limit':>18}{'share':>9}")
    rows = rows_of(newest, earlier, options.fall)
    for row in rows:
        then, now = row["then"], row["now"]
        speeds = f"{then['tokens_per_second']:.1f} -> {now['tokens_per_second']:.1f}"
        shares = f"{100 * then['share_of_limit']:.1f} -> {100 * now['share_of_limit']:.1f} %"
        mark = "  SLOWER" if row["is_slower"] else ""
        print(f"{row['name']:<18}{speeds:>20}{shares:>18}{row['share_ratio']:>9.3f}{mark}")
    return 3 if any(row["is_slower"] for row in rows) else 0
