import { describe, expect, it } from "vitest";
import { hygiene } from "../../../scripts/load/hygiene.ts";
import type { RequestRecord } from "../../../scripts/load/record.ts";
import { inferenceXRow, sweepCsv } from "../../../scripts/report/csv.ts";
import { drawFigure, FIGURE } from "../../../scripts/report/figure.ts";
import { sweepFigures } from "../../../scripts/report/figures.ts";
import { logTicks, tickText } from "../../../scripts/report/plot.ts";
import { svgToPng } from "../../../scripts/report/png.ts";
import { INTERACTIVITY, type Point, usersAt } from "../../../scripts/report/point.ts";
import { readFigure } from "../../../scripts/report/reading.ts";
import { terminalChart } from "../../../scripts/report/terminal.ts";
import type { WorkRequest } from "../../../scripts/workload/request.ts";
import { peakConcurrency } from "../../../server/metrics/hygiene.ts";

function point(concurrency: number, change: Partial<Point> = {}): Point {
  const tpot = 5 + concurrency / 8;
  const quantiles = (median: number) => ({
    mean: median,
    median,
    std: 0,
    p90: median * 1.1,
    p95: median * 1.15,
    p99: median * 1.2,
    p999: median * 1.3,
  });
  return {
    identity: { instance: "trn2 <TP 16>" },
    series: "trn2 <TP 16>",
    framework: "trainyard",
    model: "m",
    simulated: true,
    instance: "trn2.48xlarge",
    tensorParallel: 16,
    dataParallel: 1,
    expertParallel: false,
    kernels: "",
    precision: "bf16",
    speculation: "none",
    chips: 4,
    inputLen: 1024,
    outputLen: 1024,
    concurrency,
    requests: 10 * concurrency,
    warmups: 2 * concurrency,
    seed: 0,
    duration: 10,
    completed: 10 * concurrency,
    failed: 0,
    requestThroughput: concurrency,
    inputThroughput: (900 * concurrency) / tpot,
    outputThroughput: (1000 * concurrency) / tpot,
    totalThroughput: (1900 * concurrency) / tpot,
    latency: {
      ttft: quantiles(100),
      tpot: quantiles(tpot),
      itl: quantiles(tpot),
      e2el: quantiles(1000 * tpot),
    },
    meanUserRate: 1000 / tpot,
    preemptions: 0,
    band: { low: 0.9, high: 1.2, tier: "related", factor: 1.2 },
    notices: [],
    ...change,
  };
}

const points = [1, 8, 64].map((users) => point(users));

describe("figures", () => {
  it("name each definition of interactivity on its axis", () => {
    const figures = sweepFigures(points);
    const labels = figures.flatMap((figure) => [figure.x.label, figure.y.label]).join("\n");
    for (const definition of Object.values(INTERACTIVITY)) {
      expect(labels).toContain(definition.formula);
    }
    expect(figures.slice(0, 3).map((figure) => figure.title)).toEqual([
      "Users per system against interactivity",
      "Users per chip against interactivity",
      "Output tokens/s against concurrency",
    ]);
  });

  it("put the slow end of a time band at the slow end of a speed", () => {
    const first = sweepFigures([point(8)])[0]?.series[0]?.points[0];
    const speed = 1000 / 6;
    expect(first?.x).toBeCloseTo(speed, 9);
    expect(first?.low?.x).toBeCloseTo(speed / 1.2, 9);
    expect(first?.high?.x).toBeCloseTo(speed / 0.9, 9);
  });

  it("say in their subtitle how far the band's system lies from what was measured", () => {
    const other = point(8, { band: { low: 0.5, high: 2, tier: "unknown", factor: 2 } });
    const [first] = sweepFigures([point(8), other]);
    expect(first?.subtitle).toMatch(/80 % band \(related ×÷ 1\.20, unknown ×÷ 2\.00\)/);
    expect(sweepCsv([other]).split("\n")[0]).toMatch(/,tier,band_factor,band_low,band_high,/);
  });

  it("draw as SVG and PNG, escaped", () => {
    const figure = sweepFigures(points)[0];
    const svg = figure === undefined ? "" : drawFigure(figure);
    expect(svg).toContain("trn2 &lt;TP 16&gt;");
    expect(svg).toContain("tokens/s/user = 1000 / median TPOT (ms)");
    const png = svgToPng(svg, 1);
    expect([...png.slice(1, 4)]).toEqual([..."PNG"].map((letter) => letter.charCodeAt(0)));
  });

  it("have ticks that somebody would count in, on logarithmic axes", () => {
    expect(logTicks([1, 16], 2)).toEqual([1, 2, 4, 8, 16]);
    expect(logTicks([1.2, 3.8], 10)).toEqual([2, 1.2, 3.8].slice(1));
    expect(logTicks([3, 900], 10)).toEqual([5, 10, 20, 50, 100, 200, 500]);
    expect(logTicks([12, 12], 2)).toEqual([12]);
    expect(logTicks([0.25, 3], 2)).toEqual([0.25, 0.5, 1, 2]);
    for (let high = 2; high < 5000; high = Math.ceil(high * 1.7)) {
      for (const tick of logTicks([1, high], 2)) expect(Number.isInteger(tick)).toBe(true);
    }
  });

  it("clip no word: what is too long goes on in the next line, at any width", () => {
    const long = sweepFigures([point(8, { model: `${"very-long-publisher/".repeat(2)}m` })])[0];
    for (const size of [FIGURE, { width: 360, height: 330 }]) {
      const svg = long === undefined ? "" : drawFigure(long, size);
      const texts = [...svg.matchAll(/font-size="(11|15)"[^>]*>([^<]+)</g)];
      expect(texts.length).toBeGreaterThan(2);
      for (const [, type, escaped = ""] of texts) {
        const text = escaped.replaceAll(/&[a-z]+;/g, "x");
        const breakable = text.includes(" ");
        if (breakable) expect(text.length * (type === "15" ? 8.6 : 6.2)).toBeLessThan(size.width);
      }
      expect(svg).toContain(`width="${size.width}"`);
    }
  });

  it("shorten ticks", () => {
    expect([0.5, 256, 15_000, 2_000_000].map(tickText)).toEqual(["0.5", "256", "15k", "2M"]);
  });

  it("find users between two points", () => {
    expect(usersAt(points, 1000 / 6)).toBeCloseTo(8, 9);
    // What a cursor on the chart reads at the same pace.
    const pace = 1000 / 5.5;
    const [chart] = sweepFigures(points);
    const [read] = chart === undefined ? [] : readFigure(chart, pace);
    expect(usersAt(points, pace)).toBeCloseTo(read?.y ?? 0, 9);
    expect(usersAt(points, 1e6)).toBeUndefined();
    expect(usersAt(points, 1)).toBeUndefined();
  });
});

describe("rows", () => {
  it("CSV has one line a point and the three definitions", () => {
    const lines = sweepCsv(points).trimEnd().split("\n");
    expect(lines.length).toBe(4);
    const header = lines[0]?.split(",") ?? [];
    const cells = lines[2]?.split(",") ?? [];
    expect(Number(cells[header.indexOf("tokens_per_s_per_user_inferencex")])).toBeCloseTo(
      166.67,
      2,
    );
    expect(Number(cells[header.indexOf("tokens_per_s_per_user_vllm")])).toBeCloseTo(166.67, 2);
  });

  it("InferenceX's row is in seconds and per chip", () => {
    const row = inferenceXRow(point(8));
    expect(row["median_tpot"]).toBeCloseTo(0.006, 12);
    expect(row["median_intvty"]).toBeCloseTo(166.67, 2);
    expect(row["output_tput_per_gpu"]).toBeCloseTo(8000 / 6 / 4, 9);
  });
});

describe("report", () => {
  it("draws in the terminal", () => {
    const chart = terminalChart(
      [{ name: "one", points: points.map((p) => ({ x: p.concurrency, y: p.outputThroughput })) }],
      { xLabel: "users", yLabel: "tokens/s", logX: true, width: 20, height: 5 },
    );
    expect(chart.split("\n").length).toBe(1 + 5 + 3 + 1);
    expect(chart.match(/A/g)?.length).toBe(4); // three points and the legend
  });
});

describe("hygiene", () => {
  const ids = (first: number): WorkRequest => ({
    prompt: { type: "ids", ids: Int32Array.from([first, 2, 3]) },
    promptTokens: 3,
    outputTokens: 4,
  });
  const record = (sent: number, change: Partial<RequestRecord> = {}): RequestRecord => ({
    ok: true,
    sent,
    ttft: 0.1,
    latency: 1,
    itl: [0.3, 0.3, 0.3],
    promptTokens: 3,
    outputTokens: 4,
    wantedTokens: 4,
    ...change,
  });
  const codes = (
    requests: readonly WorkRequest[],
    records: readonly RequestRecord[],
    change: { concurrency?: number; warmups?: number; lateness?: number } = {},
  ): string[] =>
    hygiene({ requests, records, warmups: 4, duration: 10, ...change }).map(({ code }) => code);
  const clean = Array.from({ length: 20 }, (_, index) => ids(index));
  const steady = clean.map((_, index) => record(Math.floor(index / 2)));

  it("has nothing to say of a clean run", () => {
    expect(codes(clean, steady, { concurrency: 2 })).toEqual([]);
  });

  it.each([
    ["repeated-prompts", [...clean.slice(1), ids(3)], steady, {}],
    ["cached-prompts", clean, steady.map((r) => ({ ...r, cachedTokens: 2 })), {}],
    ["few-requests", clean.slice(0, 10), steady.slice(0, 10), { concurrency: 2 }],
    ["concurrency-not-reached", clean, clean.map((_, index) => record(index)), { concurrency: 2 }],
    ["length-mismatch", clean, steady.map((r) => ({ ...r, outputTokens: 2 })), {}],
    ["preemptions", clean, steady.map((r) => ({ ...r, preemptions: 1 })), {}],
    ["cold-start", clean, steady, { concurrency: 2, warmups: 0 }],
    ["late-client", clean, steady, { lateness: 0.05 }],
    ["failed-requests", clean, [record(0, { ok: false, error: "x" })], {}],
  ] as const)("notices %s", (code, requests, records, change) => {
    expect(codes(requests, records, change)).toContain(code);
  });

  it("takes a shared prefix for no repetition", () => {
    const long = clean.map((_, index): WorkRequest => {
      const ids = new Int32Array(200).fill(5);
      ids[199] = index;
      return { prompt: { type: "ids", ids }, promptTokens: 200, outputTokens: 4 };
    });
    expect(codes(long, steady)).toEqual([]);
  });

  it("counts what is under way at one instant", () => {
    expect(peakConcurrency([record(0), record(0.5), record(1)])).toBe(2);
  });
});
