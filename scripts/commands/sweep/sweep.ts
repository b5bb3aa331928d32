/** Runs the points of a sweep in order, resuming what is already on disk. */

import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { VERSION } from "../../../server/version.ts";
import { servedModel, serverSettings, withoutUser } from "../../load/server.ts";
import type { Point } from "../../report/point.ts";
import { labelled } from "../../report/series.ts";
import { reason } from "../../usage.ts";
import { systemLabel } from "../../virtual/build.ts";
import { type SweepOptions, systemsOf } from "./flags.ts";
import { httpPoint, liveWords } from "./http-point.ts";
import { checkFolder, loadPoint, pointKey, savePoint } from "./store.ts";
import type { MeasuredPoint } from "./to-point.ts";
import { ModelShelf, virtualPoint } from "./virtual-point.ts";

export interface SweepOutcome {
  readonly points: readonly Point[];
  /** Points that were refused, and why. */
  readonly refused: readonly string[];
  readonly resumed: number;
  /** Points some of whose requests failed. */
  readonly incomplete: number;
}

/** Raise when a change alters what a saved point would hold. */
const FORMAT = 4;

/** What a simulated point rests on beside its settings: the program, and the device's constants. */
const BASIS = [VERSION, [...DEFAULT_CONSTANTS]];

/** What the user says of a live server goes into its points. */
const LIVE_FLAGS = [
  "chips",
  "tensor-parallel-size",
  "data-parallel-size",
  "enable-expert-parallel",
] as const;

interface Task {
  readonly key: string;
  readonly system: string;
  readonly concurrency: number;
  run(): Promise<MeasuredPoint>;
}

export async function sweep(
  options: SweepOptions,
  onPoint: (point: Point) => void = () => {},
): Promise<SweepOutcome> {
  const points: Point[] = [];
  const refusals: Refusal[] = [];
  const { out } = options.flags;
  let resumed = 0;
  let incomplete = 0;
  const tasks = await tasksOf(options);
  if (out !== undefined) await checkFolder(out, new Set(tasks.map(({ key }) => key)));
  for (const task of tasks) {
    const saved = out === undefined ? undefined : await loadPoint(out, task.key);
    if (saved !== undefined) {
      resumed++;
      points.push(saved);
      onPoint(saved);
      continue;
    }
    let measured: MeasuredPoint;
    try {
      measured = await task.run();
    } catch (error) {
      // A system that cannot hold this point is a finding; the others go on.
      refusals.push({ ...task, why: reason(error) });
      continue;
    }
    const { completed, requests, failed } = measured.point;
    if (completed === 0) {
      const why = `none of ${requests} requests was answered; the first: ${measured.firstError ?? "unknown"}`;
      refusals.push({ ...task, why });
      continue;
    }
    // Figures of a point with failures are shown with their notice, and asked for again next time.
    if (failed > 0) incomplete++;
    else if (out !== undefined) await savePoint(out, task.key, measured);
    points.push(measured.point);
    onPoint(measured.point);
  }
  return { points: labelled(points), refused: refusedSystems(refusals), resumed, incomplete };
}

interface Refusal extends Pick<Task, "system" | "concurrency"> {
  readonly why: string;
}

/** A line for each system and reason, with the users it holds for. */
function refusedSystems(refusals: readonly Refusal[]): string[] {
  const users = new Map<string, number[]>();
  for (const { system, concurrency, why } of refusals) {
    const key = `${system}: ${why}`;
    users.set(key, [...(users.get(key) ?? []), concurrency]);
  }
  return [...users].map(([what, counts]) => `${what} (${counts.join(", ")} users)`);
}

async function tasksOf(options: SweepOptions): Promise<Task[]> {
  const { workload, flags } = options;
  if (flags.url !== undefined) {
    const url = flags.url.replace(/\/+$/, "");
    const server = { baseUrl: url, headers: options.headers };
    const model = await servedModel(server);
    const settings = await serverSettings(server, model);
    const words = await liveWords(url, options, model.id);
    const told = [...LIVE_FLAGS].map((flag) => flags[flag]);
    return flags.concurrency.map((concurrency) => ({
      key: pointKey([FORMAT, withoutUser(url), settings, told, workload, concurrency]),
      system: `${model.id} at ${withoutUser(url)}`,
      concurrency,
      run: () => httpPoint(url, options, concurrency, { model, words, settings }),
    }));
  }
  const shelf = new ModelShelf();
  // One system after the other, each over all concurrencies.
  const systems = flags.concurrency.flatMap((concurrency) =>
    systemsOf(options, concurrency).map((spec, order) => ({ spec, order, concurrency })),
  );
  systems.sort((a, b) => a.order - b.order || a.concurrency - b.concurrency);
  return systems.map(({ spec, concurrency }) => ({
    key: pointKey([FORMAT, BASIS, spec, workload, concurrency]),
    system: `${spec.model} on ${systemLabel(spec)}`,
    concurrency,
    run: () => virtualPoint(spec, workload, concurrency, shelf),
  }));
}
