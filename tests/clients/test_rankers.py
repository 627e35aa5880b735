"""A tiny ranker of random weights: its scores of pairs are those of transformers
(tools/golden/tiny_ranker.py), whichever endpoint is asked, cut and ordered as it should be."""

import json
import math
import pathlib
import urllib.error
import urllib.request

import pytest

from conftest import running_server

FOLDER = pathlib.Path(__file__).with_name("tiny_ranker")
REFERENCE = json.loads((FOLDER / "scores.json").read_text())
QUERY, ROWS = REFERENCE["query"], REFERENCE["rows"]
DOCUMENTS = [row["document"] for row in ROWS]
BOUND = 2e-3  # keys and values are half floats


@pytest.fixture(scope="module")
def ask():
    with running_server(model=str(FOLDER)) as server:
        def post(path, **fields):
            request = urllib.request.Request(f"{server.url}{path}", json.dumps(fields).encode(),
                                             {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)

        yield post


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_scores_are_those_of_transformers(ask):
    answer = ask("/score", text_1=QUERY, text_2=DOCUMENTS, truncate_prompt_tokens=-1)
    raw = ask("/score", text_1=QUERY, text_2=DOCUMENTS, truncate_prompt_tokens=-1,
              use_activation=False)
    for entry, bare, row in zip(answer["data"], raw["data"], ROWS, strict=True):
        assert math.isclose(bare["score"], row["logit"], abs_tol=BOUND), row
        assert math.isclose(entry["score"], sigmoid(row["logit"]), abs_tol=BOUND), row
    assert answer["usage"]["prompt_tokens"] == sum(row["tokens"] for row in ROWS)


def test_the_best_comes_first(ask):
    ranked = ask("/v1/rerank", query=QUERY, documents=DOCUMENTS, truncate_prompt_tokens=-1)
    wanted = sorted(range(len(ROWS)), key=lambda i: -ROWS[i]["logit"])
    assert [result["index"] for result in ranked["results"]] == wanted
    alone = ask("/score", text_1=QUERY, text_2=DOCUMENTS[wanted[0]], truncate_prompt_tokens=-1)
    assert alone["data"][0]["score"] == ranked["results"][0]["relevance_score"]


def test_a_pair_that_is_too_long_is_refused_by_name(ask):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("/rerank", query=QUERY, documents=DOCUMENTS)
    assert refused.value.code == 400
    assert "documents[4]' has 46 tokens" in refused.value.read().decode()
