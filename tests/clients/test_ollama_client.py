"""Ollama's official Python client, sync and async, and langchain-ollama, against Quire."""

import asyncio
import hashlib
import http.server
import json
import os
import pathlib
import tempfile
import threading

import gguf
import httpx
import numpy
import ollama
import pytest
from langchain_ollama import ChatOllama, OllamaEmbeddings

from conftest import MODEL, running_server

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
GREEDY = {"temperature": 0, "num_predict": 24}


@pytest.fixture(scope="module")
def client(server):
    return ollama.Client(host=server.url)


@pytest.fixture(scope="module")
def name(client):
    return client.list().models[0].model


def test_chat_names_paris_with_durations(client, name):
    answer = client.chat(name, QUESTION, options=GREEDY)
    assert "Paris" in answer.message.content
    assert answer.done and answer.done_reason in ("stop", "length")
    assert answer.prompt_eval_count > 5 and answer.eval_count > 0
    for duration in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
        assert getattr(answer, duration) > 0
    assert answer.total_duration >= answer.eval_duration


def test_chat_stream_says_the_same(client, name):
    whole = client.chat(name, QUESTION, options=GREEDY).message.content
    parts = list(client.chat(name, QUESTION, options=GREEDY, stream=True))
    assert "".join(part.message.content for part in parts) == whole
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[0].eval_count is None and parts[-1].eval_count > 0


def test_generate_goes_on_from_its_context(client, name):
    first = client.generate(name, "My name is Ada.", options=GREEDY)
    second = client.generate(name, "What is my name?", context=first.context, options=GREEDY)
    assert second.context[:len(first.context)] == list(first.context)
    raw = client.generate(name, "Once upon a time", raw=True, options=GREEDY)
    assert raw.response and raw.context is None


def test_format_holds_the_answer_to_a_schema(client, name):
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}},
              "required": ["city"], "additionalProperties": False}
    answer = client.chat(name, QUESTION, format=schema, options={"temperature": 0,
                                                                 "num_predict": 60})
    assert set(json.loads(answer.message.content)) == {"city"}
    anything = client.generate(name, "Say it in JSON.", format="json",
                               options={"temperature": 0, "num_predict": 200})
    assert anything.done_reason == "length" or isinstance(json.loads(anything.response), dict)


def get_weather(city: str) -> str:
    """Tells the weather.

    Args:
      city: where
    """
    return city


def test_tools_reach_the_model_and_their_results_go_back(client, name):
    answer = client.chat(name, QUESTION, tools=[get_weather], options=GREEDY)
    assert answer.done
    again = client.chat(name, [
        *QUESTION,
        {"role": "assistant", "content": "",
         "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]},
        {"role": "tool", "tool_name": "get_weather", "content": "sunny"}], options=GREEDY)
    assert again.message.content


def test_stop_and_seed_act(client, name):
    options = {"temperature": 1.0, "seed": 7, "num_predict": 16}
    one = client.generate(name, "Tell me a story.", options=options).response
    assert client.generate(name, "Tell me a story.", options=options).response == one
    cut = client.generate(name, "Count: 1, 2, 3, 4", raw=True,
                          options={**GREEDY, "stop": [","]}).response
    assert "," not in cut


def test_log_probabilities(client, name):
    answer = client.chat(name, QUESTION, options=GREEDY, logprobs=True, top_logprobs=3)
    assert len(answer.logprobs) == answer.eval_count
    assert all(len(entry.top_logprobs) == 3 for entry in answer.logprobs)


def test_an_empty_prompt_loads_and_ps_shows_it(client, name):
    assert client.generate(name, "").done_reason == "load"
    running = client.ps().models
    assert [model.model for model in running] == [name]
    assert running[0].context_length > 0 and running[0].expires_at is not None


def test_show_and_list(client, name):
    shown = client.show(name)
    assert "completion" in shown.capabilities
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["llama.context_length"] > 0
    assert shown.details.family == "llama" and shown.details.quantization_level == "Q4_1"
    listed = client.list().models[0]
    assert listed.size > 0 and len(listed.digest) == 64 and listed.details.format == "gguf"


def test_errors_are_the_clients_own(client, name):
    with pytest.raises(ollama.ResponseError) as unknown:
        client.chat("no-such-model", QUESTION)
    assert unknown.value.status_code == 404
    assert unknown.value.error == "model 'no-such-model' not found"
    with pytest.raises(ollama.ResponseError) as thinking:
        client.chat(name, QUESTION, think=True)
    assert thinking.value.status_code == 400 and "does not support thinking" in str(thinking.value)
    with pytest.raises(ollama.ResponseError):
        list(client.chat("no-such-model", QUESTION, stream=True))
    with pytest.raises(ollama.ResponseError, match="does not support embeddings"):
        client.embed(name, "x")


def test_many_at_once_with_the_async_client(server, name):
    async def ask():
        client = ollama.AsyncClient(host=server.url)
        answers = await asyncio.gather(*(client.chat(name, QUESTION, options=GREEDY)
                                         for _ in range(8)))
        streamed = [part async for part in await client.generate(
            name, "Hello", options=GREEDY, stream=True)]
        return answers, streamed

    answers, streamed = asyncio.run(ask())
    assert len({answer.message.content for answer in answers}) == 1
    assert streamed[-1].done


def test_embeddings_have_length_one(pair_server):
    client = ollama.Client(host=pair_server.url)
    answer = client.embed("minilm", ["a cat", "a dog"])
    assert len(answer.embeddings) == 2
    assert abs(sum(x * x for x in answer.embeddings[0]) - 1) < 1e-4
    assert len(client.embed("minilm", "a cat", dimensions=64).embeddings[0]) == 64
    assert client.embed("minilm", "").embeddings == []
    assert len(client.embeddings("minilm", "a cat").embedding) == len(answer.embeddings[0])
    vectors = OllamaEmbeddings(model="minilm", base_url=pair_server.url).embed_documents(["a", "b"])
    assert len(vectors) == 2


def test_langchain_chats_and_streams(server, name):
    chat = ChatOllama(model=name, base_url=server.url, temperature=0, num_predict=24)
    answer = chat.invoke("What is the capital of France?")
    assert "Paris" in answer.content
    assert answer.usage_metadata["output_tokens"] > 0
    streamed = "".join(chunk.content for chunk in chat.stream("What is the capital of France?"))
    assert streamed == answer.content


def test_it_says_that_it_is_there(server):
    assert httpx.get(server.url).text == "Ollama is running"
    assert httpx.head(server.url).status_code == 200
    assert "version" in httpx.get(server.url + "/api/version").json()
    assert httpx.get(server.url + "/api/chat").status_code == 405


@pytest.fixture(scope="module")
def store_client():
    """A server whose store is the test's own."""
    before = os.environ.get("QUIRE_HOME")
    with tempfile.TemporaryDirectory() as home:
        os.environ["QUIRE_HOME"] = home
        try:
            with running_server("--served-model-name", "base") as running:
                yield ollama.Client(host=running.url)
        finally:
            if before is None:
                del os.environ["QUIRE_HOME"]
            else:
                os.environ["QUIRE_HOME"] = before


TEMPLATE = ("{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
            "<|im_start|>assistant\n")


def test_a_model_is_created_shown_copied_and_deleted(store_client):
    client = store_client
    steps = list(client.create("mario:135m", from_="base", template=TEMPLATE,
                               system="You are Mario.", parameters=GREEDY, license="Apache-2.0",
                               messages=[{"role": "user", "content": "Who are you?"}],
                               stream=True))
    assert steps[-1].status == "success"
    shown = client.show("mario:135m")
    assert shown.template == TEMPLATE and "SYSTEM You are Mario." in shown.modelfile
    assert client.chat("mario:135m", QUESTION).message.content
    assert client.copy("mario:135m", "luigi").status == "success"
    assert {"base:latest", "mario:135m", "luigi:latest"} <= {
        model.model for model in client.list().models}
    assert client.delete("mario:135m").status == "success"
    with pytest.raises(ollama.ResponseError) as gone:
        client.show("mario:135m")
    assert gone.value.status_code == 404
    assert client.generate("luigi", "Hello").response


def test_what_cannot_be_made_is_refused_by_name(store_client):
    with pytest.raises(ollama.ResponseError, match="quantization is only supported"):
        store_client.create("small", from_="base", quantize="q4_K_M")
    with pytest.raises(ollama.ResponseError, match="not defined"):
        store_client.create("bad", from_="base", template="{{ nope }}")


def test_a_model_is_created_of_a_file_that_is_sent(store_client):
    digest = store_client.create_blob(MODEL)  # a hundred megabytes
    made = store_client.create("sent", files={"model.gguf": digest})
    assert made.status == "success"
    assert "Paris" in store_client.chat("sent", QUESTION, options=GREEDY).message.content


def write_adapter(path, strength):
    """A LoRA adapter for the default model as llama.cpp converts them: what it adds to the queries
    of two layers and to the way down of one is as strong as that."""
    random = numpy.random.default_rng(7)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    for name, rows, columns in [("blk.0.attn_q", 576, 576), ("blk.7.attn_q", 576, 576),
                                ("blk.3.ffn_down", 576, 1536)]:
        a = random.standard_normal((2, columns), dtype=numpy.float32)
        b = random.standard_normal((rows, 2), dtype=numpy.float32)
        writer.add_tensor(f"{name}.weight.lora_a", a)
        writer.add_tensor(f"{name}.weight.lora_b", strength * b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def adapters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    return {"none": write_adapter(folder / "none.gguf", 0),
            "strong": write_adapter(folder / "strong.gguf", 0.3)}


def test_a_model_is_created_with_an_adapter(store_client, adapters):
    answers = {}
    for name, path in adapters.items():
        digest = store_client.create_blob(path)
        made = store_client.create(f"with-{name}", from_="base", adapters={path.name: digest})
        assert made.status == "success"
        assert "\nADAPTER /" in store_client.show(f"with-{name}").modelfile
        answers[name] = store_client.chat(f"with-{name}", QUESTION, options=GREEDY).message.content
    base = store_client.chat("base", QUESTION, options=GREEDY).message.content
    assert answers["none"] == base, "zeros add nothing"
    assert answers["strong"] != base
    digests = {model.model: model.digest for model in store_client.list().models}
    assert len({digests[f"with-{name}:latest"] for name in answers} | {digests["base:latest"]}) == 3
    assert store_client.create("heir", from_="with-strong", system="Be brief.").status == "success"
    assert "\nADAPTER /" in store_client.show("heir").modelfile
    store_client.delete("with-strong")
    assert store_client.generate("heir", "Hello", options=GREEDY).response


def test_adapters_that_do_not_fit_are_refused_by_name(store_client, adapters, tmp_path):
    digest = store_client.create_blob(adapters["none"])
    with pytest.raises(ollama.ResponseError, match="only one adapter is currently supported"):
        store_client.create("bad", from_="base", adapters={"a.gguf": digest, "b.gguf": digest})
    with pytest.raises(ollama.ResponseError, match="there is no blob"):
        store_client.create("bad", from_="base", adapters={"a.gguf": "sha256:" + "0" * 64})
    text = tmp_path / "words.gguf"
    text.write_text("words")
    with pytest.raises(ollama.ResponseError, match="not in GGUF format"):
        store_client.create("bad", from_="base",
                            adapters={"words.gguf": store_client.create_blob(text)})
    with pytest.raises(ollama.ResponseError) as gone:
        store_client.show("bad")
    assert gone.value.status_code == 404


class Registry(http.server.BaseHTTPRequestHandler):
    """One model, as Ollama's registry has it."""

    layers, ranges = {}, []

    def do_GET(self):
        path = self.path.split("?")[0]
        is_manifest = path == "/v2/me/pulled/manifests/latest"
        body = json.dumps({"layers": [
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest,
             "size": len(data)} for digest, (kind, data) in self.layers.items()]}).encode()
        digest = path.rsplit("/", 1)[-1]
        if not is_manifest and digest not in self.layers:
            return self.send_error(404)
        data = body if is_manifest else self.layers[digest][1]
        wanted = self.headers.get("Range")
        begin, end = 0, len(data) - 1
        if wanted:
            self.ranges.append(wanted)
            begin, end = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
            end = min(end, len(data) - 1)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{end}/{len(data)}")
        self.send_header("Content-Length", str(end - begin + 1))
        self.end_headers()
        self.wfile.write(data[begin:end + 1])

    def log_message(self, *_):
        pass


def test_a_model_is_pulled_from_a_registry(store_client, adapters):
    weights = pathlib.Path(MODEL).read_bytes()
    for kind, data in [("model", weights), ("template", TEMPLATE.encode()),
                       ("adapter", adapters["none"].read_bytes()),
                       ("system", b"Be brief."), ("params", json.dumps(GREEDY).encode())]:
        Registry.layers["sha256:" + hashlib.sha256(data).hexdigest()] = (kind, data)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as registry:
        threading.Thread(target=registry.serve_forever, daemon=True).start()
        name = f"127.0.0.1:{registry.server_port}/me/pulled"
        steps = list(store_client.pull(name, insecure=True, stream=True))
        with pytest.raises(ollama.ResponseError):
            list(store_client.pull(name + ":none", insecure=True, stream=True))
        registry.shutdown()
    said = [step.status for step in steps]
    assert said[0] == "pulling manifest" and said[-1] == "success"
    assert any(step.completed == step.total == len(weights) for step in steps)
    assert "Paris" in store_client.chat(name, QUESTION).message.content
    assert store_client.show(name).template == TEMPLATE
    assert "\nADAPTER /" in store_client.show(name).modelfile


def test_keep_alive_lets_a_model_go(store_client):
    store_client.generate("base", "", keep_alive="10m")
    before = {model.model: model for model in store_client.ps().models}
    assert before["base:latest"].expires_at.year < 2200
    store_client.generate("base", "Hi", keep_alive=-1, options={"num_predict": 1})
    after = {model.model: model for model in store_client.ps().models}
    assert after["base:latest"].expires_at.year > 2200  # for ever
    assert store_client.generate("base", "", keep_alive=0).done_reason == "unload"
