// Which of the server's models a chat may be held with.
import { describe, expect, it } from "vitest";
import { canAnswer } from "./models";

const model = { id: "m", root: "m", max_model_len: null };

describe("models of a chat", () => {
  it("are those that answer, and those that nobody knows yet", () => {
    expect(canAnswer({ ...model, capabilities: ["completion", "chat"] })).toBe(true);
    expect(canAnswer({ ...model, capabilities: ["completion"] })).toBe(true);
    expect(canAnswer({ ...model, capabilities: ["embedding", "score"] })).toBe(false);
    expect(canAnswer(model)).toBe(true);
  });
});
