import { describe, expect, it } from "vitest";
import type { KvGroup, ModelStatus } from "../api/status";
import { mapLabel, nature, onlyGroup, usage } from "./kv";

const all: KvGroup = {
  name: "all",
  holds: "positions",
  of: "text",
  layers: 6,
  block_tokens: 32,
  window: null,
  sinks: 0,
  k_type: "F16",
  v_type: "F16",
  bytes_per_block: 98_304,
  blocks: 2000,
  free: 1500,
  cached: 400,
  referenced: 100,
  shared: 20,
  map: "rscf",
  blocks_per_letter: 2,
};
const window: KvGroup = { ...all, name: "window", layers: 1, window: 512, blocks_per_letter: 1 };
const state: KvGroup = {
  ...all,
  name: "state",
  holds: "state",
  k_type: null,
  v_type: null,
  bytes_per_block: 1_258_291,
  blocks: 20,
  free: 13,
  cached: 5,
  referenced: 2,
  blocks_per_letter: 1,
};

function kv(...groups: KvGroup[]): ModelStatus["kv"] {
  const figures = { blocks: 2000, free: 1500, cached: 400, referenced: 100 };
  return { block_tokens: 32, ...figures, map: "rscf", blocks_per_letter: 2, groups };
}

describe("kv groups", () => {
  it("says what is in use of blocks, and of states", () => {
    expect(usage(all)).toBe(
      "100 in use, 400 cached, 1,500 free of 2,000 blocks of 32 tokens; a square is 2 blocks",
    );
    expect(usage(state)).toBe("2 in use, 5 cached, 13 free of 20 states");
  });

  it("says what a group is", () => {
    expect(nature(all)).toBe("F16 · 6 layers · 96.0 KB a block, 188 MB in all");
    expect(nature(window)).toBe(
      "the last 512 tokens · F16 · 1 layer · 96.0 KB a block, 188 MB in all",
    );
    expect(nature({ ...window, sinks: 4, k_type: "I8", v_type: "Q4_1" })).toMatch(
      /^the first 4 and the last 512 tokens · I8 keys, Q4_1 values · 1 layer/,
    );
    expect(nature(state)).toBe(
      "states of recurrent layers · 6 layers · 1.2 MB a state, 24.0 MB in all",
    );
    expect(nature({ ...all, of: "encoder" })).toMatch(
      /^of what the encoder reads · F16 · 6 layers/,
    );
  });

  it("names a map where there are several", () => {
    expect(mapLabel(state, true)).toBe("state, 20 states: 2 in use, 5 cached, 13 free.");
    expect(mapLabel(all, false)).toBe("2,000 blocks: 100 in use, 400 cached, 1,500 free.");
  });

  it("knows nothing yet where nobody has looked", () => {
    const unseen = { ...state, free: null, cached: null, referenced: null, shared: null, map: "" };
    expect(usage(unseen)).toBe("– in use, – cached, – free of 20 states");
  });

  it("treats one group, or none, as the figures of the model", () => {
    expect(onlyGroup(kv(all))).toEqual(all);
    expect(onlyGroup(kv())).toMatchObject({ blocks: 2000, map: "rscf", holds: "positions" });
    expect(onlyGroup(kv(all, state))).toBeUndefined();
  });
});
