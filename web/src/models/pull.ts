// A model that is being fetched into the server's store: POST /api/pull answers with a line of JSON
// for every bit of progress, and what they say is added up.
import { request } from "../api/client";

export interface PullLine {
  status?: string;
  digest?: string; // of the part that the figures are of
  total?: number;
  completed?: number;
  error?: string;
}

interface Part {
  total: number;
  completed: number;
}

export interface Pull {
  status: string;
  parts: Record<string, Part>;
  isOver: boolean;
  error: string;
}

const LINE_SIZE_MAX = 1 << 20; // characters

export const NO_PULL: Pull = { status: "", parts: {}, isOver: false, error: "" };

export function add(pull: Pull, line: PullLine): Pull {
  if (line.error !== undefined) return { ...pull, isOver: true, error: line.error };
  const parts = { ...pull.parts };
  if (line.digest !== undefined && line.total !== undefined) {
    parts[line.digest] = { total: line.total, completed: line.completed ?? 0 };
  }
  const status = line.status ?? pull.status;
  return { status, parts, isOver: status === "success", error: "" };
}

// Of all parts that are known; null: none is.
export function progress(pull: Pull): Part | null {
  const parts = Object.values(pull.parts);
  if (parts.length === 0) return null;
  return parts.reduce((sum, part) => ({
    total: sum.total + part.total,
    completed: sum.completed + Math.min(part.completed, part.total),
  }));
}

// The lines of `body`, cut anywhere.
export async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<PullLine> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (done ? "\n" : decoder.decode(value, { stream: true }))).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LINE_SIZE_MAX) throw new Error("A line of the answer is too long.");
      for (const line of lines) if (line.trim()) yield JSON.parse(line) as PullLine;
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Tells of every change until it is over; an abort ends it, and the server keeps what has come.
export async function pullModel(
  model: string,
  signal: AbortSignal,
  tell: (pull: Pull) => void,
): Promise<void> {
  const response = await request("/api/pull", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model }),
    signal,
  });
  let pull = NO_PULL;
  if (!response.body) return;
  for await (const line of readLines(response.body)) {
    pull = add(pull, line);
    tell(pull);
  }
  if (!pull.isOver) tell({ ...pull, isOver: true, error: "The answer ended before the model." });
}
