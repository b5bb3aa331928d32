/** A job of the engine: `trainyard plan`, on models of the catalogue. */
import type { PlanOptions } from "../../../../scripts/commands/plan/options.ts";
import { type Planned, planned } from "../../../../scripts/commands/plan/planned.ts";
import { buildSystemIn } from "../../../../scripts/virtual/build.ts";
import { catalogModel, WORLD } from "../world.ts";

export type PlanAnswer =
  | {
      readonly kind: "progress";
      readonly what: string;
      readonly done: number;
      readonly of: number;
    }
  | { readonly kind: "planned"; readonly planned: Planned; readonly busyMs: number }
  | { readonly kind: "failed"; readonly reason: string };

export async function planJob(options: PlanOptions): Promise<void> {
  const answer = (message: PlanAnswer): void => postMessage(message);
  const began = performance.now();
  try {
    const model = catalogModel(options.model);
    const build = (spec: Parameters<typeof buildSystemIn>[1]) =>
      buildSystemIn(WORLD, spec, { model });
    const made = await planned(options, { model, build }, (what, of) => {
      const to = (done: number, all = of): void =>
        answer({ kind: "progress", what, done, of: all });
      to(0);
      return { to, end: () => {} };
    });
    answer({ kind: "planned", planned: made, busyMs: performance.now() - began });
  } catch (error) {
    answer({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  }
}
