/** The model's own drafting heads (`eagle3`, `medusa`, `mtp`): the device that runs the model drafts. */
import type { SequenceId, TokenId } from "../../device/device.ts";
import type { DraftDevice } from "./draft-model.ts";
import type { ProposalRequest, Proposals, Proposer } from "./proposer.ts";

export class HeadsProposer implements Proposer {
  readonly name: string;
  readonly #device: DraftDevice;

  constructor(name: string, device: DraftDevice) {
    this.name = name;
    this.#device = device;
  }

  propose(requests: readonly ProposalRequest[], done: (drafts: Proposals) => void): void {
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
    this.#device.draft(rows, most, (drafts) => {
      const proposals = new Map<SequenceId, readonly TokenId[]>();
      for (const { sequence, count } of requests) {
        const ids = drafts.get(sequence.id)?.slice(0, count) ?? [];
        if (ids.length > 0) proposals.set(sequence.id, ids);
      }
      done(proposals);
    });
  }

  /** The device is the engine's own. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
