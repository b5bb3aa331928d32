/**
 * Systems that could serve, with a first estimate from the priced steps alone:
 *
 *     TPOT(u) ≈ decode step of u rows / ids a step + u · prefill / output tokens
 *
 * since every user's prompt stops the others once in its output's time. A step
 * that verifies drafts has their rows' price and yields the ids that are expected
 * to hold. The estimate only orders and starts the search, it leaves out nothing;
 * what is reported was simulated.
 */
import type { Batch, BatchRow } from "../../../device/device.ts";
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import { INSTANCES, type InstanceSpec } from "../../../device/trainium/instances.ts";
import { expectedLength } from "../../../engine/speculate/registry.ts";
import type { Model } from "../../../models/model.ts";
import { type SystemSpec, speculativeOf, type VirtualSystem } from "../../virtual/build.ts";
import { buildSystem } from "../../virtual/system.ts";
import type { PlanWorkload } from "./replica.ts";
import type { Slo } from "./slo.ts";

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
  model: Model,
  demand: Demand,
  onBuilt: () => void = () => {},
): Promise<Space> {
  const candidates: Candidate[] = [];
  const reasons = new Map<string, string>();
  let refused = 0;
  for (const choice of choicesOf(options, model)) {
    const spec = specOf(options, demand, choice);
    try {
      candidates.push(await candidateOf(spec, model, choice.instance, demand));
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
  model: Model,
  instance: InstanceSpec,
  demand: Demand,
): Promise<Candidate> {
  const { system, rows } = await buildLargest(spec, model, Math.min(MOST_USERS, 2 * demand.users));
  try {
    const device = system.engines[0]?.device;
    if (!(device instanceof TrainiumDevice)) throw new Error("Only --device trainium is planned.");
    const { inputLen, outputLen } = demand.workload;
    const capacity = Math.floor(
      (device.limits.blocks * device.limits.blockSize) / (inputLen + outputLen),
    );
    const { plan } = device;
    const { dense, experts } = plan.formats;
    return {
      spec,
      instance,
      chips: Math.ceil((spec.tensorParallel * plan.logicalCore) / instance.chip.cores),
      // A dense model has no experts, whatever their format would be.
      format: dense === experts || !hasExperts(model) ? dense : `${dense}/${experts}`,
      estimate: estimateUsers(device, spec, demand, Math.min(rows, capacity)),
      capacity,
    };
  } finally {
    await system.close();
  }
}

/** With as many rows as fit beside the weights, by halves; throws what a single row is refused for. */
async function buildLargest(
  spec: SystemSpec,
  model: Model,
  most: number,
): Promise<{ readonly system: VirtualSystem; readonly rows: number }> {
  const build = (rows: number) => buildSystem({ ...spec, maxNumSeqs: rows }, { model });
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
function estimateUsers(
  device: TrainiumDevice,
  spec: SystemSpec,
  demand: Demand,
  most: number,
): number {
  const { inputLen, outputLen } = demand.workload;
  const prompt = device.cost.price(batchOf(1, 0, inputLen)).duration / 1e9;
  if (prompt > demand.slo.ttft) return 0;
  const speculative = speculativeOf(spec);
  const steps = [
    { drafted: 0, ids: 1 },
    ...(speculative === undefined
      ? []
      : [{ drafted: speculative.maxTokens, ids: expectedLength(speculative) }]),
  ];
  const tpot = (users: number): number => {
    const each = steps.map(({ drafted, ids }) => {
      const batch = batchOf(users, inputLen + outputLen / 2, 1 + drafted, drafted);
      return device.cost.price(batch, batch).duration / 1e9 / ids;
    });
    return Math.min(...each) + (users * prompt) / outputLen;
  };
  let low = 0;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tpot(middle) <= 1 / demand.slo.tokensPerUser) low = middle;
    else high = middle - 1;
  }
  return low;
}

const NO_TOKENS = new Int32Array(0);

function batchOf(rows: number, start: number, count: number, drafted = 0): Batch {
  const row = (id: number): BatchRow => ({
    id,
    context: NO_TOKENS,
    start: Math.round(start),
    count,
    drafted,
    blocks: [],
    want: "last",
  });
  return { step: 0, rows: Array.from({ length: rows }, (_, id) => row(id)), copies: [] };
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
