"""Triton's own clients against an ensemble of a tokenizer, a model, an expression and a tokenizer:
the next word of a text is what the model itself says."""

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException

from conftest import MODEL, running_server
from test_kserve_client import free_port

TEXT = "The capital of France is"


def tensor(field, name, kind, dims):
    return f'{field} {{ name: "{name}" data_type: TYPE_{kind} dims: [ {dims} ] }}\n'


def parameter(name, value):
    return f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}\n'


def step(model, source, target):
    maps = "".join(f' {field} {{ key: "{own}" value: "{name}" }}'
                   for field, (own, name) in (("input_map", source), ("output_map", target)))
    return f'step {{ model_name: "{model}"{maps} }}\n'


CONFIGS = {
    "story": parameter("model", MODEL),
    "words": 'backend: "quire_tokenizer"\nmax_batch_size: 8\n' + parameter("model", MODEL) +
             tensor("input", "TEXT", "STRING", "1") + tensor("output", "IDS", "INT32", "-1"),
    "pick": 'backend: "quire_expression"\nmax_batch_size: 8\n' +
            tensor("input", "LOGITS", "FP32", "-1, -1") + tensor("output", "NEXT", "INT64", "1") +
            parameter("NEXT", "argmax(last(LOGITS, 1))"),
    "said": 'backend: "quire_tokenizer"\nmax_batch_size: 8\n' + parameter("model", MODEL) +
            tensor("input", "IDS", "INT64", "-1") + tensor("output", "TEXT", "STRING", "1"),
    "next": 'platform: "ensemble"\nmax_batch_size: 8\n' + tensor("input", "TEXT", "STRING", "1") +
            tensor("output", "WORD", "STRING", "1") + tensor("output", "NEXT", "INT64", "1") +
            "ensemble_scheduling {\n" + step("words", ("TEXT", "TEXT"), ("IDS", "IDS")) +
            step("story", ("input_ids", "IDS"), ("logits", "LOGITS")) +
            step("pick", ("LOGITS", "LOGITS"), ("NEXT", "NEXT")) +
            step("said", ("IDS", "NEXT"), ("TEXT", "WORD")) + "}\n",
}


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """(address of HTTP, address of gRPC)"""
    folder = tmp_path_factory.mktemp("repository")
    for name, config in CONFIGS.items():
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "config.pbtxt").write_text(config)
    port = free_port()
    with running_server("--model-repository", str(folder), "--grpc-port", str(port),
                        model=None) as running:
        yield running.url.removeprefix("http://"), f"127.0.0.1:{port}"


def text_input(module, name, texts):
    made = module.InferInput(name, [len(texts), 1], "BYTES")
    made.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=np.object_))
    return made


def test_the_next_word_is_the_models_own(addresses):
    with httpclient.InferenceServerClient(addresses[0], network_timeout=60) as http, \
            grpcclient.InferenceServerClient(addresses[1]) as grpc:
        assert http.is_model_ready("next") and grpc.is_model_ready("next")
        assert http.get_model_metadata("next")["platform"] == "ensemble"
        own = http.infer("story", [text_input(httpclient, "text_input", [TEXT])],
                         parameters={"max_tokens": 1, "temperature": 0,
                                     "exclude_input_in_output": True})
        answers = [client.infer("next", [text_input(module, "TEXT", [TEXT])], request_id="7")
                   for client, module in ((http, httpclient), (grpc, grpcclient))]
        for answer in answers:
            assert answer.as_numpy("WORD").item() == own.as_numpy("text_output").item()
            assert answer.as_numpy("NEXT").shape == (1, 1)
        assert answers[0].as_numpy("NEXT").item() == answers[1].as_numpy("NEXT").item()
        counts = http.get_inference_statistics("next")["model_stats"][0]
        assert counts["inference_count"] == 2
        for name, asked in (("next", 2), ("words", 2), ("story", 3), ("pick", 2), ("said", 2)):
            inner = http.get_inference_statistics(name)["model_stats"][0]["inference_stats"]
            over_grpc = grpc.get_inference_statistics(name).model_stats[0].inference_stats
            assert inner["success"]["count"] == over_grpc.success.count == asked, name
            assert inner["compute_infer"]["ns"] == over_grpc.compute_infer.ns > 0, name


def test_what_is_wrong_is_told_with_the_step(addresses):
    with grpcclient.InferenceServerClient(addresses[1]) as grpc:
        with pytest.raises(InferenceServerException, match="step 1 .model 'story'"):
            grpc.infer("next", [text_input(grpcclient, "TEXT", [""])])
        with pytest.raises(InferenceServerException, match="missing required input"):
            grpc.infer("next", [])
        with pytest.raises(InferenceServerException, match="vocabulary|token ids go from"):
            ids = grpcclient.InferInput("IDS", [1, 1], "INT64")
            ids.set_data_from_numpy(np.array([[10_000_000]], dtype=np.int64))
            grpc.infer("said", [ids])
