// The chat: conversations on the left, one or two lanes in the middle, settings on the right.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { areModelsLoaded, defaultModel, models, modelsError } from "../api/models";
import { count } from "../ui/format";
import { Icon, IconButton } from "../ui/icons";
import { isWide } from "../ui/media";
import { notify } from "../ui/notice";
import { Panel } from "../ui/panel";
import { Composer } from "./composer";
import { hasAnswers, type Lane, LANES_MAX } from "./conversation";
import { MessageView } from "./message";
import {
  addLane,
  chooseModel,
  conversations,
  current,
  isAnswering,
  isLaneAnswering,
  openConversation,
  removeConversation,
  removeLane,
  restoreConversation,
  say,
  startConversation,
  stop,
  storageError,
} from "./session";
import { Settings } from "./settings";
import { shownPath } from "./tree";

const SUGGESTIONS = [
  "What is the capital of France?",
  "Write a Python function that reverses a string.",
  "Explain in three sentences why the sky is blue.",
];
const NEAR_END = 80; // pixels from the end of a lane within which it follows the answer

const isListOpen = signal(false);
const isSettingsOpen = signal(false);

export function ChatView() {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) stop();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const { lanes, title } = current.value;
  return (
    <div class="chat">
      <Panel
        label="Conversations"
        side="left"
        isOpen={isWide.value || isListOpen.value}
        onClose={() => {
          isListOpen.value = false;
        }}
      >
        <ConversationList />
      </Panel>
      <main>
        <h1 class="hidden">{title || "New conversation"}</h1>
        <div class="chat-head">
          {!isWide.value && (
            <IconButton
              icon="menu"
              label="Conversations"
              onClick={() => {
                isListOpen.value = true;
              }}
            />
          )}
          <div class="lane-heads">
            {lanes.map((lane, index) => (
              <LaneHead key={index} lane={lane} index={index} />
            ))}
          </div>
          {lanes.length < LANES_MAX && (
            <IconButton
              icon="columns"
              label="Compare with a second model"
              onClick={() => addLane(otherModel(lanes[0]))}
            />
          )}
          <IconButton
            icon="sliders"
            label="Settings"
            pressed={isSettingsOpen.value}
            onClick={() => {
              isSettingsOpen.value = !isSettingsOpen.value;
            }}
          />
        </div>
        {(modelsError.value || storageError.value) && (
          <p class="error chat-error" role="alert">
            {modelsError.value || storageError.value}
          </p>
        )}
        {hasAnswers(current.value) ? (
          <div class={`lanes lanes-${lanes.length}`}>
            {lanes.map((lane, index) => (
              <LaneView key={index} lane={lane} index={index} />
            ))}
          </div>
        ) : (
          <Welcome />
        )}
        <Composer />
      </main>
      <Panel
        label="Settings"
        side="right"
        isOpen={isSettingsOpen.value}
        onClose={() => {
          isSettingsOpen.value = false;
        }}
      >
        <Settings />
      </Panel>
    </div>
  );
}

function otherModel(first: Lane | undefined): string {
  const taken = first?.model || defaultModel.value;
  return models.value.find(({ id }) => id !== taken)?.id ?? taken;
}

function ConversationList() {
  const open = (id: string) => {
    openConversation(id);
    isListOpen.value = false;
  };
  const remove = (id: string) => {
    const removed = removeConversation(id);
    if (!removed) return;
    notify({
      text: "Conversation deleted.",
      action: "Undo",
      act: () => restoreConversation(removed),
    });
  };
  return (
    <div class="conversations">
      <button
        type="button"
        class="button new"
        onClick={() => {
          startConversation();
          isListOpen.value = false;
        }}
      >
        <Icon name="plus" />
        <span>New conversation</span>
      </button>
      {conversations.value.length > 0 && (
        <ul>
          {conversations.value.map(({ id, title }) => (
            <li key={id} class={id === current.value.id ? "is-current" : ""}>
              <button
                type="button"
                class="open"
                title={title}
                onClick={() => open(id)}
                aria-current={id === current.value.id ? "true" : undefined}
              >
                {title}
              </button>
              <IconButton icon="trash" label={`Delete “${title}”`} onClick={() => remove(id)} />
            </li>
          ))}
        </ul>
      )}
      <p class="hint">Kept in this browser only.</p>
    </div>
  );
}

function LaneHead({ lane, index }: { lane: Lane; index: number }) {
  const chosen = lane.model || defaultModel.value;
  const isServed = models.value.some(({ id }) => id === chosen);
  const canClose = current.value.lanes.length > 1;
  return (
    <div class="lane-head">
      <label class="model-choice">
        <span class="hidden">{canClose ? `Model ${index + 1}` : "Model"}</span>
        <select value={chosen} onChange={(event) => chooseModel(index, event.currentTarget.value)}>
          {!isServed && chosen && (
            <option value={chosen}>
              {areModelsLoaded.value ? `${chosen} (not served)` : chosen}
            </option>
          )}
          {models.value.map(({ id }) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
        </select>
      </label>
      {canClose && (
        <IconButton
          icon="close"
          label={`Close the side of ${chosen}`}
          onClick={() => removeLane(index)}
        />
      )}
    </div>
  );
}

function Welcome() {
  const model = models.value.find(
    ({ id }) => id === (current.value.lanes[0]?.model || defaultModel.value),
  );
  return (
    <div class="welcome">
      <h2>What would you like to know?</h2>
      {model && (
        <p class="hint">
          {model.max_model_len
            ? `${model.id} reads up to ${count(model.max_model_len)} tokens, on this machine.`
            : `${model.id} is loaded when it is first asked.`}
        </p>
      )}
      <ul>
        {SUGGESTIONS.map((text) => (
          <li key={text}>
            <button type="button" disabled={!model} onClick={() => say(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function LaneView({ lane, index }: { lane: Lane; index: number }) {
  const path = shownPath(lane.tree);
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const isBusy = isAnswering.value && isLaneAnswering(lane);
  const last = path.at(-1);
  // A new message is always brought into view; a growing one only while the reader is at its end.
  useLayoutEffect(() => {
    follows.current = true;
  }, [path.length, current.value.id]);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, [last]);
  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
  };
  return (
    <div
      class="lane"
      ref={scroller}
      onScroll={onScroll}
      tabIndex={0}
      role="region"
      aria-label={`Messages, ${lane.model || defaultModel.value}`}
    >
      <div class="lane-content">
        {path.map((message) => (
          <MessageView key={message.id} {...{ lane: index, tree: lane.tree, message, isBusy }} />
        ))}
      </div>
      <p class="hidden" role="status">
        {!isBusy && last?.role === "assistant" && last.state === undefined
          ? "The answer is complete."
          : ""}
      </p>
    </div>
  );
}
