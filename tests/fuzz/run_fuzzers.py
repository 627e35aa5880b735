#!/usr/bin/env python3
"""Runs the fuzzers of tests/fuzz one after the other and prints what each of them did.

    tests/fuzz/run_fuzzers.py [--seconds N] [--target NAME ...]

Builds nothing: build/fuzz/quire_fuzz comes from tools/build.sh fuzz quire_fuzz (./test fuzz does
both). A fuzzer begins with tests/fuzz/seeds, what it reached in earlier runs, and what the
repository and ../shared have of its kind. What it reaches is kept in build/fuzz/corpus; an input
that ends the process, hangs or breaks a budget, in build/fuzz/found: mend the cause, and copy the
input to tests/fuzz/findings/TARGET, where fuzz_replay_test reads it from then on.
Exit status 0: nothing was found. Standard library only.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/fuzz"
DATA = ROOT.parent / "shared/testdata"
FINDINGS_MAX = 5    # of one target; then it is mended first
HANG_S = 60         # by the clock; the budget by the CPU is in libfuzzer.cc
MEMORY_MB = 3072    # of the process, ASan's shadow included
SEEDS_MAX = 2500    # of one target from ../shared
PLANTED_S = 120     # by the clock, for a fault that is found in seconds

# Files of ../shared/testdata that a target begins with.
SHARED = {
    "chat_template": ["chat-templates/*.jinja", "bad-templates/*.jinja"],
    "json_schema": ["bad-grammars/schema_*.json"],
    "regex": ["bad-grammars/regex_*.txt"],
    "lark": ["llguidance/**/*.lark"],
    "gbnf": ["bad-grammars/gbnf_*.gbnf", "llguidance/**/*.gbnf"],
    "json": ["jsontestsuite/**/*.json"],
    "gguf": ["malformed-gguf/*.gguf"],
    "safetensors": ["malformed-safetensors/*.safetensors", "safetensors-sample/*.safetensors"],
    "request_head": ["bad-http/*.raw"],
}


def schemas():
    """The schemas of the JSON Schema test suite."""
    for path in sorted((DATA / "json-schema-test-suite/tests").rglob("*.json")):
        for group in json.loads(path.read_text()):
            yield json.dumps(group["schema"]).encode()


def patterns():
    """Every pattern in them."""
    for schema in schemas():
        for written in re.findall(rb'"pattern": ("(?:[^"\\]|\\.)*")', schema):
            yield json.loads(written).encode(errors="replace")


def heads():
    """The requests of gunicorn-http, in which line breaks are written out."""
    for path in sorted(DATA.glob("gunicorn-http/**/*.http")):
        lines = path.read_bytes().replace(b"\n", b"")
        yield lines.replace(b"\\r", b"\r").replace(b"\\n", b"\n")


def answers():
    """The corpus of answers; the first of each file as every format would see it."""
    for path in sorted((ROOT / "tests/answers").glob("*.txt")):
        texts = re.findall(r"^@ [^\n]*\n(.*?)\n@=$", path.read_text(), re.M | re.S)
        for number, text in enumerate(texts):
            for first in range(40) if number == 0 else (0, 13, 26):
                yield bytes([first + number, (first * 37 + number) % 256]) + text.encode()


MADE = {"json_schema": schemas, "regex": patterns, "request_head": heads, "tool_calls": answers}


def gather(target, size_max, folder):
    """Writes the seeds that are not in tests/fuzz/seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [path.read_bytes() for pattern in SHARED.get(target, [])
             for path in sorted(DATA.glob(pattern)) if path.is_file()]
    if target in MADE and (target == "tool_calls" or DATA.is_dir()):
        seeds += list(MADE[target]())
    for seed in [seed for seed in seeds if len(seed) <= size_max][:SEEDS_MAX]:
        (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


class Figures:
    """What the runs of one target add up to."""

    def __init__(self):
        self.executions = 0
        self.blocks = 0    # of our code that were reached
        self.features = 0  # with how often
        self.findings = []
        self.broke = ""    # the end of the output of a run that failed without a finding

    def read(self, output):
        counts = re.findall(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+)", output, re.M)
        if counts:
            self.blocks = max(self.blocks, int(counts[-1][1]))
            self.features = max(self.features, int(counts[-1][2]))
        units = re.findall(r"^stat::number_of_executed_units:\s*(\d+)", output, re.M)
        self.executions += int(units[-1]) if units else int(counts[-1][0]) if counts else 0


def run_once(target, size_max, seconds, scratch, figures):
    corpus, found = BUILD / "corpus" / target, BUILD / "found" / target
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    given = [HERE / kind / target for kind in ("seeds", "findings")]
    before = set(found.iterdir())
    command = [BUILD / "quire_fuzz", f"--target={target}", f"-max_total_time={seconds}",
               f"-max_len={size_max}", f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB}",
               "-use_value_profile=1", "-reload=0", "-print_final_stats=1",
               f"-artifact_prefix={found}/", corpus, *[path for path in given if path.is_dir()],
               BUILD / "seeds" / target]
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": scratch,
             "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"})
    try:
        output, _ = process.communicate(timeout=seconds + 10 * HANG_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate()
    text = output.decode(errors="replace")
    (BUILD / f"{target}.log").write_text(text)
    figures.read(text)
    new = sorted(path for path in set(found.iterdir()) - before
                 if not path.name.startswith("slow-unit"))
    for path in new:
        reason = re.findall(r"^FOUND [^\n]*|^SUMMARY: [^\n]*|runtime error: [^\n]*|^check [^\n]*",
                            text, re.M)
        figures.findings.append((path, reason[0] if reason else path.name.split("-")[0]))
    if process.returncode != 0 and not new:
        figures.broke = "\n".join(text.splitlines()[-15:])
    return process.returncode == 0


def run_target(target, size_max, seconds):
    figures = Figures()
    gather(target, size_max, BUILD / "seeds" / target)
    memory = pathlib.Path("/dev/shm")
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(figures.findings) < FINDINGS_MAX and not figures.broke:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
            run_once(target, size_max, max(1, int(end - time.monotonic())), scratch, figures)
    return figures


def finds_planted():
    """A fault behind comparisons: without it nothing that follows means much."""
    figures = Figures()
    for path in (BUILD / "found/planted", BUILD / "corpus/planted"):
        shutil.rmtree(path, ignore_errors=True)
    gather("planted", 64, BUILD / "seeds/planted")
    run_once("planted", 64, PLANTED_S, tempfile.gettempdir(), figures)
    print(f"a planted fault: found after {figures.executions} executions" if figures.findings else
          f"a planted fault was not found in {figures.executions} executions", flush=True)
    return bool(figures.findings)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600, help="for each target (600)")
    parser.add_argument("--target", action="append", help="only this one; may be given again")
    arguments = parser.parse_args()
    program = BUILD / "quire_fuzz"
    if not program.exists():
        parser.error("build/fuzz/quire_fuzz is missing: tools/build.sh fuzz quire_fuzz")
    listed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    sizes = {name: int(size) for name, size in (line.split() for line in listed.splitlines())}
    unknown = set(arguments.target or []) - sizes.keys()
    if unknown:
        parser.error(f"no target {' '.join(sorted(unknown))} (there are {', '.join(sizes)})")

    failed = 0 if finds_planted() else 1
    print(f"{'target':16} {'seconds':>7} {'executions':>11} {'blocks':>7} {'features':>8} "
          "findings", flush=True)
    for target in arguments.target or sizes:
        begin = time.monotonic()
        figures = run_target(target, sizes[target], arguments.seconds)
        is_good = not figures.findings and not figures.broke and figures.executions > 0
        failed += not is_good
        print(f"{target:16} {time.monotonic() - begin:7.0f} {figures.executions:11} "
              f"{figures.blocks:7} {figures.features:8} {len(figures.findings):8} "
              f"{'PASS' if is_good else 'FAIL'}", flush=True)
        for path, reason in figures.findings:
            print(f"  {path.relative_to(ROOT)}: {reason}", flush=True)
        if figures.broke:
            print(figures.broke, flush=True)
    print(f"{failed} failed" if failed else "nothing was found: PASS", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
