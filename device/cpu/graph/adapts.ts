/** What adapters add to the products of a segment: steps that follow it, before anything reads those. */
import { isAdapted } from "../../../models/adapters.ts";
import type { Op, Value } from "../../../models/ops.ts";
import type { AdaptStep, Columns, Flow } from "./steps.ts";

/** Of the open segment, by the output's name. */
export class Adapts {
  #steps = new Map<Value, AdaptStep>();

  /** Adapters may add to the product of module `path`, from `from` to `out`. */
  add(path: string, from: Flow, out: Flow): void {
    if (!isAdapted(path)) return;
    this.#steps.set(out.name, { kind: "adapt", in: from, out, parts: [{ path, at: 0 }] });
  }

  has(name: Value): boolean {
    return this.#steps.has(name);
  }

  /** Products became one, their outputs `columns` of its own. */
  together(flows: readonly Flow[], columns: readonly Columns[]): void {
    const steps = flows.flatMap(({ name }, index) => {
      const step = this.#steps.get(name);
      this.#steps.delete(name);
      const at = columns[index]?.at ?? 0;
      return step === undefined ? [] : [{ step, at }];
    });
    const [first] = steps;
    const out = columns[0]?.flow;
    if (first === undefined || out === undefined) return;
    const parts = steps.flatMap(({ step, at }) => step.parts.map((part) => ({ ...part, at })));
    this.#steps.set(out.name, { kind: "adapt", in: first.step.in, out, parts });
  }

  /** The segment is closed. */
  take(): readonly AdaptStep[] {
    const steps = [...this.#steps.values()];
    this.#steps = new Map();
    return steps;
  }
}

/** Products of one input behind each other, so that one cut is enough for all of them. */
export function productsTogether(ops: readonly Op[]): readonly Op[] {
  const taken = new Set<Op>();
  return ops.flatMap((op) => {
    if (taken.has(op)) return [];
    const alike = ops.filter(
      (other) => op.op === "linear" && other.op === "linear" && other.in === op.in,
    );
    const together = alike.length > 0 ? alike : [op];
    for (const each of together) taken.add(each);
    return together;
  });
}
