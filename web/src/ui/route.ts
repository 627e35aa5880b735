// Where in the page we are; the part of the address behind '#'.
import { signal } from "@preact/signals";

export type View = "chat" | "live" | "requests" | "api";

export interface Route {
  view: View;
  id: string;
}

export function parseRoute(hash: string): Route {
  const [view = "", ...rest] = hash.replace(/^#\/?/, "").split("/");
  if (view !== "live" && view !== "requests" && view !== "api") return { view: "chat", id: "" };
  try {
    return { view, id: decodeURIComponent(rest.join("/")) };
  } catch {
    return { view, id: "" };
  }
}

export const route = signal<Route>(parseRoute(location.hash));
addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

export function requestHref(id: string): string {
  return `#/requests/${encodeURIComponent(id)}`;
}
