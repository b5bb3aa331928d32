/**
 * Systems that could serve, with a first estimate from the priced steps alone:
 *
 *     TPOT(u) ≈ decode step of u rows + u · prefill / output tokens
 *
 * since every user's prompt stops the others once in its output's time. The
 * estimate only orders and starts the search; what is reported was simulated.
 */
import type { Batch, BatchRow } from "../../../device/device.ts";
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import { INSTANCES, type InstanceSpec } from "../../../device/trainium/instances.ts";
import type { Model } from "../../../models/model.ts";
import { buildSystem, type SystemSpec } from "../../virtual/system.ts";
import type { PlanWorkload } from "./replica.ts";
import type { Slo } from "./slo.ts";

export interface Candidate {
  readonly spec: SystemSpec;
  readonly instance: InstanceSpec;
  /** Whole chips of one replica. */
  readonly chips: number;
  /** Weight format as priced. */
  readonly format: string;
  /** Users a replica could take by the estimate; 0: none. */
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

export async function candidatesOf(
  options: SpaceOptions,
  model: Model,
  load: { readonly workload: PlanWorkload; readonly slo: Slo; readonly users: number },
): Promise<Space> {
  const candidates: Candidate[] = [];
  const reasons = new Map<string, string>();
  let refused = 0;
  for (const instance of INSTANCES) {
    if (options.instances.length > 0 && !options.instances.includes(instance.name)) continue;
    for (const tensorParallel of options.tensorParallel) {
      for (const expertParallel of expertChoices(model)) {
        for (const format of options.formats) {
          for (const { kernels, speculative } of variants(options)) {
            const spec = specOf(options, load, {
              instance: instance.name,
              tensorParallel,
              expertParallel,
              format,
              kernels,
              speculative,
            });
            try {
              candidates.push(await candidateOf(spec, model, instance, load));
            } catch (error) {
              refused++;
              const text = error instanceof Error ? error.message : String(error);
              reasons.set(
                text.replaceAll(/[\d.,]+/g, "#").slice(0, 60),
                `${instance.name} TP ${tensorParallel}: ${text}`,
              );
            }
          }
        }
      }
    }
  }
  return { candidates: distinct(candidates), refused, reasons: [...reasons.values()] };
}

function specOf(
  options: SpaceOptions,
  load: { readonly workload: PlanWorkload },
  choice: {
    readonly instance: string;
    readonly tensorParallel: number;
    readonly expertParallel: boolean;
    readonly format: string;
    readonly kernels: string;
    readonly speculative: string | undefined;
  },
): SystemSpec {
  const { inputLen, outputLen, spread } = load.workload;
  const longest = Math.ceil(inputLen * (1 + spread)) + Math.ceil(outputLen * (1 + spread));
  return {
    model: options.model,
    device: "trainium",
    instance: choice.instance,
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
  load: { readonly workload: PlanWorkload; readonly slo: Slo; readonly users: number },
): Promise<Candidate> {
  const most = Math.min(MOST_USERS, 2 * load.users);
  const system = await buildSystem({ ...spec, maxNumSeqs: most }, { model });
  try {
    const device = system.devices[0];
    if (!(device instanceof TrainiumDevice)) throw new Error("Only --device trainium is planned.");
    const { inputLen, outputLen } = load.workload;
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
      estimate: estimateUsers(device, load, Math.min(most, capacity)),
      capacity,
    };
  } finally {
    await system.close();
  }
}

/** Most users whose estimated TPOT and TTFT keep the promise. */
function estimateUsers(
  device: TrainiumDevice,
  load: { readonly workload: PlanWorkload; readonly slo: Slo },
  most: number,
): number {
  const { inputLen, outputLen } = load.workload;
  const prompt = device.cost.price(batchOf(1, 0, inputLen)).duration / 1e9;
  if (prompt > load.slo.ttft) return 0;
  const tpot = (users: number): number => {
    const batch = batchOf(users, inputLen + outputLen / 2, 1);
    return device.cost.price(batch, batch).duration / 1e9 + (users * prompt) / outputLen;
  };
  let low = 0;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tpot(middle) <= 1 / load.slo.tokensPerUser) low = middle;
    else high = middle - 1;
  }
  return low;
}

const NO_TOKENS = new Int32Array(0);

function batchOf(rows: number, start: number, count: number): Batch {
  const row = (id: number): BatchRow => ({
    id,
    context: NO_TOKENS,
    start: Math.round(start),
    count,
    drafted: 0,
    blocks: [],
    want: "last",
  });
  return { step: 0, rows: Array.from({ length: rows }, (_, id) => row(id)), copies: [] };
}

function expertChoices(model: Model): readonly boolean[] {
  return hasExperts(model) ? [false, true] : [false];
}

function variants(
  options: SpaceOptions,
): { readonly kernels: string; readonly speculative: string | undefined }[] {
  return options.kernels.flatMap((kernels) =>
    options.speculative.map((speculative) => ({ kernels, speculative })),
  );
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
