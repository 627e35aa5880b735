"""The official Node clients against Quire: each test of a *.test.mjs is one test here."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT

SCRIPTS = sorted(pathlib.Path(__file__).parent.glob("*.test.mjs"))
FIXTURES = {"embeddings.test.mjs": "pair_server"}  # the others: one model that chats
CASES = [(script, name) for script in SCRIPTS
         for name in re.findall(r'^test\("([^"]+)"', script.read_text(), re.MULTILINE)]


@pytest.mark.parametrize("script, name", CASES, ids=[name for _, name in CASES])
def test_node(request, script, name):
    server = request.getfixturevalue(FIXTURES.get(script.name, "server"))
    run = subprocess.run(
        ["node", "--test-name-pattern", f"^{re.escape(name)}$", str(script)],
        env={**os.environ, "QUIRE_URL": server.url, "QUIRE_NODE": str(ROOT / "build/node")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"pass 1$", run.stdout, re.MULTILINE), run.stdout
