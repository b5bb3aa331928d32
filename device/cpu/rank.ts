/** Entry of a rank's thread: loads its share of the model, then answers one message after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { AbortedError, AllReduce } from "./all-reduce.ts";
import type { RankSettings } from "./forward.ts";
import { Forward } from "./forward.ts";
import { decodeStep } from "./wire.ts";

export interface RankData {
  readonly settings: RankSettings;
  readonly allReduce: SharedArrayBuffer;
  /** F32 rows of logits, or of hidden states, for the tokens asked for. */
  readonly results: SharedArrayBuffer;
}

/** Tokens of a step whose results are asked for, by their place among the step's tokens. */
export interface Wanted {
  readonly tokens: Int32Array;
  readonly what: "logits" | "hidden";
}

/** `packed` (see wire.ts) is absent when more is asked of the step before. */
export interface RankRequest {
  readonly packed?: Int32Array;
  readonly wanted: Wanted;
}

export type RankReply =
  | { readonly type: "ready" }
  | { readonly type: "done" }
  | {
      readonly type: "failed";
      readonly error: Error;
      /** It gave up because another rank failed. */
      readonly aborted: boolean;
    };

function main(): void {
  const port = parentPort;
  if (port === null) throw new Error("rank.ts is the entry of a worker thread.");
  const { settings, allReduce, results } = workerData as RankData;
  const reply = (message: RankReply): void => port.postMessage(message);
  const attempt = (work: () => void, type: "ready" | "done"): void => {
    try {
      work();
      reply({ type });
    } catch (error) {
      reply({
        type: "failed",
        error: error instanceof Error ? error : new Error(String(error)),
        aborted: error instanceof AbortedError,
      });
    }
  };
  let forward: Forward | undefined;
  const target = new Float32Array(results);
  port.on("message", ({ packed, wanted }: RankRequest) => {
    attempt(() => {
      if (forward === undefined) throw new Error("The rank was not loaded.");
      if (packed !== undefined) forward.run(decodeStep(packed));
      if (wanted.tokens.length === 0) return;
      if (wanted.what === "logits") forward.logits(wanted.tokens, target);
      else if (settings.rank === 0) forward.hidden(wanted.tokens, target);
    }, "done");
  });
  attempt(() => {
    const sums = new AllReduce(allReduce, settings.rank, settings.ranks);
    forward = new Forward(settings, sums);
  }, "ready");
}

main();
