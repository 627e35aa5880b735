"""TGI's protocol through its own clients: huggingface_hub's InferenceClient, the older package
text-generation, and bare requests for what clients rely on without saying so. The server is started
as TGI's launcher would be."""

import asyncio
import json
import re

import jsonschema
import pytest
import requests
import text_generation
from conftest import MODEL, running_server
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import ValidationError
from text_generation.errors import ValidationError as OldValidationError
from text_generation.types import Grammar, GrammarType

PROMPT = "Once upon a time"
SCHEMA = {"type": "object", "required": ["name", "age"], "additionalProperties": False,
          "properties": {"name": {"type": "string", "maxLength": 8},
                         "age": {"type": "integer", "minimum": 0, "maximum": 99}}}
EVENT = re.compile(r"data: (\{.*\})")


@pytest.fixture(scope="module")
def tgi():
    with running_server("--hostname", "127.0.0.1", "--max-total-tokens", "1024",
                        command="tgi-launcher", environment={"MAX_BEST_OF": "3"}) as running:
        yield running


@pytest.fixture(scope="module")
def hub(tgi):
    return InferenceClient(model=tgi.url, timeout=60)


@pytest.fixture(scope="module")
def old(tgi):
    return text_generation.Client(tgi.url, timeout=60)


def post(tgi, path, inputs=PROMPT, headers=None, stream=None, **parameters):
    body = {"inputs": inputs, "parameters": parameters}
    if stream is not None:
        body["stream"] = stream
    return requests.post(tgi.url + path, json=body, headers=headers, timeout=60)


def events_of(response):
    return [json.loads(EVENT.fullmatch(part).group(1))
            for part in response.text.split("\n\n") if part]


def test_a_stream_says_what_the_whole_says(hub):
    whole = hub.text_generation(PROMPT, max_new_tokens=12, return_full_text=False)
    pieces = list(hub.text_generation(PROMPT, max_new_tokens=12, stream=True))
    assert whole and "".join(pieces) == whole
    assert hub.text_generation(PROMPT, max_new_tokens=12, return_full_text=True) == PROMPT + whole


def test_details_are_told(hub):
    whole = hub.text_generation(PROMPT, max_new_tokens=6, details=True, decoder_input_details=True,
                                top_n_tokens=3, return_full_text=False)
    details = whole.details
    assert details.finish_reason == "length" and details.generated_tokens == 6
    assert details.seed is None and len(details.tokens) == 6
    assert "".join(token.text for token in details.tokens) == whole.generated_text
    assert all(token.logprob <= 0 and not token.special for token in details.tokens)
    assert details.prefill[0].logprob is None
    assert all(token.logprob < 0 for token in details.prefill[1:])
    assert "".join(token.text for token in details.prefill).strip() == PROMPT
    for token, top in zip(details.tokens, details.top_tokens):
        assert len(top) == 3 and top[0]["id"] == token.id  # greedy takes the likeliest
        assert top[0]["logprob"] >= top[1]["logprob"] >= top[2]["logprob"]


def test_a_streams_last_event_has_the_text(hub):
    events = list(hub.text_generation(PROMPT, max_new_tokens=5, stream=True, details=True,
                                      return_full_text=False))
    assert [event.generated_text for event in events[:-1]] == [None] * (len(events) - 1)
    assert events[-1].generated_text == "".join(
        event.token.text for event in events if not event.token.special)
    assert events[-1].details.finish_reason == "length"
    assert events[-1].details.input_length > 0


def test_a_seed_says_it_again(hub):
    drawn = {"max_new_tokens": 12, "temperature": 1.5, "details": True, "return_full_text": False}
    first = hub.text_generation(PROMPT, do_sample=True, **drawn)
    again = hub.text_generation(PROMPT, do_sample=True, seed=first.details.seed, **drawn)
    assert again.generated_text == first.generated_text
    typical = hub.text_generation(PROMPT, typical_p=0.3, seed=7, **drawn)
    assert typical.generated_text == hub.text_generation(PROMPT, typical_p=0.3, seed=7,
                                                         **drawn).generated_text


@pytest.mark.parametrize("kind", ["json", "json_object", "json_schema"])
def test_a_grammar_of_json_holds(hub, kind):
    value = {"name": "person", "schema": SCHEMA} if kind == "json_schema" else SCHEMA
    text = hub.text_generation("A person: ", max_new_tokens=200, return_full_text=False,
                               grammar={"type": kind, "value": value})
    jsonschema.validate(json.loads(text), SCHEMA)


def test_a_schema_that_lists_properties_alone_is_an_object(tgi, hub):
    listed = {key: SCHEMA[key] for key in ("properties", "required")}
    text = hub.text_generation("A person: ", max_new_tokens=200, return_full_text=False,
                               grammar={"type": "json", "value": listed})
    jsonschema.validate(json.loads(text), SCHEMA)
    messages = [{"role": "user", "content": "Describe a person."}]
    answer = hub.chat_completion(messages, max_tokens=200,
                                 response_format={"type": "json", "value": listed})
    jsonschema.validate(json.loads(answer.choices[0].message.content), SCHEMA)
    named = post(tgi, "/generate", max_new_tokens=200,
                 grammar={"type": "json_schema", "value": {"schema": listed}}).json()
    jsonschema.validate(json.loads(named["generated_text"]), SCHEMA)


def test_a_tool_is_chosen_by_its_name(hub):
    tool = {"type": "function", "function": {
        "name": "get_weather", "description": "Gets the weather.",
        "parameters": {"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string", "maxLength": 8}}}}}
    messages = [{"role": "user", "content": "How is the weather in Oslo?"}]
    for choice in ("get_weather", {"function": {"name": "get_weather"}}):
        answer = hub.chat_completion(messages, tools=[tool], tool_choice=choice, max_tokens=120,
                                     tool_prompt="Use a tool.")
        assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


def test_a_chat_names_no_model(tgi):
    chat = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 2}
    for path, body in (("/v1/chat/completions", chat), ("/invocations", chat),
                       ("/v1/completions", {"prompt": "a", "max_tokens": 2, "model": None})):
        answer = requests.post(tgi.url + path, json=body, timeout=60)
        assert answer.status_code == 200 and answer.json()["model"] in MODEL, answer.text


def test_a_grammar_of_a_pattern_holds(hub):
    text = hub.text_generation("My number: ", max_new_tokens=40, return_full_text=False,
                               grammar={"type": "regex", "value": "[0-9]{3}-[0-9]{4}"})
    assert re.fullmatch("[0-9]{3}-[0-9]{4}", text)


def test_refusals_are_validation_errors(hub):
    for parameters in ({"top_p": 1.0}, {"temperature": 0.0}, {"max_new_tokens": 100_000},
                       {"stop": ["a", "b", "c", "d", "e"]}, {"watermark": True},
                       {"adapter_id": "x"}, {"grammar": {"type": "regex", "value": "("}}):
        with pytest.raises(ValidationError, match="Input validation error"):
            hub.text_generation(PROMPT, **parameters)
        with pytest.raises(ValidationError, match="Input validation error"):
            list(hub.text_generation(PROMPT, stream=True, **parameters))


def test_chats_go_to_the_route_of_openai(hub):
    messages = [{"role": "user", "content": "Say hello."}]
    whole = hub.chat_completion(messages, max_tokens=8, temperature=0)
    pieces = [chunk.choices[0].delta.content or ""
              for chunk in hub.chat_completion(messages, max_tokens=8, temperature=0, stream=True)]
    assert "".join(pieces) == whole.choices[0].message.content
    assert whole.usage.completion_tokens <= 8
    shaped = hub.chat_completion(messages, max_tokens=200, response_format={
        "type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}})
    jsonschema.validate(json.loads(shaped.choices[0].message.content), SCHEMA)


def test_info_and_health(tgi):
    hub = InferenceClient(model=tgi.url, provider="hf-inference", timeout=60)
    info = hub.get_endpoint_info()
    assert info["max_total_tokens"] == 1024 and info["max_input_tokens"] == 1023
    assert info["max_best_of"] == 3 and info["model_id"] in MODEL
    assert hub.health_check()
    assert requests.get(f"{tgi.url}/ping", timeout=60).status_code == 200


def test_the_asynchronous_client(tgi):
    async def ask():
        client = AsyncInferenceClient(model=tgi.url, timeout=60)
        whole = await client.text_generation(PROMPT, max_new_tokens=6, return_full_text=False)
        pieces = [piece async for piece in await client.text_generation(PROMPT, max_new_tokens=6,
                                                                        stream=True)]
        assert "".join(pieces) == whole
    asyncio.run(ask())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its own
def test_the_older_client(old):
    answer = old.generate(PROMPT, max_new_tokens=6, decoder_input_details=True)
    assert answer.details.finish_reason == "length" and len(answer.details.tokens) == 6
    assert answer.details.prefill[0].logprob is None
    events = list(old.generate_stream(PROMPT, max_new_tokens=6))
    assert events[-1].generated_text == answer.generated_text
    assert events[-1].details.generated_tokens == 6
    best = old.generate(PROMPT, max_new_tokens=6, best_of=3, do_sample=True)
    assert len(best.details.best_of_sequences) == 2
    assert {one.seed for one in best.details.best_of_sequences} != {best.details.seed}
    digits = old.generate(PROMPT, max_new_tokens=20,
                          grammar=Grammar(type=GrammarType.Regex, value="[0-9]{4}"))
    assert re.fullmatch("[0-9]{4}", digits.generated_text)
    with pytest.raises(OldValidationError):
        old.generate(PROMPT, max_new_tokens=100_000)
    with pytest.raises(OldValidationError):
        list(old.generate_stream(PROMPT, max_new_tokens=100_000))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_older_clients_chats(old):
    answer = old.chat([{"role": "user", "content": "Say hello."}], max_tokens=8, seed=1)
    assert answer.choices[0].message.content and answer.usage["completion_tokens"] <= 8


# What clients rely on (section 12 of our notes on the protocol).

def test_the_front_door_is_a_list_and_generate_an_object(tgi):
    assert isinstance(post(tgi, "/", max_new_tokens=2).json(), list)
    assert isinstance(post(tgi, "/generate", max_new_tokens=2).json(), dict)
    assert isinstance(post(tgi, "/invocations", max_new_tokens=2).json(), list)


def test_the_end_is_a_token_that_is_counted_and_not_shown(tgi):
    answer = post(tgi, "/generate", "<|im_start|>user\nSay: yes<|im_end|>\n<|im_start|>assistant\n",
                  max_new_tokens=200, details=True).json()
    details = answer["details"]
    assert details["finish_reason"] == "eos_token"
    assert details["generated_tokens"] == len(details["tokens"])
    assert details["tokens"][-1]["special"] and details["tokens"][-1]["text"] == "<|im_end|>"
    assert "<|im_end|>" not in answer["generated_text"]


def test_a_stop_sequence_stays(tgi):
    free = post(tgi, "/generate", max_new_tokens=12).json()["generated_text"]
    stop = free[len(free) // 2:][:3]
    answer = post(tgi, "/generate", max_new_tokens=12, stop=[stop], details=True).json()
    assert answer["details"]["finish_reason"] == "stop_sequence"
    assert answer["generated_text"] == free[:free.index(stop) + len(stop)]
    assert "".join(token["text"] for token in answer["details"]["tokens"]) == \
        answer["generated_text"]
    last = events_of(post(tgi, "/generate_stream", max_new_tokens=12, stop=[stop]))[-1]
    assert last["generated_text"] == answer["generated_text"] and last["details"] is None


def test_a_refused_stream_is_a_stream(tgi):
    for path, stream in (("/generate_stream", None), ("/", True)):
        answer = post(tgi, path, stream=stream, top_k=0)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert events_of(answer) == [{
            "error": "Input validation error: `top_k` must be strictly positive",
            "error_type": "validation"}]


def test_a_stream_has_no_done(tgi):
    answer = post(tgi, "/generate_stream", max_new_tokens=3)
    events = events_of(answer)
    assert [event["index"] for event in events] == [1, 2, 3]
    assert set(events[0]) == {"index", "token", "generated_text", "details"}
    assert answer.headers["x-accel-buffering"] == "no"


def test_a_client_that_leaves_cancels(tgi):
    def left():
        text = requests.get(f"{tgi.url}/metrics", timeout=60).text
        return float(re.search(r'tgi_request_failure\{err="dropped"\} (\S+)', text).group(1))

    before = left()
    with requests.post(f"{tgi.url}/generate_stream", stream=True, timeout=60,
                       json={"inputs": PROMPT, "parameters": {"max_new_tokens": 900}}) as answer:
        next(answer.iter_lines())
    while left() == before:
        pass  # a test that hangs here has failed
    while "tgi_batch_current_size 0\n" not in requests.get(f"{tgi.url}/metrics", timeout=60).text:
        pass


def test_heads_tell_times_and_counts(tgi):
    head = post(tgi, "/generate", max_new_tokens=4).headers
    assert head["x-generated-tokens"] == "4" and int(head["x-prompt-tokens"]) >= 4
    assert head["x-compute-characters"] == str(len(PROMPT))
    for name in ("total", "validation", "queue", "inference"):
        assert int(head[f"x-{name}-time"]) >= 0
    assert float(head["x-compute-time"]) > 0 and head["x-compute-type"]


def test_tokens_and_their_places(tgi):
    text = "Grüße, 日本! 👍"
    tokens = post(tgi, "/tokenize", text).json()
    assert all(token["text"] == text[token["start"]:token["stop"]] for token in tokens)
    assert tokens[-1]["stop"] == len(text)
    assert [token["id"] for token in post(tgi, "/tokenize", text, truncate=2).json()] == \
        [token["id"] for token in tokens[-2:]]
    chat = requests.post(f"{tgi.url}/chat_tokenize", timeout=60, json={
        "messages": [{"role": "user", "content": "hello"}]}).json()
    assert "hello" in chat["templated_text"]
    assert chat["tokenize_response"][-1]["stop"] == len(chat["templated_text"])


def test_shapes_of_bodies(tgi):
    url = f"{tgi.url}/generate"
    for data, headers, status in (
            ("{", {"content-type": "application/json"}, 400),
            ('{"inputs":5}', {"content-type": "application/json"}, 422),
            ('{"inputs":"a"}', {"content-type": "text/plain"}, 415)):
        answer = requests.post(url, data=data, headers=headers, timeout=60)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/plain")


def test_the_metrics_of_tgi(tgi):
    text = requests.get(f"{tgi.url}/metrics", timeout=60).text
    for name in ("tgi_request_count", "tgi_request_success", "tgi_request_failure",
                 "tgi_queue_size", "tgi_batch_current_size", "tgi_batch_current_max_tokens",
                 "tgi_batch_max_total_tokens", "tgi_batch_inference_count",
                 "tgi_batch_inference_success", "tgi_batch_inference_failure",
                 "tgi_batch_next_size", "tgi_batch_inference_duration",
                 "tgi_batch_forward_duration", "tgi_request_duration",
                 "tgi_request_validation_duration", "tgi_request_queue_duration",
                 "tgi_request_inference_duration", "tgi_request_mean_time_per_token_duration",
                 "tgi_request_input_length", "tgi_request_generated_tokens",
                 "tgi_request_max_new_tokens"):
        assert f"# TYPE {name} " in text, name


def test_vertex_predicts_texts_and_chats(tgi):
    alone = post(tgi, "/generate", max_new_tokens=6).json()["generated_text"]
    answer = requests.post(f"{tgi.url}/vertex", timeout=60, json={"instances": [
        {"inputs": PROMPT, "parameters": {"max_new_tokens": 6}},
        {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}]})
    assert answer.status_code == 200
    predictions = answer.json()["predictions"]
    assert predictions[0] == alone and len(predictions) == 2 and predictions[1]
    refused = requests.post(f"{tgi.url}/vertex", timeout=60, json={"instances": []})
    assert refused.status_code == 422 and refused.json()["error_type"] == "validation"


def test_health_and_the_document(tgi):
    assert requests.get(f"{tgi.url}/health", timeout=60).status_code == 200
    document = requests.get(f"{tgi.url}/api-doc/openapi.json", timeout=60).json()
    assert {"/generate", "/generate_stream", "/vertex"} <= set(document["paths"])
    page = requests.get(f"{tgi.url}/docs", timeout=60)
    assert page.headers["content-type"].startswith("text/html") and "/generate_stream" in page.text
