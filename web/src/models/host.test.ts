import { describe, expect, it } from "vitest";
import { featuresOf } from "./features";
import {
  bytesInMemory,
  deedOf,
  doing,
  factsOf,
  type Host,
  type HostedModel,
  keepAlive,
  pinOf,
  refreshOf,
  shareOf,
} from "./host";

const model = (changes: Partial<HostedModel> = {}): HostedModel => ({
  name: "m",
  aliases: [],
  state: "ready",
  bytes: 1 << 20,
  users: 0,
  idle_seconds: 0,
  context_max: 1024,
  loads: 1,
  unloads: 0,
  failures: 0,
  failure: null,
  warnings: [],
  capabilities: ["completion", "chat"],
  requests_running: 0,
  requests_waiting: 0,
  generated_tokens: 0,
  ...changes,
});
const hostOf = (models: HostedModel[], bytes_max: number | null = null): Host => ({
  models,
  bytes_max,
  keep_alive_seconds: null,
});

describe("a model", () => {
  it("says what it does", () => {
    expect(doing(model())).toBe("ready");
    expect(doing(model({ requests_running: 3 }))).toBe("3 running");
    expect(doing(model({ requests_running: 3, requests_waiting: 2 }))).toBe("3 running, 2 waiting");
    expect(doing(model({ state: "loading" }))).toBe("loading");
    expect(doing(model({ state: "unloaded", failure: "no such file" }))).toBe("failed");
  });

  it("can be loaded where it is not in memory, and unloaded where it rests there", () => {
    expect(deedOf(model({ state: "unloaded", name: "org/a b" }))).toEqual({
      name: "Load",
      path: "/quire/models/org/a%20b/load",
      isPossible: true,
    });
    expect(deedOf(model())).toMatchObject({ name: "Unload", isPossible: true });
    expect(deedOf(model({ state: "loading" })).isPossible).toBe(false);
    expect(deedOf(model({ state: "unloading" })).isPossible).toBe(false);
  });

  it("can be pinned and let go, where the server pins models", () => {
    expect(pinOf(model())).toBeNull();
    expect(pinOf(model({ pinned: false, name: "org/a b" }))).toMatchObject({
      name: "Pin",
      path: "/quire/models/org/a%20b/pin",
    });
    expect(pinOf(model({ pinned: true }))).toMatchObject({
      name: "Unpin",
      path: "/quire/models/m/unpin",
    });
    expect(factsOf(model({ pinned: true }))).toContain("pinned: stays in memory");
  });

  it("has facts that are known", () => {
    expect(factsOf(model({ idle_seconds: 90 }))).toEqual([
      "completion, chat",
      "1,024 positions",
      "1.0 MB",
      "1 load",
      "unused for 1 min 30 s",
    ]);
    const unknown = { state: "unloaded", bytes: 0, context_max: 0, loads: 0, capabilities: null };
    expect(factsOf(model(unknown))).toEqual([]);
  });
});

describe("the host", () => {
  it("is looked at more often while something moves", () => {
    const resting = refreshOf(hostOf([model()]));
    expect(refreshOf(hostOf([model(), model({ state: "loading" })]))).toBeLessThan(resting);
  });

  it("shares memory by the bound, or by what is taken", () => {
    const two = [model(), model({ bytes: 3 << 20 })];
    expect(bytesInMemory(hostOf(two))).toBe(4 << 20);
    expect(shareOf(model(), hostOf(two))).toBe(0.25);
    expect(shareOf(model(), hostOf(two, 8 << 20))).toBe(0.125);
    expect(shareOf(model({ bytes: 0 }), hostOf([]))).toBe(0);
  });

  it("keeps models as long as it says", () => {
    expect(keepAlive(null)).toBe("until they are unloaded");
    expect(keepAlive(0)).toBe("while they are used");
    expect(keepAlive(300)).toBe("5 min 0 s after their last use");
  });
});

describe("a part of the view", () => {
  it("is shown where the server has it", () => {
    expect(featuresOf({ paths: {} })).toEqual({ hasStore: false, canPull: false });
    const paths = { "/api/tags": { get: {} }, "/api/pull": { post: {} } };
    expect(featuresOf({ paths })).toEqual({ hasStore: true, canPull: true });
  });
});
