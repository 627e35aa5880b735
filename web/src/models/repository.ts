// The server's model repository, where it has one: the versions of each model, and how requests are
// divided among them.
import { getJson } from "../api/client";
import { count, duration, percent, plural } from "../ui/format";

export interface Version {
  name: string;
  version: string | null; // null: the model has none that could be served
  state: string;
  reason: string;
}

// Of models whose traffic is divided.
export interface Traffic {
  name: string;
  version: string;
  role: string; // "stable", "split", "shadow", "canary", "promoted", "rolled back", "none"
  percent: number; // of the requests to the bare name
  requests: number;
  failed: number;
  mirrored: number; // copies, whose answers go nowhere
  compared: number;
  different: number;
  mirrors_failed: number;
  token_seconds: number; // of computing
  reason: string;
}

export interface Repository {
  models: Version[];
  traffic?: Traffic[];
}

export interface Row extends Version {
  traffic: Traffic | null;
}

// Versions by model, in the order of the index; numbers by their size.
export function byModel({ models, traffic = [] }: Repository): Map<string, Row[]> {
  const rows = new Map<string, Row[]>();
  for (const one of models) {
    const own = traffic.find(({ name, version }) => name === one.name && version === one.version);
    rows.set(one.name, [...(rows.get(one.name) ?? []), { ...one, traffic: own ?? null }]);
  }
  for (const versions of rows.values()) {
    versions.sort((a, b) => Number(a.version ?? 0) - Number(b.version ?? 0));
  }
  return rows;
}

export const isServed = ({ state }: Version) => state.toLowerCase() === "ready";

// What its requests came to, in words.
export function told(traffic: Traffic): string {
  const words = [plural(traffic.requests, "request")];
  if (traffic.failed > 0) words.push(`${count(traffic.failed)} failed`);
  if (traffic.mirrored > 0) words.push(`${count(traffic.mirrored)} mirrored`);
  if (traffic.mirrors_failed > 0) words.push(`${count(traffic.mirrors_failed)} of these failed`);
  if (traffic.compared > 0) {
    words.push(`${percent(traffic.different / traffic.compared)} answered otherwise`);
  }
  if (traffic.token_seconds > 0) words.push(`${duration(traffic.token_seconds * 1000)} a token`);
  return words.join(", ");
}

export const askRepository = (signal: AbortSignal) =>
  getJson<Repository>("/quire/repository", signal);
