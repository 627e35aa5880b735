import { describe, expect, it } from "vitest";
import type { RequestLife } from "../api/status";
import { sumsOf, ticks, timelineOf, wordsFor } from "./timeline";

const life: RequestLife = {
  id: "chatcmpl-1",
  model: "m",
  endpoint: "/v1/chat/completions",
  created: 0,
  state: "finished",
  finish_reason: "stop",
  prompt_tokens: 40,
  cached_tokens: 16,
  generated_tokens: 4,
  preemptions: 0,
  ttft_ms: 12,
  total_ms: 20,
  events: [
    { t_ms: 0, kind: "queued", ms: 2 },
    { t_ms: 2, kind: "admitted", cached: 16, steps: [7, 7] },
    {
      t_ms: 2,
      kind: "prefill",
      ms: 10,
      steps: [7, 7],
      tokens: 24,
      generated: 1,
      shared_with: ["a"],
      shared_count: 1,
    },
    { t_ms: 12, kind: "first_token" },
    {
      t_ms: 12,
      kind: "decode",
      ms: 8,
      steps: [8, 10],
      tokens: 3,
      generated: 3,
      shared_with: ["a", "b"],
      shared_count: 9,
    },
    { t_ms: 20, kind: "finished", reason: "stop" },
  ],
};

describe("timeline", () => {
  it("has a span for each phase and a mark for each moment", () => {
    const { total, spans, marks } = timelineOf(life);
    expect(total).toBe(20);
    expect(spans.map(({ track, start, end }) => [track, start, end])).toEqual([
      ["queued", 0, 2],
      ["prefill", 2, 12],
      ["decode", 12, 20],
    ]);
    expect(marks.map(({ kind, at }) => [kind, at])).toEqual([["first_token", 12]]);
  });

  it("goes on while the request lives", () => {
    expect(timelineOf({ ...life, total_ms: null, events: life.events.slice(0, 3) }).total).toBe(12);
    expect(timelineOf({ ...life, total_ms: null, events: [] }).total).toBeGreaterThan(0);
  });

  it("adds up to the counters of usage", () => {
    const sums = sumsOf(life);
    expect(sums.prefillTokens + sums.cached).toBe(life.prompt_tokens);
    expect(sums.generated).toBe(life.generated_tokens);
    expect(sums.sharedWith).toEqual(["a", "b"]);
  });

  it("has round ticks", () => {
    expect(ticks(20)).toEqual([0, 5, 10, 15, 20]);
    expect(ticks(1234).length).toBeLessThanOrEqual(8);
  });

  it("says what happened", () => {
    expect(life.events.map(wordsFor)).toEqual([
      "",
      "step 7, 16 from the prefix cache",
      "step 7, 24 tokens fed, 1 generated, together with 1 other",
      "",
      "steps 8 to 10, 3 tokens fed, 3 generated, together with 9 others",
      "stop",
    ]);
  });
});
