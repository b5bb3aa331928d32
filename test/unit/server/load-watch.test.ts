/** The watch over a real engine in virtual time: users in a closed loop, sound and not. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { SECOND } from "../../../device/clock.ts";
import type { GenerationRequest } from "../../../engine/sequence.ts";
import { LoadWatch } from "../../../server/metrics/load-watch.ts";
import { engineWorld, request, VOCABULARY, type WorldOptions } from "../../support/engine-world.ts";

const MAX_MODEL_LEN = 128;
const USERS = 4;

let check: () => void = () => {};
afterEach(() => check());

/** Steps take 10 ms, so that a load lasts and its pauses are seen. */
function watched(of: Omit<WorldOptions, "clock"> = {}) {
  const { engine, clock } = engineWorld({ price: () => 0.01 * SECOND, ...of });
  const watch = new LoadWatch(1, MAX_MODEL_LEN);
  let next: (() => void) | undefined;
  engine.subscribe((event) => {
    watch.receive(0, event);
    if (event.type === "request-finished") clock.at(event.at, () => next?.());
  });
  const submit = (one: GenerationRequest): void => {
    watch.submitted(0, one, engine.submit(one));
  };
  /** `users` requests are under way until none is left. */
  const load = (requests: readonly GenerationRequest[], users = USERS): void => {
    const left = [...requests];
    const send = (): void => {
      const one = left.shift();
      if (one !== undefined) submit(one);
    };
    next = send;
    for (let user = 0; user < users; user++) send();
    clock.run();
  };
  const pause = (seconds: number): void => {
    clock.at(clock.now() + seconds * SECOND, () => {});
    clock.run();
  };
  check = () => engine.check();
  return { watch, load, pause, clock };
}

let drawn = 0;
/** Distinct prompts of 8 ids, with answers of 8. */
const prompts = (count: number): GenerationRequest[] =>
  Array.from({ length: count }, () => {
    const first = drawn++;
    const ids = Array.from({ length: 8 }, (_, at) => (at === 0 ? first % 89 : (first * at) % 89));
    return request(ids, { maxTokens: 8, ignoreEos: true });
  });

const codes = (watch: LoadWatch, claim: Parameters<LoadWatch["report"]>[0] = {}): string[] =>
  watch.report(claim).notices.map(({ code }) => code);

describe("the load that a server is under", () => {
  it("is sound when users keep it up with distinct prompts after warm-ups", () => {
    const { watch, load, clock } = watched();
    load(prompts(2 * USERS));
    const since = clock.now() / SECOND;
    load(prompts(10 * USERS));
    const report = watch.report({ since, concurrency: USERS });
    expect(report).toMatchObject({ requests: 10 * USERS, peakConcurrency: USERS, notices: [] });
    expect(report.meanConcurrency).toBeGreaterThan(0.9 * USERS);
  });

  it("falls short of a claim", () => {
    const { watch, load } = watched();
    load(prompts(10 * USERS));
    expect(codes(watch, { concurrency: 2 * USERS })).toEqual([
      "few-requests",
      "concurrency-not-reached",
      "cold-start",
    ]);
  });

  it("repeats prompts, within itself or after warm-ups", () => {
    const { watch, load, clock } = watched();
    const [first, ...rest] = prompts(10 * USERS);
    if (first === undefined) throw new Error("There are prompts.");
    load([first, first, ...prompts(USERS)]);
    expect(codes(watch)).toContain("repeated-prompts");
    const since = clock.now() / SECOND;
    load([first, ...rest]);
    const found = codes(watch, { since, concurrency: USERS });
    expect(found).toContain("warm-up-contamination");
    expect(found).not.toContain("repeated-prompts");
  });

  it("takes n completions of a prompt for one", () => {
    const { watch, load } = watched();
    load(prompts(10 * USERS).map((one) => ({ ...one, n: 2 })));
    expect(codes(watch)).not.toContain("repeated-prompts");
    expect(codes(watch)).not.toContain("cached-prompts");
  });

  it("is preempted, or answers shorter than asked", () => {
    const small = watched({ limits: { blocks: 10 } });
    small.load(prompts(10 * USERS));
    expect(codes(small.watch)).toContain("preemptions");
    const short = watched();
    short.load(
      prompts(10 * USERS).map((one) => ({
        ...one,
        params: {
          ...one.params,
          maxTokens: 40,
          stopTokenIds: Array.from({ length: VOCABULARY }, (_, id) => id),
        },
      })),
    );
    expect(codes(short.watch)).toContain("length-mismatch");
  });

  it("is told of once, when it has ended and was large enough", () => {
    const { watch, load, pause, clock } = watched();
    load(prompts(3));
    pause(2);
    expect(watch.ended(clock.now())).toBeUndefined();
    load(prompts(10 * USERS));
    expect(watch.ended(clock.now())).toBeUndefined();
    pause(2);
    expect(watch.ended(clock.now())?.requests).toBe(10 * USERS);
    expect(watch.ended(clock.now())).toBeUndefined();
  });

  it("costs scrapes no more the longer it lasts: a report is made when there is something to say", () => {
    const watch = new LoadWatch(1, MAX_MODEL_LEN);
    const report = vi.spyOn(watch, "report");
    const at = 0.001 * SECOND;
    const serve = (id: number, reason: "length" | "error" = "length"): void => {
      watch.receive(0, { type: "request-queued", at: id * at, id, promptTokens: 9 });
      watch.receive(0, {
        type: "request-finished",
        at: (id + 1) * at,
        id,
        reason,
        promptTokens: 9,
        cachedTokens: 0,
        outputTokens: 4,
      });
    };
    watch.receive(0, { type: "request-queued", at: 0, id: 1e9, promptTokens: 9 }); // one long answer
    for (let id = 0; id < 20_000; id++) {
      serve(id);
      watch.noticed();
    }
    // 16 of the first 16, then one for each sixteenth more, up to the 16,384 that are remembered.
    expect(report.mock.calls.length).toBeLessThan(16 + 16 * Math.log(20_000) + 10);
    const before = report.mock.calls.length;
    serve(20_000, "error");
    expect(watch.noticed().notices.map(({ code }) => code)).not.toContain("failed-requests");
    // The load is over: what is told is of all of it.
    watch.receive(0, {
      type: "request-finished",
      at: 20_002 * at,
      id: 1e9,
      reason: "abort",
      promptTokens: 9,
      cachedTokens: 0,
      outputTokens: 4,
    });
    expect(watch.noticed().notices.map(({ code }) => code)).toContain("failed-requests");
    watch.noticed();
    expect(report.mock.calls.length).toBe(before + 1);
  });

  it("finds a prompt again after as many others as it remembers", () => {
    const { watch, load } = watched();
    const [first, ...others] = Array.from({ length: 16_400 }, (_, at) =>
      request([at % 89, ((at / 89) % 89) | 0, (at / 89 / 89) | 0], { maxTokens: 1 }),
    );
    load(
      [first, ...others, first].flatMap((one) => one ?? []),
      256,
    );
    const { requests, notices } = watch.report();
    const noticed = notices.find(({ code }) => code === "repeated-prompts");
    expect(noticed?.text).toContain(`1 of ${requests} prompts`);
  });
});
