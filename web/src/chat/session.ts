// What is open in the chat: the list of conversations, the current one, and the answers under way.
import { batch, computed, signal } from "@preact/signals";
import { streamChat } from "../api/chat";
import { sentence } from "../api/client";
import { defaultModel } from "../api/models";
import { beyondBounds, openShelf, type Shelf } from "./library";
import {
  type Conversation,
  type Lane,
  LANES_MAX,
  messagesToSend,
  newConversation,
  newId,
  titleOf,
} from "./conversation";
import { rulesOf } from "./rules";
import {
  type Message,
  pathTo,
  shownBranch,
  shownPath,
  withChange,
  withMessage,
  withSibling,
} from "./tree";

const SAVE_DELAY_MS = 400;
const TOKENS_KEPT_MAX = 4096; // of one answer, with their probabilities

export const conversations = signal<Conversation[]>([]); // the newest first
export const current = signal<Conversation>(newConversation());
export const storageError = signal("");
const underWay = signal<ReadonlyMap<string, AbortController>>(new Map()); // by answer

export const isAnswering = computed(() => underWay.value.size > 0);

let shelf: Shelf | null = null;
const pendingSaves = new Map<string, ReturnType<typeof setTimeout>>();

export async function openLibrary(): Promise<void> {
  try {
    shelf = openShelf();
    conversations.value = await shelf.load();
  } catch {
    shelf = null;
    storageError.value = "This browser keeps no data here: conversations end with the page.";
  }
}

// --- conversations ---

// Applies a change to a conversation wherever it is shown, and keeps it.
function change(id: string, edit: (conversation: Conversation) => Conversation): void {
  const listed = conversations.value.find((conversation) => conversation.id === id);
  const before = current.value.id === id ? current.value : listed;
  if (!before) return;
  const after = edit(before);
  batch(() => {
    if (current.value.id === id) current.value = after;
    if (listed) {
      conversations.value = conversations.value.map((one) => (one.id === id ? after : one));
    } else if (after.title) {
      conversations.value = [after, ...conversations.value];
    }
  });
  if (after.title) saveSoon(id);
}

function saveSoon(id: string): void {
  if (pendingSaves.has(id)) return;
  pendingSaves.set(
    id,
    setTimeout(() => {
      pendingSaves.delete(id);
      void saveNow(id);
    }, SAVE_DELAY_MS),
  );
}

async function saveNow(id: string): Promise<void> {
  const conversation = conversations.value.find((one) => one.id === id);
  if (!shelf || !conversation) return;
  try {
    await shelf.save(conversation);
    const gone = new Set(
      beyondBounds(
        conversations.value.map((one) => ({
          id: one.id,
          updated: one.updated,
          size: JSON.stringify(one).length,
        })),
      ),
    );
    if (gone.size === 0) return;
    conversations.value = conversations.value.filter((one) => !gone.has(one.id));
    for (const old of gone) await shelf.remove(old);
  } catch {
    storageError.value = "The browser did not keep this conversation: its storage is full or off.";
  }
}

export function startConversation(): void {
  current.value = newConversation(current.value);
}

export function openConversation(id: string): void {
  const found = conversations.value.find((conversation) => conversation.id === id);
  if (found) current.value = found;
}

// Gives what was removed, for an undo.
export function removeConversation(id: string): Conversation | undefined {
  const removed = conversations.value.find((conversation) => conversation.id === id);
  clearTimeout(pendingSaves.get(id));
  pendingSaves.delete(id);
  if (removed) for (const answer of answersOf(removed)) underWay.value.get(answer)?.abort();
  conversations.value = conversations.value.filter((conversation) => conversation.id !== id);
  if (current.value.id === id) startConversation();
  void shelf?.remove(id).catch(() => {});
  return removed;
}

export function restoreConversation(conversation: Conversation): void {
  conversations.value = [...conversations.value, conversation].sort(
    (a, b) => b.updated - a.updated,
  );
  current.value = conversation;
  saveSoon(conversation.id);
}

export function configure(
  settings: Partial<
    Pick<Conversation, "system" | "sampling" | "wantsTokens" | "tools" | "toolChoice" | "schema">
  >,
): void {
  change(current.value.id, (conversation) => ({ ...conversation, ...settings }));
}

// --- lanes ---

function changeLane(conversation: string, index: number, edit: (lane: Lane) => Lane): void {
  change(conversation, (one) => ({
    ...one,
    lanes: one.lanes.map((lane, at) => (at === index ? edit(lane) : lane)),
  }));
}

export function chooseModel(index: number, model: string): void {
  changeLane(current.value.id, index, (lane) => ({ ...lane, model }));
}

// The second lane starts with what was said in the first.
export function addLane(model: string): void {
  change(current.value.id, (conversation) => {
    const first = conversation.lanes[0];
    if (!first || conversation.lanes.length >= LANES_MAX) return conversation;
    return {
      ...conversation,
      lanes: [...conversation.lanes, { model, tree: shownBranch(settledLane(first).tree) }],
    };
  });
}

function settledLane(lane: Lane): Lane {
  let { tree } = lane;
  for (const message of Object.values(tree.messages)) {
    if (message.state === "streaming") tree = withChange(tree, message.id, { state: "stopped" });
  }
  return { ...lane, tree };
}

export function removeLane(index: number): void {
  const lane = current.value.lanes[index];
  if (!lane || current.value.lanes.length < 2) return;
  for (const id of Object.keys(lane.tree.messages)) underWay.value.get(id)?.abort();
  change(current.value.id, (conversation) => ({
    ...conversation,
    lanes: conversation.lanes.filter((_, at) => at !== index),
  }));
}

// --- messages ---

function answersOf(conversation: Conversation): string[] {
  return conversation.lanes.flatMap(({ tree }) => Object.keys(tree.messages));
}

export function isLaneAnswering(lane: Lane): boolean {
  return [...underWay.value.keys()].some((id) => id in lane.tree.messages);
}

export function stop(): void {
  for (const id of answersOf(current.value)) underWay.value.get(id)?.abort();
}

// Says something in every lane.
export function say(text: string): void {
  const { id, lanes } = current.value;
  change(id, (conversation) => ({
    ...conversation,
    title: conversation.title || titleOf(text),
    updated: Date.now(),
  }));
  lanes.forEach((lane, index) => sayIn(index, shownPath(lane.tree).at(-1)?.id ?? "", text));
}

function sayIn(index: number, parent: string, text: string): void {
  const message = newId();
  changeLane(current.value.id, index, (lane) => ({
    ...lane,
    tree: withMessage(lane.tree, {
      id: message,
      parent,
      children: [],
      role: "user",
      content: text,
      created: Date.now(),
    }),
  }));
  void answer(current.value.id, index, message);
}

// Tells the model what came of the calls of an answer, which then goes on.
export function tellResults(
  index: number,
  answerId: string,
  results: Record<string, string>,
): void {
  const message = newId();
  changeLane(current.value.id, index, (lane) => ({
    ...lane,
    tree: withMessage(lane.tree, {
      id: message,
      parent: answerId,
      children: [],
      role: "tool",
      content: "",
      results,
      created: Date.now(),
    }),
  }));
  void answer(current.value.id, index, message);
}

// A changed message is a new branch beside the old one; a changed question is asked.
export function editMessage(index: number, id: string, text: string): void {
  const message = current.value.lanes[index]?.tree.messages[id];
  if (!message) return;
  if (message.role === "user") return sayIn(index, message.parent, text);
  changeLane(current.value.id, index, (lane) => ({
    ...lane,
    tree: withMessage(lane.tree, {
      id: newId(),
      parent: message.parent,
      children: [],
      role: "assistant",
      content: text,
      created: Date.now(),
      model: "edited by you",
    }),
  }));
}

export function regenerate(index: number, id: string): void {
  const parent = current.value.lanes[index]?.tree.messages[id]?.parent;
  if (parent) void answer(current.value.id, index, parent);
}

export function showSibling(index: number, id: string, distance: number): void {
  changeLane(current.value.id, index, (lane) => ({
    ...lane,
    tree: withSibling(lane.tree, id, distance),
  }));
}

function track(id: string, controller: AbortController | null): void {
  const next = new Map(underWay.value);
  if (controller) next.set(id, controller);
  else next.delete(id);
  underWay.value = next;
}

// Streams the answer to message `question` of a lane.
async function answer(conversation: string, index: number, question: string): Promise<void> {
  const { lanes, system, sampling, wantsTokens } = current.value;
  const rules = rulesOf(current.value);
  const lane = lanes[index];
  if (!lane) return;
  const id = newId();
  const model = lane.model || defaultModel.value;
  const controller = new AbortController();
  const update = (edit: Parameters<typeof withChange>[2]) =>
    changeLane(conversation, laneOf(conversation, id, index), (one) => ({
      ...one,
      tree: withChange(one.tree, id, edit),
    }));
  changeLane(conversation, index, (one) => ({
    ...one,
    tree: withMessage(one.tree, {
      id,
      parent: question,
      children: [],
      role: "assistant",
      content: "",
      created: Date.now(),
      model,
      state: "streaming",
    }),
  }));
  track(id, controller);
  const frame = new FramePacer();
  let latest: Partial<Message> = {};
  try {
    const stream = streamChat({
      model,
      sampling,
      rules,
      wantsTokens,
      signal: controller.signal,
      messages: messagesToSend(system, pathTo(lane.tree, question)),
    });
    for await (const { text, thought, calls, tokens, facts } of stream) {
      latest = {
        content: text,
        ...(thought ? { thought } : {}),
        ...(calls.length > 0 ? { calls: calls.map((call) => ({ ...call })) } : {}),
        facts: { ...facts },
        ...(tokens.length > 0 ? { tokens: tokens.slice(0, TOKENS_KEPT_MAX) } : {}),
      };
      frame.run(() => update(latest));
    }
    frame.cancel();
    update({ ...latest, state: undefined });
  } catch (error) {
    frame.cancel();
    const wasStopped = controller.signal.aborted;
    update({
      ...latest,
      state: wasStopped ? "stopped" : "failed",
      ...(wasStopped ? {} : { error: sentence(error) }),
    });
  } finally {
    track(id, null);
  }
}

// Lanes may have been closed meanwhile.
function laneOf(conversation: string, message: string, index: number): number {
  const one =
    current.value.id === conversation
      ? current.value
      : conversations.value.find(({ id }) => id === conversation);
  const found = one?.lanes.findIndex(({ tree }) => message in tree.messages) ?? -1;
  return found >= 0 ? found : index;
}

// Runs the latest of many calls, once a frame; a hidden page has no frames, so a timer helps out.
class FramePacer {
  private work: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  run(work: () => void): void {
    this.work = work;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.work?.();
    }, 33);
  }

  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
