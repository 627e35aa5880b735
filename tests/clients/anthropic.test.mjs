// The official Anthropic client for Node, and the AI SDK with its Anthropic provider, against the
// server at QUIRE_URL; run by test_node_client.py. The packages are installed in QUIRE_NODE.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const load = createRequire(`${process.env.QUIRE_NODE}/package.json`);
const Anthropic = load("@anthropic-ai/sdk");
const { generateText, streamText } = load("ai");
const { createAnthropic } = load("@ai-sdk/anthropic");

const client = new Anthropic({
  baseURL: process.env.QUIRE_URL, apiKey: "none", maxRetries: 0, timeout: 60_000,
});
const provider = createAnthropic({ baseURL: `${process.env.QUIRE_URL}/v1`, apiKey: "none" });
const model = (await client.models.list()).data[0].id;
const question = "What is the capital of France?";
const wanted = {
  model, temperature: 0, max_tokens: 24, messages: [{ role: "user", content: question }],
};
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

test("anthropic models are listed", async () => {
  const models = await client.models.list();
  assert.deepEqual(models.data.map((listed) => listed.id), [model]);
  assert.equal((await client.models.retrieve(model)).type, "model");
});

test("anthropic message names Paris", async () => {
  const message = await client.messages.create(wanted);
  assert.match(textOf(message), /Paris/);
  const { input_tokens } = await client.messages.countTokens(
    { model, messages: wanted.messages });
  const { usage } = message;
  assert.equal(usage.input_tokens + usage.cache_read_input_tokens, input_tokens);
});

test("anthropic stream helper says the same", async () => {
  const whole = await client.messages.create(wanted);
  let text = "";
  const stream = client.messages.stream(wanted).on("text", (piece) => { text += piece; });
  const final = await stream.finalMessage();
  assert.equal(text, textOf(whole));
  assert.equal(textOf(final), text);
  assert.equal(final.stop_reason, whole.stop_reason);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
});

test("anthropic errors have their classes", async () => {
  await assert.rejects(client.messages.create({ ...wanted, model: "no-such-model" }),
    (error) => error instanceof Anthropic.NotFoundError && error.type === "not_found_error");
  await assert.rejects(client.messages.create({ ...wanted, temperature: 3 }),
    (error) => error instanceof Anthropic.BadRequestError && /temperature/.test(error.message));
});

test("ai sdk generates by the anthropic provider", async () => {
  const whole = await client.messages.create(wanted);
  const answer = await generateText({
    model: provider(model), prompt: question, temperature: 0, maxOutputTokens: 24, maxRetries: 0,
  });
  assert.equal(answer.text, textOf(whole));
  assert.equal(answer.usage.outputTokens, whole.usage.output_tokens);
});

test("ai sdk streams by the anthropic provider", async () => {
  const whole = await client.messages.create(wanted);
  const answer = streamText({
    model: provider(model), prompt: question, temperature: 0, maxOutputTokens: 24, maxRetries: 0,
  });
  let text = "";
  for await (const piece of answer.textStream) text += piece;
  assert.equal(text, textOf(whole));
  assert.ok(["stop", "length"].includes(await answer.finishReason));
});
