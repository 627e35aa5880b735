// One streamed chat completion: what is sent, and what of the answer the page keeps.
import { Failure, request } from "./client";
import { readEvents } from "./sse";

export interface ToolCall {
  id: string;
  name: string;
  arguments: string; // JSON, as the model wrote it
}

export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  reasoning_content?: string;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

export type ToolChoice = "auto" | "required" | "none";

// What the answer may call, and what it has to look like; absent: nothing.
export interface AnswerRules {
  tools?: unknown[];
  toolChoice?: ToolChoice;
  schema?: unknown;
}

// Fields of POST /v1/chat/completions; an absent one is the model's own default.
export interface Sampling {
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  repetition_penalty?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  max_tokens?: number;
  seed?: number;
  stop?: string[];
}

// A token with the logarithm of its probability and the likeliest ones in its place.
export interface ScoredToken {
  text: string;
  logprob: number;
  top: [text: string, logprob: number][];
}

export interface AnswerFacts {
  requestId: string;
  finish: string; // "stop", "length", ...; "": it did not end
  promptTokens?: number;
  cachedTokens?: number;
  generatedTokens?: number;
  firstTokenMs?: number;
  tokensPerSecond?: number;
}

export interface ChatRequest {
  model: string;
  messages: ChatMessage[];
  sampling: Sampling;
  rules: AnswerRules;
  wantsTokens: boolean;
  signal: AbortSignal;
}

export interface ChatProgress {
  text: string; // of the answer so far
  thought: string; // before it
  calls: ToolCall[];
  tokens: ScoredToken[];
  facts: AnswerFacts;
}

const ALTERNATIVES = 5;

interface TokenJson {
  token: string;
  logprob: number;
  top_logprobs?: TokenJson[];
}

interface Chunk {
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string | null;
      tool_calls?: {
        index: number;
        id?: string;
        function?: { name?: string; arguments?: string };
      }[];
    };
    logprobs?: { content?: TokenJson[] | null } | null;
    finish_reason?: string | null;
  }[];
  usage?: {
    prompt_tokens: number;
    completion_tokens: number;
    prompt_tokens_details?: { cached_tokens?: number };
  } | null;
  error?: { message?: string };
}

function ruleFields({ tools, toolChoice, schema }: AnswerRules): Record<string, unknown> {
  return {
    ...(tools && tools.length > 0 ? { tools, tool_choice: toolChoice ?? "auto" } : {}),
    ...(schema !== undefined
      ? { response_format: { type: "json_schema", json_schema: { name: "answer", schema } } }
      : {}),
  };
}

export function requestBody(chat: Omit<ChatRequest, "signal">): Record<string, unknown> {
  return {
    model: chat.model,
    messages: chat.messages,
    stream: true,
    stream_options: { include_usage: true },
    ...chat.sampling,
    ...ruleFields(chat.rules),
    ...(chat.wantsTokens ? { logprobs: true, top_logprobs: ALTERNATIVES } : {}),
  };
}

function scored({ token, logprob, top_logprobs }: TokenJson): ScoredToken {
  return { text: token, logprob, top: (top_logprobs ?? []).map((top) => [top.token, top.logprob]) };
}

// Adds the pieces of a chunk to the calls so far.
function takeCalls(calls: ToolCall[], delta: NonNullable<Chunk["choices"]>[0]["delta"]): void {
  for (const piece of delta?.tool_calls ?? []) {
    const call = (calls[piece.index] ??= { id: "", name: "", arguments: "" });
    call.id += piece.id ?? "";
    call.name += piece.function?.name ?? "";
    call.arguments += piece.function?.arguments ?? "";
  }
}

// Yields the answer as it grows; the same object each time.
export async function* streamChat(chat: ChatRequest): AsyncGenerator<ChatProgress> {
  const start = performance.now();
  const response = await request("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(requestBody(chat)),
    signal: chat.signal,
  });
  if (!response.body) throw new Failure("The answer has no body.", response.status);
  const progress: ChatProgress = {
    text: "",
    thought: "",
    calls: [],
    tokens: [],
    facts: { requestId: response.headers.get("x-request-id") ?? "", finish: "" },
  };
  let firstTokenAt = 0;
  for await (const data of readEvents(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error) throw new Failure(chunk.error.message ?? "The answer broke off.", 500);
    const choice = chunk.choices?.[0];
    const piece = choice?.delta?.content ?? "";
    const tokens = choice?.logprobs?.content ?? [];
    const thought = choice?.delta?.reasoning_content ?? "";
    progress.text += piece;
    progress.thought += thought;
    takeCalls(progress.calls, choice?.delta);
    progress.tokens.push(...tokens.map(scored));
    const now = performance.now();
    if (!firstTokenAt && (piece || thought || tokens.length > 0)) {
      firstTokenAt = now;
      progress.facts.firstTokenMs = now - start;
    }
    if (choice?.finish_reason) progress.facts.finish = choice.finish_reason;
    if (chunk.usage) {
      const { usage } = chunk;
      progress.facts.promptTokens = usage.prompt_tokens;
      progress.facts.cachedTokens = usage.prompt_tokens_details?.cached_tokens ?? 0;
      progress.facts.generatedTokens = usage.completion_tokens;
      const seconds = (now - firstTokenAt) / 1000;
      if (firstTokenAt && usage.completion_tokens > 1 && seconds > 0) {
        progress.facts.tokensPerSecond = (usage.completion_tokens - 1) / seconds;
      }
    }
    yield progress;
  }
  if (!progress.facts.finish) throw new Failure("The connection broke before the answer ended.", 0);
}
