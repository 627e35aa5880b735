// Hugging Face's client for Node, @huggingface/inference, against the server at QUIRE_URL, which
// answers to any model name; run by test_node_client.py.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const load = createRequire(`${process.env.QUIRE_NODE}/package.json`);
const { InferenceClient } = load("@huggingface/inference");
const client = new InferenceClient().endpoint(process.env.QUIRE_URL);
const messages = [{ role: "user", content: "Say hello." }];

test("@huggingface/inference continues a text", async () => {
  const answer = await client.textGeneration({
    inputs: "Once upon a time", parameters: { max_new_tokens: 6, temperature: 0 },
  });
  assert.ok(answer.generated_text.length > 0);
});

test("@huggingface/inference chats, whole and streamed", async () => {
  const ask = { messages, max_tokens: 8, temperature: 0 };
  const whole = await client.chatCompletion(ask);
  let streamed = "";
  for await (const chunk of client.chatCompletionStream(ask)) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
  }
  assert.equal(streamed, whole.choices[0].message.content);
});

test("@huggingface/inference is told what is wrong", async () => {
  await assert.rejects(client.chatCompletion({ messages, temperature: 17 }), (error) => {
    assert.match(error.httpResponse.body.error.message, /temperature/);
    return true;
  });
});
