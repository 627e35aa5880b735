"""Embeddings and rankings as clients ask for them: OpenAI's own, LangChain's and LiteLLM's, against
a server that chats and embeds."""

import base64
import json
import math
import struct
import urllib.request

import openai
import pytest

TEXTS = ["The capital of France is Paris.", "What is the capital of France?",
         "A cat sits on the mat."]
WIDTH = 384


@pytest.fixture(scope="module")
def pair(pair_server):
    return pair_server.client()


def post(server, path, **fields):
    request = urllib.request.Request(f"{server.url}{path}", json.dumps(fields).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def test_the_client_asks_for_base64_and_gets_the_same_floats(pair):
    answer = pair.embeddings.create(model="minilm", input=TEXTS)
    plain = pair.embeddings.create(model="minilm", input=TEXTS, encoding_format="float")
    assert [entry.index for entry in answer.data] == [0, 1, 2]
    for entry, other in zip(answer.data, plain.data):
        assert len(entry.embedding) == WIDTH
        as_float32 = struct.unpack(f"<{WIDTH}f", struct.pack(f"<{WIDTH}f", *other.embedding))
        assert tuple(entry.embedding) == as_float32
        assert math.isclose(dot(entry.embedding, entry.embedding), 1, abs_tol=1e-5)
    france, question, cat = [entry.embedding for entry in answer.data]
    assert dot(france, question) > 0.8 > 0.2 > dot(france, cat)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 9 + 9 + 9
    assert answer.model == "minilm"


def test_base64_as_it_travels(pair):
    raw = pair.embeddings.with_raw_response.create(model="minilm", input="a",
                                                   encoding_format="base64")
    text = json.loads(raw.text)["data"][0]["embedding"]
    assert len(base64.b64decode(text, validate=True)) == 4 * WIDTH


def test_alone_and_in_a_batch_equal_bits(pair):
    def embed(texts):
        data = pair.embeddings.create(model="minilm", input=texts).data
        return [entry.embedding for entry in data]

    many = embed([f"{TEXTS[i % 3]} {i}" for i in range(300)])
    for i in (0, 1, 150, 299):
        assert embed(f"{TEXTS[i % 3]} {i}") == [many[i]]


def test_token_ids_are_taken_as_they_are(pair, pair_server):
    ids = post(pair_server, "/tokenize", model="minilm", prompt=TEXTS[0])["tokens"]
    by_ids = pair.embeddings.create(model="minilm", input=[ids, ids]).data
    by_text = pair.embeddings.create(model="minilm", input=TEXTS[0]).data
    assert by_ids[0].embedding == by_ids[1].embedding == by_text[0].embedding


@pytest.mark.parametrize("fields, message", [
    ({"input": ["a", "word " * 300]}, r"256 tokens.*input\[1\].*302 tokens"),
    ({"input": []}, "1 to 2048 inputs"),
    ({"input": "a", "dimensions": 100}, "matryoshka"),
    ({"input": "a", "model": "smollm2"}, "makes no embeddings: it generates text"),
])
def test_refusals(pair, fields, message):
    with pytest.raises(openai.BadRequestError, match=message):
        pair.embeddings.create(**{"model": "minilm", **fields})


def test_an_embedder_does_not_talk(pair):
    with pytest.raises(openai.BadRequestError, match="it makes embeddings of 384 values"):
        pair.chat.completions.create(model="minilm", messages=[{"role": "user", "content": "a"}])
    listed = {model.id: model.capabilities for model in pair.models.list().data}
    assert listed == {"smollm2": ["completion", "chat"], "minilm": ["embedding", "score"]}


def test_async(pair_server):
    import asyncio

    async def embed():
        async with pair_server.async_client() as client:
            return await client.embeddings.create(model="minilm", input=TEXTS)

    assert len(asyncio.run(embed()).data) == 3


def test_langchain(pair_server):
    langchain_openai = pytest.importorskip("langchain_openai")
    embeddings = langchain_openai.OpenAIEmbeddings(
        model="minilm", base_url=f"{pair_server.url}/v1", api_key="none",
        check_embedding_ctx_length=False)
    documents = embeddings.embed_documents(TEXTS)
    question = embeddings.embed_query("Which city is the capital of France?")
    assert max(range(3), key=lambda i: dot(documents[i], question)) in (0, 1)


def test_litellm(pair_server, monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches prices
    litellm = pytest.importorskip("litellm")
    made = litellm.embedding(model="hosted_vllm/minilm", input=TEXTS, api_key="none",
                             api_base=f"{pair_server.url}/v1")
    assert [len(entry["embedding"]) for entry in made.data] == [WIDTH] * 3
    ranked = litellm.rerank(model="hosted_vllm/minilm", query="Which city is France's capital?",
                            documents=[TEXTS[2], TEXTS[0]], top_n=1, api_key="none",
                            api_base=pair_server.url)
    assert [result["index"] for result in ranked.results] == [1]


def test_rerank_and_score_agree(pair_server):
    documents = [TEXTS[2], TEXTS[0], TEXTS[1]]
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        ranked = post(pair_server, path, model="minilm", query=TEXTS[1], documents=documents)
        assert [result["index"] for result in ranked["results"]] == [2, 1, 0]
    scores = [entry["score"] for entry in
              post(pair_server, "/score", model="minilm", text_1=TEXTS[1],
                   text_2=documents)["data"]]
    assert [result["relevance_score"] for result in ranked["results"]] == sorted(scores)[::-1]
    assert math.isclose(scores[2], 1, abs_tol=1e-5)
