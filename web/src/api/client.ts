// Requests to the server that sent this page: the API key, and failures as sentences.
import { signal } from "@preact/signals";

const KEY_NAME = "quire.key";

// Kept for this tab only.
export const apiKey = signal(readKey());
export const isKeyWanted = signal(false); // the server has refused us for want of a (good) key

function readKey(): string {
  try {
    return sessionStorage.getItem(KEY_NAME) ?? "";
  } catch {
    return "";
  }
}

export function setApiKey(key: string): void {
  apiKey.value = key.trim();
  isKeyWanted.value = false;
  try {
    if (apiKey.value) sessionStorage.setItem(KEY_NAME, apiKey.value);
    else sessionStorage.removeItem(KEY_NAME);
  } catch {
    // Storage is off: the key lives as long as the page.
  }
}

// What went wrong, as a sentence to show; `status` 0: no answer came.
export class Failure extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

function sentenceOf(status: number, body: unknown): string {
  const error = (body as { error?: { message?: unknown } } | null)?.error;
  const message = typeof error?.message === "string" ? error.message : "";
  if (status === 401) {
    return apiKey.value
      ? "The server does not accept this API key."
      : "The server asks for an API key.";
  }
  return message || `The server answered with status ${status}.`;
}

async function failureOf(response: Response): Promise<Failure> {
  const body: unknown = await response.json().catch(() => null);
  if (response.status === 401) isKeyWanted.value = true;
  return new Failure(sentenceOf(response.status, body), response.status);
}

// A successful response; anything else is thrown as a Failure. An abort is thrown as it is.
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (apiKey.value) headers.set("Authorization", `Bearer ${apiKey.value}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failure("The server cannot be reached. Is it still running?", 0);
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export function sentence(error: unknown): string {
  if (error instanceof Failure) return error.message;
  return error instanceof Error ? `Something went wrong: ${error.message}` : String(error);
}
