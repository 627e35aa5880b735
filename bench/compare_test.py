#!/usr/bin/env python3
"""Runs bench/compare on commands whose figures are known."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).with_name("compare")


def compare(*arguments):
    return subprocess.run([sys.executable, TOOL, *arguments], text=True, capture_output=True,
                          timeout=60, check=False)


class CompareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def counter(self, name, figures, text):
        """A command that prints `text` with one figure after the other; and notes its turn."""
        program = self.folder / f"{name}.py"
        program.write_text(
            "import pathlib\n"
            f"log = pathlib.Path({str(self.folder / 'turns')!r})\n"
            "turns = log.read_text() if log.exists() else ''\n"
            f"log.write_text(turns + {name[0]!r})\n"
            f"print({text!r} % {figures!r}[turns.count({name[0]!r})])\n")
        return f"{sys.executable} {program}"

    def test_pairs_alternate_and_the_median_of_their_ratios_counts(self):
        ours = self.counter("ours", [10.0, 30.0, 20.0], "speed: %s tokens/s")
        peer = self.counter("peer", [10, 10, 10], '{"runs": [{"speed": %s}]}')
        run = compare("--ours", ours, "--ours-number", r"re:speed: ([\d.]+)", "--peer", peer,
                      "--peer-number", "json:runs.0.speed", "--pairs", "3", "--json")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual((self.folder / "turns").read_text(), "opopop")
        summary = json.loads(run.stdout)
        self.assertEqual([pair["ratio"] for pair in summary["pairs"]], [1, 3, 2])
        self.assertEqual(summary["ratio_median"], 2)
        self.assertEqual((summary["ratio_min"], summary["ratio_max"]), (1, 3))
        self.assertEqual(summary["ratio_spread"], 0.25)

    def test_where_lower_is_better_the_ratio_turns_round(self):
        run = compare("--ours", "echo 20 ms", "--ours-number", "re:[0-9]+", "--peer", "echo 50 ms",
                      "--peer-number", "re:[0-9]+", "--pairs", "1", "--lower")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"median +20 +50 +2\.500")

    def test_warm_up_pairs_do_not_count(self):
        ours = self.counter("ours", [1000.0, 4.0], "%s")
        run = compare("--ours", ours, "--ours-number", "re:.+", "--peer", "echo 2",
                      "--peer-number", "re:.+", "--pairs", "1", "--warm-up", "1", "--json")
        self.assertEqual(json.loads(run.stdout)["ratio_median"], 2)

    def test_of_several_matches_the_last_counts_on_either_stream(self):
        run = compare("--ours", "echo 'eval 7 t/s'; echo 'eval 1,024 t/s' >&2", "--ours-number",
                      "re:eval ([0-9,]+) t/s", "--peer", "echo 512", "--peer-number", "re:.+",
                      "--pairs", "1", "--json")
        self.assertEqual(json.loads(run.stdout)["ours_median"], 1024)

    def test_a_failed_command_and_a_missing_number_are_told(self):
        for command, number, reason in (("echo lost; exit 3", "re:.+", "exit status 3"),
                                        ("echo none", "re:[0-9]+", "no number"),
                                        ("echo '{}'", "json:a.b", "no number"),
                                        ("echo 0", "re:[0-9]+", "zero")):
            run = compare("--ours", "echo 1", "--ours-number", "re:.+", "--peer", command,
                          "--peer-number", number, "--pairs", "1")
            self.assertEqual(run.returncode, 1)
            self.assertIn(reason, run.stderr)

    def test_a_bad_call_is_refused(self):
        for number in ("speed", "re:", "re:(", "yaml:a"):
            run = compare("--ours", "echo 1", "--ours-number", number, "--peer", "echo 1",
                          "--peer-number", "re:.+")
            self.assertEqual(run.returncode, 2, number)

    def history(self, *lines, arguments=()):
        path = self.folder / "history.jsonl"
        path.write_text("".join(line + "\n" for line in lines))
        return compare("--history", path, *arguments)

    @staticmethod
    def line(share, label="", isa="avx2", speed=100.0):
        return json.dumps({"saved_at": 0, "label": label, "model": "m", "cpu": "c", "isa": isa,
                           "threads": 2, "kv_cache_dtype": "F16", "tests": [
                               {"name": "decode x1", "tokens_per_second": speed,
                                "share_of_limit": share}]})

    def test_a_share_that_falls_is_marked(self):
        run = self.history(self.line(0.8, "a"), self.line(0.7, "b"))
        self.assertEqual(run.returncode, 3, run.stderr)
        self.assertRegex(run.stdout, r"decode x1.*80\.0 -> 70\.0 %.*0\.875  SLOWER")
        self.assertEqual(self.history(self.line(0.8), self.line(0.75)).returncode, 0)
        self.assertEqual(self.history(self.line(0.8), self.line(0.75),
                                      arguments=("--fall", "0.05")).returncode, 3)

    def test_what_the_machine_lost_is_not_the_programs_fault(self):
        run = self.history(self.line(0.8, speed=100.0), self.line(0.8, speed=50.0))
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_only_lines_of_the_same_kind_are_compared(self):
        run = self.history(self.line(0.9, "a"), self.line(0.2, isa="scalar"), self.line(0.9, "c"))
        self.assertEqual(run.returncode, 0, run.stderr)
        run = self.history(self.line(0.9, "a"), self.line(0.5, "b"), self.line(0.5, "c"),
                           arguments=("--against", "a"))
        self.assertEqual(run.returncode, 3, run.stderr)

    def test_a_history_of_nothing_says_so(self):
        run = self.history(self.line(0.9), "not json")
        self.assertEqual(run.returncode, 1)
        self.assertIn("line 2", run.stderr)
        self.assertIn("no two measurements", run.stderr)
        self.assertEqual(compare("--history", self.folder / "none").returncode, 1)


if __name__ == "__main__":
    unittest.main()
