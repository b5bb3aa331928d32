import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import type { StackSpec } from "../../../device/trainium/stacks/stack.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import {
  promptsFirst,
  routerPolicy,
  stepThenPrompts,
} from "../../../scripts/commands/validate/batch-services.ts";
import { priceRow } from "../../../scripts/commands/validate/price.ts";
import { findArchitecture } from "../../../scripts/commands/validate/read/model.ts";
import { tgiOf } from "../../../scripts/commands/validate/read/tgi-history.ts";
import { bootstrap } from "../../../scripts/commands/validate/report.ts";
import { type Row, readRows } from "../../../scripts/commands/validate/rows.ts";
import { serve } from "../../../scripts/commands/validate/serving.ts";
import { setUpOf } from "../../../scripts/commands/validate/setup.ts";
import { halfWidthOf, wilson } from "../../../scripts/commands/validate/tiers.ts";

const FILE = projectPath("device", "trainium", "validation", "neuron-calibration.csv");
const pricing = { constants: DEFAULT_CONSTANTS };
const rows = readRows(FILE);

const byId = (id: string): Row => {
  const row = rows.find((its) => its.id === id);
  if (row === undefined) throw new Error(`no row ${id}`);
  return row;
};

describe("published rows", () => {
  it("are read with quotes, commas and line ends as they are", () => {
    const file = join(mkdtempSync(join(tmpdir(), "rows-")), "rows.csv");
    const quoted = 'id,model,metric,value,notes\r\nx1,"A, ""b""",TPOT,5.2-5.8,"two\nlines"\r\n';
    writeFileSync(file, quoted);
    const [row] = readRows(file);
    expect(row?.model).toBe('A, "b"');
    expect(row?.value).toBeCloseTo(5.5);
    expect(row?.notes).toBe("two\nlines");
    expect(rows).toHaveLength(1454);
  });

  it.each([
    ["Llama-2-70b", 80],
    ["Llama-3-70B", 80],
    ["chandra (Qwen3-VL-8B)", 36],
    ["sarvam-30b (19 layers, 128 experts top-6)", 19],
    ["GPT-OSS-120B", 36],
    ["Mixtral-8x7B", 32],
    ["MiMo-V2.5", 48],
    ["Llama-4-Scout", 48],
    ["Ministral-3-14B-Instruct-2512", 40],
  ])("find the config of %s", (name, layers) => {
    expect(findArchitecture(name)?.layers).toHaveLength(layers);
  });

  it("have a reason when they have no price, whatever they say", () => {
    expect(findArchitecture("nobody/unheard-of-7b")).toBeUndefined();
    const odd = [
      { ...byId("v1527"), tp: "?" },
      { ...byId("v1527"), instance: "a laptop" },
      { ...byId("v1527"), metric: "happiness" },
      { ...byId("v1527"), lnc: "8" },
      { ...byId("v1527"), value: Number.NaN },
    ];
    for (const row of odd) {
      const answer = priceRow(row, pricing);
      expect("reason" in answer && answer.reason.length > 0).toBe(true);
    }
  });

  it("of llmperf count answers with Llama 2's tokenizer, and two TGIs served them", () => {
    const set = (id: string) => {
      const row = byId(id);
      const architecture = findArchitecture(row.model);
      const found = architecture && setUpOf(row, architecture, DEFAULT_CONSTANTS);
      if (found === undefined || typeof found === "string") throw new Error(`no set-up of ${id}`);
      return found;
    };
    expect(set("v1076").recount).toBe(1.19);
    expect(set("v1142").recount).toBe(1);
    expect(set("v0563").recount).toBe(1); // guidellm
    expect(set("v1076").plan.stack.name).toBe("tgi");
    expect(set("v1142").plan.stack.name).toBe("tgi-1.4");
    expect(set("v1076").drawn).toBe(false);
    expect(set("v1142").drawn).toBe(true);
  });

  it("of TGI are of the version that their file's commit says", () => {
    const of = (blob: string, family = "llama"): StackSpec =>
      tgiOf({ ...byId("v1076"), source: `x git blob ${blob} y` }, family);
    expect(of("3b13086c").name).toBe("tgi-1.4");
    expect(of("ea63372f").kvSharding).toBe("even");
    expect(of("c7ea60d6").kvSharding).toBe("spread");
    expect(of("17cf6125", "qwen2").graphs).toBe("transformers-neuronx");
    expect(of("46cfd644").graphs).toBe("optimum");
    expect(of("ffffffff").name).toBe("tgi");
  });

  it("served: a step does not depend on who is live, first tokens queue", () => {
    const one = priceRow(byId("v1585"), { ...pricing, serve });
    const four = priceRow(byId("v1589"), { ...pricing, serve });
    const first = priceRow(byId("v1587"), { ...pricing, serve });
    if (!("predicted" in one && "predicted" in four && "predicted" in first))
      throw new Error("unpriced");
    expect(four.predicted / one.predicted).toBeCloseTo(1, 1);
    const alone = priceRow(byId("v1583"), { ...pricing, serve });
    if (!("predicted" in alone)) throw new Error("unpriced");
    expect(first.predicted).toBeGreaterThan(1.5 * alone.predicted);
  });

  it("served in one burst: every prompt but the first waits for those before it", () => {
    const alone = priceRow(byId("v0705"), { ...pricing, serve });
    const burst = priceRow(byId("v0700"), { ...pricing, serve });
    if (!("predicted" in alone && "predicted" in burst)) throw new Error("unpriced");
    // A sweep sends five times what one client got answered: some 20 a replica, all at once.
    expect(burst.predicted / alone.predicted).toBeGreaterThan(8);
  });

  it("a band holds four fifths of the rows of a further table, each table counting once", () => {
    const one = (table: string, sizes: readonly number[]) => sizes.map((size) => ({ table, size }));
    // Nine tables of one row and one of a hundred: (10 + 1) · 0.8 = 8.8 tables' worth.
    const many = one(
      "long",
      Array.from({ length: 100 }, () => 9),
    );
    const few = Array.from({ length: 9 }, (_, index) => one(`t${index}`, [index / 10])).flat();
    expect(halfWidthOf([...few, ...many])).toBeCloseTo(0.8);
    expect(halfWidthOf(one("alone", [0.1, 0.3]))).toBeCloseTo(0.3);
    const [low, high] = wilson(0.8, 10);
    expect(low).toBeCloseTo(0.541, 2);
    expect(high).toBeCloseTo(0.931, 2);
  });

  it("bootstrap is seeded and brackets the mean", () => {
    const values = [0.01, 0.02, 0.03, 0.1, 0.05];
    expect(bootstrap(values)).toEqual(bootstrap(values));
    const [low, high] = bootstrap(values);
    expect(low).toBeLessThan(0.042);
    expect(high).toBeGreaterThan(0.042);
  });
});

describe("the schedulers of served tables", () => {
  const view = { waiting: [1500, 1500, 1500], running: 8, steps: 3, joined: false };

  it("vLLM 0.10 puts prompts first, two of these in a budget of 4,096", () => {
    expect(promptsFirst(view)).toEqual({ joins: 2, steps: false });
    expect(promptsFirst({ ...view, waiting: [] })).toEqual({ joins: 0, steps: true });
  });

  it("vLLM 0.11 over optimum-neuron steps first, in the same turn", () => {
    expect(stepThenPrompts(view)).toEqual({ joins: 2, steps: true });
    expect(stepThenPrompts({ ...view, waiting: [2040, 2049] })).toEqual({ joins: 1, steps: true });
  });

  it("TGI's router waits for enough prompts, or for enough steps", () => {
    expect(routerPolicy(1.2, 4096)(view)).toEqual({ joins: 0, steps: true });
    expect(routerPolicy(0.3, Number.POSITIVE_INFINITY)(view)).toEqual({ joins: 3, steps: false });
    expect(routerPolicy(0.25, 4096)(view)).toEqual({ joins: 2, steps: false });
    expect(routerPolicy(1.2, 4096)({ ...view, steps: 20 })).toEqual({ joins: 2, steps: false });
    expect(routerPolicy(1.2, 4096)({ ...view, running: 0 })).toEqual({ joins: 2, steps: false });
    expect(routerPolicy(0, 4096)({ ...view, joined: true })).toEqual({ joins: 0, steps: true });
  });
});
