/**
 * gpt-oss held to a call: reasoning if the model wants it, then the header of one of the calls,
 * then arguments that fit its schema, as vLLM's structural tag of harmony has it.
 *
 *     (<|channel|>analysis<|message|>… <|end|><|start|>assistant)?
 *     <|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{…}
 *
 * Marks are special ids, which no text spells: they are held as ids, the arguments as text.
 */
import type { Constraint } from "../../engine/sequence.ts";

type Ids = readonly number[];

export interface HarmonyCall {
  readonly header: Ids;
  /** Holds the arguments, and ends the output. */
  readonly makeArguments: () => Constraint;
}

export interface HarmonyMarks {
  readonly analysis: Ids;
  readonly end: Ids;
  readonly again: Ids;
}

/** Texts of the marks, to be encoded. */
export const HARMONY_MARKS: Readonly<Record<keyof HarmonyMarks, string>> = {
  analysis: "<|channel|>analysis<|message|>",
  end: "<|end|>",
  again: "<|start|>assistant",
};

export const callHeader = (name: string): string =>
  `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>`;

export interface HarmonyCallOptions extends HarmonyMarks {
  readonly calls: readonly HarmonyCall[];
  /** Ids that end an output: none may end the reasoning. */
  readonly endIds: Ids;
  /** Ids of reasoning at most; absent: any number. */
  readonly budget?: number;
}

/** Ways that are open, and how far they have been gone. */
interface Header {
  readonly phase: "header";
  readonly open: readonly (readonly [ids: Ids, then: Phase | HarmonyCall])[];
  readonly at: number;
}

type Phase =
  | Header
  | { readonly phase: "thinking"; readonly thought: number; readonly ended: number }
  | { readonly phase: "arguments"; readonly held: Constraint };

export class HarmonyCallConstraint implements Constraint {
  readonly #options: HarmonyCallOptions;
  readonly #ids: number[] = [];
  #now: Phase;

  constructor(options: HarmonyCallOptions) {
    this.#options = options;
    this.#now = this.#begin();
  }

  get failure(): Error | undefined {
    return this.#now.phase === "arguments" ? this.#now.held.failure : undefined;
  }

  mask(mask: Int32Array): boolean {
    const now = this.#now;
    if (now.phase === "arguments") return now.held.mask(mask);
    mask.fill(0);
    const allow = (id: number | undefined): void => {
      if (id !== undefined) mask[id >> 5] = (mask[id >> 5] as number) | (1 << (id & 31));
    };
    if (now.phase === "header") {
      for (const [ids] of now.open) allow(ids[now.at]);
      return true;
    }
    const { budget, end, endIds } = this.#options;
    if (budget !== undefined && now.thought >= budget) {
      allow(end[now.ended]);
      return true;
    }
    mask.fill(-1);
    for (const id of endIds) mask[id >> 5] = (mask[id >> 5] as number) & ~(1 << (id & 31));
    return true;
  }

  accept(id: number): boolean {
    const next = this.#after(this.#now, id);
    if (next === undefined) return false;
    this.#ids.push(id);
    this.#now = next;
    return true;
  }

  /** What went before is gone through again: ids are taken back seldom, and few. */
  rollback(count: number): void {
    const ids = this.#ids.slice(0, Math.max(0, this.#ids.length - count));
    this.#ids.length = 0;
    this.#now = this.#begin();
    for (const id of ids) this.accept(id);
  }

  #begin(): Header {
    const thinking = { phase: "thinking", thought: 0, ended: 0 } as const;
    const calls = this.#calls();
    return { ...calls, open: [[this.#options.analysis, thinking], ...calls.open] };
  }

  #calls(): Header {
    const open = this.#options.calls.map((call) => [call.header, call] as const);
    return { phase: "header", open, at: 0 };
  }

  #after(now: Phase, id: number): Phase | undefined {
    switch (now.phase) {
      case "arguments":
        return now.held.accept(id) ? now : undefined;
      case "header": {
        const open = now.open.filter(([ids]) => ids[now.at] === id);
        const at = now.at + 1;
        const done = open.find(([ids]) => ids.length === at)?.[1];
        if (done === undefined)
          return open.length === 0 ? undefined : { phase: "header", open, at };
        return "phase" in done ? done : { phase: "arguments", held: done.makeArguments() };
      }
      case "thinking": {
        const { end, endIds, again } = this.#options;
        if (endIds.includes(id)) return undefined;
        const ended = id === end[now.ended] ? now.ended + 1 : id === end[0] ? 1 : 0;
        if (ended < end.length) return { phase: "thinking", thought: now.thought + 1, ended };
        return { phase: "header", open: [[again, this.#calls()]], at: 0 };
      }
    }
  }
}
