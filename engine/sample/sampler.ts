/**
 * Which id comes next. The order of vLLM's V1 sampler:
 *
 *     0 the grammar's mask           5 penalties: repetition, frequency, presence
 *     1 raw logprobs are kept        6 greedy: the likeliest; else temperature
 *     2 allowed ids, bad words       7 min_p
 *     3 min_tokens                   8 top_k, then top_p
 *     4 logit_bias                   9 the draw, and logprobs of what was drawn
 *
 * Guesses are verified by the same draw: the id at a position is drawn as if
 * there were no guess, and the guess holds when it is that id. That is rejection
 * sampling with a one-hot q (accept with p(guess), else p without the guess,
 * Leviathan et al. 2023), and since draws depend on position alone, ids with and
 * without speculation are not only equally distributed but equal.
 */
import { argmax } from "../../device/argmax.ts";
import type {
  BatchRow,
  PositionLogprobs,
  Sampled,
  Sampler,
  SequenceId,
  TokenId,
} from "../../device/device.ts";
import { IdMap } from "../../device/id-map.ts";
import { LogitRows } from "../../device/logits.ts";
import { keyOfSeed, keyOfSequence, type RandomKey, uniform } from "../../device/random.ts";
import { verified } from "../../device/verified.ts";
import type { Constraint, SamplingParams, Sequence } from "../sequence.ts";
import { addBias, applyMask, forbid, forbidBadWords, maskOf } from "./logits.ts";
import { logprobsOf } from "./logprobs.ts";
import { TokenHistory } from "./penalties.ts";
import { Candidates, truncates } from "./truncate.ts";

export type LogprobsMode =
  | "raw_logprobs"
  | "processed_logprobs"
  | "raw_logits"
  | "processed_logits";

export interface SamplerOptions {
  /** Of requests that bring none; absent: the engine's. */
  readonly seed?: number;
  /** Absent: raw_logprobs. */
  readonly logprobsMode?: LogprobsMode;
}

interface State {
  readonly params: SamplingParams;
  readonly promptLength: number;
  readonly key: RandomKey;
  readonly greedy: boolean;
  /** Nothing changes its logits and nothing is reported: the likeliest id is the answer. */
  readonly plain: boolean;
  /** The same of one that draws: of its logits, as they are, at its temperature. */
  readonly free: boolean;
  readonly constraint: Constraint | undefined;
  /** Ids that the request allows, as a mask; absent: all. */
  readonly allowed: Int32Array | undefined;
  /** Where nothing could be sampled: the sequence is about to end, unless that step comes again. */
  faultedAt: number | undefined;
  /** Kept when the choice depends on what was said. */
  readonly history: TokenHistory | undefined;
}

/** What is sampled, and where its log-probabilities go. */
interface Place {
  readonly row: BatchRow;
  readonly position: number;
  readonly logprobs: PositionLogprobs[];
}

const NOTHING: readonly TokenId[] = [];
/** Of those whose log-probabilities nobody asked for: nothing is pushed to it. */
const NONE: PositionLogprobs[] = [];

/** As vLLM: a temperature below this is greedy. */
const GREEDY_TEMPERATURE = 1e-5;

export class TokenSampler implements Sampler {
  #seed: number | undefined;
  readonly #raw: boolean;
  readonly #normalized: boolean;
  readonly #states = new IdMap<State>();
  readonly #faults = new Map<SequenceId, Error>();
  readonly #candidates = new Candidates();
  readonly #whole = new LogitRows();
  #kept = new Float32Array(0);
  #mask = new Int32Array(0);

  constructor(options: SamplerOptions = {}) {
    const mode = options.logprobsMode ?? "raw_logprobs";
    this.#seed = options.seed;
    this.#raw = mode.startsWith("raw");
    this.#normalized = mode.endsWith("logprobs");
  }

  /** Told by the engine: its seed. */
  attach(seed: number): void {
    this.#seed ??= seed;
  }

  add(sequence: Pick<Sequence, "id" | "params" | "promptLength" | "constraint" | "tokens">): void {
    const { id, params, promptLength, constraint } = sequence;
    const penalized =
      params.repetitionPenalty !== 1 ||
      params.frequencyPenalty !== 0 ||
      params.presencePenalty !== 0;
    const remembers = penalized || params.badWords.length > 0 || constraint !== undefined;
    const greedy = params.temperature < GREEDY_TEMPERATURE;
    const prompt = (): Int32Array => sequence.tokens.subarray(0, promptLength);
    const untouched =
      !remembers &&
      params.logprobs === undefined &&
      params.allowedTokenIds === undefined &&
      params.minTokens === 0 &&
      params.logitBias.size === 0;
    this.#states.set(id, {
      params,
      promptLength,
      key: params.seed === undefined ? keyOfSequence(this.#seed ?? 0, id) : keyOfSeed(params.seed),
      greedy,
      plain: greedy && untouched,
      free: !greedy && untouched && !truncates(params, Number.POSITIVE_INFINITY),
      constraint,
      allowed: params.allowedTokenIds && maskOf(params.allowedTokenIds),
      faultedAt: undefined,
      history: remembers ? new TokenHistory(prompt(), params, constraint) : undefined,
    });
  }

  remove(id: SequenceId): void {
    this.#states.delete(id);
    this.#faults.delete(id);
  }

  /** Why the sequence could not be sampled, once. */
  takeFault(id: SequenceId): Error | undefined {
    if (this.#faults.size === 0) return undefined;
    const fault = this.#faults.get(id);
    this.#faults.delete(id);
    return fault;
  }

  sample(row: BatchRow, logits: Float32Array): Sampled {
    const state = this.#states.get(row.id);
    const width = logits.length / (row.drafted + 1);
    const position = row.start + row.count - row.drafted;
    if (state?.faultedAt !== undefined) {
      // The step after a fault may be under way already: it builds on an id that never was.
      if (position > state.faultedAt) return { tokens: [], accepted: 0 };
      this.#faults.delete(row.id); // the fault's own step failed, and comes again
      state.faultedAt = undefined;
    }
    const reports = state?.params.logprobs !== undefined;
    const logprobs = reports ? [] : NONE;
    const at = { row, position, logprobs };
    if (row.drafted === 0) {
      const token = this.#next(state, logits, at);
      if (token === undefined) this.#missed(state, at);
      const tokens = token === undefined ? NOTHING : [token];
      return reports ? { tokens, accepted: 0, logprobs } : { tokens, accepted: 0 };
    }
    const { tokens, missing } = verified(
      row,
      (index) => {
        const view = logits.subarray(index * width, (index + 1) * width);
        return this.#next(state, view, { row, position: position + index, logprobs });
      },
      (token) => state !== undefined && isStop(state, token),
    );
    if (missing !== undefined) this.#missed(state, { row, position: position + missing });
    const accepted = Math.max(0, tokens.length - 1);
    return reports ? { tokens, accepted, logprobs } : { tokens, accepted };
  }

  /** Undefined: no id can be sampled. */
  #next(state: State | undefined, logits: Float32Array, at: Place): TokenId | undefined {
    if (state === undefined || state.plain) return argmax(logits);
    return state.free
      ? this.#drawWhole(state, logits, at.position)
      : this.#choose(state, logits, at);
  }

  #missed(state: State | undefined, { row, position }: Pick<Place, "row" | "position">): void {
    const nothing = `No id can be sampled at position ${position}: no logit is finite.`;
    this.#faults.set(row.id, state?.constraint?.failure ?? new Error(nothing));
    if (state !== undefined) state.faultedAt = position;
  }

  prompt(
    row: BatchRow,
    position: number,
    logits: Float32Array,
    width: number,
  ): readonly PositionLogprobs[] {
    const state = this.#states.get(row.id);
    const count = state?.params.promptLogprobs;
    if (state === undefined || count === undefined) return [];
    const known = state.promptLength - 1 - position;
    const positions = Math.min(Math.round(logits.length / width), known);
    const wanted = { count, normalized: this.#normalized };
    return Array.from({ length: Math.max(0, positions) }, (_, index) => {
      const view = logits.subarray(index * width, (index + 1) * width);
      return logprobsOf(view, row.context[position + index + 1] ?? 0, wanted);
    });
  }

  greedy(id: SequenceId): boolean {
    const state = this.#states.get(id);
    return state === undefined || (state.plain && state.faultedAt === undefined);
  }

  ends(id: SequenceId, token: TokenId): boolean {
    const state = this.#states.get(id);
    return state !== undefined && isStop(state, token);
  }

  #choose(state: State, logits: Float32Array, at: Place): TokenId | undefined {
    const { params, history } = state;
    const { row, position } = at;
    history?.sync(row.context, position);
    const reports = params.logprobs !== undefined;
    if (state.constraint !== undefined) this.#constrain(state.constraint, logits);
    if (reports && this.#raw) this.#keep(logits);
    this.#process(state, logits, position);
    const token = state.greedy ? argmax(logits) : this.#draw(state, logits, position);
    if (token === undefined) return undefined;
    if (reports) {
      if (!this.#raw && !state.greedy) this.#maskOthers(logits, params.temperature);
      const wanted = {
        count: params.logprobs ?? 0,
        normalized: this.#normalized,
        ...(params.logprobTokenIds === undefined ? {} : { ids: params.logprobTokenIds }),
      };
      at.logprobs.push(logprobsOf(this.#raw ? this.#kept : logits, token, wanted));
    }
    if (history?.push(token) === false) {
      state.faultedAt = position;
      this.#faults.set(
        row.id,
        state.constraint?.failure ??
          new Error(`The grammar refused token ${token}, which its mask allowed.`),
      );
    }
    return token;
  }

  #process(state: State, logits: Float32Array, position: number): void {
    const { params, history } = state;
    if (state.allowed !== undefined) applyMask(logits, state.allowed);
    if (params.badWords.length > 0) forbidBadWords(logits, params.badWords, history?.output ?? []);
    if (position - state.promptLength < params.minTokens) {
      forbid(logits, params.stopTokenIds);
      forbid(logits, params.eosTokenIds);
    }
    if (params.logitBias.size > 0) addBias(logits, params.logitBias);
    history?.penalize(logits, params);
  }

  #draw(state: State, logits: Float32Array, position: number): TokenId | undefined {
    const { params, key } = state;
    const listed = params.logprobs !== undefined && !this.#raw;
    if (!listed && !truncates(params, logits.length)) {
      return this.#drawWhole(state, logits, position);
    }
    if (!this.#candidates.gather(logits, params)) return undefined;
    return this.#candidates.at(uniform(key, position));
  }

  #drawWhole({ params, key }: State, logits: Float32Array, position: number): TokenId | undefined {
    const row = this.#whole.reserve(logits.length);
    row.set(logits);
    return this.#whole.draw(row, params.temperature, uniform(key, position));
  }

  #constrain(constraint: Constraint, logits: Float32Array): void {
    const words = Math.ceil(logits.length / 32);
    if (this.#mask.length !== words) this.#mask = new Int32Array(words);
    this.#mask.fill(0);
    if (constraint.mask(this.#mask)) applyMask(logits, this.#mask);
  }

  #keep(logits: Float32Array): void {
    if (this.#kept.length !== logits.length) this.#kept = new Float32Array(logits.length);
    this.#kept.set(logits);
  }

  /** Leaves the candidates' scaled logits and −∞ elsewhere: what processed logprobs are of. */
  #maskOthers(logits: Float32Array, temperature: number): void {
    const { ids, count } = this.#candidates;
    const kept = Float32Array.from(ids.subarray(0, count), (id) => (logits[id] ?? 0) / temperature);
    logits.fill(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < count; i++) logits[ids[i] ?? 0] = kept[i] ?? 0;
  }
}

function isStop({ params }: State, token: TokenId): boolean {
  return (
    (!params.ignoreEos && params.eosTokenIds.includes(token)) || params.stopTokenIds.includes(token)
  );
}
