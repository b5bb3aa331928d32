/**
 * InferenceX's protocol, so that points compare: random prompts of lengths in
 * [0.8 L, L], 10 requests a user after 2 warm-ups a user, all distinct, output
 * lengths held, users sending their next request when the last one ends.
 */
import { Random } from "../../workload/random.ts";
import { randomRequests } from "../../workload/random-dataset.ts";
import type { Words, WorkRequest } from "../../workload/request.ts";

export interface Workload {
  readonly inputLen: number;
  readonly outputLen: number;
  /** Lengths are uniform in [ratio · L, L]. */
  readonly ratio: number;
  readonly requestsPerUser: number;
  readonly warmupsPerUser: number;
  readonly seed: number;
}

export const INFERENCEX = { ratio: 0.8, requestsPerUser: 10, warmupsPerUser: 2 };

/** Tokens of the prompts and outputs that are drawn, on average. */
export function meanLengths({
  inputLen,
  outputLen,
  ratio,
}: Pick<Workload, "inputLen" | "outputLen" | "ratio">): {
  readonly inputLen: number;
  readonly outputLen: number;
} {
  const mean = (1 + ratio) / 2;
  return { inputLen: mean * inputLen, outputLen: mean * outputLen };
}

export interface PointRequests {
  readonly warmups: readonly WorkRequest[];
  readonly requests: readonly WorkRequest[];
}

/** Warm-ups draw first, so measured prompts differ from them. */
export function pointRequests(
  workload: Workload,
  concurrency: number,
  words: Words,
): PointRequests {
  const random = new Random(workload.seed);
  const draw = (count: number): WorkRequest[] =>
    randomRequests(
      count,
      {
        inputLen: workload.inputLen,
        outputLen: workload.outputLen,
        inputRatio: workload.ratio,
        outputRatio: workload.ratio,
        meaning: "inferencex",
        prefixLen: 0,
      },
      words,
      random,
    );
  return {
    warmups: draw(workload.warmupsPerUser * concurrency),
    requests: draw(workload.requestsPerUser * concurrency),
  };
}

/** `1..256` (doubling), `1,2,12`, or both joined by commas. Throws on anything else. */
export function parseConcurrency(text: string): number[] {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const [low, high] = part.split("..").map((value) => Number(value));
    if (low === undefined || !Number.isInteger(low) || low < 1) {
      throw new Error("takes 1,2,4 or 1..256");
    }
    values.add(low);
    if (high === undefined) continue;
    if (!Number.isInteger(high) || high < low) {
      throw new Error("takes a range that rises, such as 1..256");
    }
    for (let value = low; value <= high; value *= 2) values.add(value);
    values.add(high);
  }
  return [...values].sort((a, b) => a - b);
}

/** `1k1k`, `8k1k`, `1024/8192`: input and output length. */
export function parseShape(text: string): readonly [number, number] {
  const match = /^(\d+)(k?)[/x,]?(\d+)(k?)$/i.exec(text);
  const size = (digits: string | undefined, unit: string | undefined): number =>
    Number(digits) * (unit === "" ? 1 : 1024);
  const input = size(match?.[1], match?.[2]?.toLowerCase());
  const output = size(match?.[3], match?.[4]?.toLowerCase());
  if (
    match === null ||
    !(input > 0) ||
    !(output > 0) ||
    (match[2] === "" && !/[/x,]/i.test(text))
  ) {
    throw new Error("takes 1k1k, 8k1k or 2000/300");
  }
  return [input, output];
}

/** Smallest power of two that is no less. */
export function powerAbove(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}

/** Context that a server is compiled for unless told: prompt and output, to whole blocks of 128 tokens. */
export function contextFor({
  inputLen,
  outputLen,
}: Pick<Workload, "inputLen" | "outputLen">): number {
  return Math.ceil((inputLen + outputLen) / 128) * 128;
}
