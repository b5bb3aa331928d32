/** The plan that is made or shown, and the worker that makes it. */
import { signal } from "@preact/signals";
import type { PlanOptions } from "../../../../scripts/commands/plan/options.ts";
import type { Planned } from "../../../../scripts/commands/plan/planned.ts";
import { startEngine } from "../start-engine.ts";
import type { PlanAnswer } from "./plan-job.ts";

export type PlanState =
  | { readonly kind: "working"; readonly what: string; readonly done: number; readonly of: number }
  | {
      readonly kind: "made";
      readonly options: PlanOptions;
      readonly planned: Planned;
      readonly busyMs: number;
    }
  | { readonly kind: "failed"; readonly reason: string };

export const planning = signal<PlanState | undefined>(undefined);

let worker: Worker | undefined;

export function makePlan(options: PlanOptions): void {
  stopPlan();
  const made = startEngine("plan");
  worker = made;
  planning.value = { kind: "working", what: "Reading", done: 0, of: 1 };
  made.addEventListener("message", ({ data }: MessageEvent<PlanAnswer>) => {
    if (made !== worker) return;
    if (data.kind === "progress") {
      planning.value = { kind: "working", what: data.what, done: data.done, of: data.of };
      return;
    }
    planning.value =
      data.kind === "failed"
        ? { kind: "failed", reason: data.reason }
        : { kind: "made", options, planned: data.planned, busyMs: data.busyMs };
    made.terminate();
  });
  made.postMessage(options);
}

export function stopPlan(): void {
  worker?.terminate();
  worker = undefined;
  planning.value = undefined;
}
