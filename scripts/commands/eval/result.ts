/** What an evaluation found: a file of items, and a table of their kinds by one list of columns. */
import type { Column } from "../../load/column.ts";
import { ascending, percentileOf } from "../../load/statistics.ts";
import type { Expected } from "./items.ts";

export interface EvalAnswer {
  readonly id: string;
  readonly kind: Expected["kind"];
  readonly right: boolean;
  readonly text: string;
  /** Name and arguments of each call. */
  readonly calls?: readonly string[];
  /** Milliseconds to the first piece; absent: nothing came. */
  readonly ttftMs?: number;
  /** Milliseconds a token after the first; absent: fewer than two came. */
  readonly tpotMs?: number;
  readonly outputTokens: number;
  readonly error?: string;
}

export interface EvalResult {
  /** Version of this file. */
  readonly eval: 1;
  readonly model: string;
  /** Of the questions, so that two runs are of the same. */
  readonly questions: { readonly name: string; readonly sha256: string };
  /** As it was typed, without secrets. */
  readonly command: string;
  readonly concurrency: number;
  readonly seconds: number;
  readonly answers: readonly EvalAnswer[];
}

export interface EvalRow {
  readonly kind: string;
  readonly answers: readonly EvalAnswer[];
  readonly result: EvalResult;
}

const Z = 1.959964;

/** Wilson's 95 % interval of a share. */
export function wilson(right: number, count: number): readonly [number, number] {
  if (count === 0) return [0, 1];
  const share = right / count;
  const middle = (share + Z ** 2 / (2 * count)) / (1 + Z ** 2 / count);
  const half =
    (Z / (1 + Z ** 2 / count)) *
    Math.sqrt((share * (1 - share)) / count + Z ** 2 / (4 * count ** 2));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

const rightIn = (answers: readonly EvalAnswer[]): number =>
  answers.filter(({ right }) => right).length;

export function median(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : percentileOf(ascending(known), 50);
}

const percent = (share: number): number => 100 * share;

export const EVAL_COLUMNS: readonly Column<EvalRow>[] = [
  { key: "kind", title: "kind", of: ({ kind }) => kind },
  { key: "items", title: "items", of: ({ answers }) => answers.length },
  {
    key: "failed",
    title: "failed",
    better: "lower",
    formula: "requests without an answer; they count as wrong",
    of: ({ answers }) => answers.filter(({ error }) => error !== undefined).length,
  },
  {
    key: "right_percent",
    title: "right %",
    unit: "%",
    better: "higher",
    digits: 1,
    of: ({ answers }) => percent(rightIn(answers) / answers.length),
  },
  {
    key: "right_interval",
    title: "95 % interval",
    formula: "Wilson",
    of: ({ answers }) =>
      wilson(rightIn(answers), answers.length)
        .map((share) => percent(share).toFixed(1))
        .join("–"),
  },
  {
    key: "median_ttft_ms",
    title: "TTFT p50 ms",
    unit: "ms",
    better: "lower",
    digits: 1,
    of: ({ answers }) => median(answers.map(({ ttftMs }) => ttftMs)),
  },
  {
    key: "median_tpot_ms",
    title: "TPOT p50 ms",
    unit: "ms",
    better: "lower",
    digits: 2,
    of: ({ answers }) => median(answers.map(({ tpotMs }) => tpotMs)),
  },
  {
    key: "tokens_per_user",
    title: "tokens/s/user",
    unit: "tokens/s",
    better: "higher",
    formula: "1000 ÷ median TPOT: the sweep's abscissa",
    digits: 1,
    of: ({ answers }) => {
      const tpot = median(answers.map(({ tpotMs }) => tpotMs));
      return tpot === undefined ? undefined : 1000 / tpot;
    },
  },
  {
    key: "output_tokens_per_second",
    title: "output tokens/s",
    unit: "tokens/s",
    better: "higher",
    formula: "output tokens of all items ÷ duration: the sweep's ordinate",
    digits: 1,
    of: ({ kind, answers, result }) =>
      kind === ALL
        ? answers.reduce((sum, { outputTokens }) => sum + outputTokens, 0) / result.seconds
        : undefined,
  },
];

export const ALL = "all";

/** Kinds in the order of their first item, and all of them. */
export function evalRows(result: EvalResult): readonly EvalRow[] {
  const kinds = [...new Set(result.answers.map(({ kind }) => kind))];
  const rows = kinds.map((kind) => ({
    kind,
    answers: result.answers.filter((answer) => answer.kind === kind),
    result,
  }));
  return [...rows, { kind: ALL, answers: result.answers, result }];
}

/** Undefined: it is no result of an evaluation. */
export function evalIn(body: unknown): EvalResult | undefined {
  const is = typeof body === "object" && body !== null && "eval" in body && body.eval === 1;
  return is ? (body as unknown as EvalResult) : undefined; // its own files say so
}
