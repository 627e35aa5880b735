// Where one writes. Enter sends, Shift+Enter makes a new line, Escape stops an answer.
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../ui/icons";
import { isAnswering, isLaneAnswering, current, say, stop } from "./session";

export function Composer() {
  const [text, setText] = useState("");
  const area = useRef<HTMLTextAreaElement>(null);
  const isBusy = isAnswering.value && current.value.lanes.some(isLaneAnswering);
  const conversation = current.value.id;
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches) area.current?.focus();
  }, [conversation]);
  useEffect(() => {
    const element = area.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);
  const send = () => {
    if (!text.trim() || isBusy) return;
    say(text.trim());
    setText("");
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={area}
        rows={1}
        value={text}
        aria-label="Message"
        placeholder="Say something"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      {isBusy ? (
        <button type="button" class="send" aria-label="Stop" title="Stop (Esc)" onClick={stop}>
          <Icon name="stop" />
        </button>
      ) : (
        <button
          type="submit"
          class="send"
          aria-label="Send"
          title="Send (Enter)"
          disabled={!text.trim()}
        >
          <Icon name="send" />
        </button>
      )}
    </form>
  );
}
