// Calls of tools in an answer, with a box for what comes of each: this page runs nothing, a person
// tells the model what its call gave.
import { useState } from "preact/hooks";
import type { ToolCall } from "../api/chat";
import { tellResults } from "./session";
import { childrenOf, type Message, type Tree } from "./tree";

interface CallsProps {
  lane: number;
  tree: Tree;
  message: Message;
  isBusy: boolean;
}

export function Calls({ lane, tree, message, isBusy }: CallsProps) {
  const calls = message.calls ?? [];
  const [results, setResults] = useState<Record<string, string>>({});
  const isAnswered = childrenOf(tree, message.id).length > 0;
  const isDone = message.state !== "streaming";
  return (
    <form
      class="calls"
      onSubmit={(event) => {
        event.preventDefault();
        tellResults(
          lane,
          message.id,
          Object.fromEntries(calls.map(({ id }) => [id, results[id] ?? ""])),
        );
      }}
    >
      {calls.map((call) => (
        <Call key={call.id} call={call}>
          {isDone && !isAnswered && (
            <label class="field">
              <span>Result of {call.name}</span>
              <textarea
                rows={2}
                value={results[call.id] ?? ""}
                placeholder="What the call gave: text or JSON"
                onInput={(event) =>
                  setResults({ ...results, [call.id]: event.currentTarget.value })
                }
              />
            </label>
          )}
        </Call>
      ))}
      {isDone && !isAnswered && (
        <div class="row-end">
          <button type="submit" class="button primary" disabled={isBusy}>
            {calls.length > 1 ? "Send results" : "Send result"}
          </button>
        </div>
      )}
    </form>
  );
}

function Call({ call, children }: { call: ToolCall; children: preact.ComponentChildren }) {
  return (
    <div class="call">
      <p class="call-head">
        calls <code>{call.name || "…"}</code>
      </p>
      <pre>{pretty(call.arguments)}</pre>
      {children}
    </div>
  );
}

export function Results({ results }: { results: Record<string, string> }) {
  return (
    <div class="results">
      {Object.entries(results).map(([id, text]) => (
        <div class="call" key={id}>
          <p class="call-head">result</p>
          <pre>{text ? pretty(text) : "(empty)"}</pre>
        </div>
      ))}
    </div>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
