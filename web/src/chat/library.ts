// The conversations that this browser keeps, in IndexedDB: the newest ones, within a bound. Where
// the browser keeps nothing (a private window), they last as long as the page.
import { createStore, del, entries, set } from "idb-keyval";
import type { Conversation } from "./conversation";

export const CONVERSATIONS_MAX = 100;
export const SIZE_MAX = 16 * 1024 * 1024; // characters, of all of them as JSON

export interface Shelf {
  load(): Promise<Conversation[]>;
  save(conversation: Conversation): Promise<void>;
  remove(id: string): Promise<void>;
}

// Which of the kept ones have to go: the oldest beyond the bound. The newest one always stays.
export function beyondBounds(sizes: { id: string; updated: number; size: number }[]): string[] {
  const newestFirst = [...sizes].sort((a, b) => b.updated - a.updated);
  let total = 0;
  return newestFirst
    .filter(({ size }, index) => {
      total += size;
      return index > 0 && (index >= CONVERSATIONS_MAX || total > SIZE_MAX);
    })
    .map(({ id }) => id);
}

// A conversation that was read while an answer streamed has an answer that will never end.
export function settled(conversation: Conversation): Conversation {
  const lanes = conversation.lanes.map((lane) => {
    const messages = Object.fromEntries(
      Object.entries(lane.tree.messages).map(([id, message]) => [
        id,
        message.state === "streaming" ? { ...message, state: "stopped" as const } : message,
      ]),
    );
    return { ...lane, tree: { ...lane.tree, messages } };
  });
  return { ...conversation, lanes };
}

export function openShelf(): Shelf {
  const store = createStore("quire", "conversations");
  return {
    async load() {
      const kept = await entries<string, Conversation>(store);
      return kept
        .map(([, conversation]) => settled(conversation))
        .sort((a, b) => b.updated - a.updated);
    },
    async save(conversation) {
      await set(conversation.id, conversation, store);
    },
    async remove(id) {
      await del(id, store);
    },
  };
}
