/**
 * Memory of the values between steps. Each value has a slot; a slot is used
 * again once its value is dead, but never for an output of the step that reads
 * it. Slots grow with the largest step seen; tensors over them are kept by size,
 * so a repeated step allocates nothing.
 */
import type { Flow, Segment, Step } from "./graph/steps.ts";
import { flowsMade, flowsRead } from "./graph/steps.ts";
import type { Tensors } from "./session.ts";
import { Tensor } from "./session.ts";

/** What is made for steps of up to this many tokens is kept for the next such step. */
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

export interface Binding {
  readonly feeds: Tensors;
  readonly fetches: Tensors;
}

export class Buffers {
  readonly #plan: SlotPlan;
  readonly #memory: Float32Array[];
  /** Feeds and fetches of a segment by its number of tokens. */
  #bindings = new Map<Segment, Map<number, Binding>>();
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
    this.#bindings = new Map();
  }

  /** The value `[tokens, width]`. */
  view({ name, width }: Flow, tokens: number): Float32Array {
    const memory = this.#memory[this.#plan.slotOf.get(name) ?? -1];
    if (memory === undefined) throw new Error(`cpu: value "${name}" has no slot.`);
    return memory.subarray(0, tokens * width);
  }

  /** Tensors over rows `[first, first + tokens)` of the segment's inputs and outputs. */
  bind(segment: Segment, tokens: number, first = 0): Binding {
    if (first > 0 || tokens > KEPT_TOKENS) return this.#bind(segment, tokens, first);
    const sizes = this.#bindings.get(segment) ?? new Map<number, Binding>();
    this.#bindings.set(segment, sizes);
    const known = sizes.get(tokens);
    if (known !== undefined) return known;
    const made = this.#bind(segment, tokens, 0);
    sizes.set(tokens, made);
    return made;
  }

  #bind({ inputs, outputs }: Segment, tokens: number, first: number): Binding {
    return {
      feeds: this.#tensors(inputs, tokens, first),
      fetches: this.#tensors(outputs, tokens, first),
    };
  }

  #tensors(flows: readonly Flow[], tokens: number, first: number): Tensors {
    const tensor = (flow: Flow): Tensor => {
      const rows = this.view(flow, first + tokens).subarray(first * flow.width);
      return new Tensor("float32", rows, [tokens, flow.width]);
    };
    return Object.fromEntries(flows.map((flow) => [flow.name, tensor(flow)]));
  }
}
