import { describe, expect, it } from "vitest";
import {
  messagesToSend,
  newConversation,
  newId,
  titleOf,
  toJson,
  toMarkdown,
} from "./conversation";
import { emptyTree, type Message, withMessage, withSibling } from "./tree";

function message(id: string, parent: string, content: string): Message {
  return {
    id,
    parent,
    children: [],
    role: id[0] === "u" ? "user" : "assistant",
    content,
    created: 0,
  };
}

const tree = [
  message("u1", "", "Hello"),
  message("a1", "u1", "Hi!"),
  message("a2", "u1", "Good day."),
].reduce(withMessage, emptyTree);

describe("conversation", () => {
  it("starts like the one before, without its messages", () => {
    const before = { ...newConversation(), system: "Be brief.", lanes: [{ model: "m", tree }] };
    const next = newConversation(before);
    expect(next).toMatchObject({ system: "Be brief.", lanes: [{ model: "m", tree: emptyTree }] });
    expect(next.id).not.toBe(before.id);
  });

  it("has ids that do not repeat", () => {
    expect(new Set(Array.from({ length: 1000 }, newId)).size).toBe(1000);
  });

  it("takes its title from the first line", () => {
    expect(titleOf("  What?\nmore")).toBe("What?");
    expect(titleOf("x".repeat(100))).toHaveLength(60);
  });

  it("sends the system prompt and what was said, but no answer that never began", () => {
    const path = [
      message("u1", "", "Hello"),
      message("a1", "u1", ""),
      message("u2", "a1", "Again"),
    ];
    expect(messagesToSend("", path)).toEqual([
      { role: "user", content: "Hello" },
      { role: "user", content: "Again" },
    ]);
    expect(messagesToSend("Be brief.", [])).toEqual([{ role: "system", content: "Be brief." }]);
    expect(messagesToSend("  ", [])).toEqual([]);
  });

  it("is exported as the shown branch in Markdown and with all branches in JSON", () => {
    const conversation = {
      ...newConversation(),
      title: "Hello",
      system: "Be brief.",
      lanes: [{ model: "m", tree: withSibling(tree, "a2", -1) }],
    };
    const markdown = toMarkdown(conversation);
    expect(markdown).toBe(
      "# Hello\n\n**System:** Be brief.\n\n### You\n\nHello\n\n### Assistant\n\nHi!\n",
    );
    const json = JSON.parse(toJson(conversation));
    expect(json.format).toBe("quire-conversation-1");
    expect(Object.keys(json.lanes[0].tree.messages)).toEqual(["u1", "a1", "a2"]);
  });
});
