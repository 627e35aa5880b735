import { describe, expect, it } from "vitest";
import {
  emptyTree,
  type Message,
  pathTo,
  shownBranch,
  shownPath,
  type Tree,
  withChange,
  withMessage,
  withSibling,
} from "./tree";

function message(id: string, parent: string, role: Message["role"] = "user"): Message {
  return { id, parent, children: [], role, content: id, created: 0 };
}

const contents = (tree: Tree) => shownPath(tree).map(({ content }) => content);

// u1 - a1 - u2 - a2
//    - b1 - v2
const tree = [
  message("u1", ""),
  message("a1", "u1", "assistant"),
  message("u2", "a1"),
  message("a2", "u2", "assistant"),
  message("b1", "u1", "assistant"),
  message("v2", "b1"),
].reduce(withMessage, emptyTree);

describe("Tree", () => {
  it("shows what was added last", () => {
    expect(shownPath(emptyTree)).toEqual([]);
    expect(contents(tree)).toEqual(["u1", "b1", "v2"]);
  });

  it("goes from branch to branch and comes back to where it was", () => {
    const back = withSibling(tree, "b1", -1);
    expect(contents(back)).toEqual(["u1", "a1", "u2", "a2"]);
    expect(contents(withSibling(back, "a1", 1))).toEqual(["u1", "b1", "v2"]);
    expect(withSibling(back, "a1", -1)).toBe(back);
    expect(withSibling(tree, "nobody", 1)).toBe(tree);
  });

  it("has several first messages when the first one was edited", () => {
    const edited = withMessage(tree, message("w1", ""));
    expect(contents(edited)).toEqual(["w1"]);
    expect(contents(withSibling(edited, "w1", -1))).toEqual(["u1", "b1", "v2"]);
  });

  it("leads to any message", () => {
    expect(pathTo(tree, "a2").map(({ id }) => id)).toEqual(["u1", "a1", "u2", "a2"]);
    expect(pathTo(tree, "")).toEqual([]);
  });

  it("changes one message and leaves the tree it came from alone", () => {
    const changed = withChange(tree, "v2", { content: "new" });
    expect(contents(changed)).toEqual(["u1", "b1", "new"]);
    expect(contents(tree)).toEqual(["u1", "b1", "v2"]);
    expect(withChange(tree, "nobody", { content: "new" })).toBe(tree);
  });

  it("gives the shown branch alone", () => {
    const branch = shownBranch(withSibling(tree, "b1", -1));
    expect(contents(branch)).toEqual(["u1", "a1", "u2", "a2"]);
    expect(Object.keys(branch.messages)).toHaveLength(4);
    expect(branch.messages.u1?.children).toEqual(["a1"]);
  });
});
