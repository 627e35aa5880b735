// A conversation: one lane, or two that answer side by side, each with its model and its branches.
import type { ChatMessage, Sampling, ToolChoice } from "../api/chat";
import { emptyTree, type Message, shownPath, type Tree } from "./tree";

export interface Lane {
  model: string; // "": the server's first
  tree: Tree;
}

export interface Conversation {
  id: string;
  title: string; // "": nothing has been said
  created: number; // milliseconds since 1970
  updated: number;
  system: string;
  sampling: Sampling;
  wantsTokens: boolean; // ask for the probabilities of tokens
  tools?: string; // JSON as it is typed; absent: none
  toolChoice?: ToolChoice;
  schema?: string; // of an answer that has to be JSON, as it is typed; absent: any text
  lanes: Lane[]; // one or two
}

export const LANES_MAX = 2;
const TITLE_MAX = 60; // characters
const SAMPLING_AT_FIRST: Sampling = { max_tokens: 1024 }; // shown among the settings

export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}

export function newConversation(before?: Conversation): Conversation {
  const now = Date.now();
  return {
    id: newId(),
    title: "",
    created: now,
    updated: now,
    system: before?.system ?? "",
    sampling: before?.sampling ?? SAMPLING_AT_FIRST,
    wantsTokens: before?.wantsTokens ?? true,
    tools: before?.tools,
    toolChoice: before?.toolChoice,
    schema: before?.schema,
    lanes: (before?.lanes ?? [{ model: "" }]).map(({ model }) => ({ model, tree: emptyTree })),
  };
}

export function titleOf(text: string): string {
  const line = text.trim().split("\n")[0]?.trim() ?? "";
  return line.length > TITLE_MAX ? `${line.slice(0, TITLE_MAX - 1).trimEnd()}…` : line;
}

// What the model is to read: an answer that failed before it began is left out.
export function messagesToSend(system: string, path: Message[]): ChatMessage[] {
  const messages: ChatMessage[] = system.trim() ? [{ role: "system", content: system }] : [];
  for (const message of path) messages.push(...messagesOf(message));
  return messages;
}

function messagesOf({ role, content, thought, calls, results }: Message): ChatMessage[] {
  if (role === "tool") {
    return Object.entries(results ?? {}).map(([id, text]) => ({
      role,
      content: text,
      tool_call_id: id,
    }));
  }
  if (role === "assistant" && !content && !calls?.length) return [];
  return [
    {
      role,
      content,
      ...(thought ? { reasoning_content: thought } : {}),
      ...(calls?.length
        ? {
            tool_calls: calls.map(({ id, name, arguments: text }) => ({
              id,
              type: "function" as const,
              function: { name, arguments: text },
            })),
          }
        : {}),
    },
  ];
}

export function hasAnswers(conversation: Conversation): boolean {
  return conversation.lanes.some(({ tree }) => tree.roots.length > 0);
}

// The shown branches as a document.
export function toMarkdown(conversation: Conversation): string {
  const parts = [`# ${conversation.title || "Conversation"}`];
  if (conversation.system.trim()) parts.push(`**System:** ${conversation.system}`);
  for (const lane of conversation.lanes) {
    if (conversation.lanes.length > 1) parts.push(`## Answers of ${lane.model || "the model"}`);
    for (const message of shownPath(lane.tree)) {
      const name =
        message.role === "user"
          ? "You"
          : message.role === "tool"
            ? "Tools"
            : message.model || "Assistant";
      parts.push(`### ${name}`);
      if (message.thought) parts.push(message.thought.replace(/^/gm, "> "));
      for (const call of message.calls ?? []) {
        parts.push(`\`${call.name}(${call.arguments})\``);
      }
      if (message.content || !message.calls?.length) {
        parts.push(message.content || `*${message.error ?? "No answer."}*`);
      }
    }
  }
  return `${parts.join("\n\n")}\n`;
}

// Everything, all branches included.
export function toJson(conversation: Conversation): string {
  return `${JSON.stringify({ format: "quire-conversation-1", ...conversation }, null, 2)}\n`;
}
