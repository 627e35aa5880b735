// The last minutes of each model, as the snapshots came: what the charts draw.
import type { ModelStatus, Status } from "../api/status";

export const POINTS_MAX = 120; // one a second

export interface Point {
  time: number; // seconds since 1970
  prompt: number; // tokens/s computed
  generated: number; // tokens/s
  running: number;
  waiting: number;
}

export type History = Readonly<Record<string, readonly Point[]>>;

function pointOf(time: number, model: ModelStatus): Point {
  return {
    time,
    prompt: model.tokens.prompt_per_s,
    generated: model.tokens.generated_per_s,
    running: model.running,
    waiting: model.waiting,
  };
}

// A model that is no longer served has no history.
export function withSnapshot(history: History, status: Status): History {
  return Object.fromEntries(
    status.models.map((model) => [
      model.name,
      [...(history[model.name] ?? []), pointOf(status.time, model)].slice(-POINTS_MAX),
    ]),
  );
}

export interface StepBar {
  step: number;
  ms: number;
  prefill: number;
  decode: number;
  rows: number;
}

export function barOf(step: ModelStatus["steps"][number]): StepBar {
  const sum = (phase: string) =>
    step.rows.reduce((total, row) => total + (row.phase === phase ? row.tokens : 0), 0);
  return {
    step: step.step,
    ms: step.ms,
    prefill: sum("prefill"),
    decode: sum("decode"),
    rows: step.rows_total ?? step.rows.length,
  };
}

// A round number at or above `value`, for the top of a scale.
export function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= value) ?? value;
}

// Outlines of unit squares, letter by letter: one path for each state of a block map.
export function mapPaths(map: string, columns: number): Record<string, string> {
  const paths: Record<string, string> = {};
  [...map].forEach((letter, index) => {
    const x = index % columns;
    const y = Math.floor(index / columns);
    paths[letter] = `${paths[letter] ?? ""}M${x} ${y}h.86v.86h-.86z`;
  });
  return paths;
}
