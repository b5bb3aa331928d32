/**
 * Systems that could serve, with a first estimate from the priced steps alone
 * (steady.ts). The estimate only orders and starts the search, it leaves out nothing;
 * what is reported was simulated.
 */
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import { INSTANCES, type InstanceSpec } from "../../../device/trainium/instances.ts";
import type { Model } from "../../../models/model.ts";
import type { SystemSpec, VirtualSystem } from "../../virtual/build.ts";
import type { PlanWorkload } from "./replica.ts";
import type { Slo } from "./slo.ts";
import { type SteadyState, steadyState } from "./steady.ts";
import type { Workshop } from "./workshop.ts";

export interface Candidate {
  readonly spec: SystemSpec;
  readonly instance: InstanceSpec;
  /** Whole chips of one replica. */
  readonly chips: number;
  /** Weight format as priced. */
  readonly format: string;
  /** Users a replica could take by the estimate; 0: none, by the estimate. */
  readonly estimate: number;
  /** Users whose prompts and answers fit the KV pool at once. */
  readonly capacity: number;
}

export interface SpaceOptions {
  readonly model: string;
  readonly instances: readonly string[];
  readonly tensorParallel: readonly number[];
  /** As `--quantization`; `stored` leaves the weights as they are. */
  readonly formats: readonly string[];
  readonly kernels: readonly string[];
  /** As `--speculative-config`; undefined stands for none. */
  readonly speculative: readonly (string | undefined)[];
  readonly own: SystemSpec["own"];
  readonly seed: number;
}

/** What is to be served, and how well. */
export interface Demand {
  readonly workload: PlanWorkload;
  readonly slo: Slo;
  readonly users: number;
}

export interface Space {
  readonly candidates: readonly Candidate[];
  /** Combinations that no system can be built for. */
  readonly refused: number;
  /** The refusals' words, one of each kind. */
  readonly reasons: readonly string[];
}

export const PLAN_TENSOR_PARALLEL = [1, 2, 4, 8, 12, 16, 24, 32, 64] as const;

/** Users that a replica is asked for at most. */
const MOST_USERS = 512;

/** `onBuilt` is told of every combination, refused or not. */
export async function candidatesOf(
  options: SpaceOptions,
  shop: Workshop,
  demand: Demand,
  onBuilt: () => void = () => {},
): Promise<Space> {
  const candidates: Candidate[] = [];
  const reasons = new Map<string, string>();
  let refused = 0;
  for (const choice of choicesOf(options, shop.model)) {
    const spec = specOf(options, demand, choice);
    try {
      candidates.push(await candidateOf(spec, shop, choice.instance, demand));
    } catch (error) {
      refused++;
      const text = error instanceof Error ? error.message : String(error);
      reasons.set(
        text.replaceAll(/[\d.,]+/g, "#").slice(0, 60),
        `${spec.instance} TP ${spec.tensorParallel}: ${text}`,
      );
    }
    onBuilt();
  }
  return { candidates: distinct(candidates), refused, reasons: [...reasons.values()] };
}

/** How many there are to build. */
export function combinations(options: Omit<SpaceOptions, "seed">, model: Model): number {
  return choicesOf(options, model).length;
}

interface Choice {
  readonly instance: InstanceSpec;
  readonly tensorParallel: number;
  readonly expertParallel: boolean;
  readonly format: string;
  readonly kernels: string;
  readonly speculative: string | undefined;
}

function choicesOf(options: Omit<SpaceOptions, "seed">, model: Model): Choice[] {
  const { instances, tensorParallel, formats, kernels, speculative } = options;
  return INSTANCES.filter(({ name }) => instances.length === 0 || instances.includes(name))
    .flatMap((instance) => tensorParallel.map((ranks) => ({ instance, tensorParallel: ranks })))
    .flatMap((its) =>
      (hasExperts(model) ? [false, true] : [false]).map((expertParallel) => ({
        ...its,
        expertParallel,
      })),
    )
    .flatMap((its) => formats.map((format) => ({ ...its, format })))
    .flatMap((its) => kernels.map((set) => ({ ...its, kernels: set })))
    .flatMap((its) => speculative.map((json) => ({ ...its, speculative: json })));
}

function specOf(
  options: SpaceOptions,
  demand: Pick<Demand, "workload">,
  choice: Choice,
): SystemSpec {
  const { inputLen, outputLen, spread } = demand.workload;
  const longest = Math.ceil(inputLen * (1 + spread)) + Math.ceil(outputLen * (1 + spread));
  return {
    model: options.model,
    device: "trainium",
    instance: choice.instance.name,
    tensorParallel: choice.tensorParallel,
    dataParallel: 1,
    expertParallel: choice.expertParallel,
    kernels: choice.kernels,
    own: options.own,
    maxNumSeqs: 32,
    maxModelLen: Math.ceil(longest / 128) * 128,
    // The longest prompt is the largest bucket: no prompt is padded past it.
    maxNumBatchedTokens: Math.ceil((inputLen * (1 + spread)) / 128) * 128,
    // The workload's prompts share nothing.
    prefixCaching: false,
    seed: options.seed,
    ...(choice.format === "stored" ? {} : { quantization: choice.format }),
    ...(choice.speculative === undefined ? {} : { speculative: choice.speculative }),
  };
}

async function candidateOf(
  spec: SystemSpec,
  shop: Workshop,
  instance: InstanceSpec,
  demand: Demand,
): Promise<Candidate> {
  const { system, rows } = await buildLargest(spec, shop, Math.min(MOST_USERS, 2 * demand.users));
  try {
    const device = system.engines[0]?.device;
    if (!(device instanceof TrainiumDevice)) throw new Error("Only --device trainium is planned.");
    const steady = steadyState(system, demand.workload);
    const { capacity } = steady;
    const { plan } = device;
    const { dense, experts } = plan.formats;
    return {
      spec,
      instance,
      chips: Math.ceil((spec.tensorParallel * plan.logicalCore) / instance.chip.cores),
      // A dense model has no experts, whatever their format would be.
      format: dense === experts || !hasExperts(shop.model) ? dense : `${dense}/${experts}`,
      estimate: estimateUsers(steady, demand.slo, Math.min(rows, capacity)),
      capacity,
    };
  } finally {
    await system.close();
  }
}

/** With as many rows as fit beside the weights, by halves; throws what a single row is refused for. */
async function buildLargest(
  spec: SystemSpec,
  shop: Workshop,
  most: number,
): Promise<{ readonly system: VirtualSystem; readonly rows: number }> {
  const build = (rows: number) => shop.build({ ...spec, maxNumSeqs: rows });
  try {
    return { system: await build(most), rows: most };
  } catch {
    await (await build(1)).close();
  }
  for (let rows = Math.floor(most / 2); rows > 1; rows = Math.floor(rows / 2)) {
    const system = await build(rows).catch(() => undefined);
    if (system !== undefined) return { system, rows };
  }
  return { system: await build(1), rows: 1 };
}

/** Most users whose estimated TPOT and TTFT keep the promise. */
function estimateUsers({ prompt, tpot }: SteadyState, slo: Slo, most: number): number {
  if (prompt > slo.ttft) return 0;
  let low = 0;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tpot(middle) <= 1 / slo.tokensPerUser) low = middle;
    else high = middle - 1;
  }
  return low;
}

function hasExperts(model: Model): boolean {
  return model.architecture.layers.some((layer) => layer.ops.some((op) => op.op === "experts"));
}

/** Formats that a chip lowers to the same one are one candidate. */
function distinct(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const { instance, tensorParallel, expertParallel, kernels, speculative } = candidate.spec;
    const key = [
      instance,
      tensorParallel,
      expertParallel,
      kernels,
      speculative ?? "",
      candidate.format,
    ].join("|");
    if (!seen.has(key)) seen.set(key, candidate);
  }
  return [...seen.values()];
}
