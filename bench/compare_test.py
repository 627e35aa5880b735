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


if __name__ == "__main__":
    unittest.main()
