import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import { transferBytes, transferNanos } from "../../../device/trainium/price/transfer.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { Engine } from "../../../engine/engine.ts";
import type { EngineEvent } from "../../../engine/events.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { parseSweep, systemsOf } from "../../../scripts/commands/sweep/flags.ts";
import type { SystemSpec } from "../../../scripts/virtual/build.ts";
import { Disaggregated, type Worker } from "../../../scripts/virtual/disaggregated.ts";
import { factsOf } from "../../../scripts/virtual/facts.ts";
import { buildSystem } from "../../../scripts/virtual/system.ts";
import { runVirtual } from "../../../scripts/virtual/virtual.ts";
import { Random } from "../../../scripts/workload/random.ts";
import { randomRequests } from "../../../scripts/workload/random-dataset.ts";
import { idRange } from "../../../scripts/workload/request.ts";
import { sha256 } from "../../../server/sha256.ts";
import { catalogueModel } from "../../support/catalogue.ts";
import { request } from "../../support/engine-world.ts";

const BLOCK = 4;
const TRANSFER = 700;

/** An engine of 40 blocks that says what its steps computed. */
function worker(clock: VirtualClock, maxRows: number, blocks = 40) {
  const sampler = new TokenSampler({});
  const rows: { readonly id: number; readonly start: number; readonly count: number }[] = [];
  const device = new NullDevice({
    clock,
    sampler,
    limits: {
      blockSize: BLOCK,
      blocks,
      maxRows,
      maxTokens: 64,
      maxContext: 128,
      maxDrafted: 0,
      inFlight: 1,
    },
    vocabSize: 97,
    seed: 7,
    values: "ids",
    price: (batch) => {
      for (const { id, start, count } of batch.rows) rows.push({ id, start, count });
      return 1000;
    },
  });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { maxNumSeqs: maxRows, maxNumBatchedTokens: 64, enablePrefixCaching: false },
  );
  return { engine, device, rows, free: () => Math.round((1 - engine.kvUsage) * blocks) };
}

function world(prefillers: number, decoders: number, rows = 4, blocks = 40) {
  const clock = new VirtualClock();
  const make = (count: number, each: number) =>
    Array.from({ length: count }, () => worker(clock, each, blocks));
  const from = make(prefillers, 1);
  const to = make(decoders, rows);
  const transfers: number[] = [];
  const system = new Disaggregated({
    clock,
    prefillers: from as readonly Worker[],
    decoders: to as readonly Worker[],
    transfer: (tokens) => {
      transfers.push(tokens);
      return TRANSFER * tokens;
    },
  });
  const events: EngineEvent[] = [];
  system.subscribe((event) => events.push(event));
  return { clock, from, to, system, events, transfers };
}

const prompt = (length: number): number[] => Array.from({ length }, (_, index) => index % 97);

describe("prompts and decodes apart", () => {
  it("each request is prefilled once, transferred once and decoded once; no block is left", () => {
    const { clock, from, to, system, events, transfers } = world(2, 2);
    const lengths = Array.from({ length: 24 }, (_, index) => 5 + ((index * 7) % 30));
    const ids = lengths.flatMap((length) =>
      system.submit(request(prompt(length), { maxTokens: 6 })),
    );
    clock.runReady();
    const computed = (workers: typeof from) =>
      workers.flatMap(({ rows }) => rows).reduce((sum, { count }) => sum + count, 0);
    const prompts = lengths.reduce((sum, length) => sum + length, 0);
    expect(computed(from)).toBe(prompts);
    expect(from.every(({ rows }) => rows.every(({ start }) => start === 0))).toBe(true);
    expect([...transfers].sort((a, b) => a - b)).toEqual([...lengths].sort((a, b) => a - b));
    // The prompt's last token and all ids but the last are computed where it decodes.
    expect(computed(to)).toBe(24 * 6);
    expect(to.every(({ rows }) => rows.every(({ count }) => count === 1))).toBe(true);
    const ended = events.filter((event) => event.type === "request-finished");
    expect(ended.map(({ id }) => id).sort((a, b) => a - b)).toEqual([...ids].sort((a, b) => a - b));
    expect(
      ended.every(({ reason, outputTokens }) => reason === "length" && outputTokens === 6),
    ).toBe(true);
    const tokens = events.flatMap((event) => (event.type === "tokens-emitted" ? event.tokens : []));
    expect(tokens).toHaveLength(24 * 6);
    for (const { engine, free } of [...from, ...to]) {
      engine.check();
      expect(free()).toBe(40);
    }
  });

  it("a prefiller keeps a prompt's blocks until they are read, and no longer", () => {
    const { clock, from, system } = world(1, 1);
    const [first] = from;
    system.submit(request(prompt(20), { maxTokens: 3 }));
    clock.runReady(1000 + TRANSFER * 20 - 1);
    expect(first?.engine.running).toBe(0);
    expect(first?.free()).toBe(40 - 5);
    clock.runReady(1000 + TRANSFER * 20);
    expect(first?.free()).toBe(40);
  });

  it("waits for a seat: no more at a decoder than its rows, in order of the prompts' ends", () => {
    const { clock, to, system, events } = world(3, 1, 2);
    for (let index = 0; index < 9; index++) system.submit(request(prompt(8), { maxTokens: 20 }));
    let most = 0;
    to[0]?.engine.subscribe((event) => {
      if (event.type === "step-finished") most = Math.max(most, event.running + event.waiting);
    });
    clock.runReady();
    expect(most).toBe(2);
    const ended = events.filter((event) => event.type === "request-finished");
    expect(ended).toHaveLength(9);
  });

  it("waits for blocks, and nobody is preempted for a prompt on its way", () => {
    const { clock, to, system, events } = world(2, 1, 8, 12);
    for (let index = 0; index < 8; index++) system.submit(request(prompt(16), { maxTokens: 2 }));
    clock.runReady();
    expect(events.filter((event) => event.type === "request-preempted")).toEqual([]);
    expect(events.filter((event) => event.type === "request-finished")).toHaveLength(8);
    to[0]?.engine.check();
  });
});

const SPEC: SystemSpec = {
  model: "meta-llama/Llama-3.2-1B-Instruct",
  device: "trainium",
  instance: "trn2.48xlarge",
  tensorParallel: 4,
  dataParallel: 1,
  expertParallel: false,
  kernels: "",
  own: {},
  maxNumSeqs: 8,
  maxModelLen: 640,
  prefixCaching: false,
  seed: 0,
};
const APART: SystemSpec = {
  ...SPEC,
  prefill: {
    workers: 2,
    instance: "trn2.48xlarge",
    tensorParallel: 4,
    kernels: "",
    own: {},
    maxNumSeqs: 1,
    link: "efa",
  },
};

describe("simulated systems whose prompts are apart", () => {
  const requests = randomRequests(
    40,
    { inputLen: 512, outputLen: 40, inputRatio: 0, outputRatio: 0, meaning: "vllm", prefixLen: 0 },
    { ids: idRange(0, 1000) },
    new Random(3),
  );

  it("no prompt holds up a stream, the first id waits for the links, and chips of both are billed", async () => {
    const together = await buildSystem(SPEC);
    const one = await runVirtual(together, requests, { concurrency: 8 });
    await together.close();
    const apart = await buildSystem(APART);
    const device = apart.engines[0]?.device;
    expect(factsOf(apart)).toMatchObject({ chips: 3, prefillChips: 2 });
    const two = await runVirtual(apart, requests, { concurrency: 8 });
    await apart.close();
    expect(two.records.every(({ ok, outputTokens }) => ok && outputTokens === 40)).toBe(true);
    const slowest = (run: typeof one) =>
      Math.max(...run.records.flatMap(({ itl }) => Array.from(itl)));
    expect(slowest(two)).toBeLessThan(0.7 * slowest(one));
    if (!(device instanceof TrainiumDevice)) throw new Error("not simulated");
    const { plan } = device;
    const sent = transferNanos(plan, plan, 512, "efa") / 1e9;
    const prompt = device.cost.graph({ phase: "prefill", rows: 1, queries: 512, context: 512 });
    for (const { ttft } of two.records) expect(ttft).toBeGreaterThan(sent + prompt.nanos / 1e9);
  });

  it("bytes are the model's K and V, and the links' share of the chips carries them", () => {
    const device = planOf();
    // 16 layers × 8 heads × 64 × K and V × BF16
    expect(transferBytes(device, 512)).toBe(512 * 16 * 8 * 64 * 2 * 2);
    const efa = transferNanos(device, device, 512, "efa");
    expect(efa).toBeCloseTo(15_000 + (1e9 * transferBytes(device, 512)) / 25e9, -1);
    expect(transferNanos(device, device, 512, "neuronlink")).toBeLessThan(efa);
  });

  const planOf = () =>
    planFor({
      model: catalogueModel(SPEC.model),
      tensorParallel: 4,
      own: { instance: SPEC.instance },
    });

  it("sweep takes them by InferenceX's names, and refuses half of them", () => {
    const options = parseSweep(
      ["--prefill-num-workers", "2", "--prefill-tp", "8", "--instance", "trn2.48xlarge"],
      () => {},
    );
    expect(systemsOf(options, 4)[0]?.prefill).toMatchObject({
      workers: 2,
      tensorParallel: 8,
      instance: "trn2.48xlarge",
      link: "efa",
    });
    expect(() =>
      systemsOf(
        parseSweep(["--prefill-tp", "8"], () => {}),
        4,
      ),
    ).toThrow(/--prefill-tp needs --prefill-num-workers/);
  });
});
