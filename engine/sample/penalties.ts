/**
 * What a sequence has said, for penalties, bad words and grammars. It follows the
 * sampler's own choices, not the engine's updates: with steps in flight the
 * engine learns of an id later than the next one is drawn. `sync` takes back
 * what a failed step had sampled.
 */
import { PENDING_TOKEN, type TokenId } from "../../device/device.ts";
import type { Constraint, SamplingParams } from "../sequence.ts";

export class TokenHistory {
  readonly output: TokenId[] = [];
  readonly #promptLength: number;
  readonly #constraint: Constraint | undefined;
  /** Distinct ids of the prompt, when a repetition penalty needs them. */
  readonly #prompt: ReadonlySet<TokenId>;
  readonly #counts = new Map<TokenId, number>();

  constructor(prompt: Int32Array, params: SamplingParams, constraint: Constraint | undefined) {
    this.#promptLength = prompt.length;
    this.#prompt = new Set(params.repetitionPenalty === 1 ? [] : prompt);
    this.#constraint = constraint;
  }

  /** Makes the history that of context [0, position). */
  sync(context: Int32Array, position: number): void {
    const target = position - this.#promptLength;
    const surplus = this.output.length - target;
    if (surplus > 0) {
      for (const id of this.output.splice(target)) this.#count(id, -1);
      this.#constraint?.rollback(surplus);
    }
    while (this.output.length < target) {
      const id = context[this.#promptLength + this.output.length] ?? PENDING_TOKEN;
      if (id === PENDING_TOKEN) throw new Error("A step was sampled before the one it follows.");
      if (!this.push(id)) throw new Error(`The grammar refuses token ${id}, which was emitted.`);
    }
  }

  /** False, and nothing kept, when the grammar refuses the id. */
  push(id: TokenId): boolean {
    if (this.#constraint?.accept(id) === false) return false;
    this.output.push(id);
    this.#count(id, 1);
    return true;
  }

  /**
   * repetition: logit > 0 ? logit / r : logit · r, once for each id of prompt or
   * output; frequency: −f · count in the output; presence: −p when in the output.
   */
  penalize(logits: Float32Array, params: SamplingParams): void {
    const { repetitionPenalty, frequencyPenalty, presencePenalty } = params;
    if (repetitionPenalty !== 1) {
      for (const id of this.#prompt) repeat(logits, id, repetitionPenalty);
      for (const id of this.#counts.keys()) {
        if (!this.#prompt.has(id)) repeat(logits, id, repetitionPenalty);
      }
    }
    if (frequencyPenalty === 0 && presencePenalty === 0) return;
    for (const [id, count] of this.#counts) {
      logits[id] = (logits[id] ?? 0) - frequencyPenalty * count - presencePenalty;
    }
  }

  #count(id: TokenId, change: number): void {
    const count = (this.#counts.get(id) ?? 0) + change;
    if (count > 0) this.#counts.set(id, count);
    else this.#counts.delete(id);
  }
}

function repeat(logits: Float32Array, id: TokenId, penalty: number): void {
  const logit = logits[id] ?? 0;
  logits[id] = logit > 0 ? logit / penalty : logit * penalty;
}
