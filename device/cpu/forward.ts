/**
 * One rank's share of the model: its sessions, its KV pool, and a step through
 * them. Synchronous; runs on the rank's own thread.
 */
import type { AdapterWeights } from "../../models/adapters.ts";
import type { Architecture } from "../../models/architecture.ts";
import type { Checkpoint } from "../../models/model.ts";
import type { RopeOp } from "../../models/ops.ts";
import { argmax } from "../argmax.ts";
import { RankAdapters } from "./adapters.ts";
import type { AllReduce } from "./all-reduce.ts";
import { Buffers, planSlots } from "./buffers.ts";
import type { StoreOptions } from "./converted/store.ts";
import { Experts } from "./experts.ts";
import type { Quantization } from "./graph/lower.ts";
import { compileProgram } from "./graph/program.ts";
import { ShardReader } from "./graph/shard-reader.ts";
import type { Columns, ExpertsStep, Program, Segment, Step } from "./graph/steps.ts";
import type { KvFormat } from "./kernel/kv-layout.ts";
import type { AttentionOptions, Columns as PoolColumns } from "./kv-pool.ts";
import { KvPool } from "./kv-pool.ts";
import { type Loaded, Opener } from "./opener.ts";
import { RotaryTable } from "./rotary.ts";
import { Router } from "./routing.ts";
import { type Runner, Tensor } from "./session.ts";
import type { RankStep } from "./wire.ts";

/** What a rank is made from; plain data, it crosses to the thread. */
export interface RankSettings {
  readonly architecture: Architecture;
  readonly checkpoint: Checkpoint;
  readonly rank: number;
  readonly ranks: number;
  readonly threads: number;
  /** Experts are dealt out to the ranks whole. */
  readonly expertParallel?: boolean;
  /** Absent: rows name no adapters. */
  readonly maxAdapterRank?: number;
  readonly quantization: Quantization;
  readonly blockSize: number;
  readonly blocks: number;
  readonly kvFormat: KvFormat;
  readonly maxContext: number;
  readonly maxTokens: number;
  readonly maxRows: number;
  /** Of the rank's weights as they are computed with, about. */
  readonly weightBytes: number;
  /** Where converted weights are kept; absent: nowhere. */
  readonly store?: StoreOptions;
}

/** Called between native calls while a rank works: where its thread may be left. */
export type Breathe = () => void;

/** Told while the rank's segments are opened. */
export type OnOpened = (done: number, total: number) => void;

/** A step of the program, ready to run. */
type Ready =
  | Exclude<Step, { kind: "run" } | { kind: "attend" } | { kind: "experts" }>
  | { readonly kind: "run"; readonly segment: Segment; readonly session: Runner }
  | (Extract<Step, { kind: "attend" }> & { readonly options: AttentionOptions })
  | (ExpertsStep & { readonly runner: Experts });

/** A layer of more experts has a thread for each, not a team: a session's threads are its own. */
const MOST_TEAMS = 16;

type Open = (segment: Segment, threads: number) => Runner;

export class Forward {
  readonly #settings: RankSettings;
  readonly #program: Program;
  readonly #allReduce: AllReduce;
  readonly #breathe: Breathe;
  readonly #weights: ShardReader;
  readonly #steps: readonly Ready[];
  readonly #head: Runner;
  readonly #pool: KvPool;
  readonly #buffers: Buffers;
  readonly #adapters: RankAdapters | undefined;
  /** By their descriptions: layers may turn apart. */
  readonly #rotary = new Map<string, RotaryTable>();
  /** What loading came to. */
  readonly loaded: Loaded;
  #logits = new Float32Array(0);

  constructor(
    settings: RankSettings,
    allReduce: AllReduce,
    breathe: Breathe = () => {},
    onOpened: OnOpened = () => {},
  ) {
    this.#breathe = breathe;
    const { architecture, rank, ranks, quantization, expertParallel = false } = settings;
    const { maxAdapterRank } = settings;
    this.#settings = settings;
    this.#allReduce = allReduce;
    const adapters = maxAdapterRank !== undefined;
    this.#program = compileProgram(architecture, { rank, ranks, expertParallel, adapters });
    if (adapters) this.#adapters = new RankAdapters(architecture, maxAdapterRank, { rank, ranks });
    this.#weights = new ShardReader(settings.checkpoint, rank, ranks);
    const opener = new Opener(this.#weights, {
      quantization,
      store: settings.store,
      bytes: settings.weightBytes,
      from: { ...settings, adapters },
    });
    const total = countSegments(this.#program);
    let opened = 0;
    const open: Open = (segment, threads) => {
      breathe();
      const runner = opener.open(segment, threads);
      onOpened(++opened, total);
      return runner;
    };
    try {
      this.#steps = this.#program.body.map((step) => this.#ready(step, open));
      this.#head = open(this.#program.head, settings.threads);
    } catch (error) {
      opener.abandon();
      throw error;
    }
    this.loaded = opener.finish();
    const { blockSize, blocks, kvFormat, maxContext, maxTokens, maxRows, threads } = settings;
    this.#pool = new KvPool({
      ...this.#program.cache,
      blockSize,
      blocks,
      maxContext,
      maxTokens,
      maxRows,
      threads,
      format: kvFormat,
    });
    this.#buffers = new Buffers(planSlots(this.#program.body, this.#program.hidden));
  }

  /** At the start of every request to the ranks. */
  begin(): void {
    this.#allReduce.begin();
  }

  /** Reads the rank's parts of an adapter into a place of its shelf. */
  adapt(place: number, weights: AdapterWeights): void {
    if (this.#adapters === undefined) throw new Error("cpu: adapters are not enabled.");
    this.#adapters.load(place, weights);
  }

  /** Computes the hidden states of the step's tokens; they stay until the next step. */
  run(step: RankStep): void {
    const { rows, copies } = step;
    const tokens = step.tokens.length;
    for (let i = 0; i < copies.length; i += 2) {
      this.#pool.copy(copies[i] as number, copies[i + 1] as number);
    }
    this.#pool.begin(rows);
    this.#buffers.reserve(tokens);
    for (const each of this.#steps) {
      this.#breathe();
      this.#runStep(each, step);
    }
  }

  /**
   * Logits of the wanted tokens of the last step into `target`, whose rows are
   * `vocabSize` long and of which this rank fills its columns.
   */
  logits(wanted: Int32Array, target: Float32Array): void {
    const { width } = this.#program.logits;
    const { vocabSize } = this.#settings.architecture;
    const out = this.#runHead(wanted);
    for (let row = 0; row < wanted.length; row++) {
      const part = out.subarray(row * width, (row + 1) * width);
      target.set(part, row * vocabSize + this.#firstId());
    }
  }

  /** The likeliest id after each wanted token of the last step; of equals the lowest. */
  likeliest(wanted: Int32Array): Int32Array {
    const { width } = this.#program.logits;
    const { rank, ranks } = this.#settings;
    const out = this.#runHead(wanted);
    // Each rank enters its candidate; the sum brings all candidates to all ranks.
    const candidates = new Float32Array(wanted.length * ranks * 2);
    for (let row = 0; row < wanted.length; row++) {
      const part = out.subarray(row * width, (row + 1) * width);
      const best = argmax(part) ?? 0;
      const entry = (row * ranks + rank) * 2;
      candidates[entry] = part[best] as number;
      candidates[entry + 1] = best + this.#firstId();
    }
    if (ranks > 1) this.#allReduce.sum(candidates);
    return Int32Array.from(wanted, (_, row) => {
      let best = row * ranks * 2;
      for (let other = best + 2; other < (row + 1) * ranks * 2; other += 2) {
        if ((candidates[other] as number) > (candidates[best] as number)) best = other;
      }
      return candidates[best + 1] as number;
    });
  }

  /** Normed hidden states of the wanted tokens of the last step, `[wanted, hidden]`. */
  hidden(wanted: Int32Array, target: Float32Array): void {
    const normed = new Float32Array(wanted.length * this.#program.final.width);
    this.#runHead(wanted, normed);
    target.set(normed);
  }

  close(): void {
    for (const step of this.#steps) {
      if (step.kind === "run") step.session.close();
      if (step.kind === "experts") step.runner.close();
    }
    this.#head.close();
    this.#weights.close();
  }

  /** First id of the rank's share of the vocabulary. */
  #firstId(): number {
    const { rank, ranks, architecture } = this.#settings;
    return rank * Math.ceil(architecture.vocabSize / ranks);
  }

  /** The rank's logits `[wanted, share of the vocabulary]`; `normed` takes the head's input. */
  #runHead(wanted: Int32Array, normed?: Float32Array): Float32Array {
    const { hidden, head, logits, final } = this.#program;
    const states = this.#buffers.view(hidden, Math.max(...wanted) + 1);
    const input = new Float32Array(wanted.length * hidden.width);
    wanted.forEach((token, row) => {
      const begin = token * hidden.width;
      input.set(states.subarray(begin, begin + hidden.width), row * hidden.width);
    });
    // Megabytes at large vocabularies: kept from step to step.
    const size = wanted.length * logits.width;
    if (this.#logits.length < size) this.#logits = new Float32Array(size);
    const out = this.#logits.subarray(0, size);
    const tensor = (data: Float32Array, width: number): Tensor =>
      new Tensor("float32", data, [wanted.length, width]);
    const [from] = head.inputs;
    if (from === undefined) throw new Error("cpu: the head has no input.");
    this.#head.run(
      { [from.name]: tensor(input, hidden.width) },
      {
        [logits.name]: tensor(out, logits.width),
        ...(normed && { [final.name]: tensor(normed, final.width) }),
      },
    );
    return out;
  }

  #runStep(each: Ready, step: RankStep): void {
    const tokens = step.tokens.length;
    const buffers = this.#buffers;
    switch (each.kind) {
      case "embed": {
        const out = buffers.view(each.out, tokens);
        const { width } = each.out;
        step.tokens.forEach((id, row) => {
          const target = out.subarray(row * width, (row + 1) * width);
          this.#weights.readRow(each.op.table, id, target);
        });
        const { scale } = each.op;
        if (scale !== undefined)
          for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) * scale;
        return;
      }
      case "run": {
        const { feeds, fetches } = buffers.bind(each.segment, tokens);
        each.session.run(feeds, fetches);
        return;
      }
      case "attend": {
        const columns = ({ flow, at }: Columns): PoolColumns => ({
          data: buffers.view(flow, tokens),
          at,
          stride: flow.width,
        });
        const { layer, options } = each;
        this.#pool.write(layer, columns(each.k), columns(each.v), options.rotary);
        this.#pool.attend(layer, columns(each.q), buffers.view(each.out, tokens), options);
        return;
      }
      case "experts": {
        const { runner, in: input, scores, out } = each;
        const views = [input, scores, out].map((flow) => buffers.view(flow, tokens));
        const [from, by, to] = views as [Float32Array, Float32Array, Float32Array]; // three flows
        runner.run(from, by, to, this.#breathe);
        return;
      }
      case "adapt": {
        const [from, to] = [each.in, each.out].map((flow) => buffers.view(flow, tokens));
        if (from && to) this.#adapters?.apply(each, from, to, step.rows);
        return;
      }
      case "sum":
        this.#allReduce.sum(buffers.view(each.value, tokens));
    }
  }

  #ready(step: Step, open: Open): Ready {
    const { threads } = this.#settings;
    if (step.kind === "run") return { ...step, session: open(step.segment, threads) };
    if (step.kind === "experts") {
      const { choiceBias } = step.router;
      const router = new Router(step.router, choiceBias && this.#weights.read(choiceBias));
      const each = step.experts.length > MOST_TEAMS ? 1 : threads;
      const runners = step.experts.map((segment) => open(segment, each));
      return { ...step, runner: new Experts(step, router, runners) };
    }
    if (step.kind !== "attend") return step;
    const { scale, window, chunked, temperature, sinks } = step.op;
    return {
      ...step,
      options: {
        scale,
        ...(window !== undefined && { window }),
        ...(chunked && { chunked }),
        ...(temperature && { temperature }),
        ...(step.rope && { rotary: this.#turning(step.rope) }),
        ...(sinks && { sinks: this.#weights.read(sinks) }),
      },
    };
  }

  #turning({ rotaryDim, theta, scaling, interleaved }: RopeOp): RotaryTable {
    const rope = {
      rotaryDim,
      theta,
      ...(scaling && { scaling }),
      ...(interleaved && { interleaved }),
    };
    const key = JSON.stringify(rope);
    const table = this.#rotary.get(key) ?? new RotaryTable(rope, this.#settings.maxContext);
    this.#rotary.set(key, table);
    return table;
  }
}

/** Sessions of a program: its segments, its experts and its head. */
function countSegments({ body }: Program): number {
  return body.reduce((sum, step) => {
    if (step.kind === "experts") return sum + step.experts.length;
    return step.kind === "run" ? sum + 1 : sum;
  }, 1);
}
