/**
 * A sequence as the scheduler keeps it. Positions of its token buffer:
 *
 *     [0 ......... promptLength ......... known) [known .. length) [length .. + draft)
 *      given by the client   sampled              pending: sampled  guesses to verify
 *                                                 by steps in flight
 *
 *     [0 ... written) [written ... computed) [computed ........ length + draft)
 *      K and V exist   steps in flight write  the next step's work
 *
 * There is no prefill and no decode: a step computes from `computed` towards the
 * end, and whoever reaches it samples.
 */

import type { Nanos } from "../device/clock.ts";
import type { Adapter } from "../device/device.ts";
import {
  type BlockId,
  PENDING_TOKEN,
  type PositionLogprobs,
  type SequenceId,
  type TokenId,
} from "../device/device.ts";
import { newIds } from "../models/ids.ts";
import type { BlockName } from "./kv/block-hash.ts";
import type { Holder } from "./kv/holder.ts";
import type { PrefixMatch } from "./kv/prefix-match.ts";
import { PooledState } from "./pooled-state.ts";
import type { AnyRequest, Constraint, FinishReason, SamplingParams, Sequence } from "./sequence.ts";

export type Status = "waiting" | "running" | "ended";

const NO_DRAFT: readonly TokenId[] = [];

/** More ids than this are quicker written by the runtime's own copy, at 40 ns a call. */
const CALL_PAYS = 32;

/** Places for outputs that a sequence is given at first, at most. */
const MOST_AT_ONCE = 1024;

export class LiveSequence implements Sequence, Holder {
  readonly id: SequenceId;
  readonly arrival: Nanos;
  readonly priority: number;
  readonly params: SamplingParams;
  readonly promptLength: number;
  readonly salt?: string;
  readonly adapter?: Adapter;
  readonly tenant?: string;
  readonly deadline?: Nanos;
  readonly group: readonly SequenceId[];
  readonly constraint?: Constraint;
  readonly keepsBlocks: boolean;
  /** Where it pools instead of sampling. */
  readonly pooled: PooledState | undefined;
  /** Of a pair of texts: where the second begins. */
  readonly secondFrom?: number;
  /** Its ids are never read: none are kept. */
  readonly unread: boolean;
  /** Position at which it ends whatever is sampled: the prompt and maxTokens, or the model's limit. */
  readonly limit: number;

  /** The prompt alone is shared with the siblings; the first id written makes it this one's. */
  tokens: Int32Array;
  length: number;
  computed = 0;
  received: number;
  draft: readonly TokenId[] = NO_DRAFT;
  blocks: BlockId[] = [];

  status: Status = "waiting";
  /** An entry of the queue of those who wait is its. */
  queued = false;
  /** Placeholders at the end of `length`. */
  pending = 0;
  /** Rows in steps under way. */
  inFlight = 0;
  /** Counts how often its cache was given up; results of older rows write no K and V. */
  epoch = 0;
  /** Asked to end; done when its steps in flight are. */
  ending: FinishReason | undefined;
  readonly hashes: BlockName[];
  published = 0;
  match: PrefixMatch | undefined;
  cachedTokens = 0;
  scheduledOnce = false;
  /** Of prompt positions 1, 2, …; gathered until the first token leaves. */
  promptLogprobs: PositionLogprobs[] | undefined;
  /** Others were admitted past it so often. */
  overtaken = 0;
  /** Siblings that wait for this one's prompt, to fork from it; the first is the last of the list. */
  followers: LiveSequence[] = [];
  /** Waits for its leader's prompt. */
  following = false;
  /** Led the siblings until their prompt was computed. */
  released = false;
  /** Leads the siblings since this one ended before that. */
  heir: LiveSequence | undefined;
  /** Nothing but its length can end it. */
  readonly endsByLength: boolean;

  constructor(
    request: AnyRequest,
    place: {
      id: SequenceId;
      index: number;
      group: readonly SequenceId[];
      arrival: Nanos;
      maxContext: number;
    },
  ) {
    const { params } = request;
    this.id = place.id;
    this.arrival = place.arrival;
    this.group = place.group;
    this.priority = request.priority ?? 0;
    // As vLLM: the i-th completion of a seeded request draws with seed + i.
    this.params =
      params.seed === undefined || place.index === 0
        ? params
        : { ...params, seed: BigInt(params.seed) + BigInt(place.index) };
    this.promptLength = request.prompt.length;
    const { pooling } = request;
    this.pooled = pooling && new PooledState(pooling);
    // What pools ends before its limit: it draws nothing.
    this.limit = pooling
      ? this.promptLength + 1
      : Math.min(this.promptLength + params.maxTokens, place.maxContext);
    if (request.secondFrom !== undefined) this.secondFrom = request.secondFrom;
    if (request.salt !== undefined) this.salt = request.salt;
    if (request.adapter !== undefined) this.adapter = request.adapter;
    if (request.tenant !== undefined) this.tenant = request.tenant;
    if (request.deadline !== undefined) this.deadline = request.deadline;
    const constraint = request.constraints?.[place.index];
    if (constraint !== undefined) this.constraint = constraint;
    this.endsByLength =
      (params.ignoreEos || params.eosTokenIds.length === 0) &&
      params.stopTokenIds.length === 0 &&
      constraint === undefined;
    const { prompt } = request;
    this.unread = "names" in prompt;
    if ("names" in prompt) {
      this.tokens = zeros(this.limit);
      this.hashes = prompt.names.slice();
    } else {
      this.tokens = prompt instanceof Int32Array ? prompt : Int32Array.from(prompt);
      this.hashes = [];
    }
    this.length = this.promptLength;
    this.keepsBlocks = request.keepsBlocks === true;
    // Its last token is what the first id is sampled from.
    this.received = Math.min(request.received ?? 0, this.promptLength - 1);
    if (params.promptLogprobs !== undefined && place.index === 0) this.promptLogprobs = [];
  }

  /** Tokens known: the prompt and what was sampled. */
  get known(): number {
    return this.length - this.pending;
  }

  /** Log-probabilities of the prompt need its logits, a mean all its states: nothing may be skipped (as vLLM). */
  get computesAll(): boolean {
    const { pooled } = this;
    return this.promptLogprobs !== undefined || (pooled !== undefined && pooled.kind !== "last");
  }

  get outputLength(): number {
    return this.known - this.promptLength;
  }

  /** Tokens a step could compute now. */
  get want(): number {
    return this.length + this.draft.length - this.computed;
  }

  /** Writes ids at `position`, growing the buffer. */
  write(position: number, ids: readonly TokenId[]): void {
    if (this.unread) return;
    const end = position + ids.length;
    if (end > this.tokens.length) {
      // Where only its length ends it, all will be written.
      const likely = this.endsByLength ? MOST_AT_ONCE : 64;
      const first = this.promptLength + Math.min(this.params.maxTokens, likely) + 1;
      const room = Math.max(first, Math.ceil(1.5 * this.tokens.length));
      const size = Math.max(end, Math.min(room, this.limit + 1));
      const grown = newIds(size);
      grown.set(this.tokens);
      this.tokens = grown;
    }
    if (ids.length > CALL_PAYS) this.tokens.set(ids, position);
    else for (let i = 0; i < ids.length; i++) this.tokens[position + i] = ids[i] ?? PENDING_TOKEN;
  }

  /** The step about to go will sample one id: keep its place. */
  addPending(): void {
    this.write(this.length, PENDING);
    this.length++;
    this.pending++;
  }

  /** The id of the oldest place is known now, or never will be. */
  dropPending(): void {
    this.length--;
    this.pending--;
  }

  /** Its K and V are given up: all is to compute again. */
  rewind(): void {
    this.computed = 0;
    this.received = 0;
    this.draft = NO_DRAFT;
    this.published = 0;
    this.match = undefined;
    this.pooled?.reset();
    this.epoch++;
  }

  /** Keeps the first `count` guesses. */
  keepDraft(count: number): void {
    if (this.draft.length <= count) return;
    this.draft = count <= 0 ? NO_DRAFT : this.draft.slice(0, count);
  }
}

const PENDING: readonly TokenId[] = [PENDING_TOKEN];

/** The ids of all that are unread. */
let unreadIds = new Int32Array(0);

function zeros(count: number): Int32Array {
  if (unreadIds.length < count) unreadIds = new Int32Array(2 * count);
  return unreadIds;
}
