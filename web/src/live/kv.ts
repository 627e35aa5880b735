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
  return { holds: "positions", of: "text", ...nothing, ...kv.groups[0], ...figures };
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

// What a group is, beside its name:
// "the last 512 tokens · 4 layers · 96.0 KB a block, 12 MB in all"
export function nature(group: KvGroup): string {
  const total = bytes(group.bytes_per_block * group.blocks);
  return [
    group.holds === "state" && "states of recurrent layers",
    group.of === "encoder" && "of what the encoder reads",
    group.window != null && `the last ${plural(group.window, "token")}`,
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
