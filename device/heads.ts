/**
 * Drafting heads that are priced but not computed (eagle3, medusa, mtp): what the
 * device drafts are the ids that it will choose itself, and each position is spoilt
 * so that it holds with a given rate, given that those before it held. What the heads
 * cost is the business of the device that drafts.
 */
import type { Device, SequenceId, TokenId } from "./device.ts";
import { keyOfSequence, uniform } from "./random.ts";

export interface HeadsOptions {
  /** Rate of each position, given those before it; the last stands for all further ones. Absent: there are no such heads. */
  readonly acceptance: readonly number[] | undefined;
  readonly seed: number;
}

/** The same device, whose drafts hold as often as asked. */
export function simulateHeads(device: Device, { acceptance, seed }: HeadsOptions): Device {
  if (acceptance === undefined || device.draft === undefined) return device;
  const truth = device.draft.bind(device);
  const spoil = (id: SequenceId, length: number, ids: readonly TokenId[]): TokenId[] => {
    const key = keyOfSequence(seed, id);
    return ids.map((token, index) => {
      const rate = acceptance[Math.min(index, acceptance.length - 1)] ?? 0;
      return uniform(key, length + index) < rate ? token : (token + 1) % device.vocabSize;
    });
  };
  return {
    name: device.name,
    limits: device.limits,
    vocabSize: device.vocabSize,
    can: device.can,
    execute: (batch, done) => device.execute(batch, done),
    release: (ids) => device.release(ids),
    close: () => device.close(),
    draft: (rows, count, done) => {
      truth(rows, count, (drafts) => {
        const spoilt = new Map<SequenceId, readonly TokenId[]>();
        for (const { id, context } of rows) {
          const ids = drafts.get(id);
          if (ids !== undefined) spoilt.set(id, spoil(id, context.length, ids));
        }
        done(spoilt);
      });
    },
  };
}
