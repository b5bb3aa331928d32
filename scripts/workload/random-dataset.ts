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

/** Ids of the alphabet, each drawn alone, from `start` to the end of `out`; returns that. */
export function drawIds(
  out: Int32Array,
  ids: Words["ids"],
  { random, start = 0 }: { readonly random: Random; readonly start?: number },
): Int32Array {
  random.fill(out, start, ids.length - 1);
  for (let index = start; index < out.length; index++) out[index] = ids.at(out[index] ?? 0);
  return out;
}

/** Prompts are drawn when their ids are first read: virtual time asks for lengths alone. */
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
  const prefix = drawIds(new Int32Array(lengths.prefixLen), words.ids, { random });
  return Array.from({ length: count }, () => {
    const own = random.integer(inputLow, inputHigh);
    const from = random.copy();
    random.skip(own);
    const length = prefix.length + own;
    const beginning = (count: number): Int32Array => {
      const ids = new Int32Array(Math.min(count, length));
      ids.set(prefix.subarray(0, ids.length));
      return drawIds(ids, words.ids, { random: from.copy(), start: prefix.length });
    };
    let drawn: Int32Array | undefined;
    return {
      prompt: {
        type: "ids",
        beginning,
        get ids() {
          drawn ??= beginning(length);
          return drawn;
        },
      },
      promptTokens: length,
      outputTokens: random.integer(outputLow, outputHigh),
    };
  });
}
