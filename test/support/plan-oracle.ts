/**
 * `plan` without its wits: every system of a space with every number of instances
 * that changes anything, each run in virtual time and judged here. Of plan/ only
 * types are used.
 */
import { findInstance } from "../../device/trainium/instances.ts";
import type { Model } from "../../models/model.ts";
import type { PlanGoal } from "../../scripts/commands/plan/search.ts";
import type { RequestRecord } from "../../scripts/load/record.ts";
import type { SystemSpec } from "../../scripts/virtual/build.ts";
import { buildSystem } from "../../scripts/virtual/system.ts";
import { runVirtual } from "../../scripts/virtual/virtual.ts";
import { Random } from "../../scripts/workload/random.ts";
import { randomRequests } from "../../scripts/workload/random-dataset.ts";

export interface SmallSpace {
  readonly model: string;
  readonly instances: readonly string[];
  readonly tensorParallel: readonly number[];
  readonly formats: readonly string[];
  readonly speculative: readonly (string | undefined)[];
  readonly prices: ReadonlyMap<string, number>;
  readonly goal: PlanGoal;
  readonly otherSeeds: readonly number[];
}

export interface Cheapest {
  /** Infinite when nothing with a price keeps the promise. */
  readonly dollars: number;
  /** Of those without a price: fewest chips. */
  readonly chips: number;
  readonly runs: number;
}

export async function bruteForce(space: SmallSpace, model: Model): Promise<Cheapest> {
  let dollars = Number.POSITIVE_INFINITY;
  let chips = Number.POSITIVE_INFINITY;
  let runs = 0;
  for (const spec of specs(space)) {
    const instance = findInstance(spec.instance);
    const cores = await coresOf(spec, model);
    if (cores === undefined) continue;
    const replicaChips = Math.ceil(cores / instance.chip.cores);
    const each = Math.floor(instance.chips / replicaChips);
    const price = space.prices.get(instance.name);
    const kept = new Map<number, boolean>();
    for (let count = 1; each > 0 && (count - 1) * each < space.goal.users; count++) {
      const users = Math.ceil(space.goal.users / Math.min(count * each, space.goal.users));
      if (!kept.has(users)) {
        let all = true;
        for (const seed of [space.goal.seed, ...space.otherSeeds]) {
          runs++;
          all &&= await keeps(spec, model, space.goal, users, seed);
        }
        kept.set(users, all);
      }
      if (kept.get(users) !== true) continue;
      if (price !== undefined) dollars = Math.min(dollars, count * price);
      else chips = Math.min(chips, count * instance.chips);
    }
  }
  return { dollars, chips, runs };
}

function* specs(space: SmallSpace): Generator<SystemSpec> {
  const { inputLen, outputLen, spread } = space.goal.workload;
  const up = (tokens: number): number => Math.ceil(tokens / 128) * 128;
  for (const instance of space.instances) {
    for (const tensorParallel of space.tensorParallel) {
      for (const format of space.formats) {
        for (const speculative of space.speculative) {
          yield {
            model: space.model,
            device: "trainium",
            instance,
            tensorParallel,
            dataParallel: 1,
            expertParallel: false,
            kernels: "",
            own: {},
            maxNumSeqs: 1,
            maxModelLen: up(
              Math.ceil(inputLen * (1 + spread)) + Math.ceil(outputLen * (1 + spread)),
            ),
            maxNumBatchedTokens: up(inputLen * (1 + spread)),
            prefixCaching: false,
            seed: space.goal.seed,
            ...(format === "stored" ? {} : { quantization: format }),
            ...(speculative === undefined ? {} : { speculative }),
          };
        }
      }
    }
  }
}

/** Physical cores of a replica; undefined when it cannot be built. */
async function coresOf(spec: SystemSpec, model: Model): Promise<number | undefined> {
  const { TrainiumDevice } = await import("../../device/trainium/device.ts");
  const system = await buildSystem(spec, { model }).catch(() => undefined);
  if (system === undefined) return undefined;
  const device = system.engines[0]?.device;
  await system.close();
  return device instanceof TrainiumDevice
    ? spec.tensorParallel * device.plan.logicalCore
    : undefined;
}

async function keeps(
  spec: SystemSpec,
  model: Model,
  goal: PlanGoal,
  users: number,
  seed: number,
): Promise<boolean> {
  const { inputLen, outputLen, spread } = goal.workload;
  const judged = Math.max(160, 6 * users);
  const requests = randomRequests(
    3 * users + judged,
    {
      inputLen,
      outputLen,
      inputRatio: spread,
      outputRatio: spread,
      meaning: "vllm",
      prefixLen: 0,
    },
    { ids: { length: model.architecture.vocabSize, at: (index) => index } },
    new Random(seed),
  );
  const system = await buildSystem({ ...spec, maxNumSeqs: users, seed }, { model }).catch(
    () => undefined,
  );
  if (system === undefined) return false;
  try {
    const run = await runVirtual(system, requests, { concurrency: users });
    return promised(run.records.slice(2 * users, 2 * users + judged), goal.slo);
  } finally {
    await system.close();
  }
}

function promised(records: readonly RequestRecord[], slo: PlanGoal["slo"]): boolean {
  if (records.some(({ ok }) => !ok)) return false;
  const at = (values: number[]): number => {
    const sorted = values.sort((a, b) => a - b);
    const place = ((sorted.length - 1) * slo.percentile) / 100;
    const low = sorted[Math.floor(place)] ?? 0;
    const high = sorted[Math.ceil(place)] ?? low;
    return low + (high - low) * (place - Math.floor(place));
  };
  const paces = records
    .filter(({ outputTokens }) => outputTokens > 1)
    .map(({ latency, ttft, outputTokens }) => (latency - ttft) / (outputTokens - 1));
  return at(records.map(({ ttft }) => ttft)) <= slo.ttft && 1 / at(paces) >= slo.tokensPerUser;
}
