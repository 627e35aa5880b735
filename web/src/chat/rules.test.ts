import { describe, expect, it } from "vitest";
import { requestBody } from "../api/chat";
import { EXAMPLE_SCHEMA, EXAMPLE_TOOLS, readSchema, readTools, rulesOf } from "./rules";

describe("tools", () => {
  it("are read bare or wrapped, one or many", () => {
    const bare = { name: "f", parameters: {} };
    const wrapped = { type: "function", function: bare };
    expect(readTools(JSON.stringify(bare)).value).toEqual([wrapped]);
    expect(readTools(JSON.stringify([wrapped, bare])).value).toEqual([wrapped, wrapped]);
    expect(readTools(EXAMPLE_TOOLS).value).toHaveLength(1);
  });

  it("say what is wrong with them", () => {
    expect(readTools(" ")).toEqual({ error: undefined });
    expect(readTools("[").error).toBeTruthy();
    expect(readTools('[{"name":"f"},{"nome":"g"}]').error).toBe("Tool 2 has no name.");
  });
});

describe("a schema", () => {
  it("is an object", () => {
    expect(readSchema(EXAMPLE_SCHEMA).value).toHaveProperty("properties");
    expect(readSchema("[]").error).toBeTruthy();
    expect(readSchema("").value).toBeUndefined();
  });
});

describe("a request", () => {
  const chat = { model: "m", messages: [], sampling: {}, wantsTokens: false };

  it("has the rules as the server reads them", () => {
    const rules = rulesOf({ tools: '{"name":"f"}', toolChoice: "required", schema: "{}" });
    expect(requestBody({ ...chat, rules })).toMatchObject({
      tools: [{ type: "function", function: { name: "f" } }],
      tool_choice: "required",
      response_format: { type: "json_schema", json_schema: { name: "answer", schema: {} } },
    });
  });

  it("has none where none are typed", () => {
    const body = requestBody({ ...chat, rules: rulesOf({}) });
    expect(Object.keys(body).sort()).toEqual(["messages", "model", "stream", "stream_options"]);
  });
});
