/** Dark or light: as the machine is set, until the reader turns it. */
import { effect, signal } from "@preact/signals";
import { keep, kept } from "./kept.ts";

type Theme = "dark" | "light";

const asked = new URLSearchParams(location.search).get("theme");
const before = asked ?? kept("localStorage", "theme");
const ofMachine: Theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";

export const theme = signal<Theme>(before === "light" || before === "dark" ? before : ofMachine);

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});

export function turnTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  keep("localStorage", "theme", theme.value);
}
