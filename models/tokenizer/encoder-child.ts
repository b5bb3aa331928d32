/**
 * Process entry: text to ids for one tokenizer.json, one text at a time. It watches
 * its own processor time, since the native package cannot be stopped once called,
 * and ends with its parent.
 */
import { readFileSync } from "node:fs";
import { nativeEncode, nativeTokenizer } from "./native.ts";

/** A tokenizer.json: where it lies, or its text. */
export type EncoderSource = { readonly path: string } | { readonly json: string };

export type ChildTask =
  /** The first one. */
  | { readonly source: EncoderSource }
  | { readonly text: string; readonly addSpecialTokens: boolean; readonly limitMs: number };

export type ChildAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "ids"; readonly ids: Int32Array }
  | { readonly kind: "failed"; readonly message: string }
  /** The time is spent; the process ends. */
  | { readonly kind: "late" };

const WATCH_MS = 50;

let native: ReturnType<typeof nativeTokenizer> | undefined;

process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("message", (task: ChildTask) => {
  void answer(task).then((said) => process.send?.(said));
});

async function answer(task: ChildTask): Promise<ChildAnswer> {
  try {
    if ("source" in task) {
      const { source } = task;
      native = nativeTokenizer("path" in source ? readFileSync(source.path, "utf8") : source.json);
      return { kind: "ready" };
    }
    if (native === undefined) throw new Error("no tokenizer was given");
    const stop = watch(task.limitMs);
    const ids = await nativeEncode(native, task.text, task.addSpecialTokens);
    stop();
    return { kind: "ids", ids };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}

/** The package computes on threads of its own, so this one is free to look at the clock. */
function watch(limitMs: number): () => void {
  const begun = computedMs();
  const timer = setInterval(() => {
    if (computedMs() - begun < limitMs) return;
    clearInterval(timer);
    process.send?.({ kind: "late" } satisfies ChildAnswer, undefined, undefined, () =>
      process.kill(process.pid, "SIGKILL"),
    );
  }, WATCH_MS);
  return () => clearInterval(timer);
}

function computedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
