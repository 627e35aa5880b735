"""A tiny T5 of random weights behind /v1/completions: the encoder reads the prompt, and the decoder
says what transformers says (tools/golden/tiny_t5.py)."""

import json
import pathlib

import openai
import pytest

from conftest import running_server

FOLDER = pathlib.Path(__file__).with_name("tiny_t5")
ANSWERS = json.loads((FOLDER / "answers.json").read_text())


@pytest.fixture(scope="module")
def t5():
    with running_server(model=str(FOLDER)) as server:
        yield server.client()


def test_answers_are_those_of_transformers(t5):
    for wanted in ANSWERS:
        made = t5.completions.create(model="tiny_t5", prompt=wanted["prompt"], temperature=0,
                                     max_tokens=12, extra_body={"return_token_ids": True})
        assert made.choices[0].token_ids == wanted["tokens"]
        assert made.usage.prompt_tokens == wanted["prompt_tokens"]


def test_prompts_of_a_batch_do_not_mix(t5):
    made = t5.completions.create(model="tiny_t5", temperature=0, max_tokens=12,
                                 prompt=[wanted["prompt"] for wanted in ANSWERS],
                                 extra_body={"return_token_ids": True})
    assert [choice.token_ids for choice in made.choices] == [a["tokens"] for a in ANSWERS]


def test_what_does_not_continue_a_prompt_is_refused(t5):
    with pytest.raises(openai.BadRequestError, match="an encoder reads this model's prompt"):
        t5.completions.create(model="tiny_t5", prompt="w1", echo=True)
