import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { readProfilerConfig } from "../../server/profiler/config.ts";
import { SettingsError } from "../../server/settings/error.ts";
import { startServer, type TestServer } from "../support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "profile-"));
const SIMULATED = ["Qwen/Qwen3-0.6B", "--device", "trainium", "--values", "synthetic"];
const TORCH = ["--profiler-config.profiler", "torch"];

interface TraceEvent {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, number | string>>;
}

afterAll(() => rmSync(folder, { recursive: true }));

describe("/start_profile and /stop_profile", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      ...SIMULATED,
      ...["--time-scale", "0.5"],
      ...TORCH,
      `--profiler-config.torch_profiler_dir=${folder}`,
    ]);
  });
  afterAll(() => server.stop(0));

  const complete = (tokens: number): Promise<unknown> =>
    server.post("/v1/completions", {
      model: "Qwen/Qwen3-0.6B",
      prompt: [5, 6, 7, 8],
      max_tokens: tokens,
      ignore_eos: true,
    });

  it("write what ran between them: steps, kernels and requests, and the summary of it", async () => {
    await complete(3); // before the start: not in it
    const started = await server.post("/start_profile", "");
    expect([started.status, started.text]).toEqual([200, ""]);
    await server.post("/start_profile", ""); // a second start changes nothing
    await Promise.all([complete(6), complete(4)]);
    expect((await server.post("/stop_profile", "")).status).toBe(200);
    expect((await server.post("/stop_profile", "")).status).toBe(200);
    const files = readdirSync(folder).sort();
    expect(files).toEqual([
      expect.stringMatching(/^trainyard\.\d+\.summary\.json$/),
      expect.stringMatching(/^trainyard\.\d+\.trace\.json$/),
    ]);
    const [summary, trace] = files.map((file) =>
      JSON.parse(readFileSync(join(folder, file), "utf8")),
    ) as [Record<string, Record<string, number | boolean>>, { traceEvents: TraceEvent[] }];
    const { traceEvents } = trace;
    const lane = (name: string): TraceEvent[] => {
      const of = traceEvents.find((its) => its.ph === "M" && its.args?.["name"] === name);
      return traceEvents.filter((its) => its.ph === "X" && its.tid === of?.tid);
    };
    const steps = lane("steps");
    expect(steps.length).toBeGreaterThanOrEqual(6);
    // Kernels of a step take half their priced time at this scale and do not overlap the next.
    const graphs = lane("model").filter((its) => /^(decode|prefill)_/.test(its.name));
    expect(graphs).toHaveLength(steps.length);
    graphs.forEach((graph, index) => {
      const next = graphs[index + 1];
      if (next !== undefined)
        expect(graph.ts + (graph.dur ?? 0)).toBeLessThanOrEqual(next.ts + 1e-6);
    });
    const requests = traceEvents.filter((its) => its.ph === "b" && its.name.startsWith("request "));
    expect(requests.map((its) => its.args?.["output_tokens"]).sort()).toEqual([4, 6]);
    const priced = steps.map(({ args = {} }) =>
      Object.entries(args)
        .filter(([name]) => !["rows", "tokens", "kv_usage"].includes(name))
        .reduce((sum, [, nanos]) => sum + Number(nanos), 0),
    );
    const [fields = {}] = Object.values(summary); // under the graph's name
    expect(fields["is_simulation"]).toBe(true);
    expect(fields["last_hw_timestamp"]).toBe(priced.reduce((sum, nanos) => sum + nanos, 0));
  });
});

describe("without --profiler-config", () => {
  it("there are no such routes", async () => {
    const server = await startServer();
    expect((await server.post("/start_profile", {})).status).toBe(404);
    expect((await server.post("/stop_profile", {})).status).toBe(404);
    await server.stop(0);
  });
});

describe("--profiler-config", () => {
  it.each([
    ['{"profiler": "torch"}', /torch_profiler_dir must be set/],
    ['{"profiler": "cuda"}', /no CUDA/],
    ['{"profiler": "torch", "torch_profiler_dir": "x", "max_iterations": -1}', /max_iterations/],
    ['{"profiler": "torch", "torch_profiler_dir": "x", "depth": 1}', /depth/],
  ])("refuses %s", (config, message) => {
    const { settings } = parseSettings(["--profiler-config", config]);
    const read = () => readProfilerConfig(settings["profiler-config"]);
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(message);
  });

  it("names no profiler: not configured", () => {
    expect(readProfilerConfig({ torch_profiler_dir: "x" })).toBeUndefined();
    expect(readProfilerConfig(undefined)).toBeUndefined();
  });
});
