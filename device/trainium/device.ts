/**
 * A Trainium that keeps time: steps take as long as the cost model says, and
 * values come from an inner device or are drawn by seed. `done` is called at the
 * priced deadline, or when the values are ready if that is later.
 */
import { adaptedProducts } from "../../models/adapters.ts";
import type { Clock, Nanos } from "../clock.ts";
import {
  type AdapterShelf,
  type Batch,
  type BatchRow,
  type Device,
  type DeviceAbilities,
  type DeviceLimits,
  type PositionLogprobs,
  type Sampled,
  type SequenceId,
  type StepResult,
  samples,
  type TokenId,
} from "../device.ts";
import type { Machine } from "../machine.ts";
import { NamedShelf } from "../named-shelf.ts";
import type { DeviceSettings } from "../settings.ts";
import type { StepCost } from "../trace.ts";
import { machineOf } from "./machine.ts";
import { adapterBytes, layMemory, type MemoryPlan, planMemory } from "./memory.ts";
import type { Plan } from "./plan.ts";
import { CostModel, continues, shortRowsOf } from "./price/cost-model.ts";
import { RepeatedStep } from "./price/repeated.ts";
import { planFor } from "./settings.ts";
import { syntheticToken } from "./values.ts";

/** Drafts a graph is compiled to verify, unless the engine asks for more. */
const DEFAULT_DRAFTED = 8;

/** Lateness of the host that a step launched ahead hides, ns: what one queued step covers. */
const LAUNCHED_AHEAD: Nanos = 5_000_000;

/** Most positions that `Sampler.prompt` takes at once. */
const PROMPT_POSITIONS = 64;

type Success = Extract<StepResult, { ok: true }>;

/** The simulated device; `plan`, `memory` and `cost` are for banners, studies and profiles. */
export class TrainiumDevice implements Device {
  readonly name = "trainium";
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can: DeviceAbilities;
  readonly adapters?: AdapterShelf;
  readonly plan: Plan;
  readonly memory: MemoryPlan;
  readonly cost: CostModel;
  readonly #clock: Clock;
  readonly #inner: Device | undefined;
  readonly #seed: number;
  readonly #timeScale: number;
  readonly #settings: DeviceSettings;
  /** Ids that would end a sequence: synthetic values never draw them. */
  readonly #ending: ReadonlySet<TokenId>;
  #previous: Batch | undefined;
  /** What the inner device is not told yet, oldest first. */
  readonly #untold: (() => void)[] = [];
  /** The graph queue: a step begins when the one before has ended. */
  #freeAt: Nanos = 0;

  /** `unchecked`: a published set-up is taken at its word, whether it fits our memory plan or not. */
  constructor(
    settings: DeviceSettings,
    plan: Plan,
    options: { readonly unchecked?: boolean } = {},
  ) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#inner = settings.inner;
    this.#seed = settings.seed;
    this.#ending = new Set(settings.model.generation.eosTokenIds);
    this.#timeScale = Number(settings.own["time-scale"] ?? 1);
    const { grammar = false, promptLogprobs = false } = settings.inner?.can ?? {};
    const adapters = plan.adapters !== undefined;
    this.can = { draft: true, promptLogprobs, grammar, hidden: false, adapters };
    if (adapters) {
      const { architecture, adapters: places } = plan;
      const bytes = adapterBytes(plan) / (places?.inStep ?? 1);
      const modules = adaptedProducts(architecture).size;
      this.adapters = new NamedShelf({ rank: places?.maxRank ?? 0, modules, bytes });
    }
    this.plan = plan;
    this.vocabSize = plan.architecture.vocabSize;
    this.memory = (options.unchecked ? layMemory : planMemory)(plan, {
      ...(settings.blocks !== undefined && { blocks: settings.blocks }),
      ...(settings.kvCacheBytes !== undefined && {
        bytes: settings.kvCacheBytes / plan.tensorParallel,
      }),
    });
    this.cost = new CostModel(plan);
    this.limits = limitsOf(plan, this.memory, settings, this.cost);
  }

  /** Made when asked for: a search makes devices by the hundred, and shows few. */
  get machine(): Machine {
    return machineOf(this.plan, this.memory);
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    const began = this.#beginning(batch);
    const { cost, repeated, ends } = this.#price(batch, began);
    this.#previous = batch;
    const deadline = began + Math.round(cost.duration * this.#timeScale);
    this.#freeAt = deadline;
    this.#settings.trace?.span("steps", `step ${batch.step}`, began, deadline - began, {
      rows: batch.rows.length,
      repeated,
    });
    const finish = (result: StepResult): void => {
      this.#clock.at(deadline, () => done(result), "step");
    };
    const inner = this.#inner;
    if (inner === undefined) {
      finish({
        ok: true,
        ...this.#draw(batch, repeated),
        cost,
        repeated,
        ...(ends === undefined ? {} : { ends }),
      });
      return;
    }
    // Virtual time waits for a worker's values; real time goes on, and lateness is counted.
    const release = this.#clock.hold();
    this.#tell(deadline - began, () => {
      const { step, rows, copies } = batch;
      inner.execute({ step, rows, copies }, (result) => {
        release();
        finish(result.ok ? { ...result, cost, repeated: 1 } : result);
      });
    });
  }

  /** Drafts of the synthetic values: what they will be. With an inner device, its own drafts. */
  draft(
    rows: readonly BatchRow[],
    count: number,
    done: (drafts: ReadonlyMap<SequenceId, readonly TokenId[]>) => void,
  ): void {
    if (this.#inner?.draft !== undefined) {
      this.#inner.draft(rows, count, done);
      return;
    }
    const drafts = new Map<SequenceId, readonly TokenId[]>();
    for (const row of rows) drafts.set(row.id, this.#tokens(row.id, row.context.length, count));
    this.#clock.at(this.#clock.now(), () => done(drafts), "step");
  }

  release(ids: readonly SequenceId[]): void {
    const inner = this.#inner;
    if (inner === undefined) return;
    if (this.#untold.length === 0) inner.release(ids);
    else this.#tell(0, () => inner.release(ids)); // after the steps that still hold them
  }

  async close(): Promise<void> {
    await this.#inner?.close();
  }

  /**
   * The inner device computes when the step that just ended has been written: its
   * threads and the readers of streams share the host's cores. What it is told
   * stays in order, whichever timer comes first.
   */
  #tell(step: Nanos, what: () => void): void {
    this.#untold.push(what);
    this.#clock.settled(step, () => this.#untold.shift()?.());
  }

  /**
   * A step that continues the one before was launched ahead: it begins where that
   * one ended, though the host comes a little late. Any other begins now.
   */
  #beginning(batch: Batch): Nanos {
    const now = this.#clock.now();
    if (now <= this.#freeAt) return this.#freeAt;
    const ahead = this.plan.asyncScheduling && continues(batch, this.#previous);
    return ahead && now - this.#freeAt < LAUNCHED_AHEAD ? this.#freeAt : now;
  }

  /**
   * A step, and as many repetitions of it as begin before anything else happens:
   * each costs what it would cost alone, contexts growing.
   */
  #price(
    batch: Batch,
    began: Nanos,
  ): { readonly cost: StepCost; readonly repeated: number; readonly ends?: readonly Nanos[] } {
    const rows = shortRowsOf(batch);
    const first = this.cost.price(batch, this.#previous, rows);
    const most = this.#inner === undefined ? (batch.repeat ?? 1) : 1;
    if (most === 1) return { cost: first, repeated: 1 };
    const due = batch.through ? undefined : this.#clock.next?.();
    const next = due ?? Number.POSITIVE_INFINITY;
    const parts: Record<string, Nanos> = { ...first.parts };
    let duration = first.duration;
    let repeated = 1;
    const again = new RepeatedStep(this.cost, rows, parts);
    const end = (): Nanos => began + Math.round(duration * this.#timeScale);
    const ends = [end()];
    while (repeated < most && began + duration * this.#timeScale < next) {
      duration += again.next();
      repeated++;
      ends.push(end());
    }
    again.settle();
    const cost = { ...first, duration, parts };
    return repeated === 1 ? { cost, repeated } : { cost, repeated, ends };
  }

  #draw({ rows }: Batch, repeated: number): Pick<Success, "sampled" | "alike"> {
    const sampled = new Map<SequenceId, Sampled>();
    let alike: Sampled | undefined;
    for (const row of rows) {
      const end = row.start + row.count;
      const prompt = row.want === "all" ? this.#promptOf(row) : undefined;
      if (!samples(row) || (row.want === "all" && end < row.context.length)) {
        if (prompt !== undefined) sampled.set(row.id, { tokens: [], accepted: 0, prompt });
        continue;
      }
      if (row.unread && row.drafted === 0 && prompt === undefined) {
        alike ??= { tokens: new Array<TokenId>(repeated).fill(0), accepted: 0 };
        continue;
      }
      const drawn = this.#verify(row, end - row.drafted, repeated);
      sampled.set(row.id, prompt === undefined ? drawn : { ...drawn, prompt });
    }
    return alike === undefined ? { sampled } : { sampled, alike };
  }

  /** Accepts the drafts that are what the synthetic values say, and adds the next. */
  #verify(row: BatchRow, first: number, repeated: number): Sampled {
    const tokens = this.#tokens(row.id, first, row.drafted + repeated);
    if (row.drafted === 0) return { tokens, accepted: 0 };
    let accepted = 0;
    while (accepted < row.drafted && tokens[accepted] === row.context[first + accepted]) accepted++;
    return { tokens: tokens.slice(0, accepted + 1), accepted };
  }

  /** Synthetic ids by seed, sequence and position: batch order and timing change nothing. */
  #tokens(id: SequenceId, from: number, count: number): TokenId[] {
    const tokens = new Array<TokenId>(count);
    for (let index = 0; index < count; index++) {
      let token = syntheticToken(this.#seed, id, from + index, this.vocabSize);
      while (this.#ending.has(token)) token = (token + 1) % this.vocabSize;
      tokens[index] = token;
    }
    return tokens;
  }

  /** Prompt log-probabilities of a device without logits: all ids equally likely. */
  #promptOf(row: BatchRow) {
    const found: PositionLogprobs[] = [];
    const end = row.start + row.count;
    for (let at = row.start; at < end; at += PROMPT_POSITIONS) {
      const positions = Math.min(PROMPT_POSITIONS, end - at);
      const logits = new Float32Array(positions * this.vocabSize);
      found.push(...this.#settings.sampler.prompt(row, at, logits, this.vocabSize));
    }
    return found;
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
    // In virtual time the host takes none, and steps one at a time can be repeated.
    inFlight: plan.asyncScheduling
      ? (settings.inFlight ?? (settings.clock.kind === "real" ? 2 : 1))
      : 1,
    tokenBuckets: cost.buckets.tokens,
    rowBuckets: cost.buckets.rows,
    contextBuckets: cost.buckets.contexts,
    longRowsPerStep: 1,
    mixLong: stack.mixLong,
    longRunsToEnd: true,
    ...(plan.adapters && { maxAdapters: plan.adapters.inStep }),
  };
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
    ...(settings.adapters && { adapters: settings.adapters }),
  });
  return new TrainiumDevice(settings, plan);
}
