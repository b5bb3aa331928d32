/** What a rank says of the wanted tokens of a step: logits over its share of the vocabulary, the likeliest ids, hidden states. */
import { LogitRows } from "../logits.ts";
import type { AllReduce } from "./all-reduce.ts";
import type { Program, Segment } from "./graph/steps.ts";
import { type Runner, Tensor } from "./session.ts";
import type { RowsGiven } from "./two-ways.ts";

export interface HeadOptions {
  readonly program: Program;
  readonly runner: Runner;
  /** Opens what comes before the head's product; asked where states are wanted, which are few servers. */
  readonly open: (segment: Segment) => Runner;
  readonly allReduce: AllReduce;
  readonly rank: number;
  readonly ranks: number;
  readonly vocabSize: number;
  readonly given: RowsGiven;
}

/** No logit is finite. */
export const NO_ID = -1;

export class Head {
  readonly #options: HeadOptions;
  /** First id of the rank's share of the vocabulary. */
  readonly #firstId: number;
  /** Megabytes at large vocabularies: kept from step to step. */
  readonly #logits = new LogitRows();
  #norm: Runner | undefined;

  constructor(options: HeadOptions) {
    this.#options = options;
    this.#firstId = options.rank * Math.ceil(options.vocabSize / options.ranks);
  }

  /**
   * Logits into `target`, whose rows are `vocabSize` long and of which this rank fills its
   * columns. `states` are the hidden states of a step's tokens, `wanted` places among them.
   */
  logits(states: Float32Array, wanted: Int32Array, target: Float32Array): void {
    const { program, vocabSize } = this.#options;
    const { width } = program.logits;
    const out = this.#run(states, wanted);
    for (let row = 0; row < wanted.length; row++) {
      const part = out.subarray(row * width, (row + 1) * width);
      target.set(part, row * vocabSize + this.#firstId);
    }
  }

  /** The likeliest id after each wanted token, of equals the lowest; NO_ID where there is none. */
  likeliest(states: Float32Array, wanted: Int32Array): Int32Array {
    const { program, rank, ranks, allReduce } = this.#options;
    const { width } = program.logits;
    const out = this.#run(states, wanted);
    // Each rank enters its candidate; the sum brings all candidates to all ranks.
    const candidates = new Float32Array(wanted.length * ranks * 2);
    for (let row = 0; row < wanted.length; row++) {
      const part = out.subarray(row * width, (row + 1) * width);
      const best = this.#logits.likeliest(part);
      const entry = (row * ranks + rank) * 2;
      candidates[entry] = best === undefined ? Number.NEGATIVE_INFINITY : (part[best] as number);
      candidates[entry + 1] = best === undefined ? NO_ID : best + this.#firstId;
    }
    if (ranks > 1) allReduce.sum(candidates);
    return Int32Array.from(wanted, (_, row) => {
      let best = row * ranks * 2;
      for (let other = best + 2; other < (row + 1) * ranks * 2; other += 2) {
        if ((candidates[other] as number) > (candidates[best] as number)) best = other;
      }
      return candidates[best + 1] as number;
    });
  }

  /** Normed hidden states of the wanted tokens, `[wanted, hidden]`: the head's product is not made. */
  hidden(states: Float32Array, wanted: Int32Array, target: Float32Array): void {
    const { norm, hidden, final } = this.#options.program;
    const rows = wanted.length;
    const input = this.#gather(states, wanted, rows);
    const [from] = norm?.inputs ?? [];
    if (norm === undefined || from === undefined) {
      target.set(input);
      return;
    }
    this.#norm ??= this.#options.open(norm);
    const normed = new Float32Array(rows * final.width);
    this.#norm.run(
      { [from.name]: new Tensor("float32", input, [rows, hidden.width]) },
      { [final.name]: new Tensor("float32", normed, [rows, final.width]) },
    );
    target.set(normed);
  }

  close(): void {
    this.#options.runner.close();
    this.#norm?.close();
  }

  /** States of the wanted tokens, one after the other; rows beyond them are 0. */
  #gather(states: Float32Array, wanted: Int32Array, rows: number): Float32Array {
    const { width } = this.#options.program.hidden;
    const input = new Float32Array(rows * width);
    wanted.forEach((token, row) => {
      const begin = token * width;
      input.set(states.subarray(begin, begin + width), row * width);
    });
    return input;
  }

  /** The rank's logits `[wanted, share of the vocabulary]`. */
  #run(states: Float32Array, wanted: Int32Array): Float32Array {
    const { hidden, head, logits } = this.#options.program;
    const rows = this.#options.given(wanted.length);
    const input = this.#gather(states, wanted, rows);
    const out = this.#logits.reserve(rows * logits.width);
    const [from] = head.inputs;
    if (from === undefined) throw new Error("cpu: the head has no input.");
    this.#options.runner.run(
      { [from.name]: new Tensor("float32", input, [rows, hidden.width]) },
      { [logits.name]: new Tensor("float32", out, [rows, logits.width]) },
    );
    return out;
  }
}
