/** Colours of lines on either ground, after Okabe and Ito. */
import { theme } from "../theme.ts";

const PALETTES = {
  light: ["#0072b2", "#b34a00", "#007a57", "#8f5bb0", "#8a6500", "#b02f6b", "#22708f", "#555"],
  dark: ["#6bb3ff", "#ff9d5c", "#46d39a", "#c8a2ff", "#f0c64d", "#ff8fbd", "#7fd0ee", "#b5bdc8"],
} as const;

export function paletteColour(place: number): string {
  const palette = PALETTES[theme.value];
  return palette[place % palette.length] ?? "#888";
}
