// Light or dark: the system's preference, or what the switch says.
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const NAME = "quire.theme";
const ORDER: Theme[] = ["system", "light", "dark"];

export const theme = signal<Theme>((document.documentElement.dataset.theme as Theme) ?? "system");

export function nextTheme(): Theme {
  return ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "system";
}

export function setTheme(next: Theme): void {
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "system") localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, next);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}
