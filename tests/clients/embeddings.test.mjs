// The official OpenAI client for Node asking for embeddings, against the server at QUIRE_URL, which
// serves minilm; run by test_node_client.py.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const load = createRequire(`${process.env.QUIRE_NODE}/package.json`);
const OpenAI = load("openai");
const client = new OpenAI({
  baseURL: `${process.env.QUIRE_URL}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000,
});
const input = ["The capital of France is Paris.", "A cat sits on the mat."];

test("embeddings come in base64 and are the numbers", async () => {
  const asked = await client.embeddings.create({ model: "minilm", input });
  const plain = await client.embeddings.create(
    { model: "minilm", input, encoding_format: "float" });
  assert.deepEqual(asked.data.map(({ index }) => index), [0, 1]);
  for (const [i, { embedding }] of asked.data.entries()) {
    assert.equal(embedding.length, 384);
    assert.deepEqual([...Float32Array.from(plain.data[i].embedding)], [...embedding]);
  }
  assert.equal(asked.usage.prompt_tokens, asked.usage.total_tokens);
});

test("a text that is too long is refused", async () => {
  await assert.rejects(client.embeddings.create({ model: "minilm", input: "word ".repeat(300) }),
    (error) => error instanceof OpenAI.BadRequestError &&
      error.code === "context_length_exceeded");
});
