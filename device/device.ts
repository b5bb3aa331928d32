/**
 * The contract between the engine and whatever computes. Token ids cross it,
 * never logits: the sampler is the engine's policy, handed to the device, which
 * calls it where logits exist. A batch says all that a step needs; its contexts and
 * block tables are the engine's own, lent until `done`. Who keeps one copies those:
 * from such copies a device can be replayed.
 */
import type { Nanos } from "./clock.ts";
import type { Machine } from "./machine.ts";
import type { StepCost, TraceSink } from "./trace.ts";

export type TokenId = number;
/** Given by the engine, unique for its lifetime. */
export type SequenceId = number;
export type BlockId = number;

/** Stands in a context for the id that the step before samples for the same row. */
export const PENDING_TOKEN: TokenId = -1;

/**
 * What a step may be. The scheduler reads these numbers and knows no device.
 * A *long* row computes more than 1 + drafted tokens (a prompt or a piece of one).
 */
export interface DeviceLimits {
  /** Tokens in a KV block. */
  readonly blockSize: number;
  /** KV blocks in the pool. */
  readonly blocks: number;
  /** Rows in a step. */
  readonly maxRows: number;
  /** Tokens in a step. */
  readonly maxTokens: number;
  /** Tokens in a sequence, prompt and output. */
  readonly maxContext: number;
  /** Drafted tokens a row may carry. */
  readonly maxDrafted: number;
  /** Steps that may be under way at once: 1, or 2 for overlap. */
  readonly inFlight: 1 | 2;
  /** (optional) Steps are padded up to one of these; absent: exact sizes. */
  readonly tokenBuckets?: readonly number[];
  readonly rowBuckets?: readonly number[];
  readonly contextBuckets?: readonly number[];
  /** (optional) Long rows in one step; absent: as many as fit. */
  readonly longRowsPerStep?: number;
  /** (optional) May a step hold long and short rows together? Absent: yes. */
  readonly mixLong?: boolean;
  /** (optional) A started prompt runs to its end before other rows; absent: no. */
  readonly longRunsToEnd?: boolean;
  /**
   * (optional) Context at which attention costs a token as much as all its products.
   * A prompt's piece beside other rows then gets shorter as its context grows, so
   * that steps cost alike; absent: pieces are cut by tokens alone.
   */
  readonly attentionParity?: number;
  /** (optional) Different adapters in a step; absent: rows name none. */
  readonly maxAdapters?: number;
}

/**
 * One sequence's part of a step.
 *
 *     context   [0 ........ start) [start ...... start+count) [start+count ...)
 *               in the KV cache     computed in this step      known, later chunks
 *
 * The last `drafted` of the computed tokens are guesses to verify.
 */
export interface BatchRow {
  readonly id: SequenceId;
  /**
   * All known ids, prompt and output, drafts included. May hold PENDING_TOKEN, in whose
   * place the id itself stands once the step before has ended.
   */
  readonly context: Int32Array;
  readonly start: number;
  readonly count: number;
  readonly drafted: number;
  /**
   * Block table: block i holds positions [i·blockSize, (i+1)·blockSize). Those that hold
   * [0, start + count) stay; more may be appended while the step is under way.
   */
  readonly blocks: readonly BlockId[];
  /**
   * `none`: K and V only. `last`: sample from the last `drafted + 1` positions.
   * `all`: every computed position goes to `Sampler.prompt`; the end of the
   * context is sampled too when the chunk reaches it. `hidden`: the last hidden state, `states`:
   * those of all computed positions; of a device that has none (`can.hidden`) K and V only.
   */
  readonly want: "none" | "last" | "all" | "hidden" | "states";
  /** (optional) What is added to the model's products for this row; loaded before. */
  readonly adapter?: Adapter;
  /** (optional) Of a pair of texts: where the second begins, to models that tell them apart. */
  readonly secondFrom?: number;
  /** (optional) Nobody reads its ids: any will do, as long as they are as many. */
  readonly unread?: boolean;
}

/** Does the row end in an id, or in log-probabilities? */
export function samples({ want }: BatchRow): boolean {
  return want === "last" || want === "all";
}

/** Lent until the step's `done` is called; afterwards what its rows point to goes on changing. */
export interface Batch {
  /** Counts up from 0. */
  readonly step: number;
  readonly rows: readonly BatchRow[];
  /** Block copies to make before the step, in this order (a fork's partial block). */
  readonly copies: readonly { readonly from: BlockId; readonly to: BlockId }[];
  /** (optional) The same step may be repeated up to so many times, each adding one token a row. */
  readonly repeat?: number;
  /** (optional) Whatever else is due meanwhile changes nothing of the repetitions: they go on past it. */
  readonly through?: boolean;
}

/** Log-probabilities of one sampled or prompt position. */
export interface PositionLogprobs {
  readonly chosen: number;
  /** Rank of the chosen id, 1 is the most likely. */
  readonly rank: number;
  readonly topIds: readonly TokenId[];
  readonly topLogprobs: readonly number[];
}

/** What a row gained: its accepted drafts and one more id. */
export interface Sampled {
  readonly tokens: readonly TokenId[];
  /** Drafts accepted: `tokens.length − 1`, or fewer when sampling ended the row. */
  readonly accepted: number;
  readonly logprobs?: readonly PositionLogprobs[];
  /** Of the chunk's positions, when the row wanted `all`; the k-th predicts context[start + k + 1]. */
  readonly prompt?: readonly PositionLogprobs[];
}

export type StepResult =
  | {
      readonly ok: true;
      readonly sampled: ReadonlyMap<SequenceId, Sampled>;
      /** (optional) What each row gained that should be sampled and is not in `sampled`: of rows that nobody reads. */
      readonly alike?: Sampled;
      /** Of rows that want `hidden`, `[hidden]`, or `states`, `[count, hidden]`. */
      readonly hidden?: ReadonlyMap<SequenceId, Float32Array>;
      readonly cost?: StepCost;
      /** Repetitions done of a batch with `repeat`; absent: 1. Then `sampled` holds that many tokens a row. */
      readonly repeated?: number;
      /** (optional) When each repetition ended, the last one now; absent: not repeated. */
      readonly ends?: readonly Nanos[];
    }
  | {
      readonly ok: false;
      readonly error: Error;
      /** Rows known to be at fault; absent: any of them. */
      readonly culprits?: readonly SequenceId[];
      /** The KV cache is gone (a rank was restarted): everything is computed again. */
      readonly kvLost?: boolean;
    };

/** The engine's sampling policy, called by a device on the thread of the engine. */
export interface Sampler {
  /** `logits` is [drafted + 1, vocabulary], row-major; it may be overwritten. */
  sample(row: BatchRow, logits: Float32Array): Sampled;
  /** Reduces prompt positions [position, position + n), at most 64 a call; `logits` is [n, width]. */
  prompt(
    row: BatchRow,
    position: number,
    logits: Float32Array,
    width: number,
  ): readonly PositionLogprobs[];
  /**
   * (optional) Is the likeliest id of each position its answer, with nothing else asked? Then `sample` may
   * not be called for it, nor for guesses where `ends` is known. Absent: never.
   */
  greedy?(id: SequenceId): boolean;
  /** (optional) Does the id end its sequence? Absent: not known. */
  ends?(id: SequenceId, token: TokenId): boolean;
}

/** A LoRA adapter as requests name it. The same folder loaded again is another adapter. */
export interface Adapter {
  /** Unique for the lifetime of whoever gives it. */
  readonly id: number;
  readonly name: string;
  /** The folder as it was given: with the name it keys what is cached of it. */
  readonly path: string;
  /** The folder that is read. */
  readonly folder: string;
}

/** What a loaded adapter is. */
export interface AdapterFacts {
  readonly rank: number;
  /** Products that it adds to. */
  readonly modules: number;
  /** On each rank. */
  readonly bytes: number;
}

/** The adapters of a device, where `can.adapters`. */
export interface AdapterShelf {
  /** Reads one into memory, or rejects naming what is wrong; a row may name it from then on. */
  load(adapter: Adapter): Promise<AdapterFacts>;
  /** No row will name it again. */
  drop(adapter: Adapter): void;
}

/** What a device can do beside giving the next id; what it cannot is refused, or left out. */
export interface DeviceAbilities {
  /** `draft` may be asked. */
  readonly draft: boolean;
  /** Rows that want `all` score the prompt by real logits. */
  readonly promptLogprobs: boolean;
  /** Ids are drawn by the engine's sampler from real logits: parameters, log-probabilities and grammars hold. */
  readonly grammar: boolean;
  /** Rows that want `hidden` or `states` get them. */
  readonly hidden: boolean;
  /** Rows may name an adapter. */
  readonly adapters: boolean;
}

export interface Device {
  readonly name: string;
  readonly limits: DeviceLimits;
  readonly can: DeviceAbilities;
  /** Vocabulary of the model it runs. */
  readonly vocabSize: number;
  /** (optional) The machine it stands for; absent: it computes on the one it runs on. */
  readonly machine?: Machine;
  /** Where `can.adapters`. */
  readonly adapters?: AdapterShelf;
  /** (optional) What its weights cost in memory and how they were loaded, a line each. */
  readonly loadLines?: readonly string[];
  /** (optional) What its KV cache takes, all ranks together, and in which format; absent: F32. */
  readonly kvCache?: { readonly bytes: number; readonly format: string };
  /** Starts a step; `done` is called once, later, in order, on the same thread. */
  execute(batch: Batch, done: (result: StepResult) => void): void;
  /** These sequences are over: whatever the device keeps of them may go. */
  release(ids: readonly SequenceId[]): void;
  close(): Promise<void>;
  /** (optional) Up to `count` greedy draft tokens a row in one call. Where `can.draft`. */
  draft?(
    rows: readonly BatchRow[],
    count: number,
    done: (drafts: ReadonlyMap<SequenceId, readonly TokenId[]>) => void,
  ): void;
}

/** What a device is built from, beside its own settings. */
export interface DeviceContext {
  readonly sampler: Sampler;
  readonly trace?: TraceSink;
}
