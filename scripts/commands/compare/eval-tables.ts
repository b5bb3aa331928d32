/** Two evaluations side by side, as `trainyard compare` says it. */
import { fixed } from "../../load/column.ts";
import { UsageError } from "../../usage.ts";
import { compareEvals, type QualityDifference } from "../eval/compare.ts";
import { ALL, type EvalResult } from "../eval/result.ts";
import type { Comparison } from "./tables.ts";

/** Throws UsageError where they are not of the same questions. */
export function evalsCompared(a: EvalResult, b: EvalResult): Comparison {
  if (a.questions.sha256 !== b.questions.sha256) {
    throw new UsageError(
      `${a.questions.name} and ${b.questions.name} are not the same questions: answers cannot be set side by side.`,
    );
  }
  const { alone, quality, times } = compareEvals(a, b);
  const all = quality.find(({ kind }) => kind === ALL);
  const slower = times.filter(({ interval: [low, high] }) => low > 1 || high < 1);
  return {
    says: [
      all === undefined ? "No question stands in both." : sentence(all),
      slower.length === 0
        ? "No time differs beyond chance."
        : slower.map(({ name, ratio }) => `${name} of B is ${fixed(ratio, 2)} of A's.`).join(" "),
      ...(alone > 0 ? [`${alone} answers have no counterpart.`] : []),
    ],
    tables: [
      {
        title: "Set otherwise",
        head: ["part", "A", "B"],
        rows: [
          ["command", a.command, b.command],
          ["model", a.model, b.model],
          ["concurrency", String(a.concurrency), String(b.concurrency)],
        ].filter(([, first, second]) => first !== second),
      },
      {
        title:
          "Right answers (95 % interval of the difference: paired bootstrap; p: McNemar, exact)",
        head: ["kind", "items", "A %", "B %", "B − A", "interval", "A alone", "B alone", "p"],
        rows: quality.map((its) => [
          its.kind,
          String(its.items),
          fixed(100 * its.a, 1),
          fixed(100 * its.b, 1),
          signed(100 * (its.b - its.a)),
          its.interval.map((end) => signed(100 * end)).join(" to "),
          String(its.lost),
          String(its.won),
          fixed(its.p, 3),
        ]),
      },
      {
        title: "Times (95 % interval of the ratio: paired bootstrap)",
        head: ["measure", "A", "B", "B ÷ A", "interval"],
        rows: times.map(({ name, a: first, b: second, ratio, interval }) => [
          name,
          fixed(first, 2),
          fixed(second, 2),
          fixed(ratio, 3),
          interval.map((end) => fixed(end, 3)).join(" to "),
        ]),
      },
    ].filter(({ rows }) => rows.length > 0),
  };
}

const signed = (value: number): string => `${value > 0 ? "+" : ""}${fixed(value, 1)}`;

function sentence({ a, b, items, interval, p }: QualityDifference): string {
  const [low, high] = interval.map((end) => signed(100 * end));
  const shares = `${fixed(100 * a, 1)} % and ${fixed(100 * b, 1)} % of ${items} questions`;
  const beyond = p < 0.05 ? "differs beyond chance" : "does not differ beyond chance";
  return `A and B answer ${shares} rightly: B − A is ${signed(100 * (b - a))} points (${low} to ${high}), which ${beyond} (p ${fixed(p, 3)}).`;
}
