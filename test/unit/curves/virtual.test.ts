import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { judge, type Slo } from "../../../scripts/commands/plan/slo.ts";
import { parseSweep, systemsOf } from "../../../scripts/commands/sweep/flags.ts";
import { sweepTable } from "../../../scripts/commands/sweep/print.ts";
import {
  parseConcurrency,
  parseShape,
  pointRequests,
} from "../../../scripts/commands/sweep/protocol.ts";
import { measureAll, threadsFor } from "../../../scripts/commands/sweep/side-by-side.ts";
import { sweep } from "../../../scripts/commands/sweep/sweep.ts";
import type { SystemSpec } from "../../../scripts/virtual/build.ts";
import { buildEngines, buildSystem } from "../../../scripts/virtual/system.ts";
import { runVirtual } from "../../../scripts/virtual/virtual.ts";
import { Random } from "../../../scripts/workload/random.ts";
import { randomRequests } from "../../../scripts/workload/random-dataset.ts";
import { idRange, type WorkRequest } from "../../../scripts/workload/request.ts";
import { type Trace, traceRequests } from "../../../scripts/workload/traces/trace.ts";

const SPEC: SystemSpec = {
  model: "meta-llama/Llama-3.2-1B-Instruct",
  device: "trainium",
  instance: "trn2.3xlarge",
  tensorParallel: 4,
  dataParallel: 1,
  expertParallel: false,
  kernels: "",
  own: {},
  maxNumSeqs: 4,
  maxModelLen: 256,
  prefixCaching: true,
  seed: 0,
};

const words = { ids: idRange(0, 1000) };
const requests = (count: number, seed = 1): WorkRequest[] =>
  randomRequests(
    count,
    {
      inputLen: 64,
      outputLen: 24,
      inputRatio: 0.5,
      outputRatio: 0.5,
      meaning: "vllm",
      prefixLen: 0,
    },
    words,
    new Random(seed),
  );

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

describe("virtual time", () => {
  it("holds a closed loop at its users and gives every token", async () => {
    const system = await buildSystem(SPEC);
    const run = await runVirtual(system, requests(20), { concurrency: 4 });
    await system.close();
    expect(run.records.every((record) => record.ok)).toBe(true);
    for (const record of run.records) {
      expect(record.outputTokens).toBe(record.wantedTokens);
      expect(record.itl.length).toBe(record.outputTokens - 1);
      const gaps = Array.from(record.itl).reduce((sum, gap) => sum + gap, 0);
      expect(record.ttft + gaps).toBeCloseTo(record.latency, 9);
    }
    expect(run.steps.mostRunning).toBe(4);
  });

  it("repeats exactly", async () => {
    const once = async () => {
      const system = await buildSystem(SPEC);
      const run = await runVirtual(system, requests(12), { concurrency: 3 });
      await system.close();
      return JSON.stringify([run.duration, run.records.map((r) => [r.sent, r.ttft, r.latency])]);
    };
    expect(await once()).toBe(await once());
  });

  /** More than there are seats for, some of which come while all are taken; over several context buckets. */
  const crowd = (outputLen: number, apart: number): WorkRequest[] =>
    randomRequests(
      40,
      {
        ...{ inputLen: 300, inputRatio: 0.9, outputLen, outputRatio: 0.9 },
        ...{ meaning: "vllm", prefixLen: 64 },
      },
      words,
      new Random(5),
    ).map((request, index) => ({ ...request, arrival: index * apart }));

  it.each<[string, Partial<SystemSpec>, number, number]>([
    ["a queue before full seats", { maxNumSeqs: 4 }, 60, 0.05],
    ["seats to spare", { maxNumSeqs: 32 }, 60, 0.03],
    ["two replicas", { maxNumSeqs: 4, dataParallel: 2 }, 60, 0.03],
    ["a pool that preempts", { maxNumSeqs: 16, blockSize: 32, blocks: 70 }, 200, 0.01],
    ["plain kernels", { maxNumSeqs: 4, kernels: "plain" }, 100, 0.05],
  ])(
    "is bit for bit the same in runs of steps and one by one: %s",
    async (_, spec, output, apart) => {
      const seen = async (singleSteps: boolean, concurrency?: number) => {
        const system = await buildSystem({ ...SPEC, maxModelLen: 2048, ...spec }, { singleSteps });
        const load = concurrency === undefined ? {} : { concurrency };
        const { records, duration, steps } = await runVirtual(system, crowd(output, apart), load);
        await system.close();
        const { tokens, paddedTokens, busy, mostRunning, mostWaiting } = steps;
        const totals = { tokens, paddedTokens, steps: steps.steps, mostRunning, mostWaiting };
        return { records, duration, totals, busy: Math.round(1e9 * busy) };
      };
      for (const users of [undefined, 6]) {
        const [runs, single] = [await seen(false, users), await seen(true, users)];
        expect(runs.records.every(({ ok }) => ok)).toBe(true);
        expect(runs).toEqual(single);
      }
    },
  );

  it("is the same whether a trace's prompts are made of ids or known by their blocks' names", async () => {
    // Few different blocks, shared, cut and gone on with in all ways; a pool that gives up and preempts.
    const random = new Random(11);
    const trace: Trace = {
      name: "made up",
      blockTokens: 32,
      notes: [],
      requests: Array.from({ length: 60 }, (_, index) => ({
        arrival: index * 0.003,
        inputTokens: random.integer(20, 200),
        outputTokens: random.integer(1, 40),
        ...(index % 7 === 0
          ? {}
          : { blocks: Array.from({ length: random.integer(1, 6) }, () => random.integer(0, 2)) }),
      })),
    };
    const seen = async (blockSize: number, named: boolean) => {
      const timed = traceRequests(trace, { ids: idRange(0, 24) }, 3);
      const spec = { ...SPEC, maxNumSeqs: 8, blockSize, blocks: Math.ceil(480 / blockSize) };
      const system = await buildSystem(spec);
      const ids = (request: WorkRequest): WorkRequest => ({
        prompt: request.prompt,
        promptTokens: request.promptTokens,
        outputTokens: request.outputTokens,
        arrival: request.arrival ?? 0,
      });
      const run = await runVirtual(system, named ? timed : timed.map(ids), {});
      await system.close();
      return run;
    };
    for (const blockSize of [16, 32, 24]) {
      const [named, whole] = [await seen(blockSize, true), await seen(blockSize, false)];
      expect(named).toEqual(whole);
      const sum = (of: "cachedTokens" | "preemptions"): number =>
        whole.records.reduce((all, record) => all + (record[of] ?? 0), 0);
      expect(sum("cachedTokens")).toBeGreaterThan(0);
      expect(sum("preemptions")).toBeGreaterThan(0);
    }
  });

  it("says why a request cannot be served, and goes on", async () => {
    const system = await buildSystem(SPEC);
    const long: WorkRequest = {
      prompt: { type: "ids", ids: new Int32Array(500) },
      promptTokens: 500,
      outputTokens: 4,
    };
    const run = await runVirtual(system, [long, ...requests(3)], { concurrency: 1 });
    await system.close();
    expect(run.records[0]?.ok).toBe(false);
    expect(run.records[0]?.error).toMatch(/500|256/);
    expect(run.records.slice(1).every((record) => record.ok)).toBe(true);
  });

  it("finds shared prefixes in the cache, and none without it", async () => {
    const shared = randomRequests(
      6,
      {
        inputLen: 64,
        outputLen: 4,
        inputRatio: 0,
        outputRatio: 0,
        meaning: "vllm",
        prefixLen: 128,
      },
      words,
      new Random(2),
    );
    const cached = async (prefixCaching: boolean) => {
      const system = await buildSystem({ ...SPEC, prefixCaching });
      const run = await runVirtual(system, shared, { concurrency: 1 });
      await system.close();
      return run.records.map((record) => record.cachedTokens);
    };
    expect(await cached(true)).toEqual([0, 128, 128, 128, 128, 128]);
    expect(await cached(false)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("spreads users over data-parallel replicas", async () => {
    const alone = await buildSystem(SPEC);
    const one = await runVirtual(alone, requests(40), { concurrency: 8 });
    await alone.close();
    const pair = await buildSystem({ ...SPEC, instance: "trn2.48xlarge", dataParallel: 2 });
    const two = await runVirtual(pair, requests(40), { concurrency: 8 });
    await pair.close();
    expect(two.duration).toBeLessThan(0.8 * one.duration);
  });

  it("takes a list of unlike engines, and sends each request where it is told", async () => {
    const wide = { ...SPEC, maxNumSeqs: 8 };
    const narrow = { ...SPEC, maxNumSeqs: 1 };
    const ended: number[] = [];
    const run = async (route: (turn: number) => number) => {
      const system = await buildEngines(SPEC, [wide, narrow]);
      const rows = [0, 0];
      for (const [index, { engine }] of system.engines.entries()) {
        engine.subscribe((event) => {
          if (event.type === "step-finished") {
            rows[index] = Math.max(rows[index] ?? 0, event.running);
          }
        });
      }
      const { records } = await runVirtual(system, requests(24), {
        concurrency: 6,
        route: (_request, turn) => route(turn),
        onDone: () => ended.push(1),
      });
      await system.close();
      expect(records.every(({ ok }) => ok)).toBe(true);
      return rows;
    };
    expect(await run(() => 0)).toEqual([6, 0]);
    expect((await run(() => 1))[1]).toBe(1);
    expect(await run((turn) => (turn === 0 ? 1 : 0))).toEqual([5, 1]);
    expect(ended.length).toBe(72);
    const lost = await buildEngines(SPEC, [wide]);
    const { records } = await runVirtual(lost, requests(3), { concurrency: 1, route: () => 7 });
    await lost.close();
    expect(records.map(({ ok }) => ok)).toEqual([false, false, false]);
  });
});

describe("the protocol", () => {
  it("draws 10 requests and 2 warm-ups a user, all distinct, within [0.8 L, L]", () => {
    const workload = {
      inputLen: 100,
      outputLen: 50,
      ratio: 0.8,
      requestsPerUser: 10,
      warmupsPerUser: 2,
      seed: 3,
    };
    const { warmups, requests: measured } = pointRequests(workload, 4, words);
    const all = [...warmups, ...measured];
    expect([warmups.length, measured.length]).toEqual([8, 40]);
    expect(all.every((r) => r.promptTokens >= 80 && r.promptTokens <= 100)).toBe(true);
    expect(all.every((r) => r.outputTokens >= 40 && r.outputTokens <= 50)).toBe(true);
    expect(new Set(all.map(({ prompt }) => JSON.stringify(prompt))).size).toBe(48);
  });

  it("reads concurrencies and shapes", () => {
    expect(parseConcurrency("1..16,12")).toEqual([1, 2, 4, 8, 12, 16]);
    expect(() => parseConcurrency("4..2")).toThrow("rise");
    expect(() => parseConcurrency("x")).toThrow("1..256");
    expect([parseShape("1k1k"), parseShape("8k1k"), parseShape("2000/300")]).toEqual([
      [1024, 1024],
      [8192, 1024],
      [2000, 300],
    ]);
    expect(() => parseShape("2000300")).toThrow("1k1k");
  });
});

describe("sweep", () => {
  const flags = (...more: string[]) =>
    parseSweep(
      [
        SPEC.model,
        ..."--instance trn2.3xlarge --tp 1,4 --concurrency 1,4 --shape 96/16 --requests-per-user 4".split(
          " ",
        ),
        ...more,
      ],
      () => {},
    );

  it("trades speed for output as users come, on each system", async () => {
    const { points, refused } = await sweep(flags());
    expect(refused).toEqual([]);
    expect(points.map((point) => `${point.series} ${point.concurrency}`)).toEqual([
      "TP 1 1",
      "TP 1 4",
      "TP 4 1",
      "TP 4 4",
    ]);
    for (const [one, four] of [points.slice(0, 2), points.slice(2)]) {
      expect(four?.outputThroughput).toBeGreaterThan(one?.outputThroughput ?? 0);
      expect(four?.latency.tpot.median).toBeGreaterThan(one?.latency.tpot.median ?? 0);
    }
    expect(sweepTable(points)).toContain("tokens/s/user");
  });

  it("measures points on several threads as on one, a refused one too", async () => {
    const options = flags("--tp", "4,64");
    const tasks = options.flags.concurrency.flatMap((concurrency) =>
      systemsOf(options, concurrency).map((spec) => ({
        spec,
        workload: options.workload,
        concurrency,
      })),
    );
    const measure = async (threads: number) => {
      const outcomes: unknown[] = [];
      await measureAll(tasks, threads, ({ task, outcome }) => {
        outcomes[task] = typeof outcome === "string" ? outcome : outcome.point;
      });
      return outcomes;
    };
    const alone = await measure(1);
    expect(alone.filter((outcome) => typeof outcome === "string").length).toBe(2);
    expect(await measure(2)).toEqual(alone);
    expect(threadsFor(tasks)).toBe(1);
    const of = (outputLen: number) =>
      tasks.map((task) => ({
        ...task,
        workload: { ...task.workload, outputLen },
        concurrency: 256,
      }));
    expect(threadsFor(of(128))).toBe(1);
    const dear = of(8192);
    const most = Math.min(availableParallelism(), dear.length);
    expect(threadsFor(dear)).toBe(most);
    expect(threadsFor(dear, 2 ** 20)).toBe(1);
    expect(threadsFor(dear, 2 ** 28)).toBe(Math.min(2, most));
  });

  it("reads back what an earlier sweep left, and runs the rest", async () => {
    const out = await mkdtemp(join(tmpdir(), "trainyard-sweep-"));
    folders.push(out);
    const first = await sweep(flags("--out", out));
    const again = await sweep(flags("--out", out, "--concurrency", "1,2,4"));
    expect(again.resumed).toBe(4);
    expect(again.points.length).toBe(6);
    expect(again.points.filter((point) => point.concurrency !== 2)).toEqual(first.points);
    expect(existsSync(join(out, "points"))).toBe(true);
  });

  it("goes on past a system that cannot be built, and says why", async () => {
    const { points, refused } = await sweep(flags("--tp", "4,64"));
    expect(points.length).toBe(2);
    expect(refused.length).toBe(1); // one line for both numbers of users
    expect(refused[0]).toContain("--tensor-parallel-size 64");
  });
});

describe("promises", () => {
  it("are kept at the percentile, or broken with the figure", async () => {
    const system = await buildSystem(SPEC);
    const { records } = await runVirtual(system, requests(20), { concurrency: 2 });
    await system.close();
    const easy: Slo = { ttft: 10, tokensPerUser: 1, percentile: 95 };
    expect(judge(records, easy).ok).toBe(true);
    const hard = judge(records, { ttft: 1e-6, tokensPerUser: 1e6, percentile: 95 });
    expect(hard.ok).toBe(false);
    expect(hard.broken.length).toBe(2);
    expect(hard.broken[0]).toContain("TTFT p95");
  });
});
