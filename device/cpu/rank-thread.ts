/**
 * A rank's worker thread that ends where it is safe. A thread that is ended while
 * it is inside onnxruntime takes the whole process with it: the native binding
 * throws where nobody can catch. So `terminate` asks: the rank looks between two
 * operators' segments, or finds the message when it is idle, and leaves by itself.
 * One that does not answer is not computing; it is ended for good.
 */
import type { Worker } from "node:worker_threads";
import { startThread } from "../thread.ts";

/** Longest that a native call may take before a rank is believed to hang. */
const PATIENCE_MS = 2_000;

/** Told to a rank to end it; not answered. */
export interface LeaveMessage {
  readonly type: "leave";
}

export function startRankThread(
  base: string,
  makeData: (leave: SharedArrayBuffer) => unknown,
): Worker {
  const leave = new SharedArrayBuffer(4);
  const thread = startThread("./rank", base, makeData(leave));
  const hard = thread.terminate.bind(thread);
  let ended: number | undefined;
  const exit = new Promise<number>((resolve) => {
    thread.once("exit", (code) => {
      ended = code;
      resolve(code);
    });
  });
  thread.terminate = async () => {
    if (ended !== undefined) return ended;
    Atomics.store(new Int32Array(leave), 0, 1);
    const message: LeaveMessage = { type: "leave" };
    thread.postMessage(message);
    const last = setTimeout(() => void hard(), PATIENCE_MS);
    await exit;
    clearTimeout(last);
    return exit;
  };
  return thread;
}

/** On the rank: ends the thread here and now if it was asked to leave. */
export class Exit {
  readonly #leave: Int32Array;

  constructor(leave: SharedArrayBuffer) {
    this.#leave = new Int32Array(leave);
  }

  check(): void {
    if (Atomics.load(this.#leave, 0) !== 0) process.exit(1);
  }
}
