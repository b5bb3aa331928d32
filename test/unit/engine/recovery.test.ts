/** A device that fails: nobody is lost, the culprit ends alone, and health tells. */
import { describe, expect, it } from "vitest";
import type { Engine } from "../../../engine/engine.ts";
import { engineWorld, finishes, outputs, request } from "../../support/engine-world.ts";
import type { Trouble } from "../../support/paged-device.ts";

const failing = (trouble: Trouble, inFlight: 1 | 2 = 1) =>
  engineWorld({ trouble, limits: { inFlight, blocks: 120 }, price: () => 1000 });

const PARAMS = { temperature: 0.8, maxTokens: 20 };

function submitTen(engine: Engine): void {
  for (let seed = 0; seed < 10; seed++) {
    const prompt = [seed, 1, 2, 3, 4, 5, 6, 7, 8];
    engine.submit(request(prompt, { ...PARAMS, seed, repetitionPenalty: 1.2 }));
  }
}

function undisturbed() {
  const { clock, engine, events } = engineWorld();
  submitTen(engine);
  clock.runReady();
  return outputs(events);
}

describe("failed steps", () => {
  it.each([1, 2] as const)("are retried: same ids, %i in flight", (inFlight) => {
    const { clock, engine, events } = failing(
      ({ step }) => (step % 5 === 3 ? { ok: false, error: new Error("hiccup") } : undefined),
      inFlight,
    );
    submitTen(engine);
    clock.runReady();
    engine.check();
    expect(outputs(events)).toEqual(undisturbed());
    expect(events.filter((event) => event.type === "step-failed").length).toBeGreaterThan(3);
  });

  it.each([1, 2] as const)("recompute all when the cache is lost, %i in flight", (inFlight) => {
    let losses = 0;
    const { clock, engine, events } = failing(({ step }) => {
      if (step % 7 !== 4 || losses >= 20) return undefined;
      losses++;
      return { ok: false, error: new Error("rank 1 was terminated"), kvLost: true };
    }, inFlight);
    submitTen(engine);
    clock.runReady();
    engine.check();
    expect(losses).toBeGreaterThan(3);
    expect(outputs(events)).toEqual(undisturbed());
    expect(finishes(events).every((event) => event.reason === "length")).toBe(true);
  });

  it.each([false, true])("end the culprit alone, cache lost: %s", (kvLost) => {
    // Sequence 6 poisons any step that computes its twelfth token.
    const { clock, engine, events } = failing((batch) =>
      batch.rows.some((row) => row.id === 6 && row.start <= 12 && row.start + row.count > 12)
        ? { ok: false, error: new Error("poison"), kvLost }
        : undefined,
    );
    submitTen(engine);
    clock.runReady();
    engine.check();
    const ends = finishes(events);
    expect(ends.filter((event) => event.reason === "error").map((event) => event.id)).toEqual([6]);
    expect(ends.find((event) => event.id === 6)?.error?.message).toBe("poison");
    const whole = undisturbed();
    const got = outputs(events);
    for (const [id, ids] of whole) if (id !== 6) expect(got.get(id)).toEqual(ids);
  });

  it("blame nobody when the device fails by itself, twenty times in short order", () => {
    let losses = 0;
    const { clock, engine, events } = failing(({ step }) => {
      // Recomputing all takes more than one step: it is cut short again and again.
      if (step < 6 || losses >= 20 || step % 3 > 0) return undefined;
      losses++;
      return { ok: false, error: new Error("rank 0 was terminated"), kvLost: true };
    });
    submitTen(engine);
    clock.runReady();
    engine.check();
    expect(losses).toBe(20);
    expect(finishes(events).every((event) => event.reason === "length")).toBe(true);
    expect(outputs(events)).toEqual(undisturbed());
  });

  it("end at once whom the device names", () => {
    const { clock, engine, events } = failing((batch) =>
      batch.rows.some((row) => row.id === 2)
        ? { ok: false, error: new Error("bad row"), culprits: [2] }
        : undefined,
    );
    submitTen(engine);
    clock.runReady();
    expect(events.filter((event) => event.type === "step-failed")).toHaveLength(1);
    expect(
      finishes(events)
        .filter((event) => event.reason === "error")
        .map((event) => event.id),
    ).toEqual([2]);
  });

  it("end everyone, one by one, when nothing works", () => {
    const { clock, engine, events } = failing(() => ({ ok: false, error: new Error("dead") }));
    submitTen(engine);
    clock.runReady();
    engine.check();
    expect(finishes(events).map((event) => event.reason)).toEqual(Array(10).fill("error"));
  });

  it("may be aborted meanwhile", () => {
    const { clock, engine, events } = failing(({ step }) =>
      step < 40 ? { ok: false, error: new Error("dead") } : undefined,
    );
    submitTen(engine);
    for (let id = 0; id < 10; id++) clock.at(1500 * id, () => engine.finish(id, "abort"));
    clock.runReady();
    engine.check();
    expect(finishes(events)).toHaveLength(10);
  });
});

describe("health", () => {
  it("tells how long a step has been under way, and of failures", () => {
    let fails = false;
    const { clock, engine } = failing(() =>
      fails ? { ok: false, error: new Error("x") } : undefined,
    );
    expect(engine.health(0)).toMatchObject({ pending: false, failures: 0 });
    engine.submit(request([1, 2], { maxTokens: 3 }));
    clock.runReady(400);
    expect(engine.health(400)).toEqual({
      pending: true,
      stepAge: 400,
      sinceProgress: 400,
      failures: 0,
    });
    fails = true;
    clock.runReady(2600);
    expect(engine.health(2600)).toMatchObject({ pending: true, stepAge: 600, failures: 1 });
    fails = false;
    clock.runReady(4000);
    expect(engine.health(clock.now()).failures).toBe(0);
    clock.runReady();
    expect(engine.health(clock.now()).pending).toBe(false);
  });
});
