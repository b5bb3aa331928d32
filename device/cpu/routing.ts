/**
 * Which experts a token visits, and with what weights: from its router's scores, as
 * Hugging Face transformers' routers of the families choose. Sums are in F64.
 */
import type { RouterOp } from "../../models/ops.ts";

/** Chosen experts of one token and their weights, by rank of choice; reused from token to token. */
export interface Choice {
  readonly experts: Int32Array;
  readonly weights: Float64Array;
}

export class Router {
  readonly #op: RouterOp;
  readonly #choiceBias: Float32Array | undefined;
  /** What experts are chosen by; −∞ where one may not be. */
  readonly #keys: Float64Array;
  /** What their weights are made of. */
  readonly #values: Float64Array;
  readonly #choice: Choice;

  constructor(op: RouterOp, choiceBias?: Float32Array) {
    this.#op = op;
    this.#choiceBias = choiceBias;
    this.#keys = new Float64Array(op.experts);
    this.#values = new Float64Array(op.experts);
    this.#choice = { experts: new Int32Array(op.topK), weights: new Float64Array(op.topK) };
  }

  /** `scores` are the router's product for one token `[experts]`. */
  choose(scores: Float32Array): Choice {
    const { scoring, normalise, scale } = this.#op;
    const { experts, weights } = this.#choice;
    this.#score(scores);
    this.#keepGroups();
    for (let place = 0; place < experts.length; place++) {
      const best = largest(this.#keys);
      this.#keys[best] = Number.NEGATIVE_INFINITY;
      experts[place] = best;
      weights[place] = this.#values[best] as number;
    }
    if (scoring === "topk-softmax") softmax(weights);
    let factor = scale;
    if (normalise) {
      let sum = scoring === "sigmoid" ? 1e-20 : 0;
      for (const weight of weights) sum += weight;
      factor /= sum;
    }
    for (let place = 0; place < weights.length; place++)
      weights[place] = (weights[place] as number) * factor;
    return this.#choice;
  }

  #score(scores: Float32Array): void {
    const { scoring } = this.#op;
    const values = this.#values;
    values.set(scores);
    if (scoring === "softmax") softmax(values);
    if (scoring === "sigmoid")
      for (let i = 0; i < values.length; i++)
        values[i] = 1 / (1 + Math.exp(-(values[i] as number)));
    this.#keys.set(values);
    const bias = this.#choiceBias;
    if (bias !== undefined)
      for (let i = 0; i < bias.length; i++)
        this.#keys[i] = (this.#keys[i] as number) + (bias[i] as number);
  }

  /** Experts outside the chosen groups may not be chosen (DeepSeek-V2 by a group's best, V3 by its best two). */
  #keepGroups(): void {
    const { groups = 1, groupsChosen = groups, experts, scoring } = this.#op;
    if (groupsChosen >= groups) return;
    const size = experts / groups;
    const marks = Float64Array.from({ length: groups }, (_, group) => {
      const members = this.#keys
        .slice(group * size, (group + 1) * size)
        .sort()
        .reverse();
      return (members[0] ?? 0) + (scoring === "sigmoid" ? (members[1] ?? 0) : 0);
    });
    for (let chosen = 0; chosen < groupsChosen; chosen++) marks[largest(marks)] = Number.NaN;
    marks.forEach((mark, group) => {
      // Those that were chosen are no number any more.
      if (!Number.isNaN(mark))
        this.#keys.fill(Number.NEGATIVE_INFINITY, group * size, (group + 1) * size);
    });
  }
}

/** Index of the largest number; of equals the lowest. */
function largest(values: Float64Array): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value > most || (best < 0 && value === most)) {
      best = i;
      most = value;
    }
  }
  return Math.max(best, 0);
}

function softmax(values: Float64Array): void {
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > most) most = value;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const power = Math.exp((values[i] as number) - most);
    values[i] = power;
    sum += power;
  }
  for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) / sum;
}
