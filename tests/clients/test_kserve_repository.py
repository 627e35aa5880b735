"""Triton's own clients against a model repository with a response cache and with instances."""

import json
import urllib.request

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

from conftest import MODEL, running_server
from test_kserve_client import free_port, ids_input, text_inputs


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """(address of HTTP, address of gRPC)"""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "story" / "1").mkdir(parents=True)
    (folder / "story" / "config.pbtxt").write_text(
        f'parameters {{ key: "model" value {{ string_value: "{MODEL}" }} }}\n'
        "response_cache { enable: true }\n")
    (folder / "pair" / "1").mkdir(parents=True)
    (folder / "pair" / "config.pbtxt").write_text(
        f'parameters {{ key: "model" value {{ string_value: "{MODEL}" }} }}\n'
        'parameters { key: "kv_cache_memory" value { string_value: "64MiB" } }\n'
        "instance_group [ { count: 2 kind: KIND_CPU } ]\n")
    port = free_port()
    with running_server("--model-repository", str(folder), "--cache-config", "local,size=8MiB",
                        "--grpc-port", str(port), model=None) as running:
        yield running.url.removeprefix("http://"), f"127.0.0.1:{port}"


def counts(client):
    """(hits, misses, successes) of the model"""
    inner = client.get_inference_statistics("story")["model_stats"][0]["inference_stats"]
    return tuple(inner[name]["count"] for name in ("cache_hit", "cache_miss", "success"))


def test_repeated_questions_are_answered_from_the_cache(addresses):
    with httpclient.InferenceServerClient(addresses[0], network_timeout=60) as http, \
            grpcclient.InferenceServerClient(addresses[1]) as grpc:
        text = "The capital of France is"
        first = http.infer("story", text_inputs(httpclient, text), request_id="1")
        assert counts(http) == (0, 1, 1)
        again = http.infer("story", text_inputs(httpclient, text), request_id="2")
        other = grpc.infer("story", text_inputs(grpcclient, text), request_id="3")
        assert again.get_response()["id"] == "2" and other.get_response().id == "3"
        assert again.get_response()["model_version"] == "1"
        for one in (again, other):
            assert np.array_equal(one.as_numpy("text_output"), first.as_numpy("text_output"))
        assert counts(http) == (2, 1, 3)
        made = grpc.get_inference_statistics("story", as_json=True)["model_stats"][0]
        assert int(made["inference_stats"]["cache_hit"]["count"]) == 2
        assert int(made["inference_stats"]["cache_hit"]["ns"]) > 0

        logits = [client.infer("story", [ids_input(module, [1, 2, 3])]).as_numpy("logits")
                  for client, module in ((http, httpclient), (grpc, grpcclient))]
        assert logits[0].tobytes() == logits[1].tobytes()
        assert counts(http) == (3, 2, 5)

    with urllib.request.urlopen(f"http://{addresses[0]}/metrics") as answer:
        metrics = answer.read().decode()
    assert 'quire_response_cache_lookups_total{model="story:1",outcome="hit"} 3' in metrics


def test_instances_are_shown_and_answer_alike(addresses):
    with httpclient.InferenceServerClient(addresses[0], network_timeout=60,
                                          concurrency=6) as http, \
            grpcclient.InferenceServerClient(addresses[1]) as grpc:
        group, = http.get_model_config("pair")["instance_group"]
        assert (group["name"], group["kind"], group["count"]) == ("pair_0", "KIND_CPU", 2)
        group, = grpc.get_model_config("pair", as_json=True)["config"]["instance_group"]
        assert (group["name"], group["kind"], group["count"]) == ("pair_0", "KIND_CPU", 2)
        group, = http.get_model_config("story")["instance_group"]
        assert (group["name"], group["count"]) == ("story", 1)

        asked = [[ids_input(httpclient, [first, 2, 3])] for first in range(6)]
        alone = [http.infer("story", inputs).as_numpy("logits") for inputs in asked]
        crowd = [http.async_infer("pair", inputs) for inputs in asked]
        for one, other in zip(alone, crowd, strict=True):
            assert other.get_result().as_numpy("logits").tobytes() == one.tobytes()
        made = http.get_inference_statistics("pair")["model_stats"][0]["inference_stats"]
        assert made["success"]["count"] == 6

    with urllib.request.urlopen(f"http://{addresses[0]}/quire/status") as answer:
        models = {model["name"]: model for model in json.load(answer)["models"]}
    assert models["pair:1"]["instances"] == 2 and models["story:1"]["instances"] == 1
