/**
 * `trainyard profile`: where the time of a step goes on a simulated machine. Writes
 * the profile by columns (for the pages' explorer and `trainyard compare`), a trace
 * for ui.perfetto.dev and a summary with Neuron Explorer's field names, and prints
 * them as tables.
 */
import { writeFile } from "node:fs/promises";
import { ChromeTrace } from "../../device/trace.ts";
import { TrainiumDevice } from "../../device/trainium/device.ts";
import { memoryTable } from "../../device/trainium/memory.ts";
import type { Plan } from "../../device/trainium/plan.ts";
import { rankName } from "../../device/trainium/price/spans.ts";
import { trustOf } from "../../device/trainium/price/trust.ts";
import { adviceText } from "../../device/trainium/profile/advice.ts";
import { LANES, type MadeProfile, profileOf } from "../../device/trainium/profile/profile.ts";
import { writeProfile } from "../../device/trainium/profile/read.ts";
import { type ProfileTotals, summaryJson } from "../../device/trainium/profile/summary.ts";
import { trustText } from "../../device/trust.ts";
import { rowsOf } from "../../server/settings/row.ts";
import { table } from "../report/table.ts";
import { UsageError } from "../usage.ts";
import { buildSystem } from "../virtual/system.ts";
import { parseFlags } from "./flags.ts";
import { count } from "./kinds.ts";
import { SYSTEM_FLAGS, systemFrom } from "./system-flags.ts";

const stepRows = rowsOf("Step");
const output = rowsOf("Output");

export const PROFILE_FLAGS = {
  ...SYSTEM_FLAGS,
  batch: count(stepRows, 8, "rows that decode together"),
  context: count(stepRows, 4096, "tokens in each row's context"),
  steps: count(stepRows, 1, "decode steps"),
  prompt: count(stepRows, undefined, "before them, a step with a prompt of so many tokens"),
  top: count(output, 12, "ops in the table"),
  out: output.text("profile", "writes PREFIX.spans, PREFIX.trace.json and PREFIX.summary.json", {
    value: "PREFIX",
  }),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const { values, argument: named } = parseFlags(
    {
      name: "trainyard profile",
      sentence: "Profile a step of a model on a simulated machine.",
      argument: { name: "model", sentence: "catalogue id or folder; --model does the same" },
      flags: PROFILE_FLAGS,
    },
    argv,
    print,
  );
  const { batch: rows, context, steps, prompt, out, top } = values;
  const base = systemFrom(values);
  const spec = {
    ...base,
    ...(named !== undefined && { model: named }),
    maxNumSeqs: Math.max(rows, base.maxNumSeqs),
    maxModelLen: Math.max(base.maxModelLen, context + steps, prompt ?? 0),
  };
  const { engines, close } = await buildSystem(spec);
  await close();
  const device = engines[0]?.device;
  if (!(device instanceof TrainiumDevice)) throw new UsageError("--device must be trainium.");
  const { cost, plan } = device;
  const shape = { rows, context, steps, ...(prompt !== undefined && { prompt }) };
  const made = profileOf(cost, shape, { model: spec.model, settings: { model: spec.model } });
  const { totals, profile } = made;
  const { duration, title: name } = profile;
  await write(made, plan, out);
  print(
    `${name}: TP ${plan.tensorParallel}, LNC ${plan.logicalCore}, ${plan.stack.name}, kernels ${[...plan.kernels].join(", ") || "plain"}`,
  );
  print(`80 % bands: ${trustText(trustOf(plan))}.`);
  print(
    `${steps} decode step(s) of ${rows} rows at ${context} tokens${prompt === undefined ? "" : ` after a prompt of ${prompt}`}: ${ms(duration)} ms, simulated${basisOf(plan)}. One rank of ${plan.tensorParallel}.\n`,
  );
  for (const each of tables(plan, totals, top)) print(`${each}\n`);
  print(`${memoryTable(plan, device.memory)}\n`);
  for (const [index, advice] of (profile.totals?.advice ?? []).entries())
    print(`${index + 1}. ${adviceText(advice)}`);
  print(
    `\n${out}.spans (trainyard open, trainyard compare)\n${out}.trace.json (open in ui.perfetto.dev)\n${out}.summary.json`,
  );
  return 0;
}

async function write({ profile, args, steps, totals }: MadeProfile, plan: Plan, out: string) {
  await writeFile(`${out}.spans`, writeProfile({ profile, args }));
  const trace = new ChromeTrace();
  for (const [index, { start, duration, parts, spans }] of steps.entries()) {
    const name = `step ${index}`;
    trace.span("engine", { lane: "steps", name, start, duration, args: parts });
    trace.mark("engine", "steps", { name, at: start });
    for (const span of spans) trace.span(rankName(plan), span, start);
  }
  const of = { profile_name: profile.title, is_simulation: "true" };
  await writeFile(`${out}.trace.json`, trace.json(of));
  await writeFile(`${out}.summary.json`, summaryJson(totals.fields(profile.title)));
}

const ms = (nanos: number): string => (nanos / 1e6).toFixed(3);
const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

function tables(plan: Plan, totals: ProfileTotals, top: number): readonly string[] {
  const { nanos } = totals;
  const parts = Object.entries(totals.parts).sort(([, a], [, b]) => b - a);
  const collectives = [...totals.collectives.values()].sort((a, b) => b.nanos - a.nanos);
  const ops = [...totals.ops.values()].sort((a, b) => b.nanos - a.nanos);
  return [
    table([
      ["where the time goes", "ms", "share"],
      ...parts.map(([part, its]) => [part, ms(its), percent(its / nanos)]),
      ["sum", ms(nanos), percent(1)],
    ]),
    table([
      ["engine", "active ms", "utilisation"],
      ...LANES.map((lane) => [lane, ms(totals.active(lane)), percent(totals.active(lane) / nanos)]),
    ]),
    memoryAndCompute(totals),
    ...(collectives.length === 0
      ? []
      : [
          table([
            ["collective", "size", "ranks", "count", "ms", "µs each"],
            ...collectives.map((row) => [
              row.operation,
              bytes(row.bytes),
              `${row.ranks}`,
              `${row.count}`,
              ms(row.nanos),
              (row.nanos / row.count / 1000).toFixed(1),
            ]),
          ]),
        ]),
    table([
      [
        `op (of ${plan.architecture.layers.length} layers)`,
        "count",
        "ms",
        "share",
        "read",
        "mostly",
      ],
      ...ops
        .slice(0, top)
        .map((row) => [
          row.name,
          `${row.count}`,
          ms(row.nanos),
          percent(row.nanos / nanos),
          row.bytes > 0 ? bytes(row.bytes) : "",
          row.cause,
        ]),
    ]),
  ];
}

function memoryAndCompute(totals: ProfileTotals): string {
  const fields = totals.fields("");
  const field = (name: string): number => Number(fields[name]);
  const seconds = field("total_time");
  return table([
    ["memory and compute", "", "of peak"],
    ["HBM read", bytes(field("hbm_read_bytes")), ""],
    [
      "HBM bandwidth",
      `${bytes(field("hbm_read_bytes") / seconds)}/s`,
      percent(field("mbu_estimated_percent")),
    ],
    [
      "model FLOPS",
      `${(field("model_flops") / seconds / 1e12).toFixed(2)} T/s`,
      percent(field("mfu_estimated_percent")),
    ],
    [
      "FLOP a byte",
      field("mm_arithmetic_intensity").toFixed(1),
      `ridge at ${field("peak_flops_bandwidth_ratio").toFixed(0)}`,
    ],
  ]);
}

/** What the figures rest on, where that is not the chip's own published ones. */
function basisOf({ instance, effects }: Plan): string {
  const learnt = effects === undefined ? "" : ", calibrated by own measurements";
  if (instance.changes !== undefined) return `, what if ${instance.changes}${learnt}`;
  return instance.chip.calibrated ? learnt : `, extrapolated${learnt}`;
}
