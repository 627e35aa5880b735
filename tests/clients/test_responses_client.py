"""OpenAI's Python client against what Quire keeps: responses, conversations, files and batches.
Every answer is compared with OpenAI's own document where this machine has it."""

import json
import time

import openai
import pytest
from conftest import running_server

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def ask(client, model):
    def create(client=client, **fields):
        return client.responses.create(**{"model": model, "input": QUESTION, "temperature": 0,
                                          "max_output_tokens": 24, **fields})
    return create


def plain(answer):
    """An answer as the server wrote it."""
    return answer.model_dump(mode="json", exclude_unset=True)


def wait_for(show, states, limit_s=60):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        answer = show()
        if answer.status in states:
            return answer
        time.sleep(0.02)
    pytest.fail(f"still {answer.status} after {limit_s} s")


def test_a_response_names_paris(ask, schema):
    answer = ask()
    assert "Paris" in answer.output_text
    assert answer.status in ("completed", "incomplete")
    schema.check("Response", plain(answer))


def test_the_schema_sees_a_fault(ask, schema):
    broken = plain(ask())
    del broken["output"][0]["content"][0]["annotations"]
    with pytest.raises(AssertionError):
        schema.check("Response", broken)


def test_a_stream_says_the_same(ask, schema):
    whole = ask()
    events = list(ask(stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == whole.output_text == events[-1].response.output_text
    for event in events:
        schema.check("ResponseStreamEvent", plain(event))


def test_the_stream_manager_gathers_a_response(client, model):
    with client.responses.stream(model=model, input=QUESTION, temperature=0,
                                 max_output_tokens=24) as stream:
        for _ in stream:
            pass
        assert "Paris" in stream.get_final_response().output_text


def test_logprobs_are_included(ask, schema):
    answer = ask(include=["message.output_text.logprobs"], top_logprobs=2)
    logprobs = answer.output[0].content[0].logprobs
    assert len(logprobs) == answer.usage.output_tokens
    assert all(len(entry.top_logprobs) == 2 for entry in logprobs)
    schema.check("Response", plain(answer))


def test_a_turn_goes_on_from_the_one_before(ask):
    first = ask()
    second = ask(input="And of Italy?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens_details.cached_tokens > 0
    resent = ask(store=False, input=[{"role": "user", "content": QUESTION},
                                     *[item.to_dict() for item in first.output],
                                     {"role": "user", "content": "And of Italy?"}],
                 include=["reasoning.encrypted_content"])
    assert resent.output_text == second.output_text
    assert resent.store is False


def test_kept_responses_are_shown_listed_and_deleted(client, ask, schema):
    made = ask(metadata={"for": "test"})
    assert plain(client.responses.retrieve(made.id)) == plain(made)
    items = client.responses.input_items.list(made.id)
    assert items.data[0].content[0].text == QUESTION
    schema.check("ResponseItemList", plain(items))
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_what_is_not_stored_is_not_found(client, ask):
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(ask(store=False).id)


def test_history_with_calls_is_read(ask):
    answer = ask(input=[
        {"role": "user", "content": "What is the weather in Paris?"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"}])
    assert answer.output_text


def test_a_response_in_the_background(client, ask, schema):
    queued = ask(background=True)
    assert queued.status in ("queued", "in_progress")
    schema.check("Response", plain(queued))
    done = wait_for(lambda: client.responses.retrieve(queued.id), ("completed", "incomplete"))
    assert done.output_text == ask().output_text
    schema.check("Response", plain(done))


def test_a_background_stream_is_read_again(client, ask):
    events = list(ask(background=True, stream=True))
    kept = events[0].response.id
    again = list(client.responses.retrieve(kept, stream=True, starting_after=3))
    assert [plain(event) for event in again] == [plain(event) for event in events[4:]]


def test_a_background_response_is_cancelled(client, ask):
    long = ask(background=True, max_output_tokens=1500, extra_body={"ignore_eos": True})
    assert client.responses.cancel(long.id).status == "cancelled"
    assert client.responses.retrieve(long.id).status == "cancelled"


def test_conversations(client, ask, schema):
    made = client.conversations.create(
        items=[{"type": "message", "role": "user", "content": "My name is Ada."}],
        metadata={"for": "test"})
    schema.check("ConversationResource", plain(made))
    answer = ask(input="Who am I?", conversation=made.id)
    assert answer.conversation.id == made.id
    items = client.conversations.items.list(made.id, order="asc")
    assert [item.role for item in items.data] == ["user", "user", "assistant"]
    schema.check("ConversationItemList", plain(items))
    changed = client.conversations.update(made.id, metadata={"for": "more"})
    assert changed.metadata == {"for": "more"}
    assert client.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(made.id)


def test_tokens_are_counted_and_conversations_compacted(client, ask, model, schema):
    counted = client.responses.input_tokens.count(model=model, input=QUESTION)
    assert counted.input_tokens == ask().usage.input_tokens
    compact = client.responses.compact(model=model, input=[
        {"role": "user", "content": QUESTION}, {"role": "assistant", "content": "Paris."}])
    schema.check("CompactResource", plain(compact))
    assert compact.output[-1].type == "compaction"


def test_mistakes_are_errors_of_the_client(ask):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(previous_response_id="resp_nobody")
    assert refused.value.code == "previous_response_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        ask(text={"format": {"type": "yaml"}})
    assert refused.value.param == "text.format.type"


def test_ten_turns_survive_a_restart(tmp_path):
    """The same words as from one process, and hits of the prefix cache from the second turn on."""
    def talk(store, restart_after):
        texts, cached, previous = [], [], None
        turns = iter(range(10))
        for part in (range(restart_after), range(restart_after, 10)):
            with running_server("--response-store", str(tmp_path / store)) as server:
                client = server.client()
                model = client.models.list().data[0].id
                for _ in part:
                    answer = client.responses.create(
                        model=model, input=f"Tell me about the number {next(turns)}.",
                        previous_response_id=previous, temperature=0, max_output_tokens=16)
                    previous = answer.id
                    texts.append(answer.output_text)
                    cached.append(answer.usage.input_tokens_details.cached_tokens)
        return texts, cached

    whole, hits = talk("one.sqlite3", 10)
    broken, hits_broken = talk("two.sqlite3", 5)
    assert whole == broken
    assert all(hits[1:])
    assert all(hits_broken[1:5]) and all(hits_broken[6:])


def test_what_the_end_of_the_server_cut_has_failed(tmp_path, model, schema):
    """A response in the background does not go on: it is told as failed, with the reason that
    docs/responses.md names, and the same input can be asked again."""
    store = str(tmp_path / "cut.sqlite3")
    wanted = {"model": model, "input": QUESTION, "background": True, "temperature": 0}
    endless = {**wanted, "max_output_tokens": 1500, "extra_body": {"ignore_eos": True}}
    keeping = ("--response-store", store, "--served-model-name", model)
    with running_server(*keeping, is_killed=True) as server:
        client = server.client()
        done = client.responses.create(**wanted, max_output_tokens=16)
        wait_for(lambda: client.responses.retrieve(done.id), ("completed", "incomplete"))
        cut = client.responses.create(**endless)
        wait_for(lambda: client.responses.retrieve(cut.id), ("in_progress",))
        streamed = iter(client.responses.create(**endless, stream=True))
        read = [cut.id, next(streamed).response.id]
        while next(streamed).type != "response.output_text.delta":
            pass
    with running_server(*keeping) as server:
        client = server.client()
        assert client.responses.retrieve(done.id).status in ("completed", "incomplete")
        for kept in read:
            told = client.responses.retrieve(kept)
            schema.check("Response", plain(told))
            assert (told.status, told.error.code) == ("failed", "server_error")
            assert "ended" in told.error.message
            assert client.responses.cancel(kept).status == "failed"
            with pytest.raises(openai.BadRequestError):
                list(client.responses.retrieve(kept, stream=True))
            client.responses.delete(kept)
        again = client.responses.create(**wanted, max_output_tokens=16)
        assert wait_for(lambda: client.responses.retrieve(again.id),
                        ("completed", "incomplete")).output_text


# --- files and batches ---

def lines(model, count):
    return "".join(json.dumps({
        "custom_id": f"line-{i}", "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": model, "temperature": 0, "max_tokens": 8,
                 "messages": [{"role": "user", "content": f"Say the number {i}."}]}}) + "\n"
        for i in range(count))


def answers(client, batch):
    text = client.files.content(batch.output_file_id).text
    rows = [json.loads(row) for row in text.splitlines()]
    named = {row["custom_id"]: row["response"]["body"]["choices"][0]["message"]["content"]
             for row in rows}
    assert len(named) == len(rows), "a line was answered twice"
    return named


def begin(client, text):
    file = client.files.create(file=("in.jsonl", text.encode()), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                 completion_window="24h")


def test_files(client, schema):
    made = client.files.create(file=("notes.txt", b"some bytes"), purpose="user_data")
    schema.check("OpenAIFile", plain(made))
    assert client.files.content(made.id).content == b"some bytes"
    assert made.id in [file.id for file in client.files.list()]
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_a_batch(client, model, schema):
    made = begin(client, lines(model, 6))
    schema.check("Batch", plain(made))
    batch = wait_for(lambda: client.batches.retrieve(made.id), ("completed",))
    schema.check("Batch", plain(batch))
    assert (batch.request_counts.completed, batch.request_counts.failed) == (6, 0)
    assert len(answers(client, batch)) == 6
    assert made.id in [listed.id for listed in client.batches.list()]


def test_a_batch_is_cancelled(client, model):
    made = begin(client, lines(model, 400))
    client.batches.cancel(made.id)
    batch = wait_for(lambda: client.batches.retrieve(made.id), ("cancelled",))
    assert batch.request_counts.completed < 400


def test_a_killed_server_runs_no_line_twice(tmp_path, client, model):
    """The smaller one of tests/holds/killed_batches."""
    text = lines(model, 24)
    undisturbed = wait_for(lambda id=begin(client, text).id: client.batches.retrieve(id),
                           ("completed",))
    expected = answers(client, undisturbed)
    store, made = str(tmp_path / "kept.sqlite3"), None
    for done_min in (4, 12, 24):
        with running_server("--response-store", store, "--served-model-name", model,
                            is_killed=done_min < 24) as server:
            other = server.client()
            made = made or begin(other, text).id
            end = time.monotonic() + 60
            while time.monotonic() < end:
                batch = other.batches.retrieve(made)
                if batch.status == "completed" or (
                        done_min < 24 and batch.request_counts.completed >= done_min):
                    break
                time.sleep(0.01)
            if done_min == 24:
                assert batch.status == "completed"
                assert answers(other, batch) == expected
