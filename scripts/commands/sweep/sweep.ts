/** Runs the points of a sweep in order, resuming what is already on disk. */

import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { VERSION } from "../../../server/version.ts";
import { servedModel } from "../../load/server.ts";
import type { Point } from "../../report/point.ts";
import { reason } from "../../usage.ts";
import { systemLabel } from "../../virtual/system.ts";
import { type SweepOptions, systemsOf } from "./flags.ts";
import { httpPoint, liveWords } from "./http-point.ts";
import { loadPoint, pointKey, savePoint } from "./store.ts";
import type { MeasuredPoint } from "./to-point.ts";
import { ModelShelf, virtualPoint } from "./virtual-point.ts";

export interface SweepOutcome {
  readonly points: readonly Point[];
  /** Points that were refused, and why. */
  readonly refused: readonly string[];
  readonly resumed: number;
}

/** Raise when a change alters what a saved point would hold. */
const FORMAT = 2;

/** What a simulated point rests on beside its settings: the program, and the device's constants. */
const BASIS = [VERSION, [...DEFAULT_CONSTANTS]];

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
  let resumed = 0;
  for (const task of await tasksOf(options)) {
    const saved = options.out === undefined ? undefined : await loadPoint(options.out, task.key);
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
    if (options.out !== undefined) await savePoint(options.out, task.key, measured);
    points.push(measured.point);
    onPoint(measured.point);
  }
  return { points, refused: refusedSystems(refusals), resumed };
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
  const { workload, url } = options;
  if (url !== undefined) {
    const model = await servedModel({ baseUrl: url, headers: options.headers });
    const words = await liveWords(url, options, model.id);
    return options.concurrency.map((concurrency) => ({
      key: pointKey([FORMAT, url, model.id, workload, concurrency]),
      system: `${model.id} at ${url}`,
      concurrency,
      run: () => httpPoint(url, options, concurrency, { model, words }),
    }));
  }
  const shelf = new ModelShelf();
  // One system after the other, each over all concurrencies.
  const systems = options.concurrency.flatMap((concurrency) =>
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
