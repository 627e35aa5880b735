"""The official Anthropic Python client, LangChain's and LiteLLM against Quire's Messages API."""

import asyncio

import anthropic
import litellm
import pytest
from langchain_anthropic import ChatAnthropic

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
PNG = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
WEATHER = {"name": "weather", "description": "The weather of a city.",
           "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def usual(model, /, temperature=0, extra_body=None, **fields):
    """The newest client has no argument for the temperature: it goes as a field of its own."""
    return {"model": model, "messages": QUESTION, "max_tokens": 24,
            "extra_body": {"temperature": temperature, **(extra_body or {})}, **fields}


@pytest.fixture(scope="module")
def claude(server):
    return server.anthropic()


@pytest.fixture(scope="module")
def ask(claude, model):
    """Asks the question; fields given replace or join the usual ones."""
    def create(client=claude, **fields):
        return client.messages.create(**usual(model, **fields))
    return create


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def prompt_tokens(usage):
    return (usage.input_tokens + usage.cache_read_input_tokens +
            usage.cache_creation_input_tokens)


def test_message_names_paris(ask, model):
    message = ask()
    assert "Paris" in text_of(message)
    assert message.role == "assistant" and message.type == "message"
    assert message.model == model
    assert message.id.startswith("msg_")
    assert message._request_id
    assert message.stop_reason in ("end_turn", "max_tokens")


def test_stream_helper_says_the_same(ask, claude, model):
    whole = ask()
    with claude.messages.stream(**usual(model)) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == text_of(whole)
    assert len(pieces) > 3, "an answer of several tokens arrives in several pieces"
    assert text_of(final) == text_of(whole)
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_stream_of_events(ask):
    events = [event.type for event in ask(stream=True)]
    assert events[0] == "message_start"
    assert events[-2:] == ["message_delta", "message_stop"]
    assert events.count("content_block_start") == events.count("content_block_stop") == 1


def test_async_client(server, ask, model):
    async def run():
        async with server.anthropic(asynchronous=True) as client:
            whole, other = await asyncio.gather(client.messages.create(**usual(model)),
                                                client.messages.create(**usual(model)))
            async with client.messages.stream(**usual(model)) as stream:
                text = "".join([piece async for piece in stream.text_stream])
                final = await stream.get_final_message()
            return whole, other, text, final

    whole, other, text, final = asyncio.run(run())
    assert text_of(whole) == text_of(other) == text == text_of(final) == text_of(ask())


def test_usage_is_the_count(ask, claude, model):
    system = "Answer in one word."
    count = claude.messages.count_tokens(model=model, messages=QUESTION, system=system)
    for _ in range(2):
        usage = ask(system=system).usage
        assert prompt_tokens(usage) == count.input_tokens
    assert usage.cache_read_input_tokens > 0
    assert ask(max_tokens=5).usage.output_tokens <= 5


def test_system_may_be_blocks(ask):
    blocks = [{"type": "text", "text": "Answer in one word.",
               "cache_control": {"type": "ephemeral"}}]
    assert text_of(ask(system=blocks)) == text_of(ask(system="Answer in one word."))


def test_max_tokens_is_a_reason(ask):
    message = ask(max_tokens=1)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 1


def test_stop_sequence_is_named_and_left_out(ask, claude, model):
    text = text_of(ask())
    word = text.split()[2]
    message = ask(stop_sequences=["not in the answer", word])
    assert text_of(message) == text[:text.index(word)]
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", word)
    with claude.messages.stream(**usual(model, stop_sequences=[word])) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.stop_sequence) == ("stop_sequence", word)
    assert word not in text_of(final)


def test_prefill_is_gone_on_with(ask):
    begun = "The capital of France is"
    message = ask(messages=[*QUESTION, {"role": "assistant", "content": begun}])
    assert not text_of(message).startswith(begun)
    assert "Paris" in text_of(message)


def test_calls_and_results_pass_through(ask):
    history = [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "assistant", "content": [
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain, 7 degrees."}]}]
    message = ask(messages=history, tools=[WEATHER], max_tokens=8)
    assert message.content
    assert any(warning["param"] == "tools" for warning in message.to_dict()["warnings"])


def test_what_agents_send_is_taken(ask):
    message = ask(max_tokens=8, thinking={"type": "adaptive"}, metadata={"user_id": "someone"},
                  extra_body={"context_management": {"edits": []}, "brand_new_field": 1},
                  extra_query={"beta": "true"},
                  extra_headers={"anthropic-beta": "claude-code-20250219,brand-new-2030-01-01"})
    params = {warning["param"] for warning in message.to_dict()["warnings"]}
    assert {"brand_new_field", "context_management"} <= params
    assert "anthropic-beta: brand-new-2030-01-01" in params


@pytest.mark.parametrize("fields, words", [
    ({"temperature": 3}, "temperature: "),
    ({"messages": []}, "messages: "),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: "),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": PNG}]}]},
     "messages.0.content.0: images"),
    ({"messages": [*QUESTION, {"role": "assistant", "content": "x "}]}, "trailing whitespace"),
    ({"messages": [{"role": "user", "content": "word " * 10000}]}, "prompt is too long: "),
    ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name: "),
])
def test_bad_request_names_the_field(ask, fields, words):
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(**fields)
    body = caught.value.body
    assert body["type"] == "error" and body["error"]["type"] == "invalid_request_error"
    assert words in body["error"]["message"]
    assert body["request_id"] == caught.value.response.headers["request-id"]


def test_unknown_model_is_not_found(ask, claude):
    with pytest.raises(anthropic.NotFoundError):
        ask(model="no-such-model")
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("no-such-model")


def test_models_are_listed(claude, model):
    assert [listed.id for listed in claude.models.list()] == [model]
    assert claude.models.retrieve(model).type == "model"


def test_key_may_come_either_way(locked_server, ask):
    with pytest.raises(anthropic.AuthenticationError):
        ask(locked_server.anthropic(api_key="wrong"), model="chosen")
    by_key = ask(locked_server.anthropic(api_key="sesame"), model="chosen")
    by_token = ask(locked_server.anthropic(api_key=None, auth_token="sesame"), model="chosen")
    assert text_of(by_key) == text_of(by_token)


def test_client_that_leaves_mid_stream_leaves_the_server_well(ask):
    before = text_of(ask())
    stream = ask(stream=True, max_tokens=500)
    next(iter(stream))
    stream.close()
    assert text_of(ask()) == before


# --- LangChain ---

@pytest.fixture(scope="module")
def chain(server, model):
    return ChatAnthropic(model=model, base_url=server.url, api_key="none", temperature=0,
                         max_tokens=24, max_retries=0)


def test_langchain(chain, ask):
    answer = chain.invoke(QUESTION[0]["content"])
    assert answer.text == text_of(ask())
    assert answer.usage_metadata["output_tokens"] > 0
    assert "".join(piece.text for piece in chain.stream(QUESTION[0]["content"])) == answer.text


def test_langchain_async(chain, ask):
    async def run():
        whole = await chain.ainvoke(QUESTION[0]["content"])
        pieces = [piece.text async for piece in chain.astream(QUESTION[0]["content"])]
        return whole.text, "".join(pieces)

    assert asyncio.run(run()) == (text_of(ask()), text_of(ask()))


# --- LiteLLM, by either protocol ---

def litellm_fields(server, model, protocol):
    base = server.url if protocol == "anthropic" else f"{server.url}/v1"
    return {"model": f"{protocol}/{model}", "messages": QUESTION, "api_base": base,
            "api_key": "none", "temperature": 0, "max_tokens": 24, "num_retries": 0}


@pytest.mark.parametrize("protocol", ["anthropic", "openai"])
def test_litellm(server, model, ask, protocol):
    fields = litellm_fields(server, model, protocol)
    whole = litellm.completion(**fields)
    assert whole.choices[0].message.content == text_of(ask())
    pieces = litellm.completion(**fields, stream=True)
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert text == text_of(ask())


@pytest.mark.parametrize("protocol", ["anthropic", "openai"])
def test_litellm_async(server, model, ask, protocol):
    whole = asyncio.run(litellm.acompletion(**litellm_fields(server, model, protocol)))
    assert whole.choices[0].message.content == text_of(ask())
