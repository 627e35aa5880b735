// Tools and structured output through the official OpenAI client for Node with its zod helpers, and
// Vercel's AI SDK with Anthropic's protocol, against the server at QUIRE_URL; run by
// test_node_client.py.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

const load = createRequire(`${process.env.QUIRE_NODE}/package.json`);
const OpenAI = load("openai");
const { zodResponseFormat, zodTextFormat, zodFunction } = load("openai/helpers/zod");
const { z } = load("zod");
const { createAnthropic } = load("@ai-sdk/anthropic");
const { generateText, tool } = load("ai");

const client = new OpenAI({
  baseURL: `${process.env.QUIRE_URL}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000,
});
const model = (await client.models.list()).data[0].id;
const messages = [{ role: "user", content: "What is the weather in Oslo?" }];
const Weather = z.object({ city: z.string().max(24), unit: z.enum(["celsius", "fahrenheit"]) });
const Report = z.object({
  title: z.string().max(24), certain: z.boolean(),
  place: z.object({ kind: z.enum(["city", "village"]), people: z.number().int().min(0) }),
});

test("zod reads a structured answer", async () => {
  const answer = await client.chat.completions.parse({
    model, messages, temperature: 0, max_tokens: 400,
    response_format: zodResponseFormat(Report, "report"),
  });
  Report.parse(answer.choices[0].message.parsed);
});

test("zod reads the arguments of a call", async () => {
  const answer = await client.chat.completions.parse({
    model, messages, temperature: 0, max_tokens: 200, tool_choice: "required",
    parallel_tool_calls: false,
    tools: [zodFunction({ name: "weather", parameters: Weather })],
  });
  Weather.parse(answer.choices[0].message.tool_calls[0].function.parsed_arguments);
});

test("zod reads a structured response", async () => {
  const answer = await client.responses.parse({
    model, input: "Report!", temperature: 0, max_output_tokens: 400,
    text: { format: zodTextFormat(Report, "report") },
  });
  Report.parse(answer.output_parsed);
});

test("the AI SDK gets its tool called", async () => {
  const anthropic = createAnthropic({ baseURL: `${process.env.QUIRE_URL}/v1`, apiKey: "none" });
  const { toolCalls } = await generateText({
    model: anthropic(model), prompt: "What is the weather in Oslo?", temperature: 0,
    maxOutputTokens: 200, maxRetries: 0, toolChoice: "required",
    tools: { weather: tool({ description: "The weather of a city.", inputSchema: Weather }) },
  });
  Weather.parse(toolCalls[0].input);
});
