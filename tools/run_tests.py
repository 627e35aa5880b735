#!/usr/bin/env python3
"""Builds and runs the tests, group by group, and counts every one of them.

Called by ./test, which sets the machine up first. A group is a function that adds outcomes to the
tally; a gtest case, a pytest case, the tidy run, a program of tests/holds and a build are one test
each. The last line is 'N passed, N failed, N skipped'; the exit status is 0 only if nothing failed.
Where ../shared (reference data) is at hand, a skip counts as a failure. Standard library only.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
CORES = os.cpu_count() or 1

# What each preset builds. The sanitizers cost minutes of compiling, so they get the programs whose
# threads, parsers and bookkeeping they are there for; logits_hash is compared between builds.
SANITIZED = ["sched_test", "engine_test", "archive_test", "serve_test", "formats_test"]
TARGETS = {
    "release": ["all"],
    "asan": SANITIZED + ["logits_hash"],
    "tsan": SANITIZED,
    "odr": ["odr_check", "logits_hash"],
    "aarch64": ["all"],
    "fuzz": ["quire_fuzz"],
}
EMULATOR = {"aarch64": ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]}
# Programs that keep both cores busy run alone; the others run two at a time.
HEAVY = {"apps_test", "backend_test", "engine_test", "golden_test", "kernels_test", "lab_test",
         "model_test", "runtime_test", "serve_test", "sim_test"}
# Of these the ones whose cases mostly keep one core busy: two halves of each run at once.
HALVED = {"backend_test", "engine_test", "golden_test"}
# The programs of tests/holds in their order. Those that measure speed are run by hand.
HOLDS = ["run_script", "small_models", "default_model", "batch_invariance", "prefix_cache",
         "worlds", "bad_input", "openapi_cases", "many_streams", "equal_builds", "terminal_chat",
         "several_models", "model_repository", "canaries", "interrupted_pulls", "killed_batches",
         "ollama_modelfile", "reports", "constrained", "schemas", "schema_answers", "kserve_oip",
         "triton_client"]
BY_HAND = ["speed", "roofline"]
# A hold that is nothing but cases of a program that has just been run in full.
TOLD = {"default_model": "release/golden_test"}
UNIT_LIMIT_S = 1800
SUITES_LIMIT_S = 3600
HOLD_LIMIT_S = 600
SKIPPED = 77  # the exit status of a hold whose reference data is absent
TAIL_LINES = 60

SANITIZER_SETTINGS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "QUIRE_WORLD_EVENTS": "100000",  # a tenth of the release run's: it is ten times slower
}


class Tally:
    """Counts outcomes and remembers what failed, was skipped, and how long each build took."""

    def __init__(self, skips_fail):
        self.skips_fail = skips_fail
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.build_seconds = {}
        self.whole = set()  # gtest programs whose cases have all been run

    def add(self, name, outcome):
        if outcome == "passed":
            self.passed += 1
        elif outcome == "skipped" and not self.skips_fail:
            self.skipped.append(name)
        else:
            self.failed.append(name if outcome == "failed" else f"{name} (skipped)")

    def add_run(self, name, run):
        """One program that is one test: its exit status decides."""
        outcome = "passed" if run.ok else "skipped" if run.status == SKIPPED else "failed"
        self.add(name, outcome)
        if outcome == "failed":
            show_tail(name, run)


class Run:
    """A finished program: whether it exited with 0 in time, its output and its seconds."""

    def __init__(self, status, output, seconds):
        self.ok = status == 0
        self.status = status
        self.output = output
        self.seconds = seconds


def say(text):
    print(text, flush=True)


def show_tail(name, run):
    say(f"---- {name}: exit status {run.status}, {run.seconds:.0f} s; the end of its output:")
    say("\n".join(run.output.splitlines()[-TAIL_LINES:]))
    say("----")


def run_program(command, limit_s=None, environment=None, is_shown=False):
    """Runs a command in the project root, in a process group that is ended as a whole. What it
    prints is kept, or shown at once."""
    start = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=None if is_shown else subprocess.PIPE,
        stderr=None if is_shown else subprocess.STDOUT, start_new_session=True,
        env={**os.environ, **(environment or {})})
    try:
        output, _ = process.communicate(timeout=limit_s)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = f"none: ended after {limit_s} s"
    return Run(status, (output or b"").decode(errors="replace"), time.monotonic() - start)


def build(tally, preset):
    """Configures and builds one preset; a build is a test of its own. False if it failed."""
    say(f"== build {preset}")
    start = time.monotonic()
    run = run_program([ROOT / "tools/build.sh", preset, *TARGETS[preset]], is_shown=True)
    tally.build_seconds[preset] = time.monotonic() - start
    tally.add_run(f"build {preset}", run)
    return run.ok


def gtest_outcomes(report):
    """Yields (case name, outcome) from the JSON that a gtest program wrote."""
    for suite in report["testsuites"]:
        for case in suite["testsuite"]:
            name = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                yield name, "failed"
            elif case["status"] != "RUN" or case["result"] == "SKIPPED":
                yield name, "skipped"
            else:
                yield name, "passed"


def run_gtest(preset, name, shard=0, shards=1):
    """Runs one gtest program, or every `shards`-th case of it. Returns it with its outcomes; a
    crash is one failed outcome."""
    settings = dict(SANITIZER_SETTINGS if preset in ("asan", "tsan") else {})
    if shards > 1:
        settings.update(GTEST_TOTAL_SHARDS=str(shards), GTEST_SHARD_INDEX=str(shard))
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        run = run_program([*EMULATOR.get(preset, []), BUILD / preset / name,
                           f"--gtest_output=json:{report}"], UNIT_LIMIT_S, settings)
        try:
            outcomes = list(gtest_outcomes(json.loads(report.read_text())))
            may_be_none = shards > 1  # of a program of few cases
        except (OSError, ValueError, KeyError):
            outcomes, may_be_none = [], False
    if not run.ok and not any(outcome == "failed" for _, outcome in outcomes):
        outcomes.append(("exit status", "failed"))
    if run.ok and not outcomes and not may_be_none:
        outcomes.append(("ran no test", "failed"))
    return name, run, outcomes


def run_halves(preset, name, pool):
    """Both halves of a gtest program at once, told as one."""
    halves = list(pool.map(lambda shard: run_gtest(preset, name, shard, 2), range(2)))
    runs = [run for _, run, _ in halves]
    shown = next((run for run in runs if not run.ok), runs[0])
    outcomes = [outcome for _, _, outcomes in halves for outcome in outcomes]
    if not outcomes:
        outcomes.append(("ran no test", "failed"))
    return name, Run(shown.status, shown.output, max(run.seconds for run in runs)), outcomes


def run_gtests(tally, preset, names):
    light = [name for name in names if name not in HEAVY]
    heavy = [name for name in names if name in HEAVY]
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(2, CORES)) as pool:
        finished = pool.map(lambda name: run_gtest(preset, name), light)
        for result in finished:
            count_gtest(tally, preset, *result)
        for name in heavy:
            is_halved = name in HALVED and CORES > 1
            count_gtest(tally, preset, *(run_halves(preset, name, pool) if is_halved
                                         else run_gtest(preset, name)))


def count_gtest(tally, preset, name, run, outcomes):
    failed = sum(outcome == "failed" for _, outcome in outcomes)
    skipped = sum(outcome == "skipped" for _, outcome in outcomes)
    say(f"{preset}/{name}: {len(outcomes)} cases, {failed} failed, {skipped} skipped, "
        f"{run.seconds:.1f} s")
    for case, outcome in outcomes:
        tally.add(f"{preset}/{name} {case}", outcome)
    tally.whole.add(f"{preset}/{name}")
    if failed or (skipped and tally.skips_fail):
        show_tail(f"{preset}/{name}", run)


def test_programs(preset):
    return sorted(path.name for path in (BUILD / preset).glob("*_test") if path.is_file())


def group_release(tally):
    """The release build and every unit test in it."""
    if build(tally, "release"):
        fetch_default_model(tally)
        run_gtests(tally, "release", test_programs("release"))


def group_tidy(tally):
    """The house style: layering, sizes, names; and the tests of these tools."""
    for path in ("tools/run_tests_test.py", "tools/tidy_test.py", "bench/compare_test.py",
                 "tools/tidy"):
        tally.add_run(path, run_program(["/usr/bin/python3", ROOT / path], UNIT_LIMIT_S))


def group_sanitizers(tally):
    """ASan+UBSan and TSan builds of what has threads and parsers, and their tests."""
    for preset in ("asan", "tsan"):
        if build(tally, preset):
            run_gtests(tally, preset, [name for name in TARGETS[preset] if name.endswith("_test")])


def group_odr(tally):
    """One definition of every name: all units of the program, joined by the compiler."""
    if build(tally, "odr"):
        units = len((BUILD / "odr/odr_objects.txt").read_text().split())
        say(f"odr: {units} units joined, no name is defined two ways; a planted one is refused: "
            "PASS")


def group_aarch64(tally):
    """On demand: the rooms below text, cross-compiled for 64-bit Arm, their tests under qemu."""
    if build(tally, "aarch64"):
        run_gtests(tally, "aarch64", test_programs("aarch64"))


def fetch_default_model(tally):
    """Into the local store, where the tests look for it. False if it cannot be had."""
    fetch = run_program([ROOT / "tools/fetch_model.sh"], UNIT_LIMIT_S)
    if not fetch.ok:
        tally.add_run("fetch the default model", fetch)
    return fetch.ok


def group_clients(tally):
    """The official Python and Node clients against a server with the default model."""
    if not fetch_default_model(tally):
        return
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        run = run_program(
            [BUILD / "venv/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider",
             f"--junitxml={report}", ROOT / "tests/clients"], UNIT_LIMIT_S)
        outcomes = pytest_outcomes(report)
    say(f"tests/clients: {len(outcomes)} cases, {run.seconds:.1f} s")
    for name, outcome in outcomes:
        tally.add(f"clients {name}", outcome)
    if not outcomes:
        tally.add("clients: ran no test", "failed")
    if not run.ok:
        show_tail("tests/clients", run)


def group_agents(tally):
    """On demand: coding agents as they are, two turns each, where nothing but loopback exists."""
    if not fetch_default_model(tally):
        return
    run = run_program([BUILD / "venv/bin/python", ROOT / "tests/agents/run_agents.py"],
                      UNIT_LIMIT_S)
    say(run.output.rstrip())
    tally.add_run("tests/agents", run)


def group_clients_more(tally):
    """On demand: the official clients for Go and Java against the default model."""
    if not fetch_default_model(tally):
        return
    run = run_program(["/usr/bin/python3", ROOT / "tests/clients_more/run_clients.py"],
                      UNIT_LIMIT_S)
    say(run.output.rstrip())
    tally.add_run("tests/clients_more", run)


def group_suites(tally):
    """On demand: Ollama's own integration suite and Triton's perf_analyzer against our server."""
    if not fetch_default_model(tally):
        return
    run = run_program(["/usr/bin/python3", ROOT / "tests/suites/run_suites.py"], SUITES_LIMIT_S)
    say(run.output.rstrip())
    tally.add_run("tests/suites", run)


def group_fuzz(tally):
    """On demand: every fuzzer of tests/fuzz, 10 minutes each (QUIRE_FUZZ_SECONDS: as many)."""
    if not build(tally, "fuzz"):
        return
    run = run_program(["/usr/bin/python3", ROOT / "tests/fuzz/run_fuzzers.py", "--seconds",
                       os.environ.get("QUIRE_FUZZ_SECONDS", "600")], is_shown=True)
    tally.add_run("tests/fuzz", run)


def pytest_outcomes(report):
    """(case, outcome) of each case in a JUnit report, as pytest and vitest write it."""
    try:
        cases = xml.etree.ElementTree.parse(report).getroot().iter("testcase")
    except (OSError, xml.etree.ElementTree.ParseError):
        return []
    outcomes = []
    for case in cases:
        bad = case.find("failure") is not None or case.find("error") is not None
        skipped = case.find("skipped") is not None
        outcomes.append((case.get("name"), "failed" if bad else "skipped" if skipped else "passed"))
    return outcomes


def group_web(tally):
    """The web page: its types, its unit tests, and the page in a browser."""
    web = ROOT / "web"
    bin_folder = web / "node_modules/.bin"
    if not bin_folder.is_dir():
        tally.add("web: the release build, which installs the packages, comes first", "failed")
        return
    tally.add_run("web types", run_program([bin_folder / "tsc", "--noEmit", "-p", web]))
    configs = {"unit": "vite.config.ts"}
    if fetch_default_model(tally):
        configs["browser"] = "tests/vitest.config.ts"
    for name, config in configs.items():
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.xml"
            run = run_program(
                [bin_folder / "vitest", "run", "--root", web, "--config", web / config,
                 "--reporter=default", "--reporter=junit", f"--outputFile.junit={report}"],
                UNIT_LIMIT_S)
            outcomes = pytest_outcomes(report)
        say(f"web {name}: {len(outcomes)} cases, {run.seconds:.1f} s")
        for case, outcome in outcomes:
            tally.add(f"web {name} {case}", outcome)
        if not outcomes:
            tally.add(f"web {name}: ran no test", "failed")
        if not run.ok:
            show_tail(f"web {name}", run)


def group_holds(tally):
    """What must hold: each program of tests/holds is one test and prints its figures."""
    for name in HOLDS:
        program = ROOT / "tests/holds" / name
        if not program.exists():
            tally.add(f"tests/holds/{name} does not exist", "failed")
            continue
        if TOLD.get(name) in tally.whole:
            say(f"== holds/{name}: its cases ran in {TOLD[name]}")
            continue
        run = run_program([program], HOLD_LIMIT_S)
        say(f"== holds/{name}, {run.seconds:.0f} s")
        if run.ok or run.status == SKIPPED:
            say(run.output.rstrip())
        tally.add_run(f"tests/holds/{name}", run)


# In this order: what is cheap and tells most comes first; holds/equal_builds compares them all.
GROUPS = {
    "release": group_release,
    "tidy": group_tidy,
    "clients": group_clients,
    "web": group_web,
    "odr": group_odr,
    "sanitizers": group_sanitizers,
    "holds": group_holds,
    "aarch64": group_aarch64,
    "agents": group_agents,
    "clients-more": group_clients_more,
    "suites": group_suites,
    "fuzz": group_fuzz,
}
# Emulation takes minutes, agents are hundreds of megabytes, further clients want toolchains of
# their own, and fuzzers take hours: run only when named.
ON_DEMAND = {"aarch64", "agents", "clients-more", "fuzz", "suites"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--list", action="store_true", help="say what the groups are")
    arguments = parser.parse_args()
    if arguments.list:
        for name, group in GROUPS.items():
            say(f"{name:12} {group.__doc__}")
        return 0
    unknown = [name for name in arguments.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no such group: {' '.join(unknown)} (there are {', '.join(GROUPS)})")

    tally = Tally(skips_fail=(ROOT.parent / "shared").is_dir())
    start = time.monotonic()
    for name, group in GROUPS.items():
        if name in (arguments.groups or GROUPS.keys() - ON_DEMAND):
            group(tally)

    for preset, seconds in tally.build_seconds.items():
        say(f"build {preset}: {seconds:.0f} s")
    for name in tally.skipped:
        say(f"SKIPPED {name}")
    for name in tally.failed:
        say(f"FAILED {name}")
    say(f"all: {time.monotonic() - start:.0f} s")
    say(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
