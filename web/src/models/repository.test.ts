import { describe, expect, it } from "vitest";
import { byModel, isServed, told, type Traffic } from "./repository";

const traffic = (changes: Partial<Traffic> = {}): Traffic => ({
  name: "b",
  version: "10",
  role: "canary",
  percent: 25,
  requests: 1,
  failed: 0,
  mirrored: 0,
  compared: 0,
  different: 0,
  mirrors_failed: 0,
  token_seconds: 0,
  reason: "",
  ...changes,
});

describe("the repository", () => {
  it("is versions by model with their traffic, in the order of numbers", () => {
    const canary = traffic();
    const models = byModel({
      models: [
        { name: "b", version: "10", state: "READY", reason: "" },
        { name: "a", version: null, state: "UNAVAILABLE", reason: "no version" },
        { name: "b", version: "9", state: "UNAVAILABLE", reason: "unloaded" },
      ],
      traffic: [canary],
    });
    expect([...models.keys()]).toEqual(["b", "a"]);
    expect(models.get("b")?.map((row) => row.version)).toEqual(["9", "10"]);
    expect(models.get("b")?.map((row) => row.traffic)).toEqual([null, canary]);
    expect(models.get("b")?.map(isServed)).toEqual([false, true]);
  });

  it("tells what requests came to", () => {
    expect(told(traffic())).toBe("1 request");
    expect(
      told(
        traffic({
          requests: 1200,
          failed: 3,
          mirrored: 40,
          mirrors_failed: 1,
          compared: 40,
          different: 2,
          token_seconds: 0.0123,
        }),
      ),
    ).toBe(
      "1,200 requests, 3 failed, 40 mirrored, 1 of these failed, 5.0 % answered otherwise, " +
        "12 ms a token",
    );
  });
});
