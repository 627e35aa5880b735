"""Triton's own clients over HTTP and gRPC, plain, asyncio and streaming, against a server with the
default model; and the client of the background documents, as printed."""

import asyncio
import pathlib
import queue
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as grpcaio
import tritonclient.http as httpclient
import tritonclient.http.aio as httpaio
from tritonclient.utils import InferenceServerException

from conftest import running_server

NAME = "llm_model"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def addresses():
    """(address of HTTP, address of gRPC)"""
    port, metrics = free_port(), free_port()
    with running_server("--served-model-name", NAME, "--grpc-port", str(port),
                        "--metrics-port", str(metrics)) as running:
        yield running.url.removeprefix("http://"), f"127.0.0.1:{port}", metrics


@pytest.fixture(scope="module")
def http(addresses):
    with httpclient.InferenceServerClient(addresses[0], network_timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def grpc(addresses):
    with grpcclient.InferenceServerClient(addresses[1]) as made:
        yield made


def text_inputs(module, text, tokens=8, **more):
    """`text_input` and how to go on from it, as tensors of that client."""
    def tensor(name, datatype, value):
        made = module.InferInput(name, [1, 1], datatype)
        made.set_data_from_numpy(np.array([[value]]))
        return made
    inputs = [tensor("text_input", "BYTES", np.array(text.encode(), dtype=object)[()]),
              tensor("max_tokens", "INT32", np.int32(tokens)),
              tensor("temperature", "FP32", np.float32(0))]
    inputs[0].set_data_from_numpy(np.array([[text.encode()]], dtype=object))
    for name, value in more.items():
        inputs.append(tensor(name, "BOOL", np.bool_(value)))
    return inputs


def ids_input(module, ids, datatype=np.int32):
    rows = np.atleast_2d(np.array(ids, dtype=datatype))
    name = "INT32" if datatype is np.int32 else "INT64"
    made = module.InferInput("input_ids", list(rows.shape), name)
    made.set_data_from_numpy(rows)
    return made


def test_the_client_of_the_background_documents(addresses):
    client = httpclient.InferenceServerClient(addresses[0], network_timeout=120)
    model_metadata = client.get_model_metadata("llm_model")
    assert {"input_ids", "text_input"} <= {one["name"] for one in model_metadata["inputs"]}
    inputs = [
        httpclient.InferInput("input_ids", [1, 512], "INT32"),
    ]
    inputs[0].set_data_from_numpy(np.arange(1, 513, dtype=np.int32).reshape(1, 512))
    outputs = [
        httpclient.InferRequestedOutput("logits"),
    ]
    response = client.infer("llm_model", inputs=inputs, outputs=outputs)
    logits = response.as_numpy("logits")
    assert logits.dtype == np.float32 and logits.shape[:2] == (1, 512)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_health_and_metadata(kind, request):
    client = request.getfixturevalue(kind)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(NAME)
    assert client.is_model_ready(NAME, "1") and not client.is_model_ready(NAME + "x")
    options = {"as_json": True} if kind == "grpc" else {}
    assert client.get_server_metadata(**options)["name"] == "quire"
    model = client.get_model_metadata(NAME, **options)
    assert model["name"] == NAME and model["versions"] == ["1"]
    config = client.get_model_config(NAME, **options)
    config = config.get("config", config)
    assert config["max_batch_size"] == 64 and config["backend"] == "quire"
    index = client.get_model_repository_index(**options)
    entries = index if kind == "http" else index["models"]
    assert [(one["name"], one["state"]) for one in entries] == [(NAME, "READY")]
    settings = client.get_trace_settings(**options)
    assert "trace_level" in settings.get("settings", settings)
    assert client.get_log_settings(**options)
    client.load_model(NAME)
    with pytest.raises(InferenceServerException, match="unknown|failed to load"):
        client.load_model("nothing")
    with pytest.raises(InferenceServerException, match="shared memory"):
        client.register_system_shared_memory("region", "/key", 64)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_answers(algorithm, http):
    inputs = [ids_input(httpclient, [1, 2, 3])]
    plain = http.infer(NAME, inputs).as_numpy("logits")
    small = http.infer(NAME, inputs, response_compression_algorithm=algorithm,
                       request_compression_algorithm=algorithm)
    assert small.get_response()["model_name"] == NAME
    assert small.as_numpy("logits").tobytes() == plain.tobytes()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_texts(kind, request):
    client = request.getfixturevalue(kind)
    module = httpclient if kind == "http" else grpcclient
    text = "The capital of France is"
    answer = client.infer(NAME, text_inputs(module, text, return_num_output_tokens=True),
                          request_id="7")
    whole = answer.as_numpy("text_output")
    assert whole.shape == (1, 1) and whole[0, 0].decode().startswith(text)
    assert answer.as_numpy("num_output_tokens")[0, 0] <= 8
    bare = client.infer(NAME, text_inputs(module, text, exclude_input_in_output=True),
                        outputs=[module.InferRequestedOutput("text_output")])
    assert text + bare.as_numpy("text_output")[0, 0].decode() == whole[0, 0].decode()
    statistics = client.get_inference_statistics(NAME)
    assert statistics is not None


def test_both_transports_give_the_same_bits(http, grpc):
    ids = [[504, 3575, 282, 4649, 314], [1, 2, 3, 4, 5]]
    over_http = http.infer(NAME, [ids_input(httpclient, ids)]).as_numpy("logits")
    json_only = http.infer(NAME, [ids_input(httpclient, ids[0], np.int64)], outputs=[
        httpclient.InferRequestedOutput("logits", binary_data=False)]).as_numpy("logits")
    over_grpc = grpc.infer(NAME, [ids_input(grpcclient, ids, np.int64)]).as_numpy("logits")
    assert over_http.shape[:2] == (2, 5)
    assert over_http.tobytes() == over_grpc.tobytes()
    assert json_only.astype(np.float32).tobytes() == over_http[:1].tobytes()
    alone = grpc.infer(NAME, [ids_input(grpcclient, ids[1])]).as_numpy("logits")
    assert alone.tobytes() == over_http[1:].tobytes(), "in a batch as alone"


def test_bodies_may_come_compressed(http):
    plain = http.infer(NAME, [ids_input(httpclient, [1, 2, 3])]).as_numpy("logits")
    for algorithm in ("gzip", "deflate"):
        packed = http.infer(NAME, [ids_input(httpclient, [1, 2, 3])],
                            request_compression_algorithm=algorithm,
                            response_compression_algorithm=algorithm).as_numpy("logits")
        assert packed.tobytes() == plain.tobytes()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_mistakes(kind, request):
    client = request.getfixturevalue(kind)
    module = httpclient if kind == "http" else grpcclient
    with pytest.raises(InferenceServerException, match="unknown model: 'x' is not found"):
        client.infer("x", [ids_input(module, [1])])
    with pytest.raises(InferenceServerException, match="unexpected inference output 'x'"):
        client.infer(NAME, [ids_input(module, [1])], outputs=[module.InferRequestedOutput("x")])
    with pytest.raises(InferenceServerException, match="token ids are 0 to"):
        client.infer(NAME, [ids_input(module, [1, 1 << 30])])
    with pytest.raises(InferenceServerException, match="'sequence_(id|start)'"):
        client.infer(NAME, [ids_input(module, [1])], sequence_id=5, sequence_start=True)
    wrong = module.InferInput("text_input", [1], "FP32")
    wrong.set_data_from_numpy(np.zeros(1, dtype=np.float32))
    with pytest.raises(InferenceServerException, match="expects 'BYTES'"):
        client.infer(NAME, [wrong])


def test_asynchronous_requests(http, grpc):
    calls = [http.async_infer(NAME, [ids_input(httpclient, [i, 2])]) for i in range(4)]
    assert all(call.get_result().as_numpy("logits").shape[1] == 2 for call in calls)
    answers = queue.Queue()
    for i in range(4):
        grpc.async_infer(NAME, [ids_input(grpcclient, [i, 2])],
                         callback=lambda result, error: answers.put(error or result))
    for _ in range(4):
        assert answers.get(timeout=60).as_numpy("logits").shape[1] == 2


def test_a_stream_of_pieces(grpc):
    answers = queue.Queue()
    grpc.start_stream(callback=lambda result, error: answers.put((result, error)))
    text = "Once upon a time"
    for i in range(3):
        grpc.async_stream_infer(NAME, text_inputs(grpcclient, text, 8, stream=True),
                                request_id=str(i))
    grpc.async_stream_infer("nothing", text_inputs(grpcclient, text), request_id="bad")
    texts, open_requests, faults = {}, {"0", "1", "2"}, 0
    while open_requests or not faults:
        result, error = answers.get(timeout=60)
        if error is not None:
            assert "unknown model" in str(error)
            faults += 1
            continue
        response = result.get_response()
        texts[response.id] = (texts.get(response.id, "") +
                              result.as_numpy("text_output")[0, 0].decode())
        if response.parameters["triton_final_response"].bool_param:
            open_requests.remove(response.id)
    grpc.stop_stream()
    whole = grpc.infer(NAME, text_inputs(grpcclient, text, 8, exclude_input_in_output=True))
    assert set(texts.values()) == {whole.as_numpy("text_output")[0, 0].decode()}


def test_asyncio(addresses):
    async def ask():
        async with httpaio.InferenceServerClient(addresses[0]) as client:
            assert await client.is_server_ready()
            answers = await asyncio.gather(*(
                client.infer(NAME, [ids_input(httpclient, [1, i])]) for i in range(4)))
        async with grpcaio.InferenceServerClient(addresses[1]) as client:
            assert await client.is_model_ready(NAME)
            others = await asyncio.gather(*(
                client.infer(NAME, [ids_input(grpcclient, [1, i])]) for i in range(4)))

            async def requests():
                yield {"model_name": NAME,
                       "inputs": text_inputs(grpcclient, "One, two,", 6, stream=True)}
            pieces = [result async for result, error in client.stream_infer(requests())]
        return answers, others, pieces

    answers, others, pieces = asyncio.run(ask())
    for ours, theirs in zip(answers, others):
        assert ours.as_numpy("logits").tobytes() == theirs.as_numpy("logits").tobytes()
    assert len(pieces) > 1


def test_cancelling(grpc):
    done = queue.Queue()
    call = grpc.async_infer(NAME, text_inputs(grpcclient, "On and on", 2000),
                            callback=lambda result, error: done.put(error))
    call.cancel()
    assert "CANCELLED" in str(done.get(timeout=60)).upper()
    with pytest.raises(InferenceServerException, match="(?i)deadline"):
        grpc.infer(NAME, text_inputs(grpcclient, "On and on", 2000), client_timeout=0.05)


def test_metrics_on_their_own_port(addresses, http):
    with urllib.request.urlopen(f"http://127.0.0.1:{addresses[2]}/metrics") as answer:
        text = answer.read().decode()
    assert f'nv_inference_request_success{{model="{NAME}",version="1"}}' in text


def test_kserves_own_client(addresses):
    script = pathlib.Path(__file__).with_name("kserve_calls.py")
    call = [sys.executable, str(script), f"http://{addresses[0]}", addresses[1], NAME]
    run = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0 and run.stdout.strip().endswith("ok"), run.stdout + run.stderr
