import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { MILLISECOND, SECOND } from "../../../device/clock.ts";
import type { StepFinished } from "../../../engine/events.ts";
import { RequestLog, readable } from "../../../server/http/log.ts";
import { bound, Curve } from "../../../server/metrics/curve.ts";
import { EngineMetrics } from "../../../server/metrics/engine-metrics.ts";
import { Families, oneTwoFive } from "../../../server/metrics/families.ts";
import { MachineMetrics } from "../../../server/metrics/machine-metrics.ts";
import { engineWorld, request } from "../../support/engine-world.ts";

const step = (at: number, rows: number, running: number): StepFinished => ({
  type: "step-finished",
  at,
  step: 0,
  repeated: 1,
  rows,
  work: () => [],
  tokens: rows,
  duration: 10 * MILLISECOND,
  running,
  waiting: 0,
  waitingCapacity: 0,
  waitingDeferred: 0,
  kvUsage: 0,
  preemptions: 0,
});

describe("families", () => {
  it("are exposed as the Python client does", async () => {
    const families = new Families(() => 1.5);
    families.counter("vllm:tokens", "Tokens.", { engine: "0" }).inc(3);
    const histogram = { help: "Seconds.", buckets: [1, 2], labels: { engine: "0" } };
    families.histogram("vllm:seconds", histogram).observe(1.5);
    families.histogram("vllm:seconds", histogram).observe(7); // asked for again: nothing is lost
    families.summary("bytes", "Bytes.", { handler: "/a" }).observe(12);
    families.summary("bytes", "Bytes.", { handler: "/a" }).observe(30);
    const text = await families.registry.metrics();
    for (const line of [
      "# TYPE vllm:tokens_total counter",
      'vllm:tokens_total{engine="0"} 3',
      "# TYPE vllm:tokens_created gauge",
      'vllm:tokens_created{engine="0"} 1.5',
      'vllm:seconds_bucket{le="2",engine="0"} 1',
      "# TYPE vllm:seconds histogram",
      'vllm:seconds_bucket{le="1",engine="0"} 0',
      'vllm:seconds_bucket{le="+Inf",engine="0"} 2',
      'vllm:seconds_sum{engine="0"} 8.5',
      'vllm:seconds_count{engine="0"} 2',
      "# TYPE bytes summary",
      'bytes_sum{handler="/a"} 42',
      'bytes_count{handler="/a"} 2',
      'vllm:seconds_created{engine="0"} 1.5',
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });

  it("has 1-2-5 buckets up to the model's length", () => {
    expect(oneTwoFive(100)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(oneTwoFive(512)).toEqual([1, 2, 5, 10, 20, 50, 100, 200, 500]);
  });
});

describe("the tokens of a step", () => {
  it("add up to the prompts computed and the ids given out, whatever the steps were", async () => {
    for (const of of [
      { maxTokens: 64, prompt: 10, outputs: 5, cached: 0, steps: 5 },
      { maxTokens: 4, prompt: 30, outputs: 1, cached: 0, steps: 1 }, // seven steps in the midst of the prompt
      { maxTokens: 64, prompt: 30, outputs: 7, cached: 28, steps: 7 },
    ]) {
      const { engine, clock } = engineWorld({ limits: { maxTokens: of.maxTokens } });
      const prompt = Array.from({ length: of.prompt }, (_, at) => at);
      if (of.cached > 0) {
        engine.submit(request(prompt, { maxTokens: 1 }));
        clock.runReady();
      }
      const families = new Families();
      const metrics = new EngineMetrics(families, engine, {
        modelName: "m",
        index: 0,
        maxModelLen: 128,
        hidden: false,
        cacheConfig: {},
      });
      engine.subscribe((event) => metrics.receive(event));
      engine.submit(request(prompt, { maxTokens: of.outputs, ignoreEos: true }));
      clock.runReady();
      const text = await families.registry.metrics();
      const value = (name: string): number =>
        Number(new RegExp(`vllm:iteration_tokens_total_${name}\\{[^}]*\\} (.*)`).exec(text)?.[1]);
      expect(value("sum")).toBe(of.prompt - of.cached + of.outputs);
      expect(value("count")).toBe(of.steps);
      const from = (source: string): number =>
        Number(
          new RegExp(`prompt_tokens_by_source_total\\{[^}]*source="${source}"[^}]*\\} (.*)`).exec(
            text,
          )?.[1],
        );
      expect(from("local_cache_hit")).toBe(of.cached);
      expect(from("local_compute")).toBe(of.prompt - of.cached);
    }
  });
});

describe("the curve", () => {
  it("puts concurrency in the least bucket that holds it", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 17, 64].map(bound)).toEqual([
      1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 16, 24, 64,
    ]);
  });

  it("measures from step end to step end while busy, and not across a pause", () => {
    const curve = new Curve(new Families(), {});
    const token = { type: "tokens-emitted", id: 1, tokens: [1], drafted: 0, accepted: 0 } as const;
    const run = (at: number, running: number): void => {
      curve.receive({ ...token, at });
      curve.receive(step(at, 1, running));
    };
    run(10 * MILLISECOND, 1);
    run(22 * MILLISECOND, 1);
    run(40 * MILLISECOND, 0);
    run(9 * SECOND, 0);
    const [point] = curve.points();
    expect(point).toMatchObject({ concurrency: 1, tokens: 4, meanRunning: 1 });
    expect(point?.seconds).toBeCloseTo(0.05, 9);
  });
});

describe("the machine", () => {
  // Ten wall seconds are 10 or 2.5 s of the machine.
  it.each([
    [1, 0.25, 100],
    [4, 1, 25],
  ])(
    "is as busy as its steps, and prices tokens by the last minute, ×%d",
    async (timeScale, busy, price) => {
      let now = 0;
      const families = new Families();
      const machine = new MachineMetrics(
        families,
        {
          instanceType: "trn2.48xlarge",
          cores: 1,
          memoryBytes: 5,
          weightBytes: 2,
          chipsBilled: 1,
          chips: 16,
          dollarsPerHour: 36,
          compileSeconds: 0,
          loadSeconds: 0,
          trust: {
            decode: { tier: "calibrated", factor: 1.1 },
            prefill: { tier: "related", factor: 1.5 },
            serving: { tier: "unknown", factor: 1.6 },
          },
        },
        { now: () => now, modelName: "m", timeScale },
      );
      for (let second = 1; second <= 10; second++) {
        now = second * SECOND;
        machine.receive({
          type: "tokens-emitted",
          at: now,
          id: 1,
          tokens: Array(100).fill(1),
          drafted: 0,
          accepted: 0,
        });
        const cost = {
          duration: SECOND / 4,
          parts: {},
          paddedTokens: 0,
          paddedRows: 0,
          spans: () => [],
        };
        machine.receive({ ...step(now, 1, 1), cost });
      }
      const text = await families.registry.metrics();
      const value = (name: string): number =>
        Number(
          text
            .split("\n")
            .find((line) => line.startsWith(name))
            ?.split(" ")
            .at(-1),
        );
      expect(value("neuroncore_utilization_ratio{")).toBeCloseTo(busy);
      expect(value('execution_latency_seconds{percentile="p50"}')).toBeCloseTo(0.25);
      // 10 s of 36 $/h are 0.1 $, for 1,000 tokens.
      expect(
        value('trainyard:dollars_per_million_output_tokens{model_name="m",billed="instance"}'),
      ).toBeCloseTo(price);
      expect(
        value('trainyard:dollars_per_million_output_tokens{model_name="m",billed="chips"}'),
      ).toBeCloseTo(price / 16);
    },
  );
});

it("what is logged of a request has its id", () => {
  const lines: object[] = [];
  const server = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const log = new RequestLog(server, "req-7");
  log.warn({ ms: 5 }, "late");
  log.child({ part: "a" }).info("of a part");
  log.debug("below the server's level");
  expect(lines).toMatchObject([
    { level: 40, reqId: "req-7", ms: 5, msg: "late" },
    { level: 30, reqId: "req-7", part: "a", msg: "of a part" },
  ]);
  expect([log.level, lines.length]).toEqual(["info", 2]);
});

describe("the log on a terminal", () => {
  it("is one line, with an error's text below", () => {
    const line = readable(JSON.stringify({ level: 40, time: 0, msg: "late", ms: 5, reqId: "x" }));
    expect(line).toMatch(/^\d\d:\d\d:\d\d WARN late ms=5\n$/);
    const forged = "a\n00:00:00 WARN fire\u001b[2J\r\u2028\u202e\u009b31m";
    const entry = { level: 30, time: 0, msg: forged, id: forged, nested: { id: forged } };
    const told = readable(JSON.stringify({ ...entry, err: { message: forged } }));
    expect(told.match(/\n(?! {4})/g)).toHaveLength(1);
    expect(told.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
    expect(told).toContain("id=a\\u000a00:00:00 WARN fire\\u001b[2J\\u000d");
    const failed = readable(
      JSON.stringify({ level: 50, time: 0, msg: "no", err: { message: "why" } }),
    );
    expect(failed).toMatch(/ERROR no\n {4}why\n$/);
  });
});
