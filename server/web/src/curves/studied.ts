/** Studies as a worker of the page computes them, once. */
import { signal } from "@preact/signals";
import type { Difference, Point } from "../../../../scripts/commands/study/headline-points.ts";
import type { PrincipleTimes } from "../../../../scripts/commands/study/principles-times.ts";
import { startEngine } from "../start-engine.ts";

export interface HeadlineData {
  readonly two: readonly Point[];
  readonly three: readonly Point[];
  readonly differences: readonly Difference[];
}

export type StudyAnswer =
  | { readonly kind: "progress"; readonly done: number; readonly of: number }
  | { readonly kind: "headline"; readonly data: HeadlineData }
  | { readonly kind: "principles"; readonly times: readonly PrincipleTimes[] }
  | { readonly kind: "failed"; readonly reason: string };

export const headline = signal<HeadlineData | undefined>(undefined);
export const principles = signal<readonly PrincipleTimes[] | undefined>(undefined);
export const studied = signal<{
  readonly done: number;
  readonly of: number;
  readonly failure?: string;
}>({ done: 0, of: 1 });

let worker: Worker | undefined;

export function runStudies(): void {
  if (worker !== undefined) return;
  worker = startEngine("studies");
  worker.addEventListener("message", ({ data }: MessageEvent<StudyAnswer>) => {
    if (data.kind === "progress") studied.value = { done: data.done, of: data.of };
    if (data.kind === "headline") headline.value = data.data;
    if (data.kind === "principles") principles.value = data.times;
    if (data.kind === "failed") studied.value = { done: 1, of: 1, failure: data.reason };
  });
  worker.postMessage("run");
}
