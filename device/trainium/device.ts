/**
 * A Trainium that keeps time: steps take as long as the cost model says, and
 * values come from an inner device or are drawn by seed. `done` is called at the
 * priced deadline, or when the values are ready if that is later.
 */
import type { Clock, Nanos } from "../clock.ts";
import type {
  Batch,
  BatchRow,
  Device,
  DeviceLimits,
  Sampled,
  SequenceId,
  StepCost,
  StepResult,
} from "../device.ts";
import type { DeviceSettings } from "../registry.ts";
import { CostModel } from "./cost-model.ts";
import { type MemoryPlan, planMemory } from "./memory.ts";
import type { Plan } from "./plan.ts";
import { planFor } from "./settings.ts";
import { syntheticToken } from "./values.ts";

/** Drafts a graph is compiled to verify, unless the engine asks for more. */
const DEFAULT_DRAFTED = 8;

/** The simulated device; `plan`, `memory` and `cost` are for banners, studies and profiles. */
export class TrainiumDevice implements Device {
  readonly name = "trainium";
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly plan: Plan;
  readonly memory: MemoryPlan;
  readonly cost: CostModel;
  /** Time by which steps ended after their deadline because values or the host were late. */
  lateness: { readonly steps: number; readonly total: Nanos; readonly worst: Nanos } = {
    steps: 0,
    total: 0,
    worst: 0,
  };
  readonly #clock: Clock;
  readonly #inner: Device | undefined;
  readonly #seed: number;
  readonly #timeScale: number;
  readonly #settings: DeviceSettings;
  #previous: Batch | undefined;
  /** The graph queue: a step begins when the one before has ended. */
  #freeAt: Nanos = 0;

  constructor(settings: DeviceSettings, plan: Plan) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#inner = settings.inner;
    this.#seed = settings.seed;
    this.#timeScale = Number(settings.own["time-scale"] ?? 1);
    this.plan = plan;
    this.vocabSize = plan.architecture.vocabSize;
    this.memory = planMemory(plan, {
      ...(settings.blocks !== undefined && { blocks: settings.blocks }),
      ...(settings.kvCacheBytes !== undefined && {
        bytes: settings.kvCacheBytes / plan.tensorParallel,
      }),
    });
    this.cost = new CostModel(plan);
    this.limits = limitsOf(plan, this.memory, settings, this.cost);
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    const began = Math.max(this.#clock.now(), this.#freeAt);
    const steps = Math.max(1, batch.repeat ?? 1);
    const cost = this.#price(batch, steps);
    this.#previous = batch;
    const deadline = began + cost.duration * this.#timeScale;
    this.#freeAt = deadline;
    this.#settings.trace?.span("steps", `step ${batch.step}`, began, deadline - began, {
      rows: batch.rows.length,
    });
    if (this.#inner === undefined) {
      const sampled = this.#draw(batch, steps);
      this.#clock.at(
        deadline,
        () => this.#finish({ ok: true, sampled, cost, repeated: steps }, deadline, done),
        "step",
      );
      return;
    }
    const release = this.#clock.hold();
    this.#inner.execute({ step: batch.step, rows: batch.rows, copies: batch.copies }, (result) => {
      release();
      const priced = result.ok ? { ...result, cost, repeated: 1 } : result;
      this.#clock.at(deadline, () => this.#finish(priced, deadline, done), "step");
    });
  }

  release(ids: readonly SequenceId[]): void {
    this.#inner?.release(ids);
  }

  async close(): Promise<void> {
    await this.#inner?.close();
  }

  /** A repeated step costs what its repetitions cost one by one, contexts growing. */
  #price(batch: Batch, steps: number): StepCost {
    const first = this.cost.price(batch, this.#previous);
    if (steps === 1 || this.#inner !== undefined) return first;
    const parts: Record<string, Nanos> = { ...first.parts };
    let duration = first.duration;
    for (let step = 1; step < steps; step++) {
      const rows = batch.rows.map((row) => ({ ...row, start: row.start + step }));
      const next = this.cost.price({ ...batch, rows }, batch);
      duration += next.duration;
      for (const [part, nanos] of Object.entries(next.parts))
        parts[part] = (parts[part] ?? 0) + nanos;
    }
    return { ...first, duration, parts };
  }

  #finish(result: StepResult, deadline: Nanos, done: (result: StepResult) => void): void {
    const late = this.#clock.now() - deadline;
    if (late > 0) {
      this.lateness = {
        steps: this.lateness.steps + 1,
        total: this.lateness.total + late,
        worst: Math.max(this.lateness.worst, late),
      };
    }
    done(result);
  }

  #draw(batch: Batch, steps: number): ReadonlyMap<SequenceId, Sampled> {
    const sampled = new Map<SequenceId, Sampled>();
    for (const row of batch.rows) {
      if (row.want === "last") sampled.set(row.id, this.#sample(row, steps));
    }
    return sampled;
  }

  /** Synthetic ids by seed, sequence and position: batch order and timing change nothing. */
  #sample(row: BatchRow, steps: number): Sampled {
    const at = row.start + row.count;
    const tokens = Array.from({ length: steps }, (_, step) =>
      syntheticToken(this.#seed, row.id, at + step, this.vocabSize),
    );
    return { tokens, accepted: 0 };
  }
}

function limitsOf(
  plan: Plan,
  memory: MemoryPlan,
  settings: DeviceSettings,
  cost: CostModel,
): DeviceLimits {
  const { stack } = plan;
  const longest = cost.buckets.tokens[cost.buckets.tokens.length - 1] ?? plan.maxTokens;
  return {
    blockSize: stack.blockSize,
    blocks: memory.blocks,
    maxRows: plan.maxRows,
    maxTokens: Math.max(longest, plan.maxRows),
    maxContext: plan.maxContext,
    maxDrafted: settings.maxDrafted ?? DEFAULT_DRAFTED,
    inFlight: settings.inFlight ?? 1,
    tokenBuckets: cost.buckets.tokens,
    rowBuckets: cost.buckets.rows,
    contextBuckets: cost.buckets.contexts,
    longRowsPerStep: 1,
    mixLong: stack.mixLong,
    longRunsToEnd: true,
    ...(plan.expertParallel > 1 && { minRows: expertRows(plan) }),
  };
}

/** Expert-parallel decode refuses batches below experts / top-k; such steps are padded. */
function expertRows(plan: Plan): number {
  let rows = 1;
  for (const layer of plan.architecture.layers) {
    for (const op of layer.ops) {
      if (op.op === "experts") rows = Math.max(rows, Math.ceil(op.experts / op.topK));
    }
  }
  return rows;
}

/** The factory of the registry. Throws when the model does not fit the machine. */
export async function createTrainiumDevice(settings: DeviceSettings): Promise<TrainiumDevice> {
  const plan = planFor({
    model: settings.model,
    tensorParallel: settings.tensorParallelSize,
    own: settings.own,
    ...(settings.maxRows !== undefined && { maxRows: settings.maxRows }),
    ...(settings.maxTokens !== undefined && { maxTokens: settings.maxTokens }),
    ...(settings.maxContext !== undefined && { maxContext: settings.maxContext }),
    ...(settings.blockSize !== undefined && { blockSize: settings.blockSize }),
    ...(settings.quantization !== undefined && { quantization: settings.quantization }),
  });
  return new TrainiumDevice(settings, plan);
}
