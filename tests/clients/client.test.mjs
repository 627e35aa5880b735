// The official OpenAI client for Node against the server at QUIRE_URL; run by test_node_client.py.
// The client package is installed in QUIRE_NODE (build/node), outside of this folder.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const load = createRequire(`${process.env.QUIRE_NODE}/package.json`);
const OpenAI = load("openai");
const client = new OpenAI({
  baseURL: `${process.env.QUIRE_URL}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000,
});
const model = (await client.models.list()).data[0].id;
const question = {
  model, temperature: 0, max_tokens: 24,
  messages: [{ role: "user", content: "What is the capital of France?" }],
};

test("models are listed", async () => {
  const models = await client.models.list();
  assert.deepEqual(models.data.map((listed) => listed.id), [model]);
});

test("chat names Paris", async () => {
  const answer = await client.chat.completions.create(question);
  assert.match(answer.choices[0].message.content, /Paris/);
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
});

test("chat stream says the same", async () => {
  const whole = await client.chat.completions.create(question);
  const stream = await client.chat.completions.create(
    { ...question, stream: true, stream_options: { include_usage: true } });
  let text = "";
  let usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

test("completion and its stream agree", async () => {
  const wanted = {
    model, prompt: "The capital of France is", temperature: 0, max_tokens: 8,
  };
  const whole = await client.completions.create(wanted);
  let text = "";
  for await (const chunk of await client.completions.create({ ...wanted, stream: true })) {
    text += chunk.choices[0].text;
  }
  assert.equal(text, whole.choices[0].text);
  assert.match(text, /Paris/);
});

test("a response and its stream agree", async () => {
  const wanted = {
    model, input: "What is the capital of France?", temperature: 0, max_output_tokens: 24,
  };
  const whole = await client.responses.create(wanted);
  let text = "";
  let last = null;
  for await (const event of await client.responses.create({ ...wanted, stream: true })) {
    if (event.type === "response.output_text.delta") text += event.delta;
    last = event;
  }
  assert.match(whole.output_text, /Paris/);
  assert.equal(text, whole.output_text);
  assert.match(last.type, /^response\.(completed|incomplete)$/);
});

test("responses are kept and gone on from", async () => {
  const wanted = { model, temperature: 0, max_output_tokens: 16 };
  const first = await client.responses.create({ ...wanted, input: "Say a colour." });
  const second = await client.responses.create(
    { ...wanted, input: "Another one.", previous_response_id: first.id });
  assert.ok(second.usage.input_tokens_details.cached_tokens > 0);
  assert.equal((await client.responses.retrieve(first.id)).output_text, first.output_text);
  const items = await client.responses.inputItems.list(second.id);
  assert.equal(items.data[0].content[0].text, "Another one.");
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id),
    (error) => error instanceof OpenAI.NotFoundError);
});

test("errors have their classes", async () => {
  await assert.rejects(client.chat.completions.create({ ...question, model: "no-such-model" }),
    (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  await assert.rejects(client.chat.completions.create({ ...question, temperature: 3 }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
});

test("leaving a stream leaves the server well", async () => {
  const before = await client.chat.completions.create(question);
  const stream = await client.chat.completions.create(
    { ...question, stream: true, max_tokens: 500 });
  for await (const chunk of stream) {
    assert.ok(chunk.id);
    break;
  }
  const after = await client.chat.completions.create(question);
  assert.equal(after.choices[0].message.content, before.choices[0].message.content);
});
