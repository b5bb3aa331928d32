/**
 * `trainyard calibrate`: a user's own few measurements → the effects of that set-up, for `--calibration`
 * of serve, sweep, plan and profile.
 */
import { writeFile } from "node:fs/promises";
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import { CALIBRATION_FORMAT, type Effects, NO_EFFECTS } from "../../../device/trainium/effects.ts";
import { rowsOf } from "../../../server/settings/row.ts";
import { table } from "../../report/table.ts";
import { UsageError } from "../../usage.ts";
import { buildSystem } from "../../virtual/system.ts";
import { type FlagValues, parseFlags } from "../flags.ts";
import { count } from "../kinds.ts";
import { SYSTEM_FLAGS, systemFrom } from "../system-flags.ts";
import { constantsHash } from "../validate/json.ts";
import { priceRow } from "../validate/price.ts";
import { type Row, readRows } from "../validate/rows.ts";
import { onceASetUp } from "../validate/serving.ts";
import { type Measurement, meanError, type Solution, solve, withinOf } from "../validate/solve.ts";

const measured = rowsOf("Measurements");
const output = rowsOf("Output");

export const CALIBRATE_FLAGS = {
  tpot: measured.number(undefined, "without a file: ms between tokens of one stream"),
  ttft: measured.number(undefined, "without a file: ms to the first token"),
  input: count(measured, 1024, "tokens of that prompt"),
  output: count(measured, 128, "tokens of that answer"),
  batch: count(measured, 1, "rows that the graph was compiled for"),
  ...SYSTEM_FLAGS,
  out: output.text("calibration.json", "where the profile goes", { value: "FILE" }),
} as const;

interface Named extends Measurement {
  readonly name: string;
}

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const { values, argument: file } = parseFlags(
    {
      name: "trainyard calibrate",
      sentence:
        "Correct prices by your own measurements: a CSV of the columns that scripts/commands/calibrate/README.md names, or --tpot and --ttft.",
      argument: { name: "file", sentence: "CSV of measurements" },
      flags: CALIBRATE_FLAGS,
    },
    argv,
    print,
  );
  const { tpot, ttft } = values;
  if (file === undefined && tpot === undefined && ttft === undefined)
    throw new UsageError("Give a FILE of measurements, or --tpot MS, or --ttft MS.");
  const { measurements, refused } =
    file === undefined ? await typed(values) : fromRows(readRows(file));
  for (const line of refused) print(`not used: ${line}`);
  if (measurements.length === 0) throw new UsageError("No measurement could be priced.");
  const solution = solve(measurements);
  print(tableOf(measurements, solution.effects));
  print(learntText(measurements, solution));
  await writeFile(values.out, `${JSON.stringify(profileOf(measurements, solution), null, 1)}\n`);
  print(
    `Written to ${values.out}: use --calibration ${values.out} with serve, sweep, plan, profile.`,
  );
  return 0;
}

/** Rows of the published tables' columns; those without a price say why. */
export function fromRows(rows: readonly Row[]): {
  readonly measurements: readonly Named[];
  readonly refused: readonly string[];
} {
  const measurements: Named[] = [];
  const refused: string[] = [];
  for (const [index, row] of rows.entries()) {
    const name = row.id || `row ${index + 1}: ${row.metric}`;
    // A user's own file need not say that its rows may be fitted on.
    const its: Row = { ...row, split: row.split || "calibrate" };
    const price = (effects: Effects) =>
      priceRow(its, { constants: DEFAULT_CONSTANTS, effects, serve: onceASetUp() });
    const first = price(NO_EFFECTS);
    if ("reason" in first) {
      refused.push(`${name}: ${first.reason}`);
      continue;
    }
    const predicted = (effects: Effects): number => {
      const answer = price(effects);
      return "predicted" in answer ? answer.predicted : Number.NaN;
    };
    measurements.push({ name, measured: first.measured, predicted, ...withinOf(first.part) });
  }
  return { measurements, refused };
}

/** `--tpot` and `--ttft` of the system that the flags name. */
async function typed(values: FlagValues<typeof CALIBRATE_FLAGS>) {
  const { tpot, ttft, input, batch } = values;
  const base = systemFrom(values);
  const context = input + values.output;
  const { engines, close } = await buildSystem({
    ...base,
    maxNumSeqs: batch,
    maxModelLen: Math.max(base.maxModelLen, context),
  });
  await close();
  const device = engines[0]?.device;
  if (!(device instanceof TrainiumDevice)) throw new UsageError("--device must be trainium.");
  const { cost } = device;
  const row = (start: number, tokens: number) =>
    ({
      id: 0,
      context: new Int32Array(start + tokens),
      start,
      count: tokens,
      drafted: 0,
      blocks: [],
      want: "last",
    }) as const;
  const rows = Array.from({ length: batch }, (_, id) => ({ ...row(input, 1), id }));
  const step = cost.price({ step: 1, rows, copies: [] }, { step: 0, rows, copies: [] });
  const prompt = cost.price({ step: 0, rows: [row(0, input)], copies: [] });
  /** ms with the device's share times an effect: host and sampling are not the graph's. */
  const under = (price: typeof step, effect: number): number => {
    const fixed = (price.parts["host"] ?? 0) + (price.parts["sampling"] ?? 0);
    return (fixed + (price.duration - fixed) * effect) / 1e6;
  };
  const measurements: Named[] = [
    ...(tpot === undefined
      ? []
      : [{ name: "TPOT", measured: tpot, predicted: (its: Effects) => under(step, its.decode) }]),
    ...(ttft === undefined
      ? []
      : [
          { name: "TTFT", measured: ttft, predicted: (its: Effects) => under(prompt, its.prefill) },
        ]),
  ];
  return { measurements, refused: [] };
}

function tableOf(measurements: readonly Named[], effects: Effects): string {
  const off = (its: Named, at: Effects): string =>
    `${((its.predicted(at) / its.measured - 1) * 100).toFixed(1)}%`;
  return table([
    ["measurement", "measured", "priced", "off", "calibrated", "off"],
    ...measurements.map((its) => [
      its.name,
      its.measured.toPrecision(4),
      its.predicted(NO_EFFECTS).toPrecision(4),
      off(its, NO_EFFECTS),
      its.predicted(effects).toPrecision(4),
      off(its, effects),
    ]),
  ]);
}

/** What was learnt, and what these measurements cannot tell. */
export function learntText(measurements: readonly Measurement[], its: Solution): string {
  const { decode, prefill } = its.effects;
  const known = [
    ...(its.unknown.includes("decode") ? [] : [`steps ×${decode.toFixed(3)}`]),
    ...(its.unknown.includes("prefill") ? [] : [`prompts ×${prefill.toFixed(3)}`]),
  ];
  const lines = [
    `\nLearnt: ${known.length === 0 ? "nothing" : known.join(", ")}; mean error of these ${measurements.length}: ${(100 * its.before).toFixed(1)} % → ${(100 * its.after).toFixed(1)} %.`,
    ...its.unknown.map((name) =>
      name === "decode"
        ? "Not learnt: steps (no TPOT, throughput or latency among the measurements)."
        : "Not learnt: prompts (no TTFT among the measurements, or too small a share of them).",
    ),
    "Not learnt by any: how steps grow with batch, context and ranks, host work, collectives across servers, other models.",
  ];
  if (measurements.length === 1)
    lines.push("One measurement: its own error is in the effect whole.");
  return lines.join("\n");
}

function profileOf(measurements: readonly Named[], its: Solution) {
  return {
    format: CALIBRATION_FORMAT,
    constants: constantsHash(),
    effects: its.effects,
    notLearnt: its.unknown,
    errorBefore: its.before,
    errorAfter: meanError(measurements, its.effects),
    measurements: measurements.map(({ name, measured: value }) => ({ name, value })),
  };
}
