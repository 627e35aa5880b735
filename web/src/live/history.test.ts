import { describe, expect, it } from "vitest";
import type { ModelStatus, Status } from "../api/status";
import { barOf, type History, mapPaths, niceTop, POINTS_MAX, withSnapshot } from "./history";

function status(time: number, ...names: string[]): Status {
  const models = names.map(
    (name) =>
      ({
        name,
        running: 1,
        waiting: 2,
        tokens: { prompt_per_s: 3, generated_per_s: 4 },
      }) as ModelStatus,
  );
  return { time, version: "", uptime_s: 0, rss_bytes: 0, heap_bytes: 0, draining: false, models };
}

describe("history", () => {
  it("keeps the last points of each model that is served", () => {
    let history: History = {};
    for (let time = 0; time < POINTS_MAX + 5; ++time) {
      history = withSnapshot(history, time < 10 ? status(time, "a", "b") : status(time, "a"));
    }
    expect(Object.keys(history)).toEqual(["a"]);
    expect(history.a).toHaveLength(POINTS_MAX);
    expect(history.a?.at(-1)).toEqual({
      time: POINTS_MAX + 4,
      prompt: 3,
      generated: 4,
      running: 1,
      waiting: 2,
    });
  });

  it("adds up what a step fed", () => {
    expect(
      barOf({
        step: 7,
        ms: 2,
        rows: [
          { request: "a", phase: "prefill", tokens: 100 },
          { request: "b", phase: "decode", tokens: 1 },
          { request: "c", phase: "decode", tokens: 1 },
        ],
      }),
    ).toEqual({ step: 7, ms: 2, prefill: 100, decode: 2, rows: 3 });
  });

  it("ends scales at round numbers", () => {
    expect([0, 0.3, 1, 3, 7, 12, 480].map(niceTop)).toEqual([1, 0.5, 1, 5, 10, 20, 500]);
  });

  it("draws a map row by row", () => {
    expect(mapPaths("ffc", 2)).toEqual({
      f: "M0 0h.86v.86h-.86zM1 0h.86v.86h-.86z",
      c: "M0 1h.86v.86h-.86z",
    });
  });
});
