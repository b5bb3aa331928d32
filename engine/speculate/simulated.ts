/**
 * Drafting heads that are priced but not computed (`eagle3`, `medusa`, `mtp`): an
 * oracle gives the ids that the target will choose, and each position is spoilt
 * so that it holds with a given rate, given that those before it held. What the
 * heads cost is the business of the device that drafts.
 */
import type { SequenceId, TokenId } from "../../device/device.ts";
import { keyOfSequence, uniform } from "../sample/random.ts";
import type { Sequence } from "../sequence.ts";
import type { DraftDevice } from "./draft-model.ts";
import type { ProposalRequest, Proposals, Proposer } from "./proposer.ts";

export interface SimulatedOptions {
  readonly name: string;
  /** Drafts what the target will choose, and takes the time that drafting takes. */
  readonly oracle: DraftDevice;
  /** Rate of each position, given those before it; the last stands for all further ones. */
  readonly acceptance: readonly number[];
  readonly seed: number;
}

export class SimulatedProposer implements Proposer {
  readonly name: string;
  readonly #options: SimulatedOptions;

  constructor(options: SimulatedOptions) {
    this.name = options.name;
    this.#options = options;
  }

  propose(requests: readonly ProposalRequest[], done: (drafts: Proposals) => void): void {
    const { oracle } = this.#options;
    const most = requests.reduce((longest, { count }) => Math.max(longest, count), 0);
    const rows = requests.map(({ sequence }) => ({
      id: sequence.id,
      context: sequence.tokens.subarray(0, sequence.length),
      start: sequence.computed,
      count: sequence.length - sequence.computed,
      drafted: 0,
      blocks: sequence.blocks,
      want: "last" as const,
    }));
    oracle.draft(rows, most, (truth) => {
      const proposals = new Map<SequenceId, readonly TokenId[]>();
      for (const { sequence, count } of requests) {
        const ids = truth.get(sequence.id)?.slice(0, count) ?? [];
        if (ids.length > 0) proposals.set(sequence.id, this.#spoil(sequence, ids));
      }
      done(proposals);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #spoil(sequence: Sequence, ids: readonly TokenId[]): TokenId[] {
    const { acceptance, seed, oracle } = this.#options;
    const key = keyOfSequence(seed, sequence.id);
    return ids.map((id, index) => {
      const rate = acceptance[Math.min(index, acceptance.length - 1)] ?? 0;
      const holds = uniform(key, sequence.length + index) < rate;
      return holds ? id : (id + 1) % oracle.vocabSize;
    });
  }
}

/**
 * The one rate that, at every position, makes `tokens` guesses yield `length` ids
 * a step on average: length = 1 + r + … + r^tokens.
 */
export function rateOfLength(length: number, tokens: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 60; i++) {
    const rate = (low + high) / 2;
    let sum = 0;
    for (let power = 0; power <= tokens; power++) sum += rate ** power;
    if (sum < length) low = rate;
    else high = rate;
  }
  return (low + high) / 2;
}
