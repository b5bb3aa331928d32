/** The points of a sweep, in order, resuming what is already on disk. */

import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { VERSION } from "../../../server/version.ts";
import { servedModel, serverSettings, withoutUser } from "../../load/server.ts";
import type { Point } from "../../report/point.ts";
import { labelled } from "../../report/series.ts";
import { reason } from "../../usage.ts";
import { systemLabel } from "../../virtual/build.ts";
import { type SweepOptions, systemsOf } from "./flags.ts";
import { httpPoint, liveWords } from "./http-point.ts";
import {
  measureAll,
  type Outcome,
  type Tell,
  threadsFor,
  type VirtualTask,
} from "./side-by-side.ts";
import { checkFolder, loadPoint, pointKey, savePoint } from "./store.ts";
import type { MeasuredPoint } from "./to-point.ts";

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
  /** In virtual time, or over HTTP. */
  readonly what: VirtualTask | (() => Promise<MeasuredPoint>);
}

/** What a task came to, by its place among the tasks. */
interface Found {
  readonly points: Point[];
  readonly refusals: Refusal[];
  resumed: number;
  incomplete: number;
}

/** `onPoint` hears of points as they come: those read back first, then by when they ended. */
export async function sweep(
  options: SweepOptions,
  onPoint: (point: Point) => void = () => {},
): Promise<SweepOutcome> {
  const { out } = options.flags;
  const tasks = await tasksOf(options);
  if (out !== undefined) await checkFolder(out, new Set(tasks.map(({ key }) => key)));
  const found: Found = { points: [], refusals: [], resumed: 0, incomplete: 0 };
  const open: number[] = [];
  for (const [place, task] of tasks.entries()) {
    const saved = out === undefined ? undefined : await loadPoint(out, task.key);
    if (saved === undefined) {
      open.push(place);
      continue;
    }
    found.resumed++;
    found.points[place] = saved;
    onPoint(saved);
  }
  await measureTasks(
    open.map((place) => tasks[place] as Task), // places of tasks
    async ({ task: index, outcome }) => {
      const place = open[index] as number; // of those that were asked for
      const task = tasks[place] as Task;
      const kept = keep(found, place, task, outcome);
      if (kept === undefined) return;
      if (out !== undefined && kept.point.failed === 0) await savePoint(out, task.key, kept);
      onPoint(kept.point);
    },
  );
  const { resumed, incomplete } = found;
  const [points, refusals] = [Object.values(found.points), Object.values(found.refusals)];
  return { points: labelled(points), refused: refusedSystems(refusals), resumed, incomplete };
}

/** Those in virtual time on as many threads as pay; over HTTP one after the other. */
async function measureTasks(tasks: readonly Task[], tell: Tell): Promise<void> {
  const virtual = tasks.flatMap(({ what }) => (typeof what === "function" ? [] : what));
  if (virtual.length === tasks.length) return measureAll(virtual, threadsFor(virtual), tell);
  for (const [task, { what }] of tasks.entries()) {
    if (typeof what === "function") await tell({ task, outcome: await what().catch(reason) });
  }
}

/** The point, unless nothing was answered: a system that cannot hold it is a finding, and the others go on. */
function keep(
  found: Found,
  place: number,
  task: Task,
  outcome: Outcome,
): MeasuredPoint | undefined {
  const { system, concurrency } = task;
  if (typeof outcome === "string") {
    found.refusals[place] = { system, concurrency, why: outcome };
    return undefined;
  }
  const { completed, requests, failed } = outcome.point;
  if (completed === 0) {
    const why = `none of ${requests} requests was answered; the first: ${outcome.firstError ?? "unknown"}`;
    found.refusals[place] = { system, concurrency, why };
    return undefined;
  }
  // Figures of a point with failures are shown with their notice, and asked for again next time.
  if (failed > 0) found.incomplete++;
  found.points[place] = outcome.point;
  return outcome;
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
      what: () => httpPoint(url, options, concurrency, { model, words, settings }),
    }));
  }
  // One system after the other, each over all concurrencies.
  const systems = flags.concurrency.flatMap((concurrency) =>
    systemsOf(options, concurrency).map((spec, order) => ({ spec, order, concurrency })),
  );
  systems.sort((a, b) => a.order - b.order || a.concurrency - b.concurrency);
  return systems.map(({ spec, concurrency }) => ({
    key: pointKey([FORMAT, BASIS, spec, workload, concurrency]),
    system: `${spec.model} on ${systemLabel(spec)}`,
    concurrency,
    what: { spec, workload, concurrency },
  }));
}
