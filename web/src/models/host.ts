// The models of the server: what GET /quire/models says of each, and what can be done with it.
import { getJson, request } from "../api/client";
import { bytes, count, duration, plural } from "../ui/format";

export interface HostedModel {
  name: string;
  aliases: string[];
  state: string; // "unloaded", "loading", "ready", "unloading"
  bytes: number; // of weights and KV, in memory
  users: number;
  idle_seconds: number;
  pinned?: boolean; // it leaves the memory only when it is unloaded; older servers do not say
  context_max: number; // 0: not known before it was loaded once
  loads: number;
  unloads: number;
  failures: number;
  failure: string | null; // why its last load failed
  warnings: string[];
  capabilities: string[] | null;
  requests_running: number;
  requests_waiting: number;
  generated_tokens: number;
}

export interface Host {
  models: HostedModel[];
  has_repository?: boolean; // a folder of versions beside them
  bytes_max: number | null; // of all models together
  keep_alive_seconds: number | null; // null: for ever
}

const MOVING_MS = 500;
const RESTING_MS = 3000;

export const isMoving = (model: HostedModel) =>
  model.state === "loading" || model.state === "unloading";

// Who changes is looked at more often.
export function refreshOf(host: Host): number {
  return host.models.some(isMoving) ? MOVING_MS : RESTING_MS;
}

export const bytesInMemory = (host: Host) =>
  host.models.reduce((sum, model) => sum + model.bytes, 0);

// Of what all models may take, or of what is taken.
export function shareOf(model: HostedModel, host: Host): number {
  const whole = host.bytes_max ?? bytesInMemory(host);
  return whole > 0 ? Math.min(model.bytes / whole, 1) : 0;
}

export function keepAlive(seconds: number | null): string {
  if (seconds === null) return "until they are unloaded";
  return seconds === 0 ? "while they are used" : `${duration(seconds * 1000)} after their last use`;
}

// What a model is doing, in a few words.
export function doing(model: HostedModel): string {
  if (model.state === "unloaded" && model.failure) return "failed";
  if (model.state !== "ready") return model.state;
  if (model.requests_running + model.requests_waiting === 0) return "ready";
  const waiting = model.requests_waiting > 0 ? `, ${count(model.requests_waiting)} waiting` : "";
  return `${count(model.requests_running)} running${waiting}`;
}

export function factsOf(model: HostedModel): string[] {
  const facts = [];
  if (model.capabilities?.length) facts.push(model.capabilities.join(", "));
  if (model.context_max > 0) facts.push(`${count(model.context_max)} positions`);
  if (model.bytes > 0) facts.push(bytes(model.bytes));
  if (model.pinned) facts.push("pinned: stays in memory");
  if (model.loads > 0) facts.push(plural(model.loads, "load"));
  if (model.failures > 0) facts.push(plural(model.failures, "failed load"));
  if (model.state === "ready" && model.users === 0 && model.idle_seconds >= 1) {
    facts.push(`unused for ${duration(model.idle_seconds * 1000)}`);
  }
  return facts;
}

export interface Deed {
  name: string;
  path: string;
  isPossible: boolean;
}

const pathOf = (model: HostedModel) =>
  `/quire/models/${model.name.split("/").map(encodeURIComponent).join("/")}`;

// Whether it stays, whoever needs its room and however long nobody uses it. Nothing: the server
// pins no models.
export function pinOf(model: HostedModel): Deed | null {
  if (model.pinned === undefined) return null;
  return model.pinned
    ? { name: "Unpin", path: `${pathOf(model)}/unpin`, isPossible: true }
    : { name: "Pin", path: `${pathOf(model)}/pin`, isPossible: true };
}

// What a person can ask for: the server says no where it cannot be.
export function deedOf(model: HostedModel): Deed {
  const path = pathOf(model);
  return model.state === "unloaded"
    ? { name: "Load", path: `${path}/load`, isPossible: true }
    : { name: "Unload", path: `${path}/unload`, isPossible: !isMoving(model) };
}

export const askHost = (signal: AbortSignal) => getJson<Host>("/quire/models", signal);

export async function order(path: string): Promise<void> {
  await request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
}
