/**
 * A rank's experts divided over two threads. An expert is a session of one thread, so the second
 * core would be idle while a layer's experts are computed one after the other: a helper has sessions
 * of its own. The rank writes the layer's input and scores, both see by these who computes which
 * expert and compute theirs, and the rank adds the helper's sums to its own. Either the helper has
 * the second half of each layer's experts, and a token's results are added in the same order whoever
 * its neighbours are; or both have all, and a step's experts are dealt by their rows.
 *
 *     call │ the rank writes the job ── EPOCH + 1 ── chooses, computes its half │ waits for DONE = EPOCH ── adds
 */
import type { Worker } from "node:worker_threads";
import type { RouterOp } from "../../models/ops.ts";
import { startThread } from "../thread.ts";
import type { Experts, ExpertsOf } from "./experts.ts";
import type { BuiltGraph } from "./graph/builder.ts";
import type { SessionOptions } from "./session.ts";

/** Words of the control area. */
export const EPOCH = 0;
export const DONE = 1;
/** Index of the layer; `MESSAGE`: the job is a message. */
export const LAYER = 2;
export const TOKENS = 3;
/** Bytes of the error's text; 0: none. */
export const FAILED = 4;
/** 1: the helper's thread has ended, which it says itself. */
export const ENDED = 5;
const CONTROL_BYTES = 64;
export const MESSAGE = -1;

const TEXT_BYTES = 1_024;

/** Tokens of a job: longer steps are several, whose experts have few enough rows for products in blocks. */
const JOB_TOKENS = 128;

/** Loads before a waiting rank sleeps, about 100 µs: to be woken takes as long. */
const SPINS = 20_000;

/** Longest sleep before the rank looks again. */
const SLEEP_MS = 50;

/** A helper that is silent for so many sleeps, two minutes, hangs, or was ended from outside: who waits hears no event of its thread. */
const MOST_SLEEPS = 2_400;

/** What the rank and its helper share; plain data. */
export interface TeamMemory {
  readonly shared: SharedArrayBuffer;
  readonly hidden: number;
  /** The most of a layer. */
  readonly experts: number;
}

export type HelperMessage =
  | { readonly kind: "open"; readonly graph: BuiltGraph; readonly options: SessionOptions }
  | {
      readonly kind: "layer";
      readonly step: ExpertsOf;
      readonly router: RouterOp;
      readonly choiceBias?: Float32Array;
      /** Sessions of each expert by the order in which they were opened; undefined: the rank's alone. */
      readonly sessions: readonly (number | undefined)[];
      /** Products are given whole pairs of rows. */
      readonly pairs: boolean;
      /** The rank has all experts as well. */
      readonly both: boolean;
    };

/** The memory as both see it; rows are one after the other. */
export interface TeamViews {
  readonly control: Int32Array;
  readonly text: Uint8Array;
  readonly input: Float32Array;
  readonly scores: Float32Array;
  readonly out: Float32Array;
}

export const teamControl = ({ shared }: Pick<TeamMemory, "shared">): Int32Array =>
  new Int32Array(shared, 0, CONTROL_BYTES / 4);

export function teamViews({ shared, hidden, experts }: TeamMemory): TeamViews {
  const floats = (at: number, width: number): Float32Array =>
    new Float32Array(shared, CONTROL_BYTES + TEXT_BYTES + 4 * JOB_TOKENS * at, JOB_TOKENS * width);
  return {
    control: teamControl({ shared }),
    text: new Uint8Array(shared, CONTROL_BYTES, TEXT_BYTES),
    input: floats(0, hidden),
    out: floats(hidden, hidden),
    scores: floats(2 * hidden, experts),
  };
}

/** A layer as the rank sees it. */
export interface SharedLayer {
  readonly layer: number;
  /** Of which the rank computes some. */
  readonly experts: Experts;
  /** The rank and the helper have all of them. */
  readonly both: boolean;
}

/** Reading an expert's weights takes as long as its products of about two more rows. */
const ROWS_TO_READ = 2;

/** Who computes an expert that both have. */
export type Who = 0 | 1;
export const RANK: Who = 0;
export const HELPER: Who = 1;

/** Deals out the experts that somebody visits, those of most rows first, to who has less; of each expert a `Who`. */
export function dealByRows(visits: readonly (readonly number[])[]): Uint8Array {
  const dealt = new Uint8Array(visits.length);
  const rowsOf = (index: number): number => visits[index]?.length ?? 0;
  const asked = [...visits.keys()].filter((index) => rowsOf(index) > 0);
  const load = [0, 0] as [number, number];
  for (const index of asked.sort((a, b) => rowsOf(b) - rowsOf(a))) {
    const who = load[HELPER] < load[RANK] ? HELPER : RANK;
    dealt[index] = who;
    load[who] += ROWS_TO_READ + rowsOf(index);
  }
  return dealt;
}

/** Which experts of a layer, by index, `who` computes once they are chosen; `both`: have both all? */
export function partOf(
  who: Who,
  both: boolean,
  visits: readonly (readonly number[])[],
): (index: number) => boolean {
  if (!both) return () => true; // each has runners of its own alone
  const dealt = dealByRows(visits);
  return (index) => dealt[index] === who;
}

/** The rank's side. */
export class ExpertTeam {
  readonly #breathe: () => void;
  readonly #hidden: number;
  readonly #views: TeamViews;
  readonly #helper: Worker;
  readonly #mostSleeps: number;
  #sessions = 0;
  #layers = 0;

  constructor(
    { hidden, experts }: Omit<TeamMemory, "shared">,
    breathe: () => void,
    mostSleeps = MOST_SLEEPS,
  ) {
    this.#breathe = breathe;
    this.#mostSleeps = mostSleeps;
    this.#hidden = hidden;
    const bytes = CONTROL_BYTES + TEXT_BYTES + 4 * JOB_TOKENS * (2 * hidden + experts);
    const memory: TeamMemory = { shared: new SharedArrayBuffer(bytes), hidden, experts };
    this.#views = teamViews(memory);
    this.#helper = startThread("./expert-helper", import.meta.url, memory);
    this.#helper.unref();
  }

  /** Opens a session of the helper and gives its index. Throws what the helper throws. */
  open(graph: BuiltGraph, options: SessionOptions): number {
    this.#tell({ kind: "open", graph, options });
    return this.#sessions++;
  }

  /** Gives the index of the layer. */
  add(layer: Omit<Extract<HelperMessage, { kind: "layer" }>, "kind">): number {
    this.#tell({ kind: "layer", ...layer });
    return this.#layers++;
  }

  /** A job comes soon: a helper that sleeps would begin late. */
  call(): void {
    Atomics.notify(this.#views.control, EPOCH);
  }

  /** As Experts, of all of a layer's: `experts` are the rank's. */
  run(
    { layer, experts, both }: SharedLayer,
    [input, scores, out]: readonly [Float32Array, Float32Array, Float32Array],
  ): void {
    const views = this.#views;
    const tokens = input.length / this.#hidden;
    for (let first = 0; first < tokens; first += JOB_TOKENS) {
      const end = Math.min(tokens, first + JOB_TOKENS);
      const rows = (values: Float32Array): Float32Array =>
        values.subarray((first * values.length) / tokens, (end * values.length) / tokens);
      const sums = rows(out);
      views.input.set(rows(input));
      views.scores.set(rows(scores));
      views.control[TOKENS] = end - first;
      this.#begin(layer);
      const visits = experts.choose(rows(scores));
      // Whoever ended the rank's thread here would end a helper that is inside the runtime.
      experts.compute(rows(input), sums, () => {}, partOf(RANK, both, visits));
      this.#wait();
      for (let i = 0; i < sums.length; i++)
        sums[i] = (sums[i] as number) + (views.out[i] as number);
      this.#breathe();
    }
  }

  async close(): Promise<void> {
    await this.#helper.terminate();
  }

  #tell(message: HelperMessage): void {
    this.#helper.postMessage(message);
    this.#begin(MESSAGE);
    this.#wait();
  }

  #begin(layer: number): void {
    const { control } = this.#views;
    control[LAYER] = layer;
    Atomics.add(control, EPOCH, 1);
    Atomics.notify(control, EPOCH);
  }

  /** Until the helper has done its job; throws what it threw, or that it is silent. */
  #wait(): void {
    const { control, text } = this.#views;
    const epoch = Atomics.load(control, EPOCH);
    for (let spins = 0, sleeps = 0; ; spins++) {
      const done = Atomics.load(control, DONE);
      if (done === epoch) break;
      if (Atomics.load(control, ENDED) !== 0)
        throw new Error("cpu: the thread that helps with experts has ended.");
      if (spins >= SPINS && Atomics.wait(control, DONE, done, SLEEP_MS) === "timed-out") sleeps++;
      if (sleeps > this.#mostSleeps)
        throw new Error("cpu: the thread that helps with experts does not answer.");
    }
    const failed = control[FAILED] as number;
    if (failed > 0) throw new Error(new TextDecoder().decode(text.slice(0, failed)));
  }
}
