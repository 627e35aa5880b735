"""Every fenced example of README.md is run as it is printed, against a server with the default
model, or with an embedder beside it where the example asks one; only the port is another one, so
that a server that runs already does not matter."""

import pathlib
import re
import subprocess
import sys

import pytest

from conftest import ROOT, running_server

README = ROOT / "README.md"
PRINTED = "127.0.0.1:8000"
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = {  # language -> (command that reads the example from standard input, where)
    "sh": (["bash", "-eu"], ROOT),
    "python": ([sys.executable, "-"], ROOT),
    "js": (["node", "--input-type=module", "-"], ROOT / "build/node"),
}


@pytest.fixture(scope="module")
def readme_server():
    """The server that the README tells to start."""
    with running_server(model=None) as server:
        yield server


def test_there_is_an_example_of_each_language():
    assert {language for language, _ in EXAMPLES} == set(COMMANDS)
    assert any(text.startswith("curl ") for _, text in EXAMPLES)


@pytest.mark.parametrize("language, text", EXAMPLES,
                         ids=[f"{language}-{text.split()[0]}" for language, text in EXAMPLES])
def test_example(request, language, text):
    command, folder = COMMANDS[language]
    server = request.getfixturevalue("pair_server" if "minilm" in text else "readme_server")
    address = server.url.removeprefix("http://")
    run = subprocess.run(command, cwd=folder, input=text.replace(PRINTED, address),
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Paris" in run.stdout, run.stdout + run.stderr
