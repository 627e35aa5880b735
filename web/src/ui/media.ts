// Facts about the window as signals.
import { type Signal, signal } from "@preact/signals";

function matches(query: string): Signal<boolean> {
  const list = matchMedia(query);
  const value = signal(list.matches);
  list.addEventListener("change", () => {
    value.value = list.matches;
  });
  return value;
}

export const isWide = matches("(min-width: 64rem)");
export const isPageVisible = signal(document.visibilityState === "visible");
document.addEventListener("visibilitychange", () => {
  isPageVisible.value = document.visibilityState === "visible";
});
