import { expect, it } from "vitest";
import type { Engine } from "../../../engine/engine.ts";
import type { EngineEvent, EngineListener } from "../../../engine/events.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import type { Decoder } from "../../../models/model.ts";
import { Engines, type Receiver, type SequenceEvent } from "../../../server/engines.ts";
import { Generation, type GenerationTask } from "../../../server/generation/generate.ts";

/** An engine that does as it is told: events are said by hand. */
function scripted() {
  const listeners: EngineListener[] = [];
  const finished: (readonly [number, string])[] = [];
  let nextId = 0;
  /** Completions that joined in each turn. */
  const joins: number[] = [];
  const engine = {
    subscribe: (listener: EngineListener) => listeners.push(listener),
    finish: (id: number, reason: string) => finished.push([id, reason]),
    open: ({ n = 1 }: { readonly n?: number }) => {
      const ids = Array.from({ length: n }, () => nextId++);
      let joined = 0;
      return {
        ids,
        get left() {
          return n - joined;
        },
        join: (count: number) => {
          const part = ids.slice(joined, joined + count);
          joined += part.length;
          joins.push(part.length);
          return part;
        },
        forgo: () => {
          joined = n;
        },
      };
    },
  } as unknown as Engine; // all that Engines calls here
  const say = (event: EngineEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const token = (id: number): void =>
    say({ type: "tokens-emitted", id, at: 0, tokens: [7], drafted: 0, accepted: 0 });
  const reports: string[] = [];
  const engines = new Engines([engine], (error) => reports.push(error.message));
  return { engines, token, finished, reports, joins };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
};

class Recorder implements Receiver {
  readonly seen: string[] = [];
  readonly #throwing: ReadonlySet<string>;

  constructor(...throwing: readonly string[]) {
    this.#throwing = new Set(throwing);
  }

  receive(event: SequenceEvent): void {
    this.#note(event.type);
  }

  flush(): void {
    this.#note("flush");
  }

  fail(error: Error): void {
    this.#note(`failed: ${error.message}`);
  }

  #note(what: string): void {
    this.seen.push(what);
    if (this.#throwing.has(what)) throw new TypeError(`at ${what}`);
  }
}

it.each([["tokens-emitted"], ["flush"]])(
  "a receiver that throws at %s ends its own request, once, and no other",
  async (at) => {
    const { engines, token, finished, reports } = scripted();
    const broken = new Recorder(at);
    const sound = new Recorder();
    engines.listen({ engine: 0, id: 1 }, broken);
    engines.listen({ engine: 0, id: 2 }, sound);
    for (let step = 0; step < 3; step++) {
      token(1);
      token(2);
      await turns();
    }
    expect(broken.seen.filter((what) => what === at)).toHaveLength(1);
    expect(broken.seen.at(-1)).toBe(`failed: at ${at}`);
    expect(finished).toEqual([[1, "abort"]]);
    expect(reports).toEqual([`at ${at}`]);
    expect(sound.seen.filter((what) => what === "flush")).toHaveLength(3);
  },
);

it("a receiver that throws again when it is told is reported, and nothing else", async () => {
  const { engines, token, reports } = scripted();
  const broken = new Recorder("flush", "failed: at flush");
  engines.listen({ engine: 0, id: 1 }, broken);
  token(1);
  await turns();
  expect(reports).toEqual(["at flush", "at failed: at flush"]);
});

const task = (n: number): GenerationTask => ({
  requests: [{ prompt: Int32Array.of(1, 2), params: DEFAULT_SAMPLING, n }],
  stop: [],
  includeStop: false,
  skipSpecialTokens: true,
});

function generation(engines: Engines, n: number, decoder?: () => Decoder): Generation {
  const clock = { now: () => 0 };
  const tokenizer = decoder && { decoder };
  return new Generation({ engines, clock, ...(tokenizer && { tokenizer }) } as never, task(n)); // all it reads
}

it("a choice that fails ends the whole request: whoever collects is told", async () => {
  const { engines, token, finished } = scripted();
  const throwing = (): Decoder => ({
    push: () => {
      throw new RangeError("no such id");
    },
    end: () => "",
  });
  const made = generation(engines, 3, throwing);
  const collected = expect(made.collect()).rejects.toThrow("no such id");
  token(1);
  await collected;
  expect(new Set(finished.map(([id]) => id))).toEqual(new Set([0, 1, 2]));
});

it("a consumer that throws on every change is told by onFail", async () => {
  const { engines, token, finished } = scripted();
  const made = generation(engines, 1);
  const failures: string[] = [];
  made.onChange = () => {
    throw new Error("a full conversation");
  };
  made.onFail = (error) => failures.push(error.message);
  token(0);
  token(0);
  await turns();
  expect(failures).toEqual(["a full conversation"]);
  expect(finished.every(([id, reason]) => id === 0 && reason === "abort")).toBe(true);
});

it("thousands of completions join in parts, a turn for others between them, in order", async () => {
  const { engines, token, joins } = scripted();
  const made = generation(engines, 5_000);
  expect(made.choices).toHaveLength(5_000);
  for (let turn = 1; joins.length < 79; turn++) {
    expect(joins).toHaveLength(turn);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(Math.max(...joins)).toBeLessThanOrEqual(64);
  expect(joins.reduce((sum, count) => sum + count, 0)).toBe(5_000);
  token(4_999);
  await turns();
  expect(made.take().map(({ index, ids }) => [index, ids])).toEqual([[4_999, [7]]]);
});

it("many prompts of one completion each join in parts as well", () => {
  const { engines, joins } = scripted();
  const parts = { engines, clock: { now: () => 0 } } as never; // all it reads
  const [request] = task(1).requests;
  if (request === undefined) throw new Error("no request");
  const made = new Generation(parts, { ...task(1), requests: Array(3_000).fill(request) });
  expect(joins).toHaveLength(64);
  expect(made.choices).toHaveLength(3_000);
});

it("a request that is given up while its completions join ends, and no more come", async () => {
  const { engines, joins, finished } = scripted();
  const made = generation(engines, 5_000);
  const collected = made.collect();
  made.abort();
  await turns();
  expect(joins).toEqual([64]);
  expect(finished).toHaveLength(64);
  expect(made.choices.filter(({ finish }) => finish?.reason === "abort")).toHaveLength(5_000 - 64);
  expect(made.done).toBe(false); // the engine has yet to say so of those that joined
  void collected;
});

it("lets others have a turn between the receivers of many events", async () => {
  const { engines, token } = scripted();
  const receivers = Array.from({ length: 600 }, () => new Recorder());
  for (const [id, receiver] of receivers.entries()) engines.listen({ engine: 0, id }, receiver);
  for (const id of receivers.keys()) token(id);
  const flushed = () => receivers.filter(({ seen }) => seen.includes("flush")).length;
  const counts = [0];
  while (flushed() < 600) {
    await new Promise((resolve) => setImmediate(resolve));
    counts.push(flushed());
  }
  const more = counts.slice(1).map((count, turn) => count - (counts[turn] ?? 0));
  expect(more.slice(0, 4)).toEqual([0, 128, 118, 89]); // a quarter of the rest, 128 at most
  expect(more.slice(-3, -1)).toEqual([8, 8]); // and not fewer than 8
  expect(new Set(receivers.map(({ seen }) => seen.join()))).toEqual(
    new Set(["tokens-emitted,flush"]),
  );
});

it("tokens that come while others are written join those that wait, and go out in one call", async () => {
  const { engines, token } = scripted();
  const receivers = Array.from({ length: 64 }, () => new Recorder());
  for (const [id, receiver] of receivers.entries()) engines.listen({ engine: 0, id }, receiver);
  for (let step = 0; step < 4; step++) {
    for (const id of receivers.keys()) token(id);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let i = 0; i < 3; i++) await turns();
  for (const { seen } of receivers) {
    const of = (what: string): number => seen.filter((each) => each === what).length;
    expect(of("tokens-emitted")).toBe(4);
    expect(of("flush")).toBeLessThanOrEqual(2);
    expect(seen.at(-1)).toBe("flush");
  }
});
