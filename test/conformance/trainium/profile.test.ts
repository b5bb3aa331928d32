import { describe, expect, it } from "vitest";
import type { Batch, BatchRow } from "../../../device/device.ts";
import { ChromeTrace, type Span } from "../../../device/trace.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { stepFlops } from "../../../device/trainium/price/flops.ts";
import { adviceText, advise } from "../../../device/trainium/profile/advice.ts";
import { ProfileTotals } from "../../../device/trainium/profile/summary.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const row = (id: number, start: number, count: number): BatchRow => ({
  id,
  context: new Int32Array(0),
  start,
  count,
  drafted: 0,
  blocks: [],
  want: "last",
});
const batch = (...rows: BatchRow[]): Batch => ({ step: 0, rows, copies: [] });

const plan = (id: string, ranks: number, own: Readonly<Record<string, unknown>> = {}): Plan =>
  planFor({ model: catalogueModel(id), tensorParallel: ranks, own, maxRows: 8, maxContext: 4096 });

const TRN2 = { instance: "trn2.48xlarge" };
const PLANS: readonly (readonly [string, Plan])[] = [
  ["dense", plan("Qwen/Qwen3-8B", 4)],
  ["experts and windows", plan("openai/gpt-oss-120b", 16, TRN2)],
  ["host gaps", plan("Qwen/Qwen3-8B", 4, { "serving-stack": "optimum" })],
  ["latent", plan("deepseek-ai/DeepSeek-V3", 64, TRN2)],
];
const decode = batch(...[1, 2, 3].map((id) => row(id, 1000, 1)));
const prompt = batch(row(1, 0, 300));

/** [start, end) of a span. */
const end = (span: Span): number => span.start + span.duration;

describe.each(PLANS)("spans of a step: %s", (_name, its) => {
  const cost = new CostModel(its);

  it.each([
    ["decode", cost.price(decode, decode)],
    ["prompt", cost.price(prompt)],
  ])("%s: nest or follow each other, and add up to the step", (_phase, step) => {
    const lanes = new Map<string, Span[]>();
    for (const span of step.spans()) lanes.set(span.lane, [...(lanes.get(span.lane) ?? []), span]);
    for (const [lane, spans] of lanes) {
      const open: Span[] = [];
      for (const span of spans) {
        expect(Number.isInteger(span.start) && Number.isInteger(span.duration)).toBe(true);
        expect(span.duration).toBeGreaterThanOrEqual(0);
        while (open.length > 0 && end(open.at(-1) as Span) <= span.start) open.pop();
        const parent = open.at(-1);
        // Only the model's lane nests, and a child never leaves its parent.
        if (parent !== undefined && span.duration > 0) {
          expect(lane, `${span.name} in ${parent.name}`).toBe("model");
          expect(end(span)).toBeLessThanOrEqual(end(parent));
        }
        open.push(span);
      }
    }
    const model = lanes.get("model") ?? [];
    const ops = model.filter((span) => span.args?.["op"] !== undefined);
    const host = (lanes.get("host") ?? []).reduce((sum, span) => sum + span.duration, 0);
    const sum = ops.reduce((total, span) => total + span.duration, 0);
    expect(sum + host).toBe(step.duration);
    expect(model.filter((span) => /^layers\.\d+$/.test(span.name))).toHaveLength(
      its.architecture.layers.length,
    );
    const collectives = (lanes.get("cc") ?? []).reduce((total, span) => total + span.duration, 0);
    expect(Math.abs(collectives - (step.parts["collectives"] ?? 0))).toBeLessThan(100);
  });

  it("the summary is the sum of the spans", () => {
    const totals = new ProfileTotals(its);
    const steps = [cost.price(prompt), cost.price(decode, decode)];
    for (const step of steps) totals.add(step);
    const fields = totals.fields("two steps");
    const seconds = steps.reduce((sum, step) => sum + step.duration, 0) / 1e9;
    expect(fields["total_time"]).toBeCloseTo(seconds, 12);
    expect(fields["is_simulation"]).toBe(true);
    const parts = Object.values(totals.parts).reduce((sum, nanos) => sum + nanos, 0);
    expect(parts).toBe(totals.nanos);
    for (const [name, value] of Object.entries(fields)) {
      expect(NAMES, name).toContain(name);
      if (!name.endsWith("_percent")) continue;
      expect(value, name).toBeGreaterThanOrEqual(0);
      expect(value, name).toBeLessThanOrEqual(1);
    }
    const rows = [...totals.collectives.values()];
    expect(fields["cc_op_count"]).toBe(rows.reduce((sum, each) => sum + each.count, 0));
    const ops = [...totals.ops.values()].reduce((sum, each) => sum + each.nanos, 0);
    expect(ops).toBe(totals.nanos - totals.active("host"));
    expect(fields["model_flops"]).toBeLessThanOrEqual(Number(fields["hardware_flops"]));
  });
});

describe("floating-point operations", () => {
  const { architecture } = plan("Qwen/Qwen3-8B", 4);
  const flops = (rows: number, queries: number, context: number): number => {
    const phase = queries === 1 ? "decode" : "prefill";
    return stepFlops(architecture, { phase, rows, queries, context }, "model");
  };

  it("a decoded token takes two for each weight it meets", () => {
    // 8.19 billion parameters, of which the embedding (151,936 × 4,096) is only looked up.
    const weights = 8.19e9 - 151_936 * 4096;
    expect(flops(1, 1, 1) / (2 * weights)).toBeCloseTo(1, 2);
  });

  it("attention grows with the context, and a prompt sees half of its square", () => {
    const pair = 4 * 36 * 32 * 128;
    expect(flops(1, 1, 1001) - flops(1, 1, 1)).toBe(1000 * pair);
    const whole = flops(1, 64, 64) - 64 * flops(1, 1, 1);
    const head = 63 * 2 * 151_936 * 4096; // a prompt passes the head once
    expect(whole + head).toBe((pair * 64 * 65) / 2 - 64 * pair);
  });

  it("a window bounds the keys that a query sees", () => {
    const oss = plan("openai/gpt-oss-120b", 16, TRN2).architecture;
    const at = (context: number): number =>
      stepFlops(oss, { phase: "decode", rows: 1, queries: 1, context }, "model");
    // Half of the 36 layers see at most 128 tokens.
    expect(at(1128) - at(128)).toBe(18 * 1000 * 4 * 64 * 64);
  });
});

describe("recommendations", () => {
  it("name the dearest part first, with what helps", () => {
    const said = (its: Plan, rows: number): readonly string[] => {
      const totals = new ProfileTotals(its);
      const step = batch(...Array.from({ length: rows }, (_, id) => row(id, 3000, 1)));
      totals.add(new CostModel(its).price(step, step));
      return advise(its, totals, { rows, context: 3000, steps: 1 }).map(adviceText);
    };
    const plain = said(plan("Qwen/Qwen3-8B", 4, { "neuron-kernels": "plain" }), 1);
    expect(plain.join(" ")).toMatch(/Fixed costs of kernels.*--neuron-kernels nki/);
    const wide = said(plan("Qwen/Qwen3-0.6B", 16, TRN2), 1);
    expect(wide[0]).toMatch(/^(Collectives|Fixed costs)/);
  });
});

describe("the Chrome trace", () => {
  it("names every process and thread once and keeps times in microseconds", () => {
    const trace = new ChromeTrace();
    const step = new CostModel(plan("Qwen/Qwen3-0.6B", 1)).price(decode, decode);
    for (const span of step.spans()) trace.span("NC 0", span, 5_000_000);
    trace.mark("engine", "steps", { name: "step 0", at: 5_000_000 });
    trace.overlapping("engine", { lane: "requests", name: "queue", start: 1000, duration: 500 }, 7);
    const file = JSON.parse(trace.json({ is_simulation: "true" })) as {
      traceEvents: Record<string, unknown>[];
    };
    const events = file.traceEvents;
    const named = events.filter((event) => event["name"] === "thread_name");
    const threads = named.map((event) => `${event["pid"]} ${event["tid"]}`);
    expect(new Set(threads).size).toBe(threads.length);
    for (const event of events) {
      if (event["ph"] !== "M") expect(threads).toContain(`${event["pid"]} ${event["tid"]}`);
    }
    const root = events.find((event) => event["name"] === "decode_4x1024");
    expect(root).toMatchObject({ ph: "X", ts: 5000, dur: step.duration / 1000 });
    expect(events.filter(({ ph }) => ph === "b" || ph === "e")).toMatchObject([
      { ts: 1, id: 7, cat: "requests" },
      { ts: 1.5, id: 7, cat: "requests" },
    ]);
  });
});

/** Fields of Neuron Explorer's Summary and Metadata tables that a simulation can fill. */
const NAMES = `profile_name is_simulation instance_type num_physical_cores tensor_engine_num_rows
  tensor_engine_num_cols tensor_engine_clock_freq vector_engine_clock_freq scalar_engine_clock_freq
  gpsimd_engine_clock_freq hbm_ddr_bandwidth num_dma_engines_per_neuroncore first_ts last_ts first_hw_timestamp
  last_hw_timestamp total_time
  model_flops hardware_flops mm_arithmetic_intensity peak_flops_bandwidth_ratio mfu_estimated_percent
  hfu_estimated_percent mbu_estimated_percent hbm_read_bytes weight_queue_bytes weight_size_bytes
  dma_transfer_total_bytes dma_active_time dma_active_time_percent tensor_engine_active_time
  tensor_engine_active_time_percent vector_engine_active_time vector_engine_active_time_percent
  scalar_engine_active_time scalar_engine_active_time_percent gpsimd_engine_active_time
  gpsimd_engine_active_time_percent cc_op_time cc_op_active_time cc_op_active_time_percent
  cc_op_count`.split(/\s+/);
