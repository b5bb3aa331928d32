import { describe, expect, it } from "vitest";
import { findInstance, INSTANCES } from "../../../device/trainium/instances.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { stackNamed, stackNames } from "../../../device/trainium/stacks/releases.ts";
import { FIGURES, parseChanges, readChanges, whatIf } from "../../../device/trainium/what-if.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const plan = (own: Readonly<Record<string, unknown>>, rest: { maxRows?: number } = {}) =>
  planFor({
    model: catalogueModel("meta-llama/Llama-3.1-8B-Instruct"),
    tensorParallel: 4,
    own,
    ...rest,
  });

const step = (own: Readonly<Record<string, unknown>>): number =>
  new CostModel(plan(own)).graph({ phase: "decode", rows: 8, queries: 1, context: 4096 }).nanos;

describe("what if", () => {
  it.each(Object.keys(FIGURES))("%s doubles where the chip has it, alone or in a list", (name) => {
    for (const instance of INSTANCES) {
      const figure = FIGURES[name];
      const now = figure?.of(instance);
      if (figure === undefined || now === undefined) continue;
      const changed = whatIf(instance, parseChanges(`${name}=2x`));
      expect(figure.of(changed)).toBeCloseTo(2 * now);
      expect(changed.chip.calibrated).toBe(false);
      expect(figure.of(instance)).toBe(now);
    }
  });

  it("takes values and times, from a flag or a file", () => {
    const trn2 = findInstance("trn2.3xlarge");
    const changed = whatIf(trn2, [
      ...readChanges({ "clock.tensor": 3e9, "hbm.capacity": "1.5x" }),
      ...parseChanges("link.hop=500"),
    ]);
    expect(changed.chip.clockHz.tensor).toBe(3e9);
    expect(changed.chip.hbmBytes).toBe(1.5 * trn2.chip.hbmBytes);
    expect(changed.chip.link.hopNanos).toBe(500);
    expect(changed.changes).toBe("clock.tensor=3000000000, hbm.capacity=1.5x, link.hop=500");
  });

  it.each([
    ["hbm.speed=2x", /no figure "hbm.speed"; known: hbm.bandwidth/],
    ["hbm.bandwidth=twice", /hbm.bandwidth=twice must be times/],
    ["hbm.bandwidth=-1", /must be times/],
    ["hbm.bandwidth", /must be times/],
    ["rate.mxfp4=2x", /has no rate.mxfp4 to multiply/],
  ])("refuses %s", (text, message) => {
    expect(() => whatIf(findInstance("trn2.3xlarge"), parseChanges(text))).toThrow(message);
  });

  it("a step is quicker with more bandwidth, slower with slower links, on any device flag", () => {
    const now = step({});
    expect(step({ set: "hbm.bandwidth=2x" })).toBeLessThan(now * 0.85);
    expect(step({ hardware: '{"hbm.bandwidth": "0.5x"}' })).toBeGreaterThan(now * 1.2);
    expect(() => step({ hardware: "[1]" })).toThrow(/--hardware must be a JSON object/);
  });
});

describe("calibration profiles", () => {
  const text = (effects: unknown): string =>
    JSON.stringify({ format: "trainyard-calibration/1", effects });

  it("multiply the graphs of steps, and every part of them", () => {
    const own = { calibration: text({ decode: 1.25, prefill: 1 }) };
    expect(step(own) / step({})).toBeCloseTo(1.25);
    const graph = new CostModel(plan(own)).graph({
      phase: "decode",
      rows: 1,
      queries: 1,
      context: 4096,
    });
    const parts = Object.values(graph.parts).reduce((sum, nanos) => sum + nanos, 0);
    expect(parts).toBeCloseTo(graph.nanos, 3);
  });

  it.each([
    ["{", /not JSON/],
    ['{"format": "other"}', /not a file of trainyard calibrate/],
    [text({ decode: 0, prefill: 1 }), /effects.decode must be a number above 0/],
    [text({ decode: 1 }), /effects.prefill/],
  ])("refuse %s", (calibration, message) => {
    expect(() => plan({ calibration })).toThrow(message);
  });
});

describe("stacks and their releases", () => {
  it("every listed name is found, and nothing else", () => {
    for (const name of stackNames()) expect(stackNamed(name).name).toBeTruthy();
    expect(() => stackNamed("tgi@9.9")).toThrow(/"tgi@9.9" is not known; known: vllm-neuron/);
    expect(() => plan({ "neuron-stack": "nobody@1" })).toThrow(/nobody@1/);
  });

  it("vLLM Neuron 0.29 reads the whole compiled context unless buckets are named", () => {
    const native = { "neuron-stack": "vllm-neuron@0.29" };
    const named = {
      ...native,
      "additional-config": { neuron_config: { decode_context_length_buckets: [1024, 4096] } },
    };
    expect(new CostModel(plan(native)).buckets.contexts).toEqual([8192]);
    expect(new CostModel(plan(named)).buckets.contexts).toEqual([1024, 4096, 8192]);
  });

  it.each([
    [{ decode_context_length_buckets: [1000] }, /multiple of 128 below 8192/],
    [{ decode_context_length_buckets: [4096, 1024] }, /ascending/],
    [{ num_seqs_buckets: [1, 4] }, /num_seqs_buckets: the last bucket must be 8/],
    [{ num_batched_tokens_buckets: "all" }, /must be a list of whole numbers/],
    [{ attention_dp_degree: 4 }, /attention_dp_degree: not modelled/],
  ])("its rules are checked: %j", (neuron_config, message) => {
    expect(() => plan({ "additional-config": { neuron_config } }, { maxRows: 8 })).toThrow(message);
  });
});
