// A conversation as a tree: editing a message or asking again makes a sibling, and one branch is
// shown at a time. Values only; every change gives a new tree.
import type { AnswerFacts, ScoredToken, ToolCall } from "../api/chat";

export interface Message {
  id: string;
  parent: string; // "": none
  children: string[];
  role: "user" | "assistant" | "tool";
  content: string;
  created: number; // milliseconds since 1970
  thought?: string; // of an answer
  calls?: ToolCall[]; // likewise
  results?: Record<string, string>; // of a tool: what came of each call, by its id
  model?: string;
  facts?: AnswerFacts;
  tokens?: ScoredToken[];
  state?: "streaming" | "stopped" | "failed"; // absent: complete
  error?: string;
}

export interface Tree {
  messages: Record<string, Message>;
  roots: string[];
  chosen: Record<string, string>; // parent ("" for roots) -> the child that is shown
}

export const emptyTree: Tree = { messages: {}, roots: [], chosen: {} };

export function childrenOf(tree: Tree, parent: string): string[] {
  return parent ? (tree.messages[parent]?.children ?? []) : tree.roots;
}

// The messages of the branch that is shown, from the first on.
export function shownPath(tree: Tree): Message[] {
  const path: Message[] = [];
  for (let parent = ""; ;) {
    const children = childrenOf(tree, parent);
    const chosen = tree.chosen[parent] ?? "";
    const id = children.includes(chosen) ? chosen : children.at(-1);
    const message = id === undefined ? undefined : tree.messages[id];
    if (!message) return path;
    path.push(message);
    parent = message.id;
  }
}

// The messages from the first one to `id`.
export function pathTo(tree: Tree, id: string): Message[] {
  const path: Message[] = [];
  for (let message = tree.messages[id]; message; message = tree.messages[message.parent]) {
    path.unshift(message);
  }
  return path;
}

// Adds a message below its parent and shows it.
export function withMessage(tree: Tree, message: Message): Tree {
  const parent = tree.messages[message.parent];
  const messages = { ...tree.messages, [message.id]: message };
  if (parent) messages[parent.id] = { ...parent, children: [...parent.children, message.id] };
  return {
    messages,
    roots: parent ? tree.roots : [...tree.roots, message.id],
    chosen: { ...tree.chosen, [message.parent]: message.id },
  };
}

export function withChange(tree: Tree, id: string, change: Partial<Message>): Tree {
  const message = tree.messages[id];
  if (!message) return tree;
  return { ...tree, messages: { ...tree.messages, [id]: { ...message, ...change } } };
}

// Shows the sibling of `id` that is `distance` further, if there is one.
export function withSibling(tree: Tree, id: string, distance: number): Tree {
  const message = tree.messages[id];
  if (!message) return tree;
  const siblings = childrenOf(tree, message.parent);
  const sibling = siblings[siblings.indexOf(id) + distance];
  return sibling ? { ...tree, chosen: { ...tree.chosen, [message.parent]: sibling } } : tree;
}

// The branch that is shown, alone.
export function shownBranch(tree: Tree): Tree {
  let branch = emptyTree;
  for (const message of shownPath(tree)) branch = withMessage(branch, { ...message, children: [] });
  return branch;
}
