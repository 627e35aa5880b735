// Asks again every moment while the page is seen, until nothing will change.
import { useEffect, useState } from "preact/hooks";
import { isPageVisible } from "../ui/media";
import { apiKey, Failure, sentence } from "./client";

const REFRESH_MS = 2000;

export interface Polled<T> {
  value: T | null;
  error: string;
}

interface PolledOptions<T> {
  isFinal?: (value: T) => boolean;
  problem?: (error: unknown) => string; // as a sentence
  refreshMs?: (value: T) => number;
  turn?: number; // another one asks at once
}

// `name`: of what is asked for; another name is another question. An empty name asks nothing.
export function usePolled<T>(
  name: string,
  ask: (signal: AbortSignal) => Promise<T>,
  { isFinal, problem = sentence, refreshMs, turn = 0 }: PolledOptions<T> = {},
): Polled<T> {
  const [state, setState] = useState<Polled<T>>({ value: null, error: "" });
  const isSeen = isPageVisible.value;
  const key = apiKey.value;
  useEffect(() => {
    if (!isSeen || !name) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      let wait = REFRESH_MS;
      try {
        const value = await ask(controller.signal);
        if (controller.signal.aborted) return;
        setState({ value, error: "" });
        if (isFinal?.(value)) return;
        wait = refreshMs?.(value) ?? REFRESH_MS;
      } catch (error) {
        if (controller.signal.aborted) return;
        setState((before) => ({ ...before, error: problem(error) }));
        if (error instanceof Failure && error.status >= 400 && error.status < 500) return;
      }
      timer = setTimeout(() => void look(), wait);
    };
    void look();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [name, isSeen, key, turn]);
  return state;
}
