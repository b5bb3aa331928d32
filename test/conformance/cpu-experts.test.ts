/** A layer's experts on two threads: the same numbers as on one. */
import { afterAll, describe, expect, it, vi } from "vitest";
import { RealClock } from "../../device/clocks/real.ts";
import { createCpuDevice } from "../../device/cpu/device.ts";
import { DONE, dealByRows, EPOCH, ExpertTeam, teamViews } from "../../device/cpu/expert-team.ts";
import type { Device } from "../../device/device.ts";
import { startThread } from "../../device/thread.ts";
import { execute, RecordingSampler, row } from "../support/device-driver.ts";
import { MOE_LIKE, randomModel } from "../support/random-model.ts";

/** In int4 its experts are held in 4 bits: all weights take more than 8 MiB. */
const { model, remove } = randomModel({ ...MOE_LIKE, vocab_size: 72_000 });
afterAll(remove);

const PROMPTS = [
  Array.from({ length: 150 }, (_, i) => (i * 31 + 5) % 301),
  [5, 3, 200, 7, 44],
  [9],
] as const;

type Own = Readonly<Record<string, unknown>>;

/** Logits after each prompt, all in one step or one after the other. */
async function logitsOf(
  settings: { readonly quantization?: string; readonly own?: Own },
  together: boolean,
): Promise<readonly Float32Array[]> {
  const sampler = new RecordingSampler();
  const device: Device = await createCpuDevice({
    model,
    clock: new RealClock(),
    sampler,
    tensorParallelSize: 1,
    seed: 0,
    ...settings,
    own: settings.own ?? {},
  });
  const rows = PROMPTS.map((tokens, id) => row(id, [...tokens], { blocks: [2 * id, 2 * id + 1] }));
  for (const step of together ? [rows] : rows.map((each) => [each])) await execute(device, step);
  await device.close();
  return PROMPTS.map((_, id) => sampler.logits.get(id)?.[0] ?? new Float32Array(0));
}

function distance(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const each = a.map((its, row) => its.map((value, i) => Math.abs(value - (b[row]?.[i] ?? NaN))));
  return Math.max(...each.map((its) => its.reduce((most, value) => Math.max(most, value), 0)));
}

describe("experts on two threads", () => {
  it("in F32 give what one thread gives, whoever the neighbours are", async () => {
    const one = await logitsOf({ own: { "spare-cores": "1" } }, true);
    const two = await logitsOf({}, true);
    expect(one[0]?.length).toBe(72_000);
    expect(distance(one, two)).toBeLessThan(1e-4);
    expect(await logitsOf({}, false)).toEqual(two);
  });

  it("in two copies of int4, of which both threads hold one, give what one copy gives", async () => {
    const one = await logitsOf({ quantization: "int4", own: { "weight-copies": "1" } }, false);
    const two = await logitsOf({ quantization: "int4", own: { "weight-copies": "2" } }, false);
    // A step of one row computes in int4 whatever the copies.
    expect(distance(one.slice(2), two.slice(2))).toBeLessThan(0.02);
  });
});

it("a helper that has died is named, not waited for", async () => {
  const team = new ExpertTeam({ hidden: 4, experts: 2 }, () => {}, 1);
  await team.close();
  const graph = { model: new Uint8Array(0), externalData: [] };
  expect(() => team.open(graph, { threads: 1, folder: "" })).toThrow("does not answer");
});

it("a helper that dies at its start says so itself", async () => {
  // The rank's patience is the usual two minutes, the test's far less.
  const start: typeof startThread = (entry, base, memory) =>
    startThread(entry, base, { ...(memory as object), hidden: 2 ** 30 }).on("error", () => {});
  vi.resetModules();
  vi.doMock("../../device/thread.ts", () => ({ startThread: start }));
  const { ExpertTeam: Team } = await import("../../device/cpu/expert-team.ts");
  vi.doUnmock("../../device/thread.ts");
  const team = new Team({ hidden: 4, experts: 2 }, () => {});
  const graph = { model: new Uint8Array(0), externalData: [] };
  expect(() => team.open(graph, { threads: 1, folder: "" })).toThrow("has ended");
});

it("a helper counts its jobs as the rank does when numbers begin anew", async () => {
  const memory = { shared: new SharedArrayBuffer(4_096), hidden: 1, experts: 1 };
  const { control } = teamViews(memory);
  control[EPOCH] = 2 ** 31 - 1;
  const helper = startThread("../../device/cpu/expert-helper", import.meta.url, memory);
  // Each job is answered: it asks for a layer that is not there.
  Atomics.wait(control, DONE, 0, 60_000);
  for (const next of [2 ** 31 - 1, -(2 ** 31), 1 - 2 ** 31]) {
    expect(Atomics.load(control, DONE)).toBe(next);
    Atomics.add(control, EPOCH, 1);
    Atomics.notify(control, EPOCH);
    Atomics.wait(control, DONE, next, 60_000);
  }
  await helper.terminate();
});

it("experts are dealt to who has less, those of most rows first", () => {
  const visits = [1, 0, 9, 1, 1, 4].map((rows) => Array.from({ length: rows }, (_, i) => i));
  // 11 + 3 against 6 + 3 + 3.
  expect([...dealByRows(visits)]).toEqual([1, 0, 0, 1, 0, 1]);
});
