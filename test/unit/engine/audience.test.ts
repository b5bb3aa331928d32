import { expect, it } from "vitest";
import type { EngineEvent, EngineListener } from "../../../engine/events.ts";
import { reportOnce } from "../../../server/world/report-once.ts";
import { engineWorld, finishes, request } from "../../support/engine-world.ts";

/** Preemptions, a failed step, blocks stored and evicted: every type of event. `first` listens before all others. */
function unrest(first?: EngineListener) {
  const errors: unknown[] = [];
  const world = engineWorld({
    limits: { blocks: 12, maxContext: 40 },
    options: { kvEvents: true, maxNumSeqs: 4 },
    trouble: (batch) =>
      batch.step === 5
        ? { ok: false, error: new Error("a step fails"), kvLost: false, retryable: true }
        : undefined,
    onListenerError: (error) => errors.push(error),
  });
  const { engine, clock, events } = world;
  if (first !== undefined) engine.subscribe(first);
  const later: EngineEvent[] = [];
  engine.subscribe((event) => later.push(event));
  for (let i = 0; i < 6; i++) {
    engine.submit(request([i, 2, 3, 4, 5], { maxTokens: 20, temperature: 0, ignoreEos: true }));
  }
  clock.run();
  engine.resetPrefixCache();
  engine.check();
  return { errors, events, later };
}

const told = (events: readonly EngineEvent[]): string =>
  JSON.stringify(events, (_, value) => (value instanceof Error ? value.message : value));

const quiet = unrest();
const types = [...new Set(quiet.events.map(({ type }) => type))].sort();

it("the run has every type of event", () => {
  expect(types).toEqual([
    "blocks-cleared",
    "blocks-removed",
    "blocks-stored",
    "request-finished",
    "request-preempted",
    "request-queued",
    "request-scheduled",
    "step-failed",
    "step-finished",
    "tokens-emitted",
  ]);
  expect(finishes(quiet.events)).toHaveLength(6);
});

it.each(types)("a listener that throws at %s disturbs nobody, and is reported", (type) => {
  let thrown = 0;
  const { errors, events, later } = unrest((event) => {
    if (event.type !== type) return;
    throw new TypeError(`bug ${++thrown}`);
  });
  expect(thrown).toBeGreaterThan(0);
  expect(errors).toHaveLength(thrown);
  expect(told(events)).toBe(told(quiet.events));
  expect(told(later)).toBe(told(quiet.events));
});

it("with nobody to report to it is thrown in a turn of its own, and the engine goes on", async () => {
  const { engine, clock, events } = engineWorld();
  const leave = engine.subscribe(() => {
    leave();
    throw new Error("at the first event");
  });
  engine.submit(request([1, 2], { maxTokens: 3, ignoreEos: true }));
  await expect(clock.run()).rejects.toThrow("at the first event");
  await clock.run();
  expect(finishes(events)).toHaveLength(1);
});

it("the server tells each message of a listener once, whatever is thrown", () => {
  const reports: string[] = [];
  const tell = reportOnce((error) => {
    reports.push(error.message);
    throw new Error("the log is full");
  });
  const [one, other]: [EngineListener, EngineListener] = [() => {}, () => {}];
  for (let step = 0; step < 3; step++) {
    tell(new Error("a"), one);
    tell("b", one);
    tell(Object.create(null), one);
    tell(new Error("a"), other);
  }
  expect(reports).toEqual(["a", "b", "A listener threw what has no text.", "a"]);
  for (let id = 0; id < 1_000; id++) tell(new Error(`sequence ${id}`), one);
  expect(reports.length).toBeLessThan(30);
});
