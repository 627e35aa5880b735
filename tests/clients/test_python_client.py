"""The official OpenAI Python client against Quire: what it sends is served as it expects."""

import openai
import pytest

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def chat(client, model):
    """Asks the question; fields given replace or join the usual ones."""
    def create(client=client, **fields):
        return client.chat.completions.create(
            **{"model": model, "messages": QUESTION, "temperature": 0, "max_tokens": 24, **fields})
    return create


@pytest.fixture(scope="module")
def complete(client, model):
    def create(**fields):
        return client.completions.create(
            **{"model": model, "prompt": "The capital of France is", "temperature": 0,
               "max_tokens": 8, **fields})
    return create


def test_models_are_listed(client, model):
    models = client.models.list().data
    assert [listed.id for listed in models] == [model]
    assert models[0].object == "model"
    assert client.models.retrieve(model).id == model


def test_chat_names_paris(chat, model):
    answer = chat()
    choice = answer.choices[0]
    assert "Paris" in choice.message.content
    assert choice.message.role == "assistant"
    assert choice.finish_reason in ("stop", "length")
    assert answer.object == "chat.completion"
    assert answer.model == model


def test_chat_stream_says_the_same(chat):
    whole = chat()
    chunks = list(chat(stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert all(c.object == "chat.completion.chunk" and c.id == chunks[0].id for c in chunks)
    assert len(chunks) > 3, "an answer of several tokens arrives in several pieces"


def test_chat_stream_usage_comes_last(chat):
    whole = chat().usage
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == whole.prompt_tokens
    assert chunks[-1].usage.completion_tokens == whole.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_usage_adds_up(chat):
    usage = chat(max_tokens=5).usage
    assert usage.completion_tokens <= 5
    assert usage.prompt_tokens > 5
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 <= usage.prompt_tokens_details.cached_tokens <= usage.prompt_tokens


def test_length_is_a_finish_reason(chat):
    answer = chat(max_tokens=1)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 1


def test_stop_string_is_not_in_the_answer(chat):
    text = chat().choices[0].message.content
    word = text.split()[2]
    answer = chat(stop=["not in the answer", word])
    assert answer.choices[0].message.content == text[:text.index(word)]
    assert answer.choices[0].finish_reason == "stop"


def test_chat_logprobs(chat):
    content = chat(max_tokens=3, logprobs=True, top_logprobs=2).choices[0].logprobs.content
    assert len(content) == 3
    for token in content:
        assert len(token.top_logprobs) == 2
        assert token.logprob <= 0
        assert bytes(token.bytes).decode(errors="replace") == token.token
    # At temperature 0 the token is the best one.
    assert content[0].top_logprobs[0].token == content[0].token


def test_choices_of_one_request(chat):
    answer = chat(n=3, temperature=1.0, seed=7, max_tokens=12)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in answer.choices}) > 1
    again = chat(n=3, temperature=1.0, seed=7, max_tokens=12)
    assert [c.message.content for c in again.choices] == [c.message.content for c in answer.choices]


def test_completion(complete):
    answer = complete()
    assert answer.object == "text_completion"
    assert "Paris" in answer.choices[0].text
    assert answer.usage.completion_tokens <= 8


def test_completion_stream_says_the_same(complete):
    text = "".join(chunk.choices[0].text for chunk in complete(stream=True))
    assert text == complete().choices[0].text


def test_completion_of_several_prompts(complete):
    prompts = ["The capital of France is", "Water is made of"]
    answer = complete(prompt=prompts)
    alone = [complete(prompt=prompt).choices[0].text for prompt in prompts]
    assert [choice.text for choice in answer.choices] == alone
    assert [choice.index for choice in answer.choices] == [0, 1]


def test_completion_of_token_ids(complete):
    answer = complete(prompt=[504, 3575, 282], max_tokens=2)
    assert answer.usage.prompt_tokens == 3


def test_echo_gives_the_prompt_and_its_logprobs(complete):
    prompt = "The capital of France is"
    choice = complete(prompt=prompt, echo=True, logprobs=1, max_tokens=1).choices[0]
    assert choice.text.startswith(prompt)
    assert choice.logprobs.token_logprobs[0] is None
    assert all(value <= 0 for value in choice.logprobs.token_logprobs[1:])
    assert "".join(choice.logprobs.tokens) == choice.text


def test_unknown_model_is_not_found(chat, client):
    with pytest.raises(openai.NotFoundError) as caught:
        chat(model="no-such-model")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize("fields, parameter", [
    ({"temperature": 3}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"messages": []}, "messages"),
    ({"extra_body": {"no_such_field": 1}}, "no_such_field"),
])
def test_bad_request_names_the_parameter(chat, fields, parameter):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(**fields)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.param == parameter


def test_prompt_longer_than_the_context_is_refused(complete):
    with pytest.raises(openai.BadRequestError) as caught:
        complete(prompt="word " * 10000)
    assert caught.value.code == "context_length_exceeded"


def test_key_is_asked_for(locked_server, chat):
    with pytest.raises(openai.AuthenticationError) as caught:
        chat(locked_server.client(api_key="wrong"), model="chosen")
    assert caught.value.code == "invalid_api_key"
    answer = chat(locked_server.client(api_key="sesame"), model="chosen")
    assert answer.model == "chosen"
    assert answer.choices[0].message.content == chat().choices[0].message.content


def test_client_that_leaves_mid_stream_leaves_the_server_well(chat):
    before = chat().choices[0].message.content
    stream = chat(stream=True, max_tokens=500,
                  messages=[{"role": "user", "content": "Tell me a long story about the sea."}])
    next(iter(stream))
    stream.close()
    assert chat().choices[0].message.content == before
