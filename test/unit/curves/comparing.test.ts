/** Two runs held against each other, the best of several, and results of other tools. */
import { describe, expect, it } from "vitest";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { profileOf } from "../../../device/trainium/profile/profile.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { pointsCompared, profilesCompared } from "../../../scripts/commands/compare/tables.ts";
import { runPoint } from "../../../scripts/commands/sweep/run-point.ts";
import { comparePoints } from "../../../scripts/report/compare-points.ts";
import { frontier } from "../../../scripts/report/frontier.ts";
import type { Point } from "../../../scripts/report/point.ts";
import { pointsIn } from "../../../scripts/report/read-points.ts";
import { readFigure } from "../../../scripts/report/reading.ts";
import { studentT } from "../../../scripts/report/student-t.ts";
import { buildSystem } from "../../../scripts/virtual/system.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const LOAD = {
  ...{ inputLen: 128, outputLen: 32, ratio: 0.8 },
  ...{ requestsPerUser: 4, warmupsPerUser: 1, seed: 0 },
};

async function point(own: Readonly<Record<string, string>>): Promise<Point> {
  const system = await buildSystem({
    model: "Qwen/Qwen3-0.6B",
    device: "trainium",
    instance: "trn2.3xlarge",
    tensorParallel: 4,
    dataParallel: 1,
    expertParallel: false,
    kernels: "",
    own,
    maxNumSeqs: 4,
    maxModelLen: 256,
    prefixCaching: false,
    seed: 0,
  });
  return (await runPoint(system, LOAD, 4)).point;
}

describe("two virtual runs", () => {
  it("differ by what was set, and the parts of their time sum to the whole", async () => {
    const [a, b] = [await point({}), await point({ set: "hbm.bandwidth=0.95x" })];
    const { settings, pairs, alone } = comparePoints([a], [b]);
    expect(settings.map(({ name }) => name)).toEqual(["own"]);
    expect(settings[0]?.b).toContain("hbm.bandwidth=0.95x");
    expect(alone).toBe(0);
    const [pair] = pairs;
    const sum = pair?.parts.reduce((total, part) => total + part.b - part.a, 0) ?? 0;
    expect(sum).toBeCloseTo(b.duration - a.duration, 9);
    expect(b.duration).toBeGreaterThan(a.duration);
    expect(pair?.parts[0]?.name).toBe("weights");
    const slower = pair?.measures.find(({ key }) => key === "mean_tpot_ms");
    expect(slower).toMatchObject({ differs: true, noise: 0 });
  });

  it("that are the same have no difference", async () => {
    const { settings, pairs } = comparePoints([await point({})], [await point({})]);
    expect(settings).toEqual([]);
    for (const { change, differs } of pairs[0]?.measures ?? []) {
      expect(change).toBe(0);
      expect(differs).toBe(false);
    }
  });
});

const RESULT = {
  ...{ backend: "openai", model_id: "m", num_prompts: 100, max_concurrency: 4, completed: 100 },
  ...{ duration: 10, total_input_tokens: 12_800, total_output_tokens: 3200 },
  ...{ request_throughput: 10, output_throughput: 320, total_token_throughput: 1600 },
  ...{ mean_ttft_ms: 20, median_ttft_ms: 19, std_ttft_ms: 4, p99_ttft_ms: 31 },
  ...{ mean_tpot_ms: 12, median_tpot_ms: 12, std_tpot_ms: 1, p99_tpot_ms: 15 },
};

describe("results of bench serve", () => {
  it("are points, vLLM's own too, and files of something else are none", () => {
    const [point] = pointsIn(RESULT);
    expect(point).toMatchObject({
      ...{ model: "m", simulated: false, concurrency: 4, inputLen: 128, outputLen: 32 },
      latency: { tpot: { median: 12, p99: 15 } },
    });
    expect(pointsIn({ points: [RESULT, [RESULT]] })).toHaveLength(2);
    for (const other of [null, 3, "x", {}, { duration: 3 }, { completed: 1, duration: 0 }]) {
      expect(pointsIn(other)).toEqual([]);
    }
  });

  it("differ only by more than chance", () => {
    const [a] = pointsIn(RESULT);
    const [near] = pointsIn({ ...RESULT, mean_tpot_ms: 12.4 });
    const [far] = pointsIn({ ...RESULT, mean_tpot_ms: 15 });
    if (a === undefined || near === undefined || far === undefined) throw new Error("no point");
    const tpot = (b: Point) =>
      comparePoints([a], [b]).pairs[0]?.measures.find(({ key }) => key === "mean_tpot_ms");
    expect(tpot(near)).toMatchObject({ differs: false });
    expect(tpot(far)).toMatchObject({ differs: true });
  });
});

describe("chance", () => {
  const load = (seconds: number, mean: number): Point => {
    const [point] = pointsIn({ ...RESULT, duration: seconds, mean_tpot_ms: mean });
    if (point === undefined) throw new Error("no point");
    return point;
  };
  const tpot = (a: Point, b: Point) =>
    comparePoints([a], [b]).pairs[0]?.measures.find(({ key }) => key === "mean_tpot_ms");

  it("is not told of runs of few seconds, however many requests they had", () => {
    const short = tpot(load(4, 12), load(4, 24));
    expect(short).toMatchObject({ differs: false, noise: Number.POSITIVE_INFINITY });
    const { says, tables } = pointsCompared([load(4, 12)], [load(4, 24)]);
    expect(says.join(" ")).toMatch(/Too short to tell at 4 users, 128 in \/ 32 out/);
    expect(tables.flatMap(({ rows }) => rows).flat()).toContain("too short");
  });

  it("shrinks with seconds until requests are what is few", () => {
    const noise = [8, 16, 25, 100].map((seconds) => tpot(load(seconds, 12), load(seconds, 12)));
    const [few = 0, more = 0, all = 0, idle = 0] = noise.map((its) => its?.noise ?? 0);
    expect(few).toBeGreaterThan(more);
    expect(more).toBeGreaterThan(all);
    expect(idle).toBe(all);
  });

  it("is Student's, as tables have it", () => {
    const known = [
      [0.025, 1, 12.7062],
      [0.025, 2, 4.30265],
      [0.025, 9, 2.26216],
      [0.025, 10, 2.22814],
      [0.0005, 4, 8.6103],
      [0.00135, 1e4, 3.0004],
    ] as const;
    for (const [tail, freedom, t] of known) expect(studentT(tail, freedom)).toBeCloseTo(t, 3);
  });
});

describe("the best of several", () => {
  it("is what no other point beats both ways", () => {
    const points = [
      { x: 1, y: 10 },
      { x: 2, y: 8 },
      { x: 2, y: 9 },
      { x: 3, y: 9 },
      { x: 4, y: 1 },
      { x: Number.NaN, y: 99 },
    ];
    expect(frontier(points)).toEqual([
      { x: 1, y: 10 },
      { x: 3, y: 9 },
      { x: 4, y: 1 },
    ]);
  });
});

describe("a cursor", () => {
  const series = [
    {
      name: "a",
      points: [
        { x: 1, y: 1 },
        { x: 4, y: 16 },
      ],
    },
  ];
  const axes = { title: "", subtitle: "", series };

  it("reads a point as it is, and between points along the axes as they are drawn", () => {
    const linear = { ...axes, x: { label: "x" }, y: { label: "y" } };
    expect(readFigure(linear, 4)).toEqual([{ name: "a", y: 16 }]);
    expect(readFigure(linear, 2)[0]?.y).toBeCloseTo(6, 12);
    const log = {
      ...axes,
      x: { label: "x", type: "log2" },
      y: { label: "y", type: "log10" },
    } as const;
    expect(readFigure(log, 2)[0]?.y).toBeCloseTo(4, 12);
    expect(readFigure(linear, 5)).toEqual([]);
  });
});

describe("profiles compared", () => {
  const profile = (own: Readonly<Record<string, string>>) => {
    const plan = planFor({
      model: catalogueModel("Qwen/Qwen3-0.6B"),
      tensorParallel: 4,
      own: { instance: "trn2.3xlarge", ...own },
      maxRows: 4,
      maxContext: 1024,
    });
    const shape = { rows: 4, context: 1000, steps: 1 };
    return profileOf(new CostModel(plan), shape, { model: "m", settings: { model: "m" } }).profile;
  };

  it("name what was set, and their parts sum to the whole", () => {
    const { says, tables } = profilesCompared(profile({}), profile({ set: "hbm.bandwidth=0.95x" }));
    expect(says.join(" ")).toContain("most of the change is weights");
    const named = (title: RegExp) => tables.find((table) => title.test(table.title))?.rows ?? [];
    expect(named(/^Set otherwise/)).toContainEqual(["what if", "–", "hbm.bandwidth=0.95x"]);
    const parts = named(/^Parts/);
    const sum = parts.slice(0, -1).reduce((total, row) => total + Number(row[3]), 0);
    expect(sum).toBeCloseTo(Number(parts.at(-1)?.[3]), 0);
    expect(profilesCompared(profile({}), profile({})).says[0]).toMatch(/^No difference/);
  });
});
