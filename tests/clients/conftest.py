"""Starts Quire servers for the client tests: the release build, the default model, a free port.

A server lives for the whole run; its log is shown when it fails. QUIRE_URL names one that
runs already and is tested instead; QUIRE_BINARY and QUIRE_TEST_MODEL another binary or model.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import anthropic
import openai
import openai_schema
import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # LiteLLM asks nobody else, then

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("QUIRE_BINARY", str(ROOT / "build/release/quire"))
STORE = pathlib.Path(os.environ.get("QUIRE_HOME", pathlib.Path.home() / ".local/share/quire"))
MODEL = os.environ.get("QUIRE_TEST_MODEL",
                       str(STORE / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
WATCH = openai_schema.Watch(openai_schema.Schema()) if openai_schema.is_there() else None
READY_LIMIT_S = 60
STOP_LIMIT_S = 20


class Server:
    """A running server: its address and clients for it."""

    def __init__(self, url):
        self.url = url

    def client(self, api_key="none", **options):
        if WATCH is not None:
            options.setdefault("http_client", openai.DefaultHttpxClient(
                transport=openai_schema.Watched(WATCH), base_url=f"{self.url}/v1", timeout=60))
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=api_key, timeout=60,
                             max_retries=0, **options)

    def async_client(self, **options):
        if WATCH is not None:
            options.setdefault("http_client", openai.DefaultAsyncHttpxClient(
                transport=openai_schema.AsyncWatched(WATCH), base_url=f"{self.url}/v1"))
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", timeout=60,
                                  max_retries=0, **options)

    def anthropic(self, api_key="none", asynchronous=False, **options):
        kind = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        return kind(base_url=self.url, api_key=api_key, timeout=60, max_retries=0, **options)


def wait_for_address(process, log):
    """The address that the server says it listens on."""
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"https?://127\.0\.0\.1:([1-9]\d*)", pathlib.Path(log).read_text())
        if match:
            return match.group()
        time.sleep(0.02)
    pytest.fail(f"the server did not come up:\n{pathlib.Path(log).read_text()}")


@contextlib.contextmanager
def running_server(*arguments, model=MODEL, is_killed=False, command="serve", environment=None):
    """Serves until the block ends; then SIGTERM has to drain it to an exit status of 0, or SIGKILL
    ends it where it is. model=None is the default model under its own name. What it keeps it keeps
    in memory, unless the arguments say otherwise. `command`: serve, or tgi-launcher."""
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            [BINARY, command, *(["--model-id"] if model and command != "serve" else []),
             *([model] if model else []), "--port", "0",
             *([] if "--response-store" in arguments else ["--response-store", "memory"]),
             *arguments],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield Server(wait_for_address(process, log.name))
            if is_killed:
                return
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_LIMIT_S) == 0, pathlib.Path(log.name).read_text()
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def server():
    if "QUIRE_URL" in os.environ:
        yield Server(os.environ["QUIRE_URL"])
        return
    with running_server() as running:
        yield running


@pytest.fixture(scope="session")
def locked_server():
    """A server that asks for a key and gives its model a name of our choice."""
    with running_server("--api-key", "sesame", "--served-model-name", "chosen") as running:
        yield running


@pytest.fixture(scope="session")
def pair_server():
    """A model that answers and one that embeds, as the README tells to start them."""
    with running_server("minilm", model="smollm2") as running:
        yield running


@pytest.fixture(scope="session")
def any_name_server():
    """A model that answers to whatever name, as TGI's do."""
    with running_server("--served-model-name", "*") as running:
        yield running


@pytest.fixture(scope="session")
def client(server):
    return server.client()


@pytest.fixture(scope="session")
def model(client):
    """The name of the one model that is served."""
    return client.models.list().data[0].id


@pytest.fixture(autouse=True)
def nothing_unlike_the_document():
    """What passed through OpenAI's client during a test is as OpenAI's document has it."""
    yield
    if WATCH is not None:
        problems, WATCH.problems = WATCH.problems, []
        assert not problems, "\n".join(problems[:10])


def pytest_terminal_summary(terminalreporter):
    if WATCH is not None and WATCH.checked:
        terminalreporter.write_line("compared with OpenAI's document: " + ", ".join(
            f"{count} {name}" for name, count in sorted(WATCH.checked.items())))


@pytest.fixture(scope="session")
def schema():
    """OpenAI's own document; where this machine has none, what needs it is skipped."""
    if not openai_schema.is_there():
        pytest.skip(f"there is no {openai_schema.DOCUMENT}: shapes are not compared with it")
    return WATCH.schema
