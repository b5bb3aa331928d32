import { describe, expect, it } from "vitest";
import { parseSweep } from "../../../scripts/commands/sweep/flags.ts";
import { rowsJson } from "../../../scripts/load/column.ts";
import { COLUMNS } from "../../../scripts/report/columns.ts";
import { inferenceXRow } from "../../../scripts/report/csv.ts";
import type { Identity, Point } from "../../../scripts/report/point.ts";
import { commonParts, labelled } from "../../../scripts/report/series.ts";

const SMALL =
  "--instance trn2.3xlarge --tp 4 --concurrency 1,2 --shape 32/4 --requests-per-user 2 --quiet";
const options = (models: string, ...more: string[]) =>
  parseSweep([models, ...SMALL.split(" "), ...more], () => {});
const names = (identities: readonly Identity[]): string[] =>
  labelled(identities.map((identity) => ({ identity }) as Point)).map(({ series }) => series);

describe("lines of a chart", () => {
  it("are as many as there are identities, whatever part differs", () => {
    const base = { model: "a/one", instance: "trn2", tensorParallel: "TP 4", kernels: "" };
    expect(names([base, base])).toEqual(["trn2 TP 4", "trn2 TP 4"]);
    expect(names([base, { ...base, model: "a/two" }])).toEqual(["one", "two"]);
    // Two publishers of one name, and a part that is empty for one of them.
    expect(names([base, { ...base, model: "b/one" }])).toEqual(["a/one", "b/one"]);
    const parts = ["model", "instance", "tensorParallel", "kernels", "workload", "server"];
    for (const part of parts) {
      const pair = names([
        { ...base, workload: "w", server: "s", [part]: "x" },
        { ...base, workload: "w", server: "s", [part]: "y" },
      ]);
      expect(new Set(pair).size, part).toBe(2);
    }
  });

  it("leave to the title what they have in common", () => {
    const base = { model: "m", instance: "trn2", tensorParallel: "TP 4", own: "", workload: "w" };
    const points = (...identities: Identity[]) =>
      identities.map((identity) => ({ identity }) as Point);
    expect(commonParts(points(base, { ...base, tensorParallel: "TP 8" }))).toBe("trn2");
    expect(commonParts(points(base, { ...base, model: "n" }))).toBe("trn2 TP 4");
    expect(commonParts(points(base, { ...base, instance: "trn3", tensorParallel: "x" }))).toBe("");
    expect(commonParts([])).toBe("");
  });
});

describe("secrets", () => {
  it("stand in no line that is written down, however they are spelt", () => {
    const shown = (...more: string[]) => options("m", ...more).shown;
    const lines = [
      shown("--api-key", "sk-1"),
      shown("--api-key=sk-1"),
      shown("--api_key", "sk-1"),
      shown("--url", "http://me:sk-1@host:8000"),
      shown("--url=https://sk-1@host"),
    ];
    for (const line of lines) expect(line).not.toContain("sk-1");
    expect(lines[0]).toContain("--api-key ***");
    expect(lines[3]).toContain("http://host:8000");
    // What is shown can be typed again.
    expect(shown("--speculative-config", '{"method": "mtp"}')).toContain(
      `--speculative-config '{"method": "mtp"}'`,
    );
    expect(() => options("m", "--concurrency", "none")).toThrow(
      '--concurrency takes 1,2,4 or 1..256, not "none".',
    );
  });
});

describe("columns", () => {
  const dead = {
    identity: {},
    series: "s",
    completed: 0,
    latency: Object.fromEntries(
      ["ttft", "tpot", "itl", "e2el"].map((name) => [name, { median: 0, p99: 0, mean: 0 }]),
    ),
    outputThroughput: 0,
    concurrency: 4,
    notices: [],
    framework: "vllm",
    tensorParallel: undefined,
    dataParallel: undefined,
    expertParallel: undefined,
    chips: undefined,
  } as unknown as Point;

  it("say nothing where nothing was measured", () => {
    const [row] = rowsJson(COLUMNS, [dead])["rows"] as Record<string, unknown>[];
    expect(row?.["tokens_per_s_per_user_inferencex"]).toBeNull();
    expect(row?.["median_ttft_ms"]).toBeNull();
    expect(JSON.stringify(row)).not.toContain("Infinity");
    expect(new Set(COLUMNS.map(({ key }) => key)).size).toBe(COLUMNS.length);
  });

  it("claim neither parallelism nor chips for a live server", () => {
    expect(inferenceXRow(dead)).toMatchObject({
      tp: null,
      ep: null,
      dp_attention: null,
      num_gpus: null,
      tput_per_gpu: null,
      framework: "vllm",
    });
  });
});
