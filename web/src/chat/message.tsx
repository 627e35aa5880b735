// One message: what it says, what can be done with it, and what it cost.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { AnswerFacts } from "../api/chat";
import { count, duration, plural, rate } from "../ui/format";
import { IconButton } from "../ui/icons";
import { Calls, Results } from "./calls";
import { requestHref } from "../ui/route";
import { renderMarkdown } from "./markdown";
import { editMessage, regenerate, showSibling } from "./session";
import { TokenView } from "./tokens";
import { childrenOf, type Message, type Tree } from "./tree";

interface MessageViewProps {
  lane: number;
  tree: Tree;
  message: Message;
  isBusy: boolean;
}

export function MessageView({ lane, tree, message, isBusy }: MessageViewProps) {
  const [isEditing, setEditing] = useState(false);
  const [showsTokens, setShowsTokens] = useState(false);
  const isUser = message.role === "user";
  const isTool = message.role === "tool";
  const isStreaming = message.state === "streaming";
  return (
    <article
      class={`message ${message.role}`}
      data-state={message.state ?? "complete"}
      aria-label={labelOf(message)}
    >
      {message.thought && <Thought message={message} />}
      {isEditing ? (
        <Editor message={message} lane={lane} onDone={() => setEditing(false)} />
      ) : (
        <Content message={message} showsTokens={showsTokens} />
      )}
      {message.calls && message.calls.length > 0 && (
        <Calls {...{ lane, tree, message }} isBusy={isBusy || isStreaming} />
      )}
      {message.error && (
        <p class="error" role="alert">
          {message.error}
        </p>
      )}
      {!isEditing && !isStreaming && (
        <div class="message-foot">
          <Siblings {...{ lane, tree, message }} />
          <div class="message-actions">
            <CopyButton text={copyText(message)} />
            {!isTool && (
              <IconButton
                icon="edit"
                label="Edit"
                disabled={isBusy}
                onClick={() => setEditing(true)}
              />
            )}
            {!isUser && !isTool && (
              <IconButton
                icon="again"
                label="Regenerate"
                disabled={isBusy}
                onClick={() => regenerate(lane, message.id)}
              />
            )}
            {message.tokens && message.tokens.length > 0 && (
              <IconButton
                icon="chart"
                label="Token probabilities"
                pressed={showsTokens}
                onClick={() => setShowsTokens(!showsTokens)}
              />
            )}
          </div>
          {message.facts && <Facts facts={message.facts} isStopped={message.state === "stopped"} />}
        </div>
      )}
    </article>
  );
}

function labelOf(message: Message): string {
  if (message.role === "user") return "You";
  if (message.role === "tool") return "Results of tools";
  return `Answer of ${message.model ?? "the model"}`;
}

function copyText({ content, calls, results }: Message): string {
  if (results) return Object.values(results).join("\n");
  return content || (calls ?? []).map((call) => call.arguments).join("\n");
}

// Open while it is all that there is.
function Thought({ message }: { message: Message }) {
  const isThinking = message.state === "streaming" && !message.content && !message.calls;
  return (
    <details class="thought" open={isThinking}>
      <summary>{isThinking ? "Thinking…" : "Thought"}</summary>
      <div class="thought-text">{message.thought}</div>
    </details>
  );
}

function Content({ message, showsTokens }: { message: Message; showsTokens: boolean }) {
  if (message.role === "user") return <div class="said">{message.content}</div>;
  if (message.role === "tool") return <Results results={message.results ?? {}} />;
  if (showsTokens && message.tokens) return <TokenView tokens={message.tokens} />;
  if (!message.content && (message.thought || message.calls)) return null;
  if (!message.content && message.state === "streaming") {
    return (
      <div class="waiting" role="status" aria-label="Waiting for the first token">
        <i />
        <i />
        <i />
      </div>
    );
  }
  return <Markdown text={message.content} />;
}

// The nodes are made anew when the text has grown; what the reader has selected in them stays
// selected only once the answer is complete.
function Markdown({ text }: { text: string }) {
  const element = useRef<HTMLDivElement>(null);
  const fragment = useMemo(() => renderMarkdown(text), [text]);
  useLayoutEffect(() => {
    element.current?.replaceChildren(fragment);
  }, [fragment]);
  return <div class="markdown" ref={element} />;
}

function Editor({ message, lane, onDone }: { message: Message; lane: number; onDone: () => void }) {
  const [text, setText] = useState(message.content);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => area.current?.focus(), []);
  const isUser = message.role === "user";
  const save = () => {
    if (!text.trim()) return;
    onDone();
    editMessage(lane, message.id, text);
  };
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <textarea
        ref={area}
        aria-label="Edit the message"
        value={text}
        rows={3}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            onDone();
          }
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
        }}
      />
      <div class="row-end">
        <span class="hint">The old version stays, as a branch.</span>
        <button type="button" class="button" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" class="button primary">
          {isUser ? "Send" : "Save"}
        </button>
      </div>
    </form>
  );
}

function Siblings({ lane, tree, message }: Omit<MessageViewProps, "isBusy">) {
  const siblings = childrenOf(tree, message.parent);
  const position = siblings.indexOf(message.id);
  if (siblings.length < 2) return null;
  return (
    <div class="siblings" role="group" aria-label="Versions">
      <IconButton
        icon="left"
        label="Previous version"
        disabled={position === 0}
        onClick={() => showSibling(lane, message.id, -1)}
      />
      <span>
        {position + 1} / {siblings.length}
      </span>
      <IconButton
        icon="right"
        label="Next version"
        disabled={position === siblings.length - 1}
        onClick={() => showSibling(lane, message.id, 1)}
      />
    </div>
  );
}

function CopyButton({ text }: { text: string }) {
  const [isDone, setDone] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => {
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    });
  };
  return (
    <IconButton
      icon={isDone ? "check" : "copy"}
      label={isDone ? "Copied" : "Copy"}
      onClick={copy}
    />
  );
}

const FINISHES: Record<string, string> = {
  length: "cut at the token limit",
  abort: "cut off by the server",
  error: "the model's numbers failed",
};

function Facts({ facts, isStopped }: { facts: AnswerFacts; isStopped: boolean }) {
  const parts: string[] = [];
  if (isStopped) parts.push("stopped");
  else if (FINISHES[facts.finish]) parts.push(FINISHES[facts.finish] ?? "");
  if (facts.generatedTokens !== undefined) parts.push(plural(facts.generatedTokens, "token"));
  if (facts.tokensPerSecond !== undefined) parts.push(`${rate(facts.tokensPerSecond)} tokens/s`);
  if (facts.firstTokenMs !== undefined) parts.push(`first token ${duration(facts.firstTokenMs)}`);
  if (facts.promptTokens !== undefined) {
    parts.push(`prompt ${count(facts.promptTokens)}, ${count(facts.cachedTokens)} cached`);
  }
  return (
    <p class="facts">
      {parts.map((part) => (
        <span key={part}>{part}</span>
      ))}
      {facts.requestId && <a href={requestHref(facts.requestId)}>explain</a>}
    </p>
  );
}
