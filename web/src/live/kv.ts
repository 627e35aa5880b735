// What the live view says of the KV memory, group by group: a model may keep all positions in one
// group, those of a window in another, and the states of recurrent layers in a third.
import type { KvGroup, ModelStatus } from "../api/status";
import { bytes, count, plural } from "../ui/format";

function unit(group: KvGroup): string {
  return group.holds === "state" ? "state" : "block";
}

// Of a model that keeps everything in one group; of one that is not in memory, the bare figures.
export function onlyGroup(kv: ModelStatus["kv"]): KvGroup | undefined {
  if (kv.groups.length > 1) return undefined;
  const { block_tokens, blocks, free, cached, referenced, map, blocks_per_letter } = kv;
  const figures = { block_tokens, blocks, free, cached, referenced, map, blocks_per_letter };
  const nothing = { name: "", layers: 0, window: null, bytes_per_block: 0, shared: 0 };
  const types = { sinks: 0, k_type: null, v_type: null };
  return { holds: "positions", of: "text", ...nothing, ...types, ...kv.groups[0], ...figures };
}

// "3 in use, 2 cached, 15 free of 20 blocks of 32 tokens"
export function usage(group: KvGroup): string {
  const size = group.holds === "state" ? "" : ` of ${count(group.block_tokens)} tokens`;
  const square =
    group.blocks_per_letter > 1
      ? `; a square is ${count(group.blocks_per_letter)} ${unit(group)}s`
      : "";
  return (
    `${count(group.referenced)} in use, ${count(group.cached)} cached, ${count(group.free)} free ` +
    `of ${count(group.blocks)} ${unit(group)}s${size}${square}`
  );
}

// "F16", or "I8 keys, Q4_1 values"; of a state nothing.
function types({ k_type, v_type }: KvGroup): string | null {
  if (k_type == null || v_type == null) return null;
  return k_type === v_type ? k_type : `${k_type} keys, ${v_type} values`;
}

// What a group is, beside its name:
// "the first 4 and the last 512 tokens · I8 keys, F16 values · 4 layers · 96.0 KB a block, ..."
export function nature(group: KvGroup): string {
  const total = bytes(group.bytes_per_block * group.blocks);
  return [
    group.holds === "state" && "states of recurrent layers",
    group.of === "encoder" && "of what the encoder reads",
    group.window != null &&
      `${group.sinks > 0 ? `the first ${count(group.sinks)} and ` : ""}` +
        `the last ${plural(group.window, "token")}`,
    types(group),
    plural(group.layers, "layer"),
    `${bytes(group.bytes_per_block)} a ${unit(group)}, ${total} in all`,
  ]
    .filter(Boolean)
    .join(" · ");
}

// The same for who does not see the map.
export function mapLabel(group: KvGroup, isNamed: boolean): string {
  return (
    `${isNamed ? `${group.name}, ` : ""}${count(group.blocks)} ${unit(group)}s: ` +
    `${count(group.referenced)} in use, ${count(group.cached)} cached, ${count(group.free)} free.`
  );
}
