"""Every OpenAI route that this server has, asked once at least, so that what conftest compares with
OpenAI's own document is all of them: requests, answers, errors and the events of streams."""

import json

import conftest
import openai
import pytest

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ROUTES = {
    "POST /chat/completions", "GET /chat/completions", "GET /chat/completions/{completion_id}",
    "POST /chat/completions/{completion_id}", "DELETE /chat/completions/{completion_id}",
    "GET /chat/completions/{completion_id}/messages", "POST /completions", "POST /embeddings",
    "GET /models", "GET /models/{model}", "POST /responses", "GET /responses/{response_id}",
    "DELETE /responses/{response_id}", "POST /responses/{response_id}/cancel",
    "GET /responses/{response_id}/input_items", "POST /responses/input_tokens",
    "POST /responses/compact", "POST /conversations", "GET /conversations/{conversation_id}",
    "POST /conversations/{conversation_id}", "DELETE /conversations/{conversation_id}",
    "POST /conversations/{conversation_id}/items", "GET /conversations/{conversation_id}/items",
    "GET /conversations/{conversation_id}/items/{item_id}",
    "DELETE /conversations/{conversation_id}/items/{item_id}", "POST /files", "GET /files",
    "GET /files/{file_id}", "DELETE /files/{file_id}", "GET /files/{file_id}/content",
    "POST /batches", "GET /batches", "GET /batches/{batch_id}", "POST /batches/{batch_id}/cancel",
}


def test_kept_chat_completions(client, model):
    made = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=4, store=True,
                                          metadata={"for": "document"}, temperature=0)
    assert client.chat.completions.retrieve(made.id).id == made.id
    assert made.id in [row.id for row in client.chat.completions.list()]
    assert client.chat.completions.messages.list(made.id).data[0].content
    changed = client.chat.completions.update(made.id, metadata={"for": "more"})
    assert changed.metadata == {"for": "more"}
    assert client.chat.completions.delete(made.id).deleted


def test_streams(client, model):
    for logprobs in ({}, {"logprobs": True, "top_logprobs": 2}):
        assert list(client.chat.completions.create(
            model=model, messages=QUESTION, max_tokens=4, stream=True, n=2,
            stream_options={"include_usage": True}, **logprobs))
    assert list(client.completions.create(model=model, prompt="One, two,", max_tokens=4,
                                          stream=True, logprobs=2))
    assert list(client.responses.create(model=model, input="Hello", max_output_tokens=16,
                                        stream=True))


def test_items_of_conversations(client):
    made = client.conversations.create()
    assert client.conversations.retrieve(made.id).id == made.id
    added = client.conversations.items.create(made.id, items=[
        {"type": "message", "role": "user", "content": "hello"}])
    assert client.conversations.items.retrieve(added.data[0].id, conversation_id=made.id)
    assert len(client.conversations.items.list(made.id).data) == 1
    client.conversations.items.delete(added.data[0].id, conversation_id=made.id)
    client.conversations.update(made.id, metadata={})
    client.conversations.delete(made.id)


def test_responses(client, model):
    made = client.responses.create(model=model, input="Hello", max_output_tokens=1500,
                                   background=True, extra_body={"ignore_eos": True})
    client.responses.cancel(made.id)
    client.responses.retrieve(made.id)
    client.responses.input_items.list(made.id)
    client.responses.input_tokens.count(model=model, input="Hello")
    client.responses.compact(model=model, input=[{"role": "user", "content": "Hello"}])
    client.responses.delete(made.id)


def test_files_and_batches(client, model):
    line = json.dumps({"custom_id": "NAME", "method": "POST", "url": "/v1/chat/completions",
                       "body": {"model": model, "messages": QUESTION, "max_tokens": 64}})
    text = "".join(line.replace("NAME", str(i)) + "\n" for i in range(400))
    file = client.files.create(file=("in.jsonl", text.encode()), purpose="batch")
    assert client.files.retrieve(file.id).bytes == len(text)
    client.files.content(file.id)
    client.files.list()
    made = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                 completion_window="24h")
    client.batches.retrieve(made.id)
    client.batches.list()
    client.batches.cancel(made.id)
    client.files.delete(file.id)


def test_models_and_embeddings(pair_server):
    client = pair_server.client()
    names = [row.id for row in client.models.list()]
    client.models.retrieve(names[0])
    client.embeddings.create(model="minilm", input=["one", "two"], encoding_format="float")
    client.completions.create(model="smollm2", prompt="One, two,", max_tokens=2)


@pytest.mark.parametrize("mistake", [{"temperature": "warm"}, {"messages": []}, {"model": "none"}])
def test_errors(client, model, mistake):
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(**{"model": model, "messages": QUESTION, **mistake})


def test_no_route_is_left_out(schema):
    missing = ROUTES - set(conftest.WATCH.checked)
    assert not missing, f"nothing was compared of: {sorted(missing)}"
