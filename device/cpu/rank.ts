/** Entry of a rank's thread: loads its share of the model, then answers one message after the other. */
import { parentPort, workerData } from "node:worker_threads";
import type { AdapterWeights } from "../../models/adapters.ts";
import { AbortedError, AllReduce } from "./all-reduce.ts";
import { draftTokens } from "./draft.ts";
import type { RankSettings } from "./forward.ts";
import { Forward } from "./forward.ts";
import type { Loaded } from "./opener.ts";
import { Exit, type LeaveMessage } from "./rank-thread.ts";
import type { RankStep } from "./wire.ts";
import { decodeStep } from "./wire.ts";

export interface RankData {
  readonly settings: RankSettings;
  readonly allReduce: SharedArrayBuffer;
  /** For the tokens asked for: F32 rows of logits or of hidden states, or I32 ids. */
  readonly results: SharedArrayBuffer;
  /** Adapters to begin with, by their place. */
  readonly adapters: ReadonlyMap<number, AdapterWeights>;
  /** See rank-thread.ts. */
  readonly leave: SharedArrayBuffer;
}

/** Tokens of a step whose results are asked for, by their place among the step's tokens. */
export interface Wanted {
  readonly tokens: Int32Array;
  readonly what: "logits" | "likeliest" | "hidden";
}

/** Steps are packed as wire.ts says. */
export type RankRequest =
  | { readonly type: "step"; readonly packed: Int32Array; readonly wanted: Wanted }
  /** Puts an adapter into a place of the shelf. */
  | { readonly type: "adapter"; readonly place: number; readonly weights: AdapterWeights }
  /** More results of the step before. */
  | { readonly type: "more"; readonly wanted: Wanted }
  /** Drafts `count` ids a row; the results are I32 `[rows, count]` (see draft.ts). */
  | { readonly type: "draft"; readonly packed: Int32Array; readonly count: number };

/** For drills: the rank's next request throws, or never ends. Not answered. */
export interface RankFault {
  readonly type: "fault";
  readonly kind: "throw" | "hang";
}

export type RankReply =
  /** Of `total` segments so many are open. */
  | { readonly type: "opened"; readonly done: number; readonly total: number }
  | { readonly type: "ready"; readonly loaded: Loaded }
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
  const { settings, allReduce, results, adapters, leave } = workerData as RankData;
  const exit = new Exit(leave);
  const reply = (message: RankReply): void => port.postMessage(message);
  const attempt = (work: () => RankReply): void => {
    try {
      reply(work());
    } catch (error) {
      reply({
        type: "failed",
        error: error instanceof Error ? error : new Error(String(error)),
        aborted: error instanceof AbortedError,
      });
    }
  };
  let loaded: Forward | undefined;
  const out = { settings, results, target: new Float32Array(results) };
  let fault: RankFault["kind"] | undefined;
  port.on("message", (request: RankRequest | RankFault | LeaveMessage) => {
    exit.check();
    if (request.type === "leave") return;
    if (request.type === "fault") {
      fault = request.kind;
      return;
    }
    attempt(() => {
      if (loaded === undefined) throw new Error("The rank was not loaded.");
      const now = fault;
      fault = undefined;
      if (now === "throw") throw new Error(`Rank ${settings.rank} was made to throw.`);
      if (now === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      answer(loaded, request, out);
      return { type: "done" };
    });
  });
  attempt(() => {
    const sums = new AllReduce(allReduce, settings.rank, settings.ranks);
    loaded = new Forward(
      settings,
      sums,
      () => exit.check(),
      (done, total) => reply({ type: "opened", done, total }),
    );
    for (const [place, weights] of adapters) loaded.adapt(place, weights);
    return { type: "ready", loaded: loaded.loaded };
  });
}

/** Runs one request; what it asks for stands in the results afterwards. */
function answer(
  forward: Forward,
  request: RankRequest,
  out: {
    readonly settings: RankSettings;
    readonly results: SharedArrayBuffer;
    readonly target: Float32Array;
  },
): void {
  const { settings, results, target } = out;
  forward.begin();
  if (request.type === "adapter") {
    forward.adapt(request.place, request.weights);
    return;
  }
  if (request.type === "draft") {
    const ids = new Int32Array(results);
    const step = decodeStep(request.packed);
    const steps = {
      blockSize: settings.blockSize,
      maxContext: settings.maxContext,
      run: (next: RankStep) => forward.run(next),
      likeliest: (tokens: Int32Array) => forward.likeliest(tokens),
    };
    // Every rank arrives at the same ids; the first tells them.
    const drafts = settings.rank === 0 ? ids : new Int32Array(step.rows.length * request.count);
    draftTokens(step, request.count, steps, drafts);
    return;
  }
  if (request.type === "step") forward.run(decodeStep(request.packed));
  const { tokens, what } = request.wanted;
  if (tokens.length === 0) return;
  if (what === "logits") forward.logits(tokens, target);
  else if (what === "likeliest") {
    const ids = forward.likeliest(tokens);
    if (settings.rank === 0) new Int32Array(results).set(ids);
  } else if (settings.rank === 0) forward.hidden(tokens, target);
}

main();
