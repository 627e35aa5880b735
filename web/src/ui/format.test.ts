import { describe, expect, it } from "vitest";
import { bytes, count, duration, percent, plural, rate } from "./format";

describe("format", () => {
  it("writes durations in the unit that fits", () => {
    expect(
      [0.42, 84.4, 999.7, 1290, 59_960, 125_000, 7_500_000, 300_000_000].map(duration),
    ).toEqual([
      "0.4 ms",
      "84 ms",
      "1.0 s",
      "1.3 s",
      "1 min 0 s",
      "2 min 5 s",
      "2 h 5 min",
      "3 days",
    ]);
  });
  it("writes shares, rates and sizes", () => {
    expect([0, 0.0004, 0.034, 0.5, 1].map(percent)).toEqual([
      "0 %",
      "<0.1 %",
      "3.4 %",
      "50 %",
      "100 %",
    ]);
    expect([0, 3.24, 52.4, 1234].map(rate)).toEqual(["0", "3.2", "52", "1,234"]);
    expect([512, 5000, 250 * 2 ** 20, 3 * 2 ** 30].map(bytes)).toEqual([
      "512 B",
      "4.9 KB",
      "250 MB",
      "3.0 GB",
    ]);
    expect([plural(1, "token"), plural(2, "token")]).toEqual(["1 token", "2 tokens"]);
  });
  it("shows a dash for what is not known", () => {
    expect([count(null), rate(undefined), duration(null), percent(null), bytes(undefined)]).toEqual(
      ["–", "–", "–", "–", "–"],
    );
  });
});
