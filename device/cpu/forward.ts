/**
 * One rank's share of the model: its sessions, its KV pool, and a step through
 * them. Synchronous; runs on the rank's own thread.
 */
import type { AdapterWeights } from "../../models/adapters.ts";
import type { Architecture } from "../../models/architecture.ts";
import type { Checkpoint } from "../../models/model.ts";
import type { RopeOp } from "../../models/ops.ts";
import { RankAdapters } from "./adapters.ts";
import type { AllReduce } from "./all-reduce.ts";
import { Buffers, planSlots } from "./buffers.ts";
import type { StoreOptions } from "./converted/store.ts";
import { ExpertLayers, type LayerExperts } from "./expert-layers.ts";
import { hasThreadEach } from "./graph/experts.ts";
import { lowerSegment, type Quantization } from "./graph/lower.ts";
import { compileProgram, countSegments } from "./graph/program.ts";
import type { BlockBits } from "./graph/quantise.ts";
import { ShardReader } from "./graph/shard-reader.ts";
import { workAlone } from "./graph/small-segment.ts";
import type { Columns, ExpertsStep, Program, Segment, Step } from "./graph/steps.ts";
import { Head } from "./head.ts";
import type { KvFormat } from "./kernel/kv-layout.ts";
import type { AttentionOptions, Columns as PoolColumns } from "./kv-pool.ts";
import { KvPool } from "./kv-pool.ts";
import { type Loaded, Opener } from "./opener.ts";
import { partRows } from "./part-rows.ts";
import { fitsPrompts, PromptAttention } from "./prompt-attention.ts";
import { RotaryTable } from "./rotary.ts";
import { type Runner, Session } from "./session.ts";
import {
  type Crossing,
  MOST_ROWS_TRIED,
  measureCrossing,
  type RowsGiven,
  USUAL_CROSSING,
  wholePairs,
} from "./two-ways.ts";
import type { Unpacker } from "./unpacking.ts";
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
  /** Of int4's blocks; absent: 4. */
  readonly blockBits?: BlockBits;
  /** int4 weights are held a second time in int8, for steps of many rows. */
  readonly twoCopies?: boolean;
  /** The same products whatever a step's rows. */
  readonly batchInvariant?: boolean;
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

interface Run {
  readonly kind: "run";
  readonly segment: Segment;
  readonly session: Runner;
}

interface Attend extends Extract<Step, { kind: "attend" }> {
  readonly options: AttentionOptions;
  /** Absent: the kernel attends whatever the step is. */
  readonly prompts?: PromptAttention;
}

/** A step of the program, ready to run. */
type Ready =
  | Exclude<Step, { kind: "run" } | { kind: "attend" } | { kind: "experts" }>
  | Run
  | Attend
  | (ExpertsStep & { readonly runner: LayerExperts });

type Open = (segment: Segment) => Runner;

export class Forward {
  readonly #settings: RankSettings;
  readonly #program: Program;
  readonly #allReduce: AllReduce;
  readonly #breathe: Breathe;
  readonly #weights: ShardReader;
  readonly #steps: readonly Ready[];
  readonly #experts: ExpertLayers;
  readonly #head: Head;
  readonly #pool: KvPool;
  readonly #buffers: Buffers;
  readonly #adapters: RankAdapters | undefined;
  /** By their descriptions: layers may turn apart. */
  readonly #rotary = new Map<string, RotaryTable>();
  /** By how they attend: they have no weights. */
  readonly #prompts = new Map<string, PromptAttention>();
  /** What loading came to. */
  readonly loaded: Loaded;
  readonly #given: RowsGiven;
  /** Are there products in blocks, and none of the same weights in int8? */
  readonly #blocksAlone: boolean;
  readonly #unpacker: Unpacker | undefined;

  constructor(
    settings: RankSettings,
    allReduce: AllReduce,
    breathe: Breathe = () => {},
    onOpened: OnOpened = () => {},
  ) {
    this.#breathe = breathe;
    const { architecture, rank, ranks, quantization, threads, expertParallel = false } = settings;
    const { maxAdapterRank, batchInvariant = false, twoCopies = false } = settings;
    this.#settings = settings;
    this.#allReduce = allReduce;
    const adapters = maxAdapterRank !== undefined;
    this.#program = compileProgram(architecture, { rank, ranks, expertParallel, adapters });
    if (adapters) this.#adapters = new RankAdapters(architecture, maxAdapterRank, { rank, ranks });
    this.#weights = new ShardReader(settings.checkpoint, rank, ranks);
    const pairs = batchInvariant && quantization !== "w8a16";
    this.#given = pairs ? wholePairs : (rows) => rows;
    this.#blocksAlone = inBlocks(settings) && !twoCopies;
    const second: Crossing | undefined = twoCopies ? { rows: USUAL_CROSSING } : undefined;
    const both = twoCopies && threads > 1 && hasThreadEach(this.#program);
    const alone = workAlone(settings) ? { rows: USUAL_CROSSING } : undefined;
    const opener = new Opener(this.#weights, {
      quantization,
      blockBits: settings.blockBits,
      second,
      alone,
      batchInvariant,
      store: settings.store,
      bytes: settings.weightBytes,
      from: { ...settings, twoCopies, adapters, alone: alone !== undefined, expertsOnce: both },
    });
    let count = 0;
    const opened = (): void => onOpened(++count, countSegments(this.#program));
    const open: Open = (segment) => {
      breathe();
      const runner = opener.open(segment, threads);
      opened();
      return runner;
    };
    this.#experts = new ExpertLayers({
      ...{ program: this.#program, opener, threads, pairs, both, breathe, opened },
      sessions: quantization !== "w8a16",
    });
    try {
      this.#steps = this.#program.body.map((step) => this.#ready(step, open));
      this.#head = new Head({
        program: this.#program,
        runner: open(this.#program.head),
        open: (segment) => this.#asStored(segment),
        allReduce,
        ...{ rank, ranks, vocabSize: architecture.vocabSize },
        given: this.#given,
      });
    } catch (error) {
      opener.abandon();
      throw error;
    }
    const loaded = opener.finish();
    this.#unpacker = opener.unpacker;
    this.#pool = poolOf(settings, this.#program);
    this.#buffers = new Buffers(planSlots(this.#program.body, this.#program.hidden));
    const measured = [second, alone].filter((each) => each && this.#measure(each))[0] ?? second;
    this.loaded = { ...loaded, ...(second && measured && { crossing: measured.rows }) };
  }

  /** What has no products, so nothing to convert. */
  #asStored(segment: Segment): Runner {
    const { folder } = this.#weights;
    return new Session(lowerSegment(segment, this.#weights, "none"), { threads: 1, folder });
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
    this.#buffers.reserve(this.#given(tokens));
    for (const [index, each] of this.#steps.entries()) {
      this.#breathe();
      const next = this.#steps[index + 1];
      if (next?.kind === "experts") next.runner.call();
      this.#runStep(each, step);
    }
  }

  /** See head.ts; of the last step. */
  logits(wanted: Int32Array, target: Float32Array): void {
    this.#head.logits(this.#states(wanted), wanted, target);
  }

  likeliest(wanted: Int32Array): Int32Array {
    return this.#head.likeliest(this.#states(wanted), wanted);
  }

  hidden(wanted: Int32Array, target: Float32Array): void {
    this.#head.hidden(this.#states(wanted), wanted, target);
  }

  close(): void {
    for (const step of this.#steps) {
      if (step.kind === "run") step.session.close();
      if (step.kind === "experts") step.runner.close();
    }
    this.#experts.close();
    for (const prompts of this.#prompts.values()) prompts.close();
    this.#head.close();
    this.#unpacker?.close();
    this.#weights.close();
  }

  #states(wanted: Int32Array): Float32Array {
    return this.#buffers.view(this.#program.hidden, Math.max(...wanted) + 1);
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
        const size = partRows(tokens, each.session, this.#blocksAlone);
        for (let first = 0; first < tokens; first += size)
          this.#runRows(each, first, Math.min(first + size, tokens));
        return;
      }
      case "attend": {
        const columns = ({ flow, at }: Columns): PoolColumns => ({
          data: buffers.view(flow, tokens),
          at,
          stride: flow.width,
        });
        const { layer, options, prompts } = each;
        const out = buffers.view(each.out, tokens);
        this.#pool.write(layer, columns(each.k), columns(each.v), options.rotary);
        const divided = prompts?.divide(step.rows);
        if (prompts && divided && divided.prompts.length > 0) {
          const qkv = buffers.view(each.q.flow, tokens);
          prompts.attend(divided.prompts, qkv, out, options.rotary);
        }
        const others = divided?.others ?? step.rows;
        if (others.length > 0) this.#pool.attend(layer, columns(each.q), out, options, others);
        return;
      }
      case "experts": {
        const { runner, in: input, scores, out } = each;
        const views = [input, scores, out].map((flow) => buffers.view(flow, tokens));
        const [from, by, to] = views as [Float32Array, Float32Array, Float32Array]; // three flows
        runner.run(from, by, to);
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

  /** Rows `[first, end)` of the step through a segment. */
  #runRows({ segment, session }: Run, first: number, end: number): void {
    const rows = this.#given(end - first);
    const { feeds, fetches } = this.#buffers.bind(segment, rows, first);
    session.run(feeds, fetches);
  }

  #measure(crossing: Crossing): boolean {
    const runs = this.#steps.filter((step) => step.kind === "run");
    this.#buffers.reserve(MOST_ROWS_TRIED);
    return measureCrossing(crossing, runs, (segment, rows) => this.#buffers.bind(segment, rows));
  }

  #ready(step: Step, open: Open): Ready {
    if (step.kind === "run") return { ...step, session: open(step.segment) };
    if (step.kind === "experts") {
      const { choiceBias } = step.router;
      const bias = choiceBias && this.#weights.read(choiceBias);
      return { ...step, runner: this.#experts.open(step, bias) };
    }
    if (step.kind !== "attend") return step;
    const prompts = this.#promptsOf(step);
    const { scale, window, chunked, temperature, sinks } = step.op;
    return {
      ...step,
      ...(prompts && { prompts }),
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

  /** Where a row's results depend on its neighbours anyway: its prompt may come in one step or in several. */
  #promptsOf(step: Extract<Step, { kind: "attend" }>): PromptAttention | undefined {
    const { batchInvariant = false, kvFormat, threads } = this.#settings;
    const { cache } = this.#program;
    if (
      batchInvariant ||
      !inBlocks(this.#settings) ||
      kvFormat !== "f32" ||
      !fitsPrompts(step, cache)
    )
      return undefined;
    const { interleaved = false } = step.rope ?? {};
    const how = { scale: step.op.scale, rotates: step.rope !== undefined, interleaved };
    const key = JSON.stringify(how);
    const known = this.#prompts.get(key) ?? new PromptAttention(cache, how, threads);
    this.#prompts.set(key, known);
    return known;
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

function poolOf(settings: RankSettings, { cache }: Program): KvPool {
  const { blockSize, blocks, maxContext, maxTokens, maxRows, threads, kvFormat } = settings;
  const sizes = { blockSize, blocks, maxContext, maxTokens, maxRows };
  return new KvPool({ ...cache, ...sizes, threads, format: kvFormat });
}

/** Are there products in blocks? Of weights as published FP8 and int8 have none: their rows are invariant of the batch. */
function inBlocks({ quantization, checkpoint }: RankSettings): boolean {
  if (quantization !== "stored") return quantization === "int4";
  const kinds = [...checkpoint.tensors.values()].flatMap(({ packing }) => packing?.kind ?? []);
  return kinds.some((kind) => kind !== "fp8" && kind !== "int8");
}
