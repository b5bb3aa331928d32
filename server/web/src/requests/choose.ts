/** Which requests are seen, in which order: as the view's link says. */
import { query, remember } from "../route.ts";
import type { Told } from "./list.ts";

/** What requests are told apart and ordered by, ms. */
export const MEASURES = {
  ttft_ms: "Time to first token",
  stall_ms: "Longest stall",
  itl_ms: "Between tokens",
  queue_ms: "Queue",
  e2e_ms: "Whole",
} as const;

export type Measure = keyof typeof MEASURES;

const OUTCOMES: Readonly<Record<string, (its: Told) => boolean>> = {
  done: (its) => its.status === 200 && !its.gone && !its.finish.includes("error"),
  left: (its) => its.gone || its.finish.includes("abort"),
  failed: (its) => (its.status ?? 0) >= 400 || its.finish.includes("error"),
  "under way": (its) => its.status === null,
  preempted: (its) => its.preemptions > 0,
};

export const OUTCOME_NAMES = Object.keys(OUTCOMES);

/** What a request came to, in a word that a colour stands for. */
export function outcomeOf(its: Told): "done" | "left" | "failed" | "under way" {
  if (its.status === null) return "under way";
  if (OUTCOMES["failed"]?.(its) === true && !its.gone) return "failed";
  return OUTCOMES["left"]?.(its) === true ? "left" : "done";
}

export interface Choice {
  readonly measure: Measure;
  /** Slowest first; else the newest. */
  readonly slowest: boolean;
  readonly route: string;
  readonly outcome: string;
  readonly text: string;
  /** ms of the measure. */
  readonly least: number;
}

export function choice(): Choice {
  const link = query.value;
  const by = link.get("by") ?? "";
  return {
    measure: Object.hasOwn(MEASURES, by) ? (by as Measure) : "ttft_ms", // a key, looked up
    slowest: link.get("order") === "slowest",
    route: link.get("route") ?? "",
    outcome: link.get("outcome") ?? "",
    text: link.get("find") ?? "",
    least: Number(link.get("least") ?? 0) || 0,
  };
}

export function choose(name: string, value: string): void {
  remember(name, value);
}

export function chosen(all: readonly Told[], by: Choice): readonly Told[] {
  const { measure, route, outcome, text, least, slowest } = by;
  const is = Object.hasOwn(OUTCOMES, outcome) ? OUTCOMES[outcome] : undefined;
  const found = all.filter(
    (its) =>
      (route === "" || its.route === route) &&
      (is === undefined || is(its)) &&
      (text === "" || its.id.includes(text)) &&
      (least === 0 || (its[measure] ?? -1) >= least),
  );
  const value = (its: Told): number => its[measure] ?? -1;
  return found.sort((a, b) => (slowest ? value(b) - value(a) : b.number - a.number));
}
