/** ns as text: µs to four digits, ms, seconds. */
import { duration as durationText } from "../figures.ts";

export function timeText(ns: number): string {
  if (ns === 0) return "0";
  return Math.abs(ns) < 1e6 ? `${trim(ns / 1000)} µs` : durationText(ns / 1e6);
}

const trim = (value: number): string => String(Number(value.toPrecision(4)));
