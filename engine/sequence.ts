/**
 * A request as the engine sees it: ids, numbers, no text. `SamplingParams` is
 * complete (the server fills in defaults) and plain data.
 */

import type { Nanos } from "../device/clock.ts";
import type { Adapter, BlockId, SequenceId, TokenId } from "../device/device.ts";
import type { PoolingKind } from "../models/model.ts";

/** Names and meanings as in vLLM's SamplingParams. */
export interface SamplingParams {
  /** Output tokens at most. */
  readonly maxTokens: number;
  readonly minTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  /** (0, 1] */
  readonly topP: number;
  /** 0: off. */
  readonly topK: number;
  /** Ids less likely than minP · (the likeliest) are dropped. */
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** Of 64 bits; absent: drawn from the engine's own seed. */
  readonly seed?: number | bigint;
  readonly logitBias: ReadonlyMap<TokenId, number>;
  readonly allowedTokenIds?: readonly TokenId[];
  /** Token sequences that may not be completed. */
  readonly badWords: readonly (readonly TokenId[])[];
  /** Ids that end the output with their id as the stop reason. */
  readonly stopTokenIds: readonly TokenId[];
  /** Ids that end the output silently (EOS of the model). */
  readonly eosTokenIds: readonly TokenId[];
  readonly ignoreEos: boolean;
  /** Top log-probabilities wanted of each output position; absent: none, −1: the whole vocabulary. */
  readonly logprobs?: number;
  /** Further ids whose log-probabilities are wanted. */
  readonly logprobTokenIds?: readonly TokenId[];
  /** Of each prompt position. */
  readonly promptLogprobs?: number;
}

/** vLLM's defaults; the server overlays what the client and the model's generation config say. */
export const DEFAULT_SAMPLING: SamplingParams = {
  maxTokens: 16,
  minTokens: 0,
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  logitBias: new Map(),
  badWords: [],
  stopTokenIds: [],
  eosTokenIds: [],
  ignoreEos: false,
};

/**
 * A grammar's hold on the sampler: which ids may come next. One object a
 * sequence; speculation tries ids and takes them back.
 */
export interface Constraint {
  /** Why nothing is allowed any more, where that is no end of the grammar: what the sequence ends with. */
  readonly failure?: Error | undefined;
  /** Sets bit (id & 31) of mask[id >> 5] for each id allowed next. False: everything is allowed. */
  mask(mask: Int32Array): boolean;
  /** The id was emitted (or is tried); false when the grammar refuses it. */
  accept(id: TokenId): boolean;
  /** Takes back the last `count` ids. */
  rollback(count: number): void;
}

/**
 * A prompt whose ids nobody reads, nor those that follow it: in simulated time lengths decide,
 * and what blocks are called. To a device all its ids are 0; drafts are never right.
 */
export interface UnreadPrompt {
  readonly length: number;
  /** Names of its full blocks, equal where their ids and all before would be: whole numbers from 0 on. */
  readonly names: readonly number[];
}

/** At least one id. An Int32Array is read where it lies, and must not change. */
export type Ids = readonly TokenId[] | Int32Array;

/** What the server submits. */
export interface GenerationRequest<Prompt extends Ids | UnreadPrompt = Ids> {
  readonly prompt: Prompt;
  readonly params: SamplingParams;
  /** Completions to draw from the one prompt; absent: 1. */
  readonly n?: number;
  /** Lower is earlier; absent: 0. */
  readonly priority?: number;
  /** Isolates the prefix cache. */
  readonly salt?: string;
  readonly adapter?: Adapter;
  readonly tenant?: string;
  /** Past this time the request ends with reason `abort`. */
  readonly deadline?: Nanos;
  /** One constraint for each of the n completions. */
  readonly constraints?: readonly Constraint[];
  /** Prompt tokens whose K and V another engine computed and has sent; absent: none. The last token is computed here. */
  readonly received?: number;
  /** Its blocks outlast it, until `Engine.letGo`: another engine reads them. */
  readonly keepsBlocks?: boolean;
  /**
   * Absent: ids are drawn. Else none is: the prompt's hidden states are pooled so, and the
   * request is over. `params` say nothing then, and `n` is 1.
   */
  readonly pooling?: PoolingKind;
  /** Of a pair of texts: where the second begins. */
  readonly secondFrom?: number;
}

export type FinishReason = "stop" | "length" | "abort" | "error";

/** What an engine takes: from simulated time also prompts of which it is told no more than their length. */
export type AnyRequest = GenerationRequest<Ids | UnreadPrompt>;

/** One completion under way. Only the scheduler writes it. */
export interface Sequence {
  readonly id: SequenceId;
  readonly arrival: Nanos;
  readonly priority: number;
  readonly params: SamplingParams;
  readonly promptLength: number;
  readonly salt?: string;
  readonly adapter?: Adapter;
  readonly tenant?: string;
  readonly deadline?: Nanos;
  /** Ids of the sequences of one request, the leader first. */
  readonly group: readonly SequenceId[];
  readonly constraint?: Constraint;
  /** Prompt and output ids; `length` of them are valid. */
  tokens: Int32Array;
  length: number;
  /** Tokens whose K and V are in the cache (or will be when the steps in flight end). */
  computed: number;
  draft: readonly TokenId[];
  blocks: BlockId[];
}
