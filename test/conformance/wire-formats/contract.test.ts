/**
 * What every wire format keeps, one suite for all: the order of its events, that it ends and
 * says why, that a failure under way is told and is the last that is told, and that the blocks
 * of a client that left are free by the end of the steps under way.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { EngineEvent } from "../../../engine/events.ts";
import { untilIdle } from "../../compat/support.ts";
import { FIRE, failing } from "../../support/failing-device.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { FORMATS, type Kind, type WireEvent, type WireFormat } from "./formats.ts";

const LETTERS: Readonly<Record<Kind, string>> = {
  ...{ start: "s", open: "o", text: "t", close: "c" },
  ...{ finish: "f", usage: "u", done: "d", error: "x" },
};
const TOKENS = 12;
/** A step's time, so that a client can leave before the end. */
const STEP_NANOS = 3_000_000;
const FLAGS = [
  ...["models/tiny/llama", "--device", "null", "--served-model-name", "m"],
  "--enable-scale-out",
  ...["--additional-config", `{"null-step-nanos": ${STEP_NANOS}}`],
];

let server: TestServer;
let failFrom: (steps: number | undefined) => void;

beforeAll(async () => {
  // One step under way: what is free is free by the next.
  server = await startServer([...FLAGS, "--no-async-scheduling"]);
  failFrom = failing(server);
});
afterEach(() => failFrom(undefined));
afterAll(() => server.stop(0));

const order = (events: readonly WireEvent[]): string =>
  events.map(({ kind }) => LETTERS[kind]).join("");
const textOf = (events: readonly WireEvent[]): string => events.map(({ text }) => text).join("");

async function all(events: AsyncIterable<WireEvent>): Promise<readonly WireEvent[]> {
  const found: WireEvent[] = [];
  for await (const event of events) found.push(event);
  return found;
}

it("covers every route that streams an answer", async () => {
  const { paths } = (await server.get("/openapi.json")).json as {
    readonly paths: Readonly<Record<string, object>>;
  };
  const streams = Object.entries(paths)
    .filter(([, path]) => /"stream":\{/.test(JSON.stringify(path)))
    .map(([path]) => path);
  // What gives chunks back one by one, and what is another format's route under its own name.
  const others = /derender|render|\/v1\/chat\/completions\/batch|^\/invocations/;
  expect(streams).toEqual(expect.arrayContaining(["/v1/chat/completions", "/v1/messages"]));
  expect(streams.filter((path) => FORMATS[path] === undefined && !others.test(path))).toEqual([]);
});

describe.each(Object.entries(FORMATS))("the wire format of %s", (_, format) => {
  it("begins, tells, finishes and ends once, in this order", async () => {
    const events = await all(format.stream(server, TOKENS));
    expect(order(events)).toMatch(/^s*o*t+c*f?u?d$/);
    expect(events.flatMap(({ reason }) => reason ?? [])).toEqual([format.cut]);
    await untilIdle(server);
  });

  it("says the same text in pieces as in one", async () => {
    if (format.whole === undefined) return;
    const pieces = textOf(await all(format.stream(server, TOKENS)));
    expect(pieces).not.toBe("");
    expect(pieces).toBe(await format.whole(server, TOKENS));
  });

  it("tells a failure under way at its end, without why, and serves again", async () => {
    failFrom(6);
    const events = await all(format.stream(server, TOKENS));
    failFrom(undefined);
    expect(order(events)).toMatch(/^s*o*t+c*xd?$/);
    const error = events.find(({ kind }) => kind === "error");
    expect(error?.text).not.toContain(FIRE);
    await untilIdle(server);
    expect(order(await all(format.stream(server, 2)))).toMatch(/d$/);
  });

  it("frees the blocks of a client that left by the next step", () =>
    leavesNothing(server, format, 1));
});

it("frees the blocks of a client that left one step later where two are under way", async () => {
  const [format] = Object.values(FORMATS);
  if (format === undefined) throw new Error("There are formats.");
  const ahead = await startServer([...FLAGS, "--async-scheduling"]);
  await leavesNothing(ahead, format, 2);
  await ahead.stop(0);
});

/** A client leaves; after so many steps as were under way nothing is held. */
async function leavesNothing(at: TestServer, format: WireFormat, underWay: number): Promise<void> {
  const [engine] = at.world.serving.engines.all;
  if (engine === undefined) throw new Error("A server has an engine.");
  const after: number[] = [];
  let over = false;
  const leave = engine.subscribe((event: EngineEvent) => {
    if (event.type === "request-finished" && event.reason === "abort") over = true;
    else if (event.type === "step-finished" && over) after.push(engine.kvUsage);
  });
  let texts = 0;
  for await (const { kind } of format.stream(at, 400)) {
    if (kind === "text" && ++texts === 3) break;
  }
  await untilIdle(at);
  leave();
  expect(over).toBe(true);
  expect(after.length).toBeLessThanOrEqual(underWay);
  expect(after.slice(underWay - 1).filter((usage) => usage > 0)).toEqual([]);
  expect(engine.kvUsage).toBe(0);
  engine.check();
}
