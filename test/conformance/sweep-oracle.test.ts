/**
 * Points of sweeps against figures known otherwise: computed by hand from the moments
 * of the tokens of systems drawn at random, and in closed form where every step takes
 * the same time. SWEEP_POINTS=200 draws as many; SWEEP_SEED another series.
 */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../device/clocks/virtual.ts";
import type { Batch } from "../../device/device.ts";
import { NullDevice } from "../../device/null/device.ts";
import { Engine } from "../../engine/engine.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import { loadModel } from "../../models/load.ts";
import { pointRequests, type Workload } from "../../scripts/commands/sweep/protocol.ts";
import { metricsOf } from "../../scripts/commands/sweep/to-point.ts";
import { ModelShelf, virtualPoint } from "../../scripts/commands/sweep/virtual-point.ts";
import { rowJson } from "../../scripts/load/column.ts";
import { COLUMNS } from "../../scripts/report/columns.ts";
import type { PrefillSpec, SystemSpec } from "../../scripts/virtual/build.ts";
import { runVirtual } from "../../scripts/virtual/virtual.ts";
import { Random } from "../../scripts/workload/random.ts";
import { idRange } from "../../scripts/workload/request.ts";
import { sha256 } from "../../server/sha256.ts";
import { pointByHand } from "../support/sweep-oracle.ts";

const POINTS = Number(process.env["SWEEP_POINTS"] ?? 6);
const SEED = Number(process.env["SWEEP_SEED"] ?? 1);

/** A system, ranks of a replica, and the chips that so many ranks are. */
const SYSTEMS: readonly (readonly [string, number, number])[] = [
  ["trn2.3xlarge", 4, 1],
  ["trn2.48xlarge", 16, 4],
  ["trn2.48xlarge", 8, 2],
  ["trn1.32xlarge", 8, 4],
  ["inf2.24xlarge", 4, 2],
];
const DRAFTS = '{"method":"eagle3","num_speculative_tokens":3,"acceptance_length":2.2}';

interface Drawn {
  readonly spec: SystemSpec;
  readonly workload: Workload;
  readonly users: number;
  readonly chips: number;
}

const apart = (workers: number, tensorParallel: number, instance: string): PrefillSpec => ({
  workers,
  tensorParallel,
  instance,
  kernels: "",
  own: {},
  maxNumSeqs: 2,
  link: "efa",
});

function draw(random: Random): Drawn {
  const one = <T>(all: readonly T[]): T => all[random.integer(0, all.length - 1)] as T; // within
  const [instance, tensorParallel, chips] = one(SYSTEMS);
  const dataParallel = one([1, 1, 2]);
  const users = random.integer(1, 9);
  const inputLen = random.integer(8, 700);
  const outputLen = random.integer(2, 60);
  const speculative = random.integer(0, 3) === 0 ? { speculative: DRAFTS } : {};
  const workers = random.integer(0, 2) === 0 ? random.integer(1, 2) : 0;
  return {
    users,
    // Replicas side by side fill whole chips here.
    chips: chips * (dataParallel + workers),
    workload: {
      inputLen,
      outputLen,
      ratio: one([0.2, 0.8, 1]),
      requestsPerUser: random.integer(1, 5),
      warmupsPerUser: random.integer(0, 2),
      seed: random.integer(0, 1000),
    },
    spec: {
      model: one(["meta-llama/Llama-3.2-1B-Instruct", "Qwen/Qwen3-0.6B"]),
      device: "trainium",
      instance,
      tensorParallel,
      dataParallel,
      expertParallel: false,
      kernels: "",
      own: {},
      // Fewer rows than users: some wait.
      maxNumSeqs: one([2, 4, 16]),
      maxModelLen: 1024,
      prefixCaching: false,
      seed: 0,
      ...speculative,
      ...(workers === 0 ? {} : { prefill: apart(workers, tensorParallel, instance) }),
    },
  };
}

describe("points against moments of the tokens", () => {
  const random = new Random(SEED);
  const shelf = new ModelShelf();
  for (let index = 1; index <= POINTS; index++) {
    const { spec, workload, users, chips } = draw(random);
    const { inputLen, outputLen } = workload;
    const drafts = spec.speculative === undefined ? "" : ", drafted";
    const prompts = spec.prefill === undefined ? "" : ", prompts apart";
    it(`${index}: ${spec.instance} TP ${spec.tensorParallel} DP ${spec.dataParallel}, ${users} users of ${inputLen}/${outputLen}${drafts}${prompts}`, async () => {
      const { point } = await virtualPoint(spec, workload, users, shelf);
      const row = rowJson(COLUMNS, point);
      const figures = await pointByHand(spec, workload, users);
      for (const [key, value] of Object.entries(figures)) {
        const got = row[key];
        if (!Number.isFinite(value)) expect(got ?? null, key).toBeNull();
        else
          expect(Math.abs(Number(got) - value), `${key}: ${got}, by hand ${value}`).toBeLessThan(
            1e-6 * Math.max(1, Math.abs(value)),
          );
      }
      expect(row["chips"]).toBe(chips);
      const perChip = (figures["output_throughput"] ?? 0) / chips;
      expect(Number(row["output_throughput_per_chip"])).toBeCloseTo(perChip, 6);
      expect(row["failed"]).toBe(0);
    });
  }
});

/** Milliseconds of a step, from the rows in it. */
type StepTime = (rows: number) => number;

interface Loop {
  readonly users: number;
  readonly rows: number;
  readonly step: StepTime;
  readonly input: number;
  readonly output: number;
  readonly requestsPerUser: number;
  /** Tokens of a step at most. */
  readonly budget?: number;
  readonly replicas?: number;
}

/** A closed loop on devices whose steps take what `step` says, measured as a sweep does. */
async function measured(its: Loop) {
  const clock = new VirtualClock();
  const model = await loadModel("Qwen/Qwen3-0.6B");
  const engines = Array.from({ length: its.replicas ?? 1 }, () => {
    const sampler = new TokenSampler({ seed: 0 });
    const device = new NullDevice({
      clock,
      sampler,
      vocabSize: 1000,
      values: "ids",
      price: ({ rows }: Batch) => its.step(rows.length) * 1e6,
      limits: {
        blockSize: 16,
        blocks: 4096,
        maxRows: its.rows,
        maxTokens: its.budget ?? 8192,
        maxContext: 4096,
        maxDrafted: 0,
        inFlight: 1,
      },
    });
    const engine = new Engine(
      { device, clock, sampler, sha256 },
      { maxNumSeqs: its.rows, maxNumBatchedTokens: its.budget ?? 8192 },
    );
    return { spec: SPEC, engine, device };
  });
  const system = { spec: SPEC, clock, model, engines, close: () => Promise.resolve() };
  const { requests } = pointRequests(
    {
      inputLen: its.input,
      outputLen: its.output,
      ratio: 1,
      requestsPerUser: its.requestsPerUser,
      warmupsPerUser: 0,
      seed: 1,
    },
    its.users,
    { ids: idRange(0, 1000) },
  );
  const run = await runVirtual(system, requests, { concurrency: its.users });
  for (const { engine } of engines) await engine.close();
  return { run, metrics: metricsOf(run.records, run.duration) };
}

const SPEC: SystemSpec = {
  model: "Qwen/Qwen3-0.6B",
  device: "null",
  instance: "",
  tensorParallel: 1,
  dataParallel: 1,
  expertParallel: false,
  kernels: "",
  own: {},
  maxNumSeqs: 8,
  maxModelLen: 4096,
  prefixCaching: false,
  seed: 0,
};

describe("points in closed form", () => {
  const [input, output, requestsPerUser] = [100, 40, 3];

  it.each([1, 2, 8, 32])("%i users on steps of a + b · rows", async (users) => {
    const step: StepTime = (rows) => 5 + 0.25 * rows;
    const { run, metrics } = await measured({
      users,
      rows: 32,
      step,
      input,
      output,
      requestsPerUser,
    });
    const each = step(users);
    // One step for all prompts, then one a token; nobody ever waits.
    for (const name of ["ttft", "tpot", "itl"] as const) {
      const { mean, median, std, percentiles } = metrics.latency[name];
      expect([mean, median, percentiles.get(99)]).toEqual([mean, mean, mean]);
      expect(mean).toBeCloseTo(each, 9);
      expect(std).toBeCloseTo(0, 9);
    }
    expect(metrics.latency.e2el.median).toBeCloseTo(output * each, 9);
    expect(metrics.duration).toBeCloseTo((requestsPerUser * output * each) / 1000, 9);
    expect(metrics.outputThroughput).toBeCloseTo((1000 * users) / each, 6);
    expect(metrics.requestThroughput).toBeCloseTo((1000 * users) / each / output, 6);
    expect(metrics.totalThroughput).toBeCloseTo(
      ((1000 * users) / each / output) * (input + output),
      6,
    );
    expect(metrics.meanUserRate).toBeCloseTo(1000 / each, 6);
    // The last token of an answer is never computed on; repeated steps count each time.
    expect(run.steps.tokens).toBe(users * requestsPerUser * (input + output - 1));
    expect(run.steps.steps).toBe(requestsPerUser * output);
    expect(run.steps.busy).toBeCloseTo(run.duration, 9);
  });

  it("twice as many users as rows: half of them wait for a whole answer", async () => {
    const rows = 4;
    const step: StepTime = () => 10;
    const loop = { users: 2 * rows, rows, step, input, output, requestsPerUser };
    const { run, metrics } = await measured(loop);
    const ttfts = run.records.map(({ ttft }) => Math.round(ttft * 1000)).sort((a, b) => a - b);
    // The first rows are free; whoever comes later waits until an answer has ended.
    expect(ttfts.slice(0, rows)).toEqual(new Array(rows).fill(10));
    expect(new Set(ttfts.slice(rows))).toEqual(new Set([10 * (output + 1)]));
    expect(metrics.latency.tpot.mean).toBeCloseTo(10, 9);
    expect(metrics.outputThroughput).toBeCloseTo((1000 * rows) / 10, 6);
    expect(run.steps.mostWaiting).toBe(rows);
  });

  it("a prompt in pieces: its first token comes after as many steps", async () => {
    const loop = { users: 1, rows: 4, step: () => 10, input: 100, output, requestsPerUser };
    const { metrics } = await measured({ ...loop, budget: 32 });
    expect(metrics.latency.ttft.mean).toBeCloseTo(Math.ceil(100 / 32) * 10, 9);
    expect(metrics.latency.tpot.mean).toBeCloseTo(10, 9);
    expect(metrics.outputThroughput).toBeCloseTo((1000 * output) / (10 * (output + 3)), 6);
  });

  it("replicas side by side: users of each, tokens of all", async () => {
    const step: StepTime = (rows) => 4 + rows;
    const loop = { users: 6, rows: 8, step, input, output, requestsPerUser, replicas: 3 };
    const { metrics } = await measured(loop);
    expect(metrics.latency.tpot.mean).toBeCloseTo(step(2), 9);
    expect(metrics.outputThroughput).toBeCloseTo((3 * 2 * 1000) / step(2), 6);
  });
});
