/**
 * `validate --constants`: every number that no source prints, wherever it stands, with the tables that
 * move it, its prior and its range; numbers that a source prints are listed apart with it.
 */
import type { Constant } from "../../../device/trainium/constant.ts";
import { CONSTANTS } from "../../../device/trainium/constants.ts";
import { SAME } from "../../../device/trainium/stacks/constants.ts";
import { table } from "../../report/table.ts";
import { ASSUMED } from "./assumed.ts";
import { constantsHash } from "./json.ts";

/** Most constants that rows may move, and fewest tables that must move each. */
export const MOST_FITTED = 45;
export const FEWEST_TABLES = 3;

/** A fitted value further from its prior than so many spreads is at a bound: the rule is wrong, not the number. */
const BOUND_SPREADS = 3;

/** The range of a constant: its prior ×÷ three spreads. */
export function rangeOf({ prior }: Constant): readonly [low: number, high: number] {
  if (prior === undefined) return [Number.NaN, Number.NaN];
  const factor = Math.exp(BOUND_SPREADS * prior.spread);
  return [prior.value / factor, prior.value * factor];
}

/** Spreads of its prior by which a constant was moved. */
export function movedBy({ value, prior }: Constant): number {
  return prior === undefined ? 0 : Math.log(value / prior.value) / prior.spread;
}

type Tables = ReadonlyMap<string, ReadonlySet<string>>;

export function constantsReport(tables: Tables): string {
  const fitted = CONSTANTS.filter((its) => its.fitted);
  const kept = CONSTANTS.filter((its) => !its.fitted && its.prior !== undefined);
  const given = CONSTANTS.filter((its) => its.prior === undefined);
  const same = Object.entries(SAME);
  return [
    `Constants ${constantsHash()}`,
    section(
      `Fitted: ${fitted.length} of at most ${MOST_FITTED}. Each moved by at least ${FEWEST_TABLES} tables (a source at a release), from a\nprior; a range is the prior ×÷ ${BOUND_SPREADS} of its spreads`,
      priorTable(fitted, tables),
    ),
    section(
      `Kept: ${kept.length}. Fewer tables than that ask for them: they stay at their prior, and its spread is in the bands`,
      priorTable(kept, tables),
    ),
    section(
      `Assumed: ${ASSUMED.length}. No row moves them, no source prints them`,
      ASSUMED.map(
        ({ name, text, unit, file, why }) =>
          `${name}: \`${text.split(" //")[0]}\` (${unit}), ${file}; ${why}`,
      ).join("\n"),
    ),
    section(
      `Given: ${given.length}, with their sources`,
      given
        .map(({ key, value, unit, source }) => `${key} = ${short(value)} ${unit}; ${source}`)
        .join("\n"),
    ),
    section(
      `Another stack's: ${same.length}. No row tells them apart`,
      same.map(([key, other]) => `${key} = ${other}`).join("\n"),
    ),
    section(
      "What each prior rests on, and the tables that move it",
      moversList([...fitted, ...kept], tables),
    ),
  ].join("\n\n");
}

const section = (title: string, body: string): string => `${title}:\n${body}`;

const short = (value: number): string => `${Number(value.toPrecision(4))}`;

function priorTable(constants: readonly Constant[], tables: Tables): string {
  return table([
    ["constant", "value", "unit", "prior", "×÷", "range", "moved by", "tables"],
    ...constants.map((its) => {
      const { key, value, unit, prior } = its;
      const [low, high] = rangeOf(its);
      return [
        key,
        short(value),
        unit,
        short(prior?.value ?? Number.NaN),
        Math.exp(prior?.spread ?? 0).toFixed(2),
        `${low.toPrecision(3)} to ${high.toPrecision(3)}`,
        `${movedBy(its).toFixed(1)} spreads`,
        `${tables.get(key)?.size ?? 0}`,
      ];
    }),
  ]);
}

function moversList(constants: readonly Constant[], tables: Tables): string {
  return constants
    .map(({ key, source }) => {
      const names = [...(tables.get(key) ?? [])].sort();
      return [`${key} (${names.length}): ${source}`, ...names.map((name) => `  ${name}`)].join(
        "\n",
      );
    })
    .join("\n");
}
