import { describe, expect, it } from "vitest";
import { newConversation } from "./conversation";
import { beyondBounds, CONVERSATIONS_MAX, settled, SIZE_MAX } from "./library";
import { emptyTree, withMessage } from "./tree";

describe("library", () => {
  it("lets the oldest conversations go when there are too many", () => {
    const sizes = Array.from({ length: CONVERSATIONS_MAX + 2 }, (_, i) => ({
      id: `c${i}`,
      updated: i,
      size: 1,
    }));
    expect(beyondBounds(sizes).sort()).toEqual(["c0", "c1"]);
    expect(beyondBounds(sizes.slice(2))).toEqual([]);
  });

  it("lets the oldest go when they are too large together, but never the newest", () => {
    const half = SIZE_MAX / 2;
    const sizes = [
      { id: "old", updated: 1, size: half },
      { id: "mid", updated: 2, size: half },
      { id: "new", updated: 3, size: half },
    ];
    expect(beyondBounds(sizes)).toEqual(["old"]);
    expect(beyondBounds([{ id: "huge", updated: 1, size: 3 * SIZE_MAX }])).toEqual([]);
  });

  it("ends answers that were streaming when the page was left", () => {
    const tree = withMessage(emptyTree, {
      id: "a",
      parent: "",
      children: [],
      role: "assistant",
      content: "Hal",
      created: 0,
      state: "streaming",
    });
    const conversation = { ...newConversation(), lanes: [{ model: "m", tree }] };
    expect(settled(conversation).lanes[0]?.tree.messages.a?.state).toBe("stopped");
  });
});
