import { describe, expect, it } from "vitest";
import type { Batch, BatchRow } from "../../../device/device.ts";
import { layMemory } from "../../../device/trainium/memory.ts";
import { ALL_PRINCIPLES, type Plan } from "../../../device/trainium/plan.ts";
import { collectiveNanos, diameter } from "../../../device/trainium/price/collectives.ts";
import { CostModel, shortRowsOf } from "../../../device/trainium/price/cost-model.ts";
import { RepeatedStep } from "../../../device/trainium/price/repeated.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const planOf = (id: string, tensorParallel: number, own = {}, maxRows = 8): Plan =>
  planFor({ model: catalogueModel(id), tensorParallel, own, maxRows });

const llama = planOf("meta-llama/Llama-3.1-8B-Instruct", 4);

const row = (id: number, start: number, count: number): BatchRow => ({
  id,
  context: new Int32Array(start + count),
  start,
  count,
  drafted: 0,
  blocks: [],
  want: "last",
});

const batch = (...rows: BatchRow[]): Batch => ({ step: 0, rows, copies: [] });

describe("prices", () => {
  const cost = new CostModel(llama);

  it("parts add up to the duration, whole nanoseconds, spans within it", () => {
    for (const its of [
      batch(row(1, 500, 1)),
      batch(row(1, 0, 300)),
      batch(row(1, 9, 1), row(2, 0, 64)),
    ]) {
      const price = cost.price(its);
      const sum = Object.values(price.parts).reduce((total, part) => total + part, 0);
      expect(sum).toBe(price.duration);
      expect(Number.isInteger(price.duration)).toBe(true);
      for (const span of price.spans()) {
        expect(span.start + span.duration).toBeLessThanOrEqual(price.duration * 1.001);
      }
    }
  });

  it("a decode step costs its compiled rows, not the live ones", () => {
    const one = new CostModel({ ...llama, stack: { ...llama.stack, rowBuckets: "compiled" } });
    const live1 = one.price(batch(row(1, 500, 1)), batch(row(1, 499, 1)));
    const ids = [1, 2, 3, 4];
    const four = batch(...ids.map((id) => row(id, 500, 1)));
    const live4 = one.price(four, four);
    expect(Math.abs(live1.duration - live4.duration)).toBeLessThanOrEqual(1);
    expect(live1.paddedRows).toBe(7);
  });

  it("a prompt costs its bucket", () => {
    const price = (tokens: number): number => cost.price(batch(row(1, 0, tokens))).duration;
    expect(price(300)).toBe(price(512));
    expect(price(513)).toBeGreaterThan(price(512) * 1.2);
    expect(cost.price(batch(row(1, 0, 300))).paddedTokens).toBe(212);
  });

  it("a step whose rows change waits for the host, one that continues does not", () => {
    const same = cost.price(batch(row(1, 500, 1)), batch(row(1, 499, 1)));
    const changed = cost.price(batch(row(1, 500, 1)), batch(row(2, 499, 1)));
    expect(changed.duration - same.duration).toBe(437_000);
  });

  it("repetitions cost what their steps cost one by one", () => {
    const its = batch(row(1, 1020, 1), row(2, 30, 1));
    const again = new RepeatedStep(cost, shortRowsOf(its), {});
    for (let step = 1; step <= 900; step++) {
      const duration = again.next();
      if (step > 5 && step < 900) continue;
      const alone = cost.price(batch(row(1, 1020 + step, 1), row(2, 30 + step, 1)), its);
      // Padding's share may differ within a bucket; the duration may not.
      expect(Math.abs(duration - alone.duration)).toBeLessThanOrEqual(1);
    }
  });

  it("streams weights faster on more ranks, and pays more for collectives", () => {
    const shape = { phase: "decode", rows: 1, queries: 1, context: 1024 } as const;
    const small = new CostModel(planOf("Qwen/Qwen3-32B", 8, { instance: "trn2.48xlarge" })).graph(
      shape,
    );
    const large = new CostModel(planOf("Qwen/Qwen3-32B", 32, { instance: "trn2.48xlarge" })).graph(
      shape,
    );
    expect(large.parts.weights).toBeLessThan((small.parts.weights ?? 0) / 3.5);
    expect(large.parts.collectives).toBeGreaterThan(small.parts.collectives ?? 0);
  });

  it("each principle turned off costs time", () => {
    const shape = { phase: "prefill", rows: 1, queries: 2048, context: 2048 } as const;
    const time = (principles: Partial<Plan["principles"]>): number =>
      new CostModel({ ...llama, principles: { ...ALL_PRINCIPLES, ...principles } }).graph(shape)
        .nanos;
    const all = time({});
    expect(time({ pipelined: false })).toBeGreaterThan(all);
    expect(time({ sbufResident: false, pipelined: false })).toBeGreaterThan(
      time({ pipelined: false }),
    );
    expect(time({ dmaChunkBytes: 64 })).toBeGreaterThan(all);
    expect(time({ collectiveOverlap: 0.8 })).toBeLessThan(all);
  });
});

describe("receipts", () => {
  const cost = new CostModel(llama);

  it("of repetitions: what padding loses the cache gains, the whole stays", () => {
    const its = batch(row(1, 1030, 1), row(2, 30, 1));
    const all: Record<string, number> = {};
    const again = new RepeatedStep(cost, shortRowsOf(its), all);
    let before: Record<string, number> = {};
    const next = () => {
      const duration = again.next();
      again.settle();
      const parts = Object.fromEntries(
        Object.entries(all).map(([part, nanos]) => [part, nanos - (before[part] ?? 0)]),
      );
      before = { ...all };
      return { duration, parts };
    };
    const ones = Array.from({ length: 900 }, next);
    const [early, late] = [ones[0] ?? next(), ones[899] ?? next()];
    expect(late.duration).toBe(early.duration);
    expect(late.parts["padding"] ?? 0).toBeLessThan(early.parts["padding"] ?? 0);
    for (const one of ones)
      expect(Object.values(one.parts).reduce((sum, part) => sum + part, 0)).toBe(one.duration);
    const alone = cost.price(batch(row(1, 1930, 1), row(2, 930, 1)), its);
    expect(Math.abs((late.parts["kv"] ?? 0) - (alone.parts["kv"] ?? 0))).toBeLessThan(5_000);
  });

  it("a prompt whose every position is wanted is taken in once, however many chunks it has", () => {
    const chunk = (start: number): BatchRow => ({
      ...row(1, start, 512),
      context: new Int32Array(1024),
      want: "all",
    });
    const host = (its: BatchRow): number => cost.price(batch(its), batch(its)).parts["host"] ?? 0;
    expect(host(chunk(512)) - host(chunk(0))).toBeGreaterThan(1e6);
  });

  it("expert-parallel decode is padded to experts / top-k rows", () => {
    const own = { instance: "trn2.48xlarge", "enable-expert-parallel": true };
    const spread = new CostModel(planOf("XiaomiMiMo/MiMo-V2.5", 64, own, 64));
    expect(spread.price(batch(row(1, 500, 1))).paddedRows).toBe(31);
  });
});

describe("experts", () => {
  const decode = (rows: number) => ({ phase: "decode", rows, queries: 1, context: 1024 }) as const;
  const kernels = (plan: Plan, rows: number): readonly string[] =>
    new CostModel(plan)
      .graph(decode(rows))
      .layers.flatMap(({ calls }) =>
        calls.filter((its) => its.call.role === "experts").map((its) => its.call.kernel),
      );
  const plain = { instance: "trn2.48xlarge", "neuron-kernels": "plain" };

  it("gathers a few of many, streams all when most are hit or there are few", () => {
    expect(new Set(kernels(planOf("Qwen/Qwen3-30B-A3B", 4, plain), 1))).toEqual(
      new Set(["moe-selective"]),
    );
    expect(new Set(kernels(planOf("Qwen/Qwen3-30B-A3B", 4, plain, 32), 32))).toEqual(
      new Set(["moe-all-experts"]),
    );
    expect(new Set(kernels(planOf("mistralai/Mixtral-8x7B-Instruct-v0.1", 8, plain), 1))).toEqual(
      new Set(["moe-all-experts"]),
    );
  });

  it("spreads experts over groups", () => {
    const own = { ...plain, "enable-expert-parallel": true };
    expect(new Set(kernels(planOf("XiaomiMiMo/MiMo-V2.5", 64, own, 32), 32))).toEqual(
      new Set(["moe-expert-parallel"]),
    );
  });
});

describe("collectives", () => {
  it("diameters: ring, tori, switch", () => {
    expect(diameter("ring", 12)).toBe(6);
    expect(diameter("torus-2d", 16)).toBe(4);
    expect(diameter("torus-3d", 64)).toBe(6);
    expect([1, 4, 36, 144].map((chips) => diameter("switch", chips))).toEqual([0, 1, 2, 3]);
  });

  it("grow with bytes and ranks, and an all-to-all gains most from a switch", () => {
    const on = (
      instance: string,
      kind: "all-reduce" | "all-to-all",
      ranks: number,
      bytes: number,
    ): number =>
      collectiveNanos(
        { ...llama, ...planOf("deepseek-ai/DeepSeek-V3", 64, { instance }, 1) },
        { kind, ranks, bytes },
      );
    const torus = "trn2-ultraserver";
    expect(on(torus, "all-reduce", 64, 1e6)).toBeGreaterThan(on(torus, "all-reduce", 64, 1e4));
    expect(on(torus, "all-reduce", 64, 1e4)).toBeGreaterThan(on(torus, "all-reduce", 8, 1e4));
    const gain = (kind: "all-reduce" | "all-to-all"): number =>
      on(torus, kind, 256, 4e6) / on("trn3-gen1-ultraserver", kind, 256, 4e6);
    expect(gain("all-to-all")).toBeGreaterThan(gain("all-reduce"));
    expect(collectiveNanos(llama, { kind: "all-reduce", ranks: 1, bytes: 1e9 })).toBe(0);
  });
});

describe("more ranks than experts", () => {
  const instance = "trn3-gen2-ultraserver";
  const deepseek = planOf("deepseek-ai/DeepSeek-V3", 8, { instance });
  const graph = (expertParallel: number) => {
    const shape = { phase: "decode", rows: 64, queries: 1, context: 4096 } as const;
    const calls = new CostModel({ ...deepseek, expertParallel })
      .graph(shape)
      .layers.flatMap((layer) => layer.calls);
    return {
      exchange: calls.find((its) => its.call.collective?.kind === "all-to-all"),
      experts: calls.find((its) => its.call.kernel === "moe-expert-parallel"),
      weights: layMemory({ ...deepseek, expertParallel }).weights,
    };
  };

  it("copies share the tokens; the exchange crosses all ranks", () => {
    const [all, twice] = [graph(256), graph(512)];
    expect(twice.exchange?.call.collective?.ranks).toBe(512);
    expect(twice.exchange?.nanos).toBeGreaterThan(all.exchange?.nanos ?? 0);
    // Twice the replicas bring twice the tokens, and twice the copies take them.
    expect(twice.experts?.busy.tensor).toBe(all.experts?.busy.tensor);
    expect(twice.experts?.busy.dma).toBe(all.experts?.busy.dma);
    expect(twice.weights).toBe(all.weights);
  });
});
