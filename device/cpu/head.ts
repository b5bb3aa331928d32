/** What a rank says of the wanted tokens of a step: logits over its share of the vocabulary, the likeliest ids, hidden states. */
import { argmax } from "../argmax.ts";
import type { AllReduce } from "./all-reduce.ts";
import type { Program } from "./graph/steps.ts";
import { type Runner, Tensor } from "./session.ts";
import type { RowsGiven } from "./two-formats.ts";

export interface HeadOptions {
  readonly program: Program;
  readonly runner: Runner;
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
  #logits = new Float32Array(0);

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
      const best = argmax(part);
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

  /** Normed hidden states of the wanted tokens, `[wanted, hidden]`. */
  hidden(states: Float32Array, wanted: Int32Array, target: Float32Array): void {
    const { width } = this.#options.program.final;
    const normed = new Float32Array(this.#options.given(wanted.length) * width);
    this.#run(states, wanted, normed);
    target.set(normed.subarray(0, wanted.length * width));
  }

  close(): void {
    this.#options.runner.close();
  }

  /** The rank's logits `[wanted, share of the vocabulary]`; `normed` takes the head's input. */
  #run(states: Float32Array, wanted: Int32Array, normed?: Float32Array): Float32Array {
    const { hidden, head, logits, final } = this.#options.program;
    const rows = this.#options.given(wanted.length);
    const input = new Float32Array(rows * hidden.width);
    wanted.forEach((token, row) => {
      const begin = token * hidden.width;
      input.set(states.subarray(begin, begin + hidden.width), row * hidden.width);
    });
    const size = rows * logits.width;
    if (this.#logits.length < size) this.#logits = new Float32Array(size);
    const out = this.#logits.subarray(0, size);
    const tensor = (data: Float32Array, width: number): Tensor =>
      new Tensor("float32", data, [rows, width]);
    const [from] = head.inputs;
    if (from === undefined) throw new Error("cpu: the head has no input.");
    this.#options.runner.run(
      { [from.name]: tensor(input, hidden.width) },
      {
        [logits.name]: tensor(out, logits.width),
        ...(normed && { [final.name]: tensor(normed, final.width) }),
      },
    );
    return out;
  }
}
