"""Runs gtest programs for a hold: their lines that begin with FIGURE are its figures, their verdict
is its verdict. A program whose reference data is absent skips its cases, and so does the hold."""

import os
import subprocess
import sys

from quire_server import ROOT, SKIPPED


def run(title, program, pattern, environment=None, preset="release"):
    """Prints figures and a PASS, FAIL or SKIP line; returns 0, 1 or SKIPPED."""
    result = subprocess.run(
        [ROOT / "build" / preset / program, f"--gtest_filter={pattern}"], cwd=ROOT,
        env={**os.environ, **(environment or {})}, capture_output=True, text=True, errors="replace")
    lines = result.stdout.splitlines()
    for line in lines:
        if line.startswith("FIGURE "):
            print("     " + line[len("FIGURE "):])
    cases = sum(line.startswith("[       OK ]") for line in lines)
    skipped = sum(line.startswith("[  SKIPPED ]") for line in lines)
    if result.returncode == 0 and cases == 0:
        print(f"SKIP {title}: " + ("its reference data is not here" if skipped else "no such test"))
        return SKIPPED if skipped else 1
    if result.returncode != 0:
        print("\n".join(lines[-40:]) + result.stderr[-2000:])
    print(f"{'PASS' if result.returncode == 0 else 'FAIL'} {title} ({cases} cases)", flush=True)
    return result.returncode and 1


def finish(outcomes):
    """Exits with the worst of the outcomes."""
    if any(outcome not in (0, SKIPPED) for outcome in outcomes):
        sys.exit(1)
    sys.exit(SKIPPED if SKIPPED in outcomes else 0)
