// Ollama's official client for Node against the server at QUIRE_URL; run by test_node_client.py.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const load = createRequire(`${process.env.QUIRE_NODE}/package.json`);
const { Ollama } = load("ollama");
const client = new Ollama({ host: process.env.QUIRE_URL });
const model = (await client.list()).models[0].name;
const question = {
  model, options: { temperature: 0, num_predict: 24 },
  messages: [{ role: "user", content: "What is the capital of France?" }],
};

test("ollama chat names Paris", async () => {
  const answer = await client.chat(question);
  assert.match(answer.message.content, /Paris/);
  assert.ok(answer.eval_count > 0 && answer.eval_duration > 0);
});

test("ollama chat stream says the same", async () => {
  const whole = await client.chat(question);
  let text = "";
  for await (const part of await client.chat({ ...question, stream: true })) {
    text += part.message.content;
  }
  assert.equal(text, whole.message.content);
});

test("ollama generate holds to a schema", async () => {
  const answer = await client.generate({
    model, prompt: "Name a city.", options: { temperature: 0, num_predict: 60 },
    format: { type: "object", properties: { city: { type: "string", maxLength: 20 } },
      required: ["city"], additionalProperties: false },
  });
  assert.deepEqual(Object.keys(JSON.parse(answer.response)), ["city"]);
});

test("ollama shows and lists", async () => {
  const shown = await client.show({ model });
  assert.ok(shown.capabilities.includes("completion"));
  assert.equal((await client.ps()).models.length, 1);
});

test("ollama errors have their status", async () => {
  await assert.rejects(client.chat({ ...question, model: "none" }),
    (error) => error.status_code === 404 && /not found/.test(error.message));
});

test("ollama stream can be left", async () => {
  const stream = await client.generate({
    model, prompt: "Tell a long story.", stream: true, options: { num_predict: 400 } });
  let parts = 0;
  await assert.rejects(async () => {
    for await (const part of stream) {
      parts += part.response ? 1 : 0;
      if (parts === 3) stream.abort();
    }
  }, { name: "AbortError" });
  assert.equal((await client.chat(question)).done, true);
});
