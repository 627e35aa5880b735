// The server's figures once a second, for as long as somebody looks. What breaks is tried again,
// later each time.
import { signal } from "@preact/signals";
import { Failure, request, sentence } from "../api/client";
import { readEvents } from "../api/sse";
import type { Status } from "../api/status";
import { type History, withSnapshot } from "./history";

const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 15_000;

export const status = signal<Status | null>(null);
export const history = signal<History>({});
export const feedError = signal("");

function problem(error: unknown): string {
  if (error instanceof Failure && error.status === 404) {
    return "This server offers no live figures: it knows no /quire/status/stream.";
  }
  return sentence(error);
}

async function read(signal: AbortSignal): Promise<void> {
  const response = await request("/quire/status/stream", { signal });
  if (!response.body) throw new Failure("The stream of figures has no body.", response.status);
  for await (const data of readEvents(response.body)) {
    status.value = JSON.parse(data) as Status;
    history.value = withSnapshot(history.value, status.value);
    feedError.value = "";
  }
  throw new Failure("The server ended the stream of figures. Trying again.", 0);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

// Gives the function that ends it.
export function watchStatus(): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  void (async () => {
    for (let wait = RETRY_MIN_MS; !signal.aborted; wait = Math.min(2 * wait, RETRY_MAX_MS)) {
      const start = Date.now();
      try {
        await read(signal);
      } catch (error) {
        if (signal.aborted) return;
        feedError.value = problem(error);
      }
      if (Date.now() - start > RETRY_MAX_MS) wait = RETRY_MIN_MS; // it worked for a while
      await pause(wait, signal);
    }
  })();
  return () => controller.abort();
}
