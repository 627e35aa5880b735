// Where in the page we are; the part of the address behind '#'.
import { signal } from "@preact/signals";

export type View = "chat" | "live" | "requests" | "models" | "api";

const VIEWS: View[] = ["chat", "live", "requests", "models", "api"];

export interface Route {
  view: View;
  id: string;
}

export function parseRoute(hash: string): Route {
  const [view = "", ...rest] = hash.replace(/^#\/?/, "").split("/");
  const known = VIEWS.find((one) => one === view);
  if (!known) return { view: "chat", id: "" };
  try {
    return { view: known, id: decodeURIComponent(rest.join("/")) };
  } catch {
    return { view: known, id: "" };
  }
}

export const route = signal<Route>(parseRoute(location.hash));
addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

export function requestHref(id: string): string {
  return `#/requests/${encodeURIComponent(id)}`;
}
