/**
 * Memory of the values between steps. Each value has a slot; a slot is used
 * again once its value is dead, but never for an output of the step that reads
 * it. Slots grow with the largest step seen; tensors over them are kept by size,
 * so a repeated step allocates nothing.
 */
import type { Flow, Step } from "./graph/program.ts";
import { flowsRead } from "./graph/program.ts";
import { Tensor } from "./session.ts";

/** Tensors of steps up to this many tokens are kept. */
const KEPT_TOKENS = 64;

/** Which slot each value lives in, and the width of each slot. */
export interface SlotPlan {
  readonly slotOf: ReadonlyMap<string, number>;
  readonly widths: readonly number[];
}

/** `kept` lives past the last step. */
export function planSlots(steps: readonly Step[], kept: Flow): SlotPlan {
  const lastUse = new Map<string, number>();
  steps.forEach((step, index) => {
    for (const flow of flowsRead(step)) lastUse.set(flow.name, index);
  });
  lastUse.set(kept.name, steps.length);
  const slotOf = new Map<string, number>();
  const widths: number[] = [];
  const free: number[] = [];
  steps.forEach((step, index) => {
    for (const { name, width } of flowsMade(step)) {
      const reused = free.findIndex((slot) => widths[slot] === width);
      const slot = reused < 0 ? widths.push(width) - 1 : (free.splice(reused, 1)[0] ?? 0);
      slotOf.set(name, slot);
    }
    for (const { name } of flowsRead(step)) {
      const slot = slotOf.get(name);
      if (lastUse.get(name) === index && slot !== undefined && !free.includes(slot)) {
        free.push(slot);
      }
    }
  });
  return { slotOf, widths };
}

function flowsMade(step: Step): readonly Flow[] {
  switch (step.kind) {
    case "embed":
    case "attend":
      return [step.out];
    case "run":
      return step.segment.outputs;
    case "sum":
      return [];
  }
}

export class Buffers {
  readonly #plan: SlotPlan;
  readonly #memory: Float32Array[];
  readonly #tensors = new Map<string, Tensor>();
  #capacity = 0;

  constructor(plan: SlotPlan) {
    this.#plan = plan;
    this.#memory = plan.widths.map(() => new Float32Array(0));
  }

  /** Makes room for a step; what the slots hold is lost when they grow. */
  reserve(tokens: number): void {
    if (tokens <= this.#capacity) return;
    this.#capacity = 2 ** Math.ceil(Math.log2(tokens));
    this.#plan.widths.forEach((width, slot) => {
      this.#memory[slot] = new Float32Array(width * this.#capacity);
    });
    this.#tensors.clear();
  }

  /** The value `[tokens, width]`. */
  view({ name, width }: Flow, tokens: number): Float32Array {
    const memory = this.#memory[this.#plan.slotOf.get(name) ?? -1];
    if (memory === undefined) throw new Error(`cpu: value "${name}" has no slot.`);
    return memory.subarray(0, tokens * width);
  }

  tensor(flow: Flow, tokens: number): Tensor {
    const key = `${this.#plan.slotOf.get(flow.name)}:${tokens}`;
    const known = this.#tensors.get(key);
    if (known !== undefined) return known;
    const made = new Tensor("float32", this.view(flow, tokens), [tokens, flow.width]);
    if (tokens <= KEPT_TOKENS) this.#tensors.set(key, made);
    return made;
  }
}
