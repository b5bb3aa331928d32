/** Dark or light: as the machine is set, until the reader turns it. */
import { effect, signal } from "@preact/signals";

type Theme = "dark" | "light";

const asked = new URLSearchParams(location.search).get("theme");
const kept = asked ?? localStorage.getItem("theme");
const ofMachine: Theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";

export const theme = signal<Theme>(kept === "light" || kept === "dark" ? kept : ofMachine);

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});

export function turnTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem("theme", theme.value);
}
