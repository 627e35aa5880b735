"""The official Node clients against Quire: each test of a *.test.mjs is one test here. What passes
through OpenAI's goes by way of recording_proxy and is compared with OpenAI's own document."""

import contextlib
import os
import pathlib
import re
import subprocess

import httpx2
import pytest

from conftest import ROOT, WATCH
from recording_proxy import watched

SCRIPTS = sorted(pathlib.Path(__file__).parent.glob("*.test.mjs"))
FIXTURES = {"embeddings.test.mjs": "pair_server",
            "tgi.test.mjs": "any_name_server"}  # the others: one model that chats
OPENAI = {"client.test.mjs", "embeddings.test.mjs", "tools.test.mjs"}
CASES = [(script, name) for script in SCRIPTS
         for name in re.findall(r'^test\("([^"]+)"', script.read_text(), re.MULTILINE)]


@pytest.mark.parametrize("script, name", CASES, ids=[name for _, name in CASES])
def test_node(request, script, name):
    server = request.getfixturevalue(FIXTURES.get(script.name, "server"))
    is_compared = WATCH is not None and script.name in OPENAI
    before = WATCH.checked.total() if is_compared else 0
    with watched(server.url, WATCH) if is_compared else contextlib.nullcontext(server.url) as url:
        run = subprocess.run(
            ["node", "--test-name-pattern", f"^{re.escape(name)}$", str(script)],
            env={**os.environ, "QUIRE_URL": url, "QUIRE_NODE": str(ROOT / "build/node")},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"pass 1$", run.stdout, re.MULTILINE), run.stdout
    if is_compared:
        assert WATCH.checked.total() > before, "nothing of it was compared with OpenAI's document"


def test_what_differs_from_the_document_is_seen(server, schema):
    """The proxy is no blind spot: an answer that does not fit is a problem."""
    watch = type(WATCH)(schema)
    watch.look = lambda request, status, kind, body: type(WATCH).look(
        watch, request, status, kind, body.replace(b'"object":"list"', b'"object":"lists"'))
    with watched(server.url, watch) as url:
        assert httpx2.get(f"{url}/v1/models").status_code == 200
    assert any("lists" in problem for problem in watch.problems), watch.problems
