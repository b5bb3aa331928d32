/** `--json`: figures by group and part, and what was refused, for programs. */
import { createHash } from "node:crypto";
import { ALL_CONSTANTS } from "../../../device/trainium/constants.ts";
import { table } from "../../report/table.ts";
import { type Answer, PARTS, type Part, type Priced, type Unpriced } from "./price.ts";
import { isMiddle } from "./read/metric.ts";
import { findArchitecture } from "./read/model.ts";
import { bySetUp, errorOf, withinBand } from "./report.ts";
import type { Row } from "./rows.ts";
import { tableOf } from "./tables.ts";

interface PeerFigures {
  readonly meanError: number | null;
  readonly medianFactor: number | null;
}

export interface GroupFigures {
  readonly rows: number;
  readonly priced: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly setUps: number;
  readonly tables: number;
  /** Mean |p/m − 1| a set-up. */
  readonly meanError: number | null;
  /** The same with the set-ups of refused rows off by a factor of 3. */
  readonly meanErrorWithRefused: number | null;
  /** Median over set-ups of exp|ln(p/m)|. */
  readonly medianFactor: number | null;
  /** Share of rows in the 80 % band of their tier, and in how many tables. */
  readonly inBand: Readonly<
    Record<string, { readonly share: number; readonly rows: number; readonly tables: number }>
  >;
  readonly peers: {
    readonly twoConstants: PeerFigures;
    readonly floor: PeerFigures;
    /** The floor times the factor that fits this group's rows best. */
    readonly fittedFloor: PeerFigures & { readonly factor: number | null };
  };
}

/** A row off by a factor of 3 has this error. */
const REFUSED_ERROR = 2;

/** sha256 of the constants' keys and values, shortened: which model a figure is of. */
export function constantsHash(): string {
  const text = ALL_CONSTANTS.map(({ key, value }) => `${key}=${value}`).join("\n");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

export function report(answers: readonly Answer[]): Readonly<Record<string, unknown>> {
  const main = answers.filter(({ row }) => isMiddle(row) && row.split !== "sanity");
  const tails = answers.filter(({ row }) => !isMiddle(row));
  const sanity = answers.filter(({ row }) => isMiddle(row) && row.split === "sanity");
  const priced = answers.filter(isPriced);
  return {
    constants: constantsHash(),
    rows: answers.length,
    priced: priced.length,
    share: answers.length === 0 ? null : priced.length / answers.length,
    refused: reasonsOf(answers.filter(isUnpriced)),
    groups: groupsOf(main),
    tails: groupsOf(tails),
    sanity: groupsOf(sanity),
  };
}

/** By group of the issue and, where a group has several parts, by part below it. */
export function groupsOf(
  answers: readonly Answer[],
): Readonly<
  Record<string, GroupFigures & { readonly parts?: Readonly<Record<string, GroupFigures>> }>
> {
  const names = [...new Set(Object.values(PARTS))];
  const groups = names.flatMap((name): [string, GroupFigures][] => {
    const its = answers.filter((answer) => groupOf(answer) === name);
    if (its.length === 0) return [];
    const parts = (Object.keys(PARTS) as Part[]).filter(
      (part) => PARTS[part] === name && its.some((one) => isPriced(one) && one.part === part),
    );
    const below =
      parts.length < 2
        ? {}
        : {
            parts: Object.fromEntries(
              parts.map((part) => [
                part,
                figuresOf(its.filter((one) => isPriced(one) && one.part === part)),
              ]),
            ),
          };
    return [[name, { ...figuresOf(its), ...below }]];
  });
  return Object.fromEntries(groups);
}

const isPriced = (its: Answer): its is Priced => "predicted" in its;
const isUnpriced = (its: Answer): its is Unpriced => "reason" in its;

function groupOf(answer: Answer): string {
  return isPriced(answer) ? PARTS[answer.part] : groupOfRow(answer.row);
}

/** Where a row without a price would have stood, by its metric, its load and its model. */
export function groupOfRow(row: Row): string {
  const { metric } = row;
  if (/^(?:all_|reduce_scatter|alltoall|permute)/.test(metric)) return "collectives";
  if (/kernel|attention_latency|dma|matmul|instruction|tensor_engine/.test(metric))
    return "kernels";
  if (/runtime|load_time|startup|^ratio/.test(metric)) return "runtime";
  if (metric === "MBU" || metric === "MFU") return "profiles";
  if (row.outputLength === "0") return "prefill";
  const load = `${row.concurrency} ${row.notes} ${row.kernelNotes} ${row.inputLength}`;
  if (/loop|rate|concurren|users|guidellm|llmperf|\btgi\b/i.test(load)) return "serving";
  if (/ttft|prefill|context_encoding/i.test(metric)) return "prefill";
  const experts = findArchitecture(row.model)?.layers.some((layer) =>
    layer.ops.some((op) => op.op === "experts"),
  );
  const named = /\bA\d+(?:\.\d+)?B\b|\d+x\d+B|moe|experts/i.test(`${row.model} ${row.kernelNotes}`);
  return (experts ?? named) ? "MoE decode" : "dense decode";
}

function figuresOf(answers: readonly Answer[]): GroupFigures {
  const priced = answers.filter(isPriced);
  const refused = answers.filter(isUnpriced);
  const unpriced = new Set(refused.map(({ row }) => setUpKey(row))).size;
  const errors = [...bySetUp(priced, (its) => errorOf(its.predicted, its.measured)).values()];
  const sum = errors.reduce((all, error) => all + error, 0);
  return {
    rows: answers.length,
    priced: priced.length,
    refused: reasonsOf(refused),
    setUps: errors.length,
    tables: new Set(priced.map((its) => tableOf(its.row))).size,
    meanError: ratio(sum, errors.length),
    meanErrorWithRefused: ratio(sum + REFUSED_ERROR * unpriced, errors.length + unpriced),
    medianFactor: medianFactor(priced, (its) => its.predicted),
    inBand: bandsOf(priced),
    peers: peersOf(priced),
  };
}

/** What the rows of one set-up share, whatever they measure. */
function setUpKey(row: Row): string {
  return [
    row.source,
    row.model,
    row.instance,
    row.tp,
    row.concurrency,
    row.engineBatch,
    row.inputLength,
    row.outputLength,
    row.speculation,
    row.kernelNotes,
  ].join("|");
}

function reasonsOf(refused: readonly Unpriced[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { reason, row } of refused) {
    const name = reason.startsWith("no config") ? `${reason}: ${row.model}` : reason;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
}

function bandsOf(priced: readonly Priced[]): GroupFigures["inBand"] {
  const tiers = new Map<string, Priced[]>();
  for (const its of priced) {
    if (withinBand(its) === undefined) continue;
    const { tier } = its;
    tiers.set(tier, [...(tiers.get(tier) ?? []), its]);
  }
  return Object.fromEntries(
    [...tiers].map(([tier, its]) => [
      tier,
      {
        share: its.filter((one) => withinBand(one) === true).length / its.length,
        rows: its.length,
        tables: new Set(its.map((one) => tableOf(one.row))).size,
      },
    ]),
  );
}

function peersOf(priced: readonly Priced[]): GroupFigures["peers"] {
  const figures = (of: (its: Priced) => number): PeerFigures => {
    const errors = [...bySetUp(priced, (its) => errorOf(of(its), its.measured)).values()];
    return {
      meanError: ratio(
        errors.reduce((all, error) => all + error, 0),
        errors.length,
      ),
      medianFactor: medianFactor(priced, of),
    };
  };
  const slower = priced
    .map((its) => (its.rate ? its.floor / its.measured : its.measured / its.floor))
    .filter((value) => Number.isFinite(value) && value > 0);
  const factor = medianOf(slower);
  return {
    twoConstants: figures((its) => its.baseline),
    floor: figures((its) => its.floor),
    fittedFloor: {
      factor,
      ...figures((its) => (its.rate ? its.floor / (factor ?? 1) : its.floor * (factor ?? 1))),
    },
  };
}

/** Median over set-ups of exp of the mean |ln(p/m)|. */
function medianFactor(priced: readonly Priced[], of: (its: Priced) => number): number | null {
  const logs = [...bySetUp(priced, (its) => Math.abs(Math.log(of(its) / its.measured))).values()];
  const middle = medianOf(logs);
  return middle === null ? null : Math.exp(middle);
}

function medianOf(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const high = sorted[half];
  if (high === undefined) return null;
  return sorted.length % 2 === 1 ? high : (high + (sorted[half - 1] ?? high)) / 2;
}

function ratio(sum: number, count: number): number | null {
  return count === 0 ? null : sum / count;
}

/** Groups of whole steps; peers say nothing of single kernels. */
const STEPS = new Set(["dense decode", "MoE decode", "prefill", "serving"]);

/** Each group's error beside its peers', and once more with what was refused. */
export function peersTable(answers: readonly Answer[]): string {
  const percent = (value: number | null): string =>
    value === null ? "–" : `${(100 * value).toFixed(1)}%`;
  const times = (value: number | null): string => (value === null ? "–" : `${value.toFixed(2)}x`);
  return table([
    [
      "group",
      "rows",
      "priced",
      "mean",
      "refused as 3x",
      "median off",
      "two constants",
      "floor",
      "floor, fitted",
      "by",
    ],
    ...Object.entries(groupsOf(answers.filter((its) => STEPS.has(groupOf(its))))).map(
      ([name, its]) => [
        name,
        `${its.rows}`,
        `${its.priced}`,
        percent(its.meanError),
        percent(its.meanErrorWithRefused),
        times(its.medianFactor),
        percent(its.peers.twoConstants.meanError),
        percent(its.peers.floor.meanError),
        percent(its.peers.fittedFloor.meanError),
        times(its.peers.fittedFloor.factor),
      ],
    ),
  ]);
}
