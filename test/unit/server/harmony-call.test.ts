/** gpt-oss held to a call: which ids may come when. */
import { describe, expect, it } from "vitest";
import type { Constraint } from "../../../engine/sequence.ts";
import { HarmonyCallConstraint } from "../../../server/grammar/harmony-call.ts";

const [CHANNEL, ANALYSIS, MESSAGE, END, START, ASSISTANT, COMMENTARY, ONE, TWO, RETURN, CALL] =
  Array.from({ length: 11 }, (_, id) => id + 1) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
const BODY = 20;

/** Takes one id, then the end. */
class Body implements Constraint {
  #taken = 0;
  mask(mask: Int32Array): boolean {
    mask.fill(0);
    mask[0] = 1 << (this.#taken === 0 ? BODY : CALL);
    return true;
  }
  accept(id: number): boolean {
    if (id !== (this.#taken === 0 ? BODY : CALL)) return false;
    this.#taken++;
    return true;
  }
  rollback(count: number): void {
    this.#taken -= count;
  }
}

const make = (budget?: number): HarmonyCallConstraint =>
  new HarmonyCallConstraint({
    analysis: [CHANNEL, ANALYSIS, MESSAGE],
    end: [END],
    again: [START, ASSISTANT],
    calls: [ONE, TWO].map((name) => ({
      header: [CHANNEL, COMMENTARY, name, MESSAGE],
      makeArguments: () => new Body(),
    })),
    endIds: [RETURN, CALL],
    ...(budget !== undefined && { budget }),
  });

function allowed(constraint: Constraint): readonly number[] {
  const mask = new Int32Array(1);
  constraint.mask(mask);
  return Array.from({ length: 32 }, (_, id) => id).filter((id) => ((mask[0] ?? 0) >> id) & 1);
}

function take(constraint: Constraint, ...ids: readonly number[]): void {
  for (const id of ids) expect(constraint.accept(id), `id ${id}`).toBe(true);
}

describe("a call of gpt-oss", () => {
  it("begins with reasoning or the header of a call, and with nothing else", () => {
    const held = make();
    expect(allowed(held)).toEqual([CHANNEL]);
    take(held, CHANNEL);
    expect(allowed(held)).toEqual([ANALYSIS, COMMENTARY]);
    expect(held.accept(RETURN)).toBe(false);
    take(held, COMMENTARY);
    expect(allowed(held)).toEqual([ONE, TWO]);
    take(held, TWO, MESSAGE);
    expect(allowed(held)).toEqual([BODY]);
    take(held, BODY);
    expect(allowed(held)).toEqual([CALL]);
  });

  it("reasons once, does not end there, and goes on to a call", () => {
    const held = make();
    take(held, CHANNEL, ANALYSIS, MESSAGE, 15, CHANNEL, 16);
    expect(allowed(held)).not.toContain(RETURN);
    expect(allowed(held)).not.toContain(CALL);
    expect(allowed(held)).toHaveLength(30);
    expect(held.accept(RETURN)).toBe(false);
    take(held, END);
    expect(allowed(held)).toEqual([START]);
    take(held, START, ASSISTANT, CHANNEL);
    expect(allowed(held)).toEqual([COMMENTARY]);
  });

  it("ends reasoning at its budget", () => {
    const held = make(2);
    take(held, CHANNEL, ANALYSIS, MESSAGE, 15, 16);
    expect(allowed(held)).toEqual([END]);
  });

  it("takes ids back, wherever they were", () => {
    const held = make();
    take(held, CHANNEL, ANALYSIS, MESSAGE, 15, END, START, ASSISTANT, CHANNEL, COMMENTARY, ONE);
    held.rollback(7);
    expect(allowed(held)).toHaveLength(30);
    take(held, END, START, ASSISTANT, CHANNEL, COMMENTARY, ONE, MESSAGE, BODY);
    held.rollback(1);
    expect(allowed(held)).toEqual([BODY]);
    held.rollback(12);
    expect(allowed(held)).toEqual([CHANNEL]);
  });
});
