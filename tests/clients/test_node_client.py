"""The official OpenAI Node client against Quire: each test of client.test.mjs is one test here."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT

SCRIPT = pathlib.Path(__file__).with_name("client.test.mjs")
NAMES = re.findall(r'^test\("([^"]+)"', SCRIPT.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_node(server, name):
    run = subprocess.run(
        ["node", "--test-name-pattern", f"^{re.escape(name)}$", str(SCRIPT)],
        env={**os.environ, "QUIRE_URL": server.url, "QUIRE_NODE": str(ROOT / "build/node")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"pass 1$", run.stdout, re.MULTILINE), run.stdout
