/**
 * Random prompts of given lengths. Two meanings of the range ratio r are in use:
 * `vllm`: lengths uniform in [L·(1 − r), L·(1 + r)] (vLLM's `--random-range-ratio`,
 * 0 ≤ r < 1); `inferencex`: uniform in [r·L, L] (InferenceX's client, r = 0.8).
 */
import type { Random } from "./random.ts";
import type { Words, WorkRequest } from "./request.ts";

export type RangeMeaning = "vllm" | "inferencex";

export interface RandomLengths {
  readonly inputLen: number;
  readonly outputLen: number;
  readonly inputRatio: number;
  readonly outputRatio: number;
  readonly meaning: RangeMeaning;
  /** Tokens that all prompts share, before the random ones. */
  readonly prefixLen: number;
}

/** Lowest and highest length. Throws when the ratio leaves its range. */
export function lengthRange(
  length: number,
  ratio: number,
  meaning: RangeMeaning,
): readonly [number, number] {
  if (meaning === "vllm") {
    if (!(ratio >= 0 && ratio < 1)) {
      throw new Error(`--random-range-ratio must be in [0, 1), not ${ratio}.`);
    }
    return [Math.max(1, Math.floor(length * (1 - ratio))), Math.ceil(length * (1 + ratio))];
  }
  if (!(ratio > 0 && ratio <= 1)) {
    throw new Error(`An InferenceX range ratio must be in (0, 1], not ${ratio}.`);
  }
  return [Math.max(1, Math.floor(length * ratio)), length];
}

/** `count` ids of the alphabet, each drawn alone. */
export function randomIds(count: number, ids: Words["ids"], random: Random): Int32Array {
  const out = new Int32Array(count);
  const span = ids.length;
  for (let index = 0; index < count; index++) out[index] = ids.at(random.integer(0, span - 1));
  return out;
}

export function randomRequests(
  count: number,
  lengths: RandomLengths,
  words: Words,
  random: Random,
): WorkRequest[] {
  const [inputLow, inputHigh] = lengthRange(lengths.inputLen, lengths.inputRatio, lengths.meaning);
  const [outputLow, outputHigh] = lengthRange(
    lengths.outputLen,
    lengths.outputRatio,
    lengths.meaning,
  );
  const prefix = randomIds(lengths.prefixLen, words.ids, random);
  return Array.from({ length: count }, () => {
    const own = randomIds(random.integer(inputLow, inputHigh), words.ids, random);
    const ids = new Int32Array(prefix.length + own.length);
    ids.set(prefix);
    ids.set(own, prefix.length);
    return {
      prompt: { type: "ids", ids },
      promptTokens: ids.length,
      outputTokens: random.integer(outputLow, outputHigh),
    };
  });
}
