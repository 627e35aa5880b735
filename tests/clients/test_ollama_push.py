"""Models that Ollama's official Python client, and our command line, push to a registry."""

import asyncio
import json
import os
import pathlib
import subprocess
import tempfile

import httpx
import ollama
import pytest

from conftest import BINARY, MODEL, running_server
from fake_registry import running_registry

TEMPLATE = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def server():
    """One whose store is the test's own."""
    before = os.environ.get("QUIRE_HOME")
    with tempfile.TemporaryDirectory() as home:
        os.environ["QUIRE_HOME"] = home
        try:
            with running_server("--served-model-name", "base") as running:
                running.home = home
                yield running
        finally:
            if before is None:
                del os.environ["QUIRE_HOME"]
            else:
                os.environ["QUIRE_HOME"] = before


@pytest.fixture(scope="module")
def client(server):
    return ollama.Client(host=server.url)


@pytest.fixture
def registry():
    with running_registry() as running:
        yield running


@pytest.fixture
def name(client, registry):
    """A model that is called as the place where it is to go."""
    full = f"{registry.host}/me/mario:135m"
    client.create(full, from_="base", template=TEMPLATE, system="You are Mario.",
                  license=["MIT", "Apache-2.0"], messages=[{"role": "user", "content": "Hi"}],
                  parameters={"temperature": 0, "num_predict": 12, "stop": ["<|im_end|>", "xyz"]})
    yield full
    client.delete(full)


def told(client, name):
    shown = client.show(name)
    lines = [line for line in shown.modelfile.splitlines() if "FROM" not in line]  # a file's name
    return [shown.template, shown.license, shown.parameters, lines,
            client.chat(name, QUESTION).message.content]


def test_what_is_pushed_is_pulled_as_it_was(client, registry, name):
    steps = list(client.push(name, insecure=True, stream=True))
    said = [step.status for step in steps]
    assert said[0] == "retrieving manifest" and said[-2:] == ["pushing manifest", "success"]
    weights = pathlib.Path(MODEL).read_bytes()
    assert any(step.completed == step.total == len(weights) for step in steps)
    for step in steps:
        if step.digest:
            assert step.status == f"pushing {step.digest.removeprefix('sha256:')[:12]}"
            assert (step.completed or 0) <= step.total
    manifest = json.loads(registry.manifests["me/mario/135m"])
    kinds = [layer["mediaType"].rsplit(".", 1)[-1] for layer in manifest["layers"]]
    assert kinds == ["model", "template", "system", "license", "license", "params", "messages"]
    assert registry.blobs[manifest["layers"][0]["digest"]] == weights
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    assert config["model_format"] == "gguf" and config["model_family"] == "llama"
    assert config["model_type"] == "134.52M" and config["file_type"] == "Q4_1"
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    before = told(client, name)
    client.delete(name)
    assert client.pull(name, insecure=True).status == "success"
    assert told(client, name) == before


def test_what_is_there_is_not_sent_again(client, server, registry, name):
    assert client.push(name).status == "success"
    sent = registry.count("PATCH")
    assert sent >= 8
    asynchronous = asyncio.run(ollama.AsyncClient(host=server.url).push(name))
    assert asynchronous.status == "success" and registry.count("PATCH") == sent


def test_a_part_that_fails_is_sent_once_more(client, registry, name):
    faults = iter([500, 503])
    registry.fault = lambda method, _: next(faults, None) if method == "PATCH" else None
    assert client.push(name).status == "success"
    assert "me/mario/135m" in registry.manifests


def test_a_registry_that_refuses_is_told(client, registry, name):
    registry.fault = lambda method, _: 403 if method == "POST" else None
    with pytest.raises(ollama.ResponseError, match="access denied: .*not today") as refused:
        client.push(name)
    assert refused.value.status_code == 403
    with pytest.raises(ollama.ResponseError, match="access denied"):
        list(client.push(name, stream=True))
    registry.fault = lambda *_: 401
    with pytest.raises(ollama.ResponseError, match="unauthorized: access denied"):
        client.push(name)
    assert not registry.manifests
    assert client.chat(name, QUESTION).message.content, "the model is as it was"


def test_what_cannot_be_pushed_is_refused_by_name(client, registry):
    with pytest.raises(ollama.ResponseError, match="not found") as unknown:
        client.push(f"{registry.host}/me/nobody")
    assert unknown.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="not found"):
        list(client.push(f"{registry.host}/me/nobody", stream=True))
    with pytest.raises(ollama.ResponseError, match="served from outside of the store"):
        client.push("base")
    with pytest.raises(ollama.ResponseError, match="insecure protocol http"):
        client.push(f"http://{registry.host}/me/nobody")
    assert not registry.seen


def test_a_client_that_leaves_disturbs_nobody(client, server, registry, name):
    with httpx.stream("POST", f"{server.url}/api/push", json={"model": name}) as stream:
        assert "retrieving manifest" in next(stream.iter_lines())
    assert client.push(name).status == "success"


def test_the_command_line_pushes_and_says_where(server, registry, name):
    def push(*words):
        return subprocess.run([BINARY, "push", *words], capture_output=True, text=True,
                              check=False, env={**os.environ, "QUIRE_HOME": server.home})

    ran = push(name, "--insecure")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{name}\n" and "MiB" in ran.stderr
    assert "me/mario/135m" in registry.manifests
    near = push(name[:-1])
    assert near.returncode == 1 and "Did you mean" in near.stderr
    assert "insecure protocol http" in push(f"http://{name}").stderr
    assert "the hub takes no model" in push("hf:owner/name").stderr
    registry.fault = lambda *_: 401
    assert "unauthorized: access denied" in push(name).stderr
