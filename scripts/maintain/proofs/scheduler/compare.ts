/** Where two schedulers part, and what is kept of vLLM's steps. */
import { createHash } from "node:crypto";
import type { Step } from "./scenario.ts";

/** The file of kept seeds. */
export const KEPT = "test/conformance/scheduler/vllm-steps.json";

/** A scenario as vLLM 0.32 scheduled it. */
export interface Kept {
  readonly seed: number;
  /** First step in which this project does otherwise; null: none. */
  readonly differsAt: number | null;
  /** Eight letters a step. */
  readonly steps: string;
}

export function firstDifference(
  ours: readonly Step[],
  theirs: readonly Step[],
): number | undefined {
  const length = Math.max(ours.length, theirs.length);
  for (let at = 0; at < length; at++) {
    if (JSON.stringify(inOrder(ours[at])) !== JSON.stringify(inOrder(theirs[at]))) return at;
  }
  return undefined;
}

const FIELDS = ["rows", "blocks", "found", "preempted", "finished", "names"] as const;

/** What differs in a step, for whoever looks for why. */
export function partedIn(ours: Step | undefined, theirs: Step | undefined): string {
  if (ours === undefined || theirs === undefined) return "length";
  return FIELDS.filter((name) => JSON.stringify(ours[name]) !== JSON.stringify(theirs[name])).join(
    ", ",
  );
}

export function digest(step: Step): string {
  return createHash("sha256")
    .update(JSON.stringify(inOrder(step)))
    .digest("hex")
    .slice(0, 8);
}

function inOrder(step: Step | undefined) {
  return step && FIELDS.map((name) => step[name]);
}
