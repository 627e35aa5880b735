"""Tools and structured output through the official clients and what is built on them: the default
model was never trained to call anything, so that what holds here holds by the server's doing."""

import enum
import json
from typing import Literal

import instructor
import jsonschema
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from openai import pydantic_function_tool
from pydantic import BaseModel, Field

QUESTION = [{"role": "user", "content": "What is the weather in Oslo?"}]


class Unit(enum.Enum):
    celsius = "celsius"
    fahrenheit = "fahrenheit"


class Weather(BaseModel):
    """The weather of a city."""
    city: str = Field(max_length=24)
    unit: Unit


class Place(BaseModel):
    kind: Literal["city", "village"]
    people: int = Field(ge=0, le=10_000_000)


class Report(BaseModel):
    """A report of two places."""
    title: str = Field(max_length=24)
    first: Place
    second: Place
    is_certain: bool


SCHEMA = {"type": "object",
          "properties": {"city": {"type": "string", "maxLength": 24},
                         "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
          "required": ["city", "unit"], "additionalProperties": False}
FUNCTION = {"name": "weather", "description": "The weather of a city.", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
NAMED = {"type": "function", "function": {"name": "weather"}}
CLAUDE_TOOL = {"name": "weather", "description": "The weather of a city.", "input_schema": SCHEMA}


@pytest.fixture(scope="module")
def chat(client, model):
    def create(**fields):
        return client.chat.completions.create(
            **{"model": model, "messages": QUESTION, "temperature": 0, "max_tokens": 120,
               **fields})
    return create


@pytest.fixture(scope="module")
def claude(server):
    return server.anthropic()


def check_arguments(text):
    arguments = json.loads(text)
    jsonschema.validate(arguments, SCHEMA)
    return arguments


@pytest.mark.parametrize("choice, finish", [("required", "tool_calls"), (NAMED, "stop")])
def test_a_call_that_has_to_be_made_is_made(chat, choice, finish):
    made = chat(tools=[TOOL], tool_choice=choice, parallel_tool_calls=False).choices[0]
    assert made.finish_reason == finish
    assert made.message.content is None
    (call,) = made.message.tool_calls[:1]
    assert call.type == "function" and call.id and call.function.name == "weather"
    check_arguments(call.function.arguments)


def test_a_stream_of_a_call_says_the_same(chat, client, model):
    whole = chat(tools=[TOOL], tool_choice=NAMED).choices[0].message.tool_calls[0]
    names, arguments = [], ""
    for chunk in chat(tools=[TOOL], tool_choice=NAMED, stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            assert call.index == 0
            assert bool(call.id) == bool(call.function.name)
            names += [call.function.name] if call.function.name else []
            arguments += call.function.arguments or ""
    assert names == ["weather"]
    assert arguments == whole.function.arguments
    with client.chat.completions.stream(model=model, messages=QUESTION, temperature=0,
                                        max_tokens=120, tools=[TOOL], tool_choice=NAMED) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == arguments


def test_a_result_is_answered(chat):
    call = chat(tools=[TOOL], tool_choice=NAMED).choices[0].message
    answer = chat(tools=[TOOL], messages=QUESTION + [
        call.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "12 degrees, rain"}])
    message = answer.choices[0].message
    assert message.content or message.tool_calls


def test_one_call_where_one_is_wanted(chat):
    calls = chat(tools=[TOOL], tool_choice="required", parallel_tool_calls=False,
                 max_tokens=300).choices[0].message.tool_calls
    assert len(calls) == 1


def test_allowed_tools_are_the_only_ones(chat):
    other = {"type": "function", "function": {"name": "other", "parameters": SCHEMA}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}}
    calls = chat(tools=[other, TOOL], tool_choice=allowed).choices[0].message.tool_calls
    assert {call.function.name for call in calls} == {"weather"}


def test_no_call_where_none_is_wanted(chat):
    message = chat(tools=[TOOL], tool_choice="none").choices[0].message
    assert message.content and not message.tool_calls


def test_functions_of_the_first_kind(chat):
    made = chat(functions=[FUNCTION], function_call={"name": "weather"}).choices[0]
    assert made.message.function_call.name == "weather"
    check_arguments(made.message.function_call.arguments)


def test_parse_with_pydantic(client, model):
    parsed = client.chat.completions.parse(
        model=model, messages=QUESTION, temperature=0, max_tokens=400, response_format=Report)
    report = parsed.choices[0].message.parsed
    assert isinstance(report, Report)
    with client.chat.completions.stream(model=model, messages=QUESTION, temperature=0,
                                        max_tokens=400, response_format=Report) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == report


def test_parse_of_a_function_tool(client, model):
    parsed = client.chat.completions.parse(
        model=model, messages=QUESTION, temperature=0, max_tokens=200,
        tools=[pydantic_function_tool(Weather)], tool_choice="required",
        parallel_tool_calls=False)
    call = parsed.choices[0].message.tool_calls[0]
    assert isinstance(call.function.parsed_arguments, Weather)


def test_responses_call_and_go_on(client, model):
    tool = {"type": "function", "strict": True, **FUNCTION}
    first = client.responses.create(model=model, input="The weather in Oslo?", tools=[tool],
                                    tool_choice="required", temperature=0, max_output_tokens=150)
    calls = [item for item in first.output if item.type == "function_call"]
    assert calls and calls[0].name == "weather"
    check_arguments(calls[0].arguments)
    second = client.responses.create(
        model=model, previous_response_id=first.id, tools=[tool], temperature=0,
        max_output_tokens=24,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
               for call in calls])
    assert second.output


def test_responses_stream_their_calls(client, model):
    tool = {"type": "function", "strict": True, **FUNCTION}
    kinds, arguments = [], ""
    with client.responses.stream(
            model=model, input="The weather in Oslo?", tools=[tool], temperature=0,
            tool_choice={"type": "function", "name": "weather"},
            max_output_tokens=150) as stream:
        for event in stream:
            kinds += [event.type] if not kinds or kinds[-1] != event.type else []
            if event.type == "response.function_call_arguments.delta":
                arguments += event.delta
        final = stream.get_final_response()
    assert kinds == ["response.created", "response.in_progress", "response.output_item.added",
                     "response.function_call_arguments.delta",
                     "response.function_call_arguments.done", "response.output_item.done",
                     "response.completed"]
    assert final.output[0].arguments == arguments
    check_arguments(arguments)


def test_responses_parse_with_pydantic(client, model):
    parsed = client.responses.parse(model=model, input="Report!", text_format=Report,
                                    temperature=0, max_output_tokens=400)
    assert isinstance(parsed.output_parsed, Report)


@pytest.mark.parametrize("mode", ["TOOLS", "TOOLS_STRICT", "JSON_SCHEMA"])
def test_instructor(client, model, mode):
    asked = instructor.from_openai(client, mode=instructor.Mode[mode])
    report = asked.chat.completions.create(model=model, messages=QUESTION, response_model=Weather,
                                           temperature=0, max_tokens=400, max_retries=0)
    assert isinstance(report, Weather)


def langchain_model(server, model):
    return ChatOpenAI(model=model, base_url=f"{server.url}/v1", api_key="none", temperature=0,
                      max_tokens=400, max_retries=0)


def test_langchain_binds_tools(server, model):
    message = langchain_model(server, model).bind_tools([Weather], tool_choice="any").invoke(
        "The weather in Oslo?")
    assert message.tool_calls[0]["name"] == "Weather"
    Weather.model_validate(message.tool_calls[0]["args"])


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_structured_output(server, model, method):
    asked = langchain_model(server, model).with_structured_output(
        Report, method=method, strict=True)
    assert isinstance(asked.invoke("Report!"), Report)


def test_langchain_anthropic_binds_tools(server, model):
    asked = ChatAnthropic(model=model, base_url=server.url, api_key="none", temperature=0,
                          max_tokens=400, max_retries=0)
    message = asked.bind_tools([Weather], tool_choice="Weather").invoke("The weather in Oslo?")
    Weather.model_validate(message.tool_calls[0]["args"])


def test_anthropic_tool_loop(claude, model):
    usual = {"model": model, "max_tokens": 200, "tools": [CLAUDE_TOOL],
             "extra_body": {"temperature": 0}}
    first = claude.messages.create(messages=QUESTION, **usual, tool_choice={
        "type": "any", "disable_parallel_tool_use": True})
    assert first.stop_reason == "tool_use"
    calls = [block for block in first.content if block.type == "tool_use"]
    jsonschema.validate(calls[0].input, SCHEMA)
    second = claude.messages.create(messages=QUESTION + [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
            for call in calls]}], **usual)
    assert second.stop_reason in ("end_turn", "max_tokens", "tool_use")


def test_anthropic_streams_the_input(claude, model):
    usual = {"model": model, "max_tokens": 200, "tools": [CLAUDE_TOOL], "messages": QUESTION,
             "tool_choice": {"type": "tool", "name": "weather"},
             "extra_body": {"temperature": 0}}
    pieces = ""
    with claude.messages.stream(**usual) as stream:
        for event in stream:
            if event.type == "input_json":
                pieces += event.partial_json
        final = stream.get_final_message()
    jsonschema.validate(final.content[0].input, SCHEMA)
    assert json.loads(pieces) == final.content[0].input


def test_anthropic_parse(claude, model):
    parsed = claude.messages.parse(model=model, max_tokens=400, messages=QUESTION,
                                   output_format=Report, extra_body={"temperature": 0})
    assert isinstance(parsed.parsed_output, Report)


@pytest.mark.parametrize("seed", range(12))
def test_arguments_are_valid_however_they_are_drawn(chat, seed):
    calls = chat(tools=[TOOL], tool_choice=NAMED, temperature=1.5, seed=seed,
                 max_tokens=300).choices[0].message.tool_calls
    check_arguments(calls[0].function.arguments)
