/**
 * Seeded arrivals for two schedulers: what comes, leaves and is guessed in each step, and
 * which id follows at a position, as functions of the seed alone (scheduler.py has the same).
 */
import { seeded } from "../proof.ts";

export interface Arrival {
  /** Step before which it comes. */
  readonly step: number;
  readonly key: number;
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly priority: number;
}

export interface Scenario {
  readonly seed: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly maxSeqs: number;
  /** In a step. */
  readonly maxTokens: number;
  readonly chunked: boolean;
  readonly caching: boolean;
  readonly policy: "fcfs" | "priority";
  /** Most guesses a row carries; 0: none. */
  readonly drafts: number;
  /** Of a hundred guesses, so many hold. */
  readonly holds: number;
  /** Id 0 ends a sequence. */
  readonly stops: boolean;
  /** By step, then by key. Completions of one prompt stand one behind the other, as `n` makes them. */
  readonly arrivals: readonly Arrival[];
  readonly aborts: readonly { readonly step: number; readonly key: number }[];
}

/** Steps of a scenario; whoever is not over then is left. */
export const STEPS = 120;
const IDS = 61;

export function scenario(seed: number): Scenario {
  const draw = seeded(seed);
  const between = (low: number, high: number) => low + Math.floor(draw() * (high - low + 1));
  const blockSize = [4, 8, 16][between(0, 2)] ?? 16;
  const blocks = between(12, 40);
  const drafts = draw() < 0.3 ? between(1, 4) : 0;
  const chunked = draw() < 0.8;
  const most = Math.min(160, (blocks - 2) * blockSize);
  const maxTokens = chunked ? between(12, 64) : between(most, most + 64);
  const policy = draw() < 0.3 ? "priority" : "fcfs";
  const families = Array.from({ length: between(1, 4) }, () =>
    Array.from({ length: most }, () => between(1, IDS)),
  );
  const arrivals: Arrival[] = [];
  const aborts: { step: number; key: number }[] = [];
  const until = STEPS - between(0, 20);
  for (let step = 0; step < until; step += between(0, 9)) {
    const family = families[between(0, families.length - 1)] ?? [];
    const shared = draw() < 0.7 ? between(1, Math.floor(most * 0.6)) : 0;
    const tail = Array.from({ length: between(1, Math.floor(most * 0.2)) }, () => between(1, IDS));
    const prompt = [...family.slice(0, shared), ...tail];
    const n = draw() < 0.15 ? between(2, 4) : 1;
    const priority = policy === "priority" ? between(0, 3) : 0;
    const room = most - prompt.length;
    for (let child = 0; child < n; child++) {
      const key = arrivals.length;
      arrivals.push({ step, key, prompt, maxTokens: between(1, Math.min(48, room)), priority });
      if (draw() < 0.1) aborts.push({ step: step + between(1, 12), key });
    }
  }
  return {
    ...{ seed, blockSize, blocks, maxSeqs: between(2, 8), maxTokens, chunked, policy, drafts },
    ...{ caching: draw() < 0.85, holds: between(20, 90), stops: draw() < 0.3 },
    ...{ arrivals, aborts },
  };
}

function mixed(seed: number, key: number, position: number): number {
  let h =
    Math.imul(seed + 1, 0x9e3779b1) ^
    Math.imul(key + 1, 0x85ebca6b) ^
    Math.imul(position + 1, 0xc2b2ae35);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  h ^= h >>> 12;
  return h >>> 0;
}

/** The id at a position of a sequence's output. */
export function idAt({ seed }: Scenario, key: number, position: number): number {
  return mixed(seed, key, position) % (IDS + 1);
}

/** Guesses for the positions from `length` on, at most `count`. */
export function guessesAt(of: Scenario, key: number, length: number, count: number): number[] {
  const offered = 1 + (mixed(of.seed + 7, key, length) % of.drafts);
  return Array.from({ length: Math.min(count, offered) }, (_, i) => {
    const id = idAt(of, key, length + i);
    return mixed(of.seed + 13, key, length + i) % 100 < of.holds ? id : (id + 1) % (IDS + 1);
  });
}

/** A step as both sides tell it; lists of pairs are in order of keys. */
export interface Step {
  /** Tokens of each row. */
  readonly rows: readonly (readonly [key: number, tokens: number])[];
  /** Blocks that each row's sequence holds. */
  readonly blocks: readonly (readonly [key: number, blocks: number])[];
  /** Tokens found in the cache by who came in. */
  readonly found: readonly (readonly [key: number, tokens: number])[];
  readonly preempted: readonly number[];
  readonly finished: readonly (readonly [key: number, reason: string])[];
  /** Names in the cache when the step has ended: how many, and the exclusive or of their first 48 bits. */
  readonly names: readonly [count: number, sum: number];
}
