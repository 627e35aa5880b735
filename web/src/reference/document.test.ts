import { expect, test } from "vitest";
import { protocolsOf, typeOf } from "./document";

test("types are words", () => {
  expect(typeOf({})).toBe("any");
  expect(typeOf({ type: ["string", "null"] })).toBe("text");
  expect(typeOf({ type: ["number", "null"], minimum: 0, maximum: 2 })).toBe("number 0 to 2");
  expect(typeOf({ type: ["integer", "null"], minimum: 1 })).toBe("integer from 1");
  expect(typeOf({ type: ["integer", "null"], maximum: 9 })).toBe("integer up to 9");
  expect(typeOf({ enum: [null, []] })).toBe("only null or []");
});

test("endpoints stand under their protocol in the document's order", () => {
  const body = {
    content: { "application/json": { schema: { properties: { n: { type: ["integer"] } } } } },
  };
  const protocols = protocolsOf({
    paths: {
      "/b": { post: { tags: ["one"], requestBody: body, security: [], summary: "does b" } },
      "/a": { get: { tags: ["one"] } },
      "/c": { get: {} },
    },
  });
  expect(protocols.map((one) => one.name)).toEqual(["one", "other"]);
  expect(protocols[0]?.endpoints.map((one) => `${one.method} ${one.path}`)).toEqual([
    "POST /b",
    "GET /a",
  ]);
  expect(protocols[0]?.endpoints[0]).toMatchObject({
    isKeyed: true,
    summary: "does b",
    fields: [{ name: "n", type: "integer" }],
  });
});
