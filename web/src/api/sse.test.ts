import { describe, expect, it } from "vitest";
import { readEvents, SseParser } from "./sse";

describe("SseParser", () => {
  it("gives an event when its empty line has come", () => {
    const parser = new SseParser();
    expect(parser.push("data: a\n")).toEqual([]);
    expect(parser.push("\ndata: b\n\ndata:")).toEqual(["a", "b"]);
    expect(parser.push("c\n\n")).toEqual(["c"]);
  });

  it("understands every line end, cut anywhere", () => {
    for (const end of ["\n", "\r\n"]) {
      const lines = [": comment", "event: x", "data: one", "data: two", "", "data: 3", "", ""];
      const text = lines.join(end);
      const parser = new SseParser();
      const events = [...text].flatMap((character) => parser.push(character));
      expect(events).toEqual(["one\ntwo", "3"]);
    }
  });

  it("refuses an endless line", () => {
    const parser = new SseParser();
    expect(() => {
      for (let i = 0; i < 10; ++i) parser.push("x".repeat(1 << 20));
    }).toThrow("too long");
  });
});

describe("readEvents", () => {
  it("keeps characters whole that arrive in two pieces", async () => {
    const bytes = new TextEncoder().encode("data: é€😀\n\n");
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const events: string[] = [];
    for await (const event of readEvents(body)) events.push(event);
    expect(events).toEqual(["é€😀"]);
  });
});
