/**
 * Random numbers without state: a draw is a function of (key, position). The same
 * request yields the same ids in any batch, after a preemption, a retry, or with
 * guesses verified in between. Mixing: the finaliser of MurmurHash3 (Appleby).
 */

/** Two 32-bit words. */
export interface RandomKey {
  readonly low: number;
  readonly high: number;
}

/** Key of a seed given by the client: a safe integer, or a bigint of which 64 bits count. */
export function keyOfSeed(seed: number | bigint): RandomKey {
  const bits = BigInt(seed);
  return { low: Number(BigInt.asIntN(32, bits)), high: Number(BigInt.asIntN(32, bits >> 32n)) };
}

/** Key of a sequence that brought no seed. */
export function keyOfSequence(engineSeed: number, id: number): RandomKey {
  return { low: mix(engineSeed ^ mix(id + GOLDEN)), high: mix(id ^ mix(~engineSeed)) };
}

/** In [0, 1), 53 bits. */
export function uniform({ low, high }: RandomKey, position: number): number {
  const place = mix(position + GOLDEN);
  const a = mix(low ^ mix(high ^ place));
  const b = mix(high + mix(low + (place ^ GOLDEN)));
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) / 2 ** 53;
}

const GOLDEN = 0x9e3779b9;

/** Spreads 32 bits over 32 bits, one to one. */
export function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
