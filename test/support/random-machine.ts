/** Machines of all kinds to guess on, by seed. */
export interface Machine {
  readonly rows: number;
  /** Guesses a row may carry. */
  readonly most: number;
  /** ns of a step of so many tokens. */
  readonly step: (tokens: number) => number;
  /** ns of a call that drafts so many ids for so many rows. */
  readonly draft: (rows: number, length: number) => number;
  /** ns of taking in one row that was not drafted for in the round before. */
  readonly catchUp: number;
  /** ns of the host between two steps; hidden where two steps are under way. */
  readonly host: number;
  /** Chance that a guess holds, given those before it. */
  readonly rate: number;
  /** Rounds after which each row's sequence ends and another begins; absent: never. */
  readonly lasts?: number;
  /** Multiplies what each round took: 1 and more. */
  readonly noise?: (round: number) => number;
}

/** What the noise below comes to on average. */
export const MEAN_NOISE = 1 + 0.05 * 1.5 + 0.95 * 0.075;

/** In [0, 1), the same for a seed everywhere (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * `smooth`: each token and each row drafted for costs about as much as the last, and a
 * new sequence no more than a few steps to catch up with; else tokens may be free up to
 * a cliff, catching up may cost fifty steps, and the host may come in bursts.
 */
export function randomMachine(seed: number, { smooth = false } = {}): Machine {
  const random = seeded(seed);
  const one = (of: readonly number[]): number => of[Math.floor(random() * of.length)] ?? 0;
  const base = 100_000 * (0.5 + random());
  const slope = base * one([0.001, 0.01, 0.1, 0.5, 1]) * (0.5 + random());
  const free = !smooth && seed % 2 === 1 ? Math.floor(1 + random() * 64) : 0;
  const draftBase = base * one([0, 0.05, 0.3, 1]);
  const draftEach = base * one([0, 0.02, 0.2, 0.6]);
  const perRow = 0.05 * (seed % 3);
  const machine = {
    rows: one([1, 2, 4, 16, 64]),
    most: 1 + Math.floor(random() * 7),
    step: (tokens: number) => Math.round(base + slope * Math.max(0, tokens - free)),
    draft: (rows: number, length: number) =>
      Math.round(draftBase + draftEach * length * (1 + perRow * rows)),
    catchUp: base * one(smooth ? [0, 0.5] : [0, 0.5, 5, 50]),
    host: base * one([0, 0.02, 0.1]),
    rate: random(),
    ...(seed % 4 === 1 && { lasts: 200 }),
  };
  const burst = seeded(seed + 5000);
  const noise = (): number => 1 + (burst() < 0.05 ? 3 * burst() : 0.15 * burst());
  return !smooth && seed % 5 === 2 ? { ...machine, noise } : machine;
}
