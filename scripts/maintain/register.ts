/**
 * Predictions registered before anybody publishes what they are of: written once under
 * device/trainium/validation/registered/ with the date and the constants' hash, never again.
 *
 *     npx tsx scripts/maintain/register.ts NAME… [--date YYYY-MM-DD]     writes; refuses what is there
 *     npx tsx scripts/maintain/register.ts NAME… --dry-run [USERS]       prints, for so many users at most
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TrainiumDevice } from "../../device/trainium/device.ts";
import { trustOf } from "../../device/trainium/price/trust.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import { INFERENCEX, type Workload } from "../commands/sweep/protocol.ts";
import { ModelShelf, virtualPoint } from "../commands/sweep/virtual-point.ts";
import { constantsHash } from "../commands/validate/json.ts";
import { INTERACTIVITY, type Point } from "../report/point.ts";
import { type SystemSpec, systemLabel } from "../virtual/build.ts";
import { buildSystem } from "../virtual/system.ts";
import { REGISTRATIONS, type Registration } from "./registrations.ts";

const FOLDER = projectPath("device", "trainium", "validation", "registered");

/** Name and SHA-256 of every registered file; lines are only added. */
const SUMS = "SHA256SUMS";

export async function predict(its: Registration, most: number): Promise<readonly object[]> {
  const shelf = new ModelShelf();
  const curves: object[] = [];
  for (const { name, spec, workload, users } of its.curves) {
    const points: Point[] = [];
    for (const count of users.filter((each) => each <= most)) {
      const asked: Workload = { ...workload, ...INFERENCEX, seed: 0 };
      points.push((await virtualPoint(spec, asked, count, shelf)).point);
      process.stderr.write(`${name}: ${count} users\n`);
    }
    const system = await buildSystem(spec, { model: await shelf.get(spec.model) });
    const { device } = system.engines[0] ?? {};
    const bands = device instanceof TrainiumDevice ? trustOf(device.plan) : undefined;
    await system.close();
    curves.push({ ...curveOf(name, spec, points), bands });
  }
  return curves;
}

function curveOf(name: string, spec: SystemSpec, points: readonly Point[]): object {
  const [first] = points;
  return {
    name,
    system: systemLabel(spec),
    shape: first === undefined ? "" : `${first.inputLen} in / ${first.outputLen} out`,
    chips: first?.chips,
    points: points.map((point) => {
      const rate = INTERACTIVITY.inferencex.of(point);
      const { low = 1, high = 1 } = point.band ?? {};
      return {
        users: point.concurrency,
        tokensPerUser: rate,
        tokensPerUserBand: [rate / high, rate / low],
        outputTokensPerChip: point.outputThroughput / (point.chips ?? Number.NaN),
        totalTokensPerChip: point.totalThroughput / (point.chips ?? Number.NaN),
        medianTtftMs: point.latency.ttft.median,
        p99TtftMs: point.latency.ttft.p99,
        medianTpotMs: point.latency.tpot.median,
      };
    }),
  };
}

/** Throws when the file exists: what was registered stays. */
export function register(folder: string, file: string, text: string): void {
  writeFileSync(join(folder, file), text, { flag: "wx" });
  const sums = join(folder, SUMS);
  writeFileSync(sums, `${createHash("sha256").update(text).digest("hex")}  ${file}\n`, {
    flag: "a",
  });
}

/** Registered files that are not what was registered, or that no line names; lines whose file is gone. */
export function changed(folder: string = FOLDER): readonly string[] {
  const lines = readFileSync(join(folder, SUMS), "utf8").trim().split("\n");
  const sums = new Map(lines.map((line) => line.split("  ").reverse() as [string, string]));
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  const wrong = files.filter((file) => {
    const text = readFileSync(join(folder, file));
    return sums.get(file) !== createHash("sha256").update(text).digest("hex");
  });
  return [...wrong, ...[...sums.keys()].filter((file) => !files.includes(file))];
}

async function run(argv: readonly string[]): Promise<number> {
  const dry = argv.indexOf("--dry-run");
  const dated = argv.indexOf("--date");
  const date = dated < 0 ? new Date().toISOString().slice(0, 10) : (argv[dated + 1] ?? "");
  const most = dry < 0 ? Number.POSITIVE_INFINITY : Number(argv[dry + 1] ?? 4);
  const names = argv.filter((word) => Object.hasOwn(REGISTRATIONS, word));
  if (names.length === 0) {
    process.stdout.write(`Name one of ${Object.keys(REGISTRATIONS).join(", ")}.\n`);
    return 1;
  }
  for (const name of names) {
    const its = REGISTRATIONS[name];
    if (its === undefined) continue;
    const { of, assumed } = its;
    const head = { date, constants: constantsHash(), of, assumed };
    const content = { ...head, curves: await predict(its, most) };
    const text = `${JSON.stringify(content, rounded, 1)}\n`;
    if (dry >= 0) process.stdout.write(text);
    else register(FOLDER, `${date}-${name}.json`, text);
  }
  return 0;
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}

if (basename(process.argv[1] ?? "") === basename(fileURLToPath(import.meta.url)))
  process.exitCode = await run(process.argv.slice(2));
