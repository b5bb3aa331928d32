/** Few prefixes, many suffixes (`--dataset-name prefix_repetition`): what a prefix cache is for. */
import type { Random } from "./random.ts";
import { drawIds } from "./random-dataset.ts";
import type { Words, WorkRequest } from "./request.ts";

export interface PrefixRepetition {
  readonly prefixLen: number;
  readonly suffixLen: number;
  readonly prefixes: number;
  readonly outputLen: number;
}

/** Requests are spread evenly over the prefixes, then shuffled. */
export function prefixRepetitionRequests(
  count: number,
  options: PrefixRepetition,
  words: Words,
  random: Random,
): WorkRequest[] {
  const each = Math.floor(count / options.prefixes);
  if (each < 1) {
    throw new Error(
      `--num-prompts ${count} is fewer than --prefix-repetition-num-prefixes ${options.prefixes}.`,
    );
  }
  const requests: WorkRequest[] = [];
  for (let index = 0; index < options.prefixes; index++) {
    const prefix = drawIds(new Int32Array(options.prefixLen), words.ids, { random });
    for (let repeat = 0; repeat < each; repeat++) {
      const ids = new Int32Array(options.prefixLen + options.suffixLen);
      ids.set(prefix);
      drawIds(ids, words.ids, { random, start: options.prefixLen });
      requests.push({
        prompt: { type: "ids", ids },
        promptTokens: ids.length,
        outputTokens: options.outputLen,
      });
    }
  }
  return random.shuffled(requests);
}
