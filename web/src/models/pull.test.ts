import { describe, expect, it } from "vitest";
import { add, NO_PULL, progress, type PullLine, readLines } from "./pull";

const told = (...lines: PullLine[]) => lines.reduce(add, NO_PULL);

describe("a pull", () => {
  it("adds up its parts", () => {
    const pull = told(
      { status: "pulling manifest" },
      { status: "pulling a", digest: "a", total: 100 },
      { status: "pulling a", digest: "a", total: 100, completed: 60 },
      { status: "pulling b", digest: "b", total: 50, completed: 70 },
    );
    expect(pull.status).toBe("pulling b");
    expect(progress(pull)).toEqual({ total: 150, completed: 110 });
    expect(pull.isOver).toBe(false);
    expect(progress(told({ status: "pulling manifest" }))).toBeNull();
  });

  it("is over with success or with an error", () => {
    expect(told({ status: "success" })).toMatchObject({ isOver: true, error: "" });
    expect(told({ error: "no such model" })).toMatchObject({
      isOver: true,
      error: "no such model",
    });
  });

  it("comes in lines that are cut anywhere", async () => {
    const text = '{"status":"é"}\n\n{"status":"b"}\r\n{"status":"success"}';
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of new TextEncoder().encode(text)) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const lines: PullLine[] = [];
    for await (const line of readLines(body)) lines.push(line);
    expect(lines).toEqual([{ status: "é" }, { status: "b" }, { status: "success" }]);
  });
});
