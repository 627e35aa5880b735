// The life of a request as spans and marks on a time line. Pure.
import type { RequestEvent, RequestLife } from "../api/status";

export type Track = "queued" | "prefill" | "decode";

export interface Span {
  track: Track;
  start: number; // milliseconds since the request came
  end: number;
  event: RequestEvent;
}

export interface Mark {
  at: number;
  kind: RequestEvent["kind"];
  event: RequestEvent;
}

export interface Timeline {
  total: number;
  spans: Span[];
  marks: Mark[];
}

const TRACKS: Partial<Record<RequestEvent["kind"], Track>> = {
  queued: "queued",
  prefill: "prefill",
  decode: "decode",
};
const MARKED = new Set<RequestEvent["kind"]>(["first_token", "preempted", "resumed", "cancelled"]);

export function timelineOf(life: RequestLife): Timeline {
  const spans: Span[] = [];
  const marks: Mark[] = [];
  let total = life.total_ms ?? 0;
  for (const event of life.events) {
    const track = TRACKS[event.kind];
    const end = event.t_ms + (event.ms ?? 0);
    total = Math.max(total, end);
    if (track) spans.push({ track, start: event.t_ms, end, event });
    if (MARKED.has(event.kind)) marks.push({ at: event.t_ms, kind: event.kind, event });
  }
  return { total: Math.max(total, 0.001), spans, marks };
}

// Round times from 0 on, at most `most` of them.
export function ticks(total: number, most = 6): number[] {
  const rough = total / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? rough;
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, index) => index * step);
}

export interface Sums {
  prefillTokens: number;
  generated: number;
  cached: number;
  sharedWith: string[];
}

export function sumsOf(life: RequestLife): Sums {
  const sums: Sums = { prefillTokens: 0, generated: 0, cached: 0, sharedWith: [] };
  const others = new Set<string>();
  for (const event of life.events) {
    if (event.kind === "prefill") sums.prefillTokens += event.tokens ?? 0;
    if (event.kind === "prefill" || event.kind === "decode") sums.generated += event.generated ?? 0;
    sums.cached += event.cached ?? 0;
    for (const id of event.shared_with ?? []) others.add(id);
  }
  sums.sharedWith = [...others];
  return sums;
}

// What happened, in a few words.
export function wordsFor(event: RequestEvent): string {
  const steps =
    event.steps && event.steps[0] !== event.steps[1]
      ? `steps ${event.steps[0]} to ${event.steps[1]}`
      : event.steps
        ? `step ${event.steps[0]}`
        : "";
  const parts = [steps];
  if (event.tokens !== undefined) parts.push(`${event.tokens} tokens fed`);
  if (event.generated) parts.push(`${event.generated} generated`);
  if (event.cached) parts.push(`${event.cached} from the prefix cache`);
  if (event.shared_count) {
    parts.push(`together with ${event.shared_count} other${event.shared_count === 1 ? "" : "s"}`);
  }
  if (event.reason) parts.push(event.reason);
  if (event.branch !== undefined) parts.push(`choice ${event.branch}`);
  return parts.filter(Boolean).join(", ");
}
