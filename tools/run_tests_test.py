#!/usr/bin/env python3
"""Runs tools/run_tests.py on a small tree whose builds and tests are scripts, and counts."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from run_tests import BY_HAND, HOLDS

TOOL = pathlib.Path(__file__).with_name("run_tests.py")

GTEST = """#!{python}
import json, os, pathlib, sys
report = sys.argv[1].removeprefix("--gtest_output=json:")
shard, shards = (int(os.environ.get(f"GTEST_{{word}}", default))
                 for word, default in (("SHARD_INDEX", 0), ("TOTAL_SHARDS", 1)))
if {report!r}:
    cases = json.loads({report!r})
    for suite in cases["testsuites"]: suite["testsuite"] = suite["testsuite"][shard::shards]
    pathlib.Path(report).write_text(json.dumps(cases))
    if shards > 1: sys.exit("failures" in json.dumps(cases))
print("the end of the output")
sys.exit({status})
"""


def case(name, result="COMPLETED", **fields):
    return {"name": name, "status": "RUN", "result": result, **fields}


class RunTestsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.parent = pathlib.Path(folder.name).resolve()
        self.root = self.parent / "project"
        (self.root / "tools").mkdir(parents=True)
        (self.root / "build/release").mkdir(parents=True)
        shutil.copy(TOOL, self.root / "tools")
        self.write_program("tools/build.sh", "#!/bin/sh\nexit 0\n")
        self.write_program("tools/fetch_model.sh", "#!/bin/sh\nexit 0\n")

    def write_program(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)

    def write_gtest(self, name, cases, status=0):
        report = cases and json.dumps({"testsuites": [{"name": "Suite", "testsuite": cases}]})
        self.write_program(f"build/release/{name}",
                           GTEST.format(python=sys.executable, report=report, status=status))

    def expect(self, last_line, status, *groups):
        run = subprocess.run([sys.executable, self.root / "tools/run_tests.py", *groups],
                             capture_output=True, text=True, check=False)
        self.assertEqual(run.stdout.splitlines()[-1], last_line, run.stdout + run.stderr)
        self.assertEqual(run.returncode, status)
        return run.stdout

    def test_counts_cases_and_the_build(self):
        self.write_gtest("base_test", [case("A"), case("B")])
        self.write_gtest("engine_test", [case("C"), case("D")])
        self.expect("5 passed, 0 failed, 0 skipped", 0, "release")

    def test_a_hold_is_left_out_where_its_program_has_run(self):
        for name in HOLDS:
            self.write_program(f"tests/holds/{name}", "#!/bin/sh\nexit 0\n")
        self.expect(f"{len(HOLDS)} passed, 0 failed, 0 skipped", 0, "holds")
        self.write_gtest("golden_test", [case("A")])
        output = self.expect(f"{len(HOLDS) + 1} passed, 0 failed, 0 skipped", 0, "release",
                             "holds")
        self.assertIn("holds/default_model: its cases ran in release/golden_test", output)

    def test_both_halves_of_a_program_count(self):
        self.write_gtest("golden_test", [case("A"), case("B", result="SKIPPED"),
                                         case("C", failures=[{"failure": "no"}])], 1)
        self.expect("2 passed, 1 failed, 1 skipped", 1, "release")

    def test_a_failed_case_fails(self):
        self.write_gtest("base_test", [case("A"), case("B", failures=[{"failure": "no"}])], 1)
        output = self.expect("2 passed, 1 failed, 0 skipped", 1, "release")
        self.assertIn("FAILED release/base_test Suite.B", output)
        self.assertIn("the end of the output", output)

    def test_a_crash_fails(self):
        self.write_gtest("base_test", None, 139)
        self.expect("1 passed, 1 failed, 0 skipped", 1, "release")

    def test_a_bad_exit_after_good_cases_fails(self):
        self.write_gtest("base_test", [case("A")], 23)
        self.expect("2 passed, 1 failed, 0 skipped", 1, "release")

    def test_no_case_at_all_fails(self):
        self.write_gtest("base_test", [])
        self.expect("1 passed, 1 failed, 0 skipped", 1, "release")

    def test_a_skip_fails_only_where_the_reference_data_is(self):
        self.write_gtest("base_test", [case("A", result="SKIPPED")])
        self.expect("1 passed, 0 failed, 1 skipped", 0, "release")
        (self.parent / "shared").mkdir()
        self.expect("1 passed, 1 failed, 0 skipped", 1, "release")

    def test_a_failed_build_runs_no_program(self):
        self.write_program("tools/build.sh", "#!/bin/sh\nexit 1\n")
        self.write_gtest("base_test", [case("A")])
        self.expect("0 passed, 1 failed, 0 skipped", 1, "release")

    def test_holds(self):
        *good, skipped, absent = HOLDS
        for name in good:
            self.write_program(f"tests/holds/{name}", "#!/bin/sh\necho PASS figure\n")
        self.write_program(f"tests/holds/{skipped}", "#!/bin/sh\nexit 77\n")  # no data
        last_line = f"{len(good)} passed, 1 failed, 1 skipped"
        output = self.expect(last_line, 1, "holds")
        self.assertIn(f"FAILED tests/holds/{absent} does not exist", output)
        self.write_program(f"tests/holds/{absent}", "#!/bin/sh\necho FAIL figure\nexit 1\n")
        self.expect(last_line, 1, "holds")

    def test_every_program_of_holds_has_its_place(self):
        folder = pathlib.Path(__file__).resolve().parent.parent / "tests/holds"
        programs = [path.name for path in folder.iterdir() if path.is_file() and not path.suffix]
        self.assertEqual(sorted(programs), sorted([*HOLDS, *BY_HAND]))


if __name__ == "__main__":
    unittest.main()
