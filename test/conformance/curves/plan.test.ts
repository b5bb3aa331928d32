import { describe, expect, it } from "vitest";
import { findInstance } from "../../../device/trainium/instances.ts";
import { expectedLength, readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { loadModel } from "../../../models/load.ts";
import { assess } from "../../../scripts/commands/plan/assess.ts";
import { candidatesOf } from "../../../scripts/commands/plan/candidates.ts";
import { dollarsPerMillion, planColumns } from "../../../scripts/commands/plan/columns.ts";
import { commandLine } from "../../../scripts/commands/plan/command-line.ts";
import { rank } from "../../../scripts/commands/plan/cost.ts";
import { parsePlan } from "../../../scripts/commands/plan/flags.ts";
import { loadsOf } from "../../../scripts/commands/plan/loads.ts";
import { nodeWorkshop } from "../../../scripts/commands/plan/node-workshop.ts";
import { priceNotes } from "../../../scripts/commands/plan/notes.ts";
import { planCsv, plansJson, planTable } from "../../../scripts/commands/plan/print.ts";
import { searchPlans } from "../../../scripts/commands/plan/search.ts";
import { whyNot, whyNotLines } from "../../../scripts/commands/plan/why-not.ts";

const INSTANCE = findInstance("trn1.32xlarge");

const flags = (...more: string[]) =>
  parsePlan(
    [
      "meta-llama/Llama-3.2-1B-Instruct",
      ..."--instance trn2.3xlarge,trn1.2xlarge --tp 1,2 --formats stored --input-len 400 --output-len 40 --users 12 --tokens-per-user 100".split(
        " ",
      ),
      ...more,
    ],
    () => {},
  );

/** As CSV has a word; null is nothing. */
const quoted = (value: unknown): string =>
  /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? "");

describe("plan", () => {
  it("ranks by cost systems that keep the promise, and fewer instances break it", async () => {
    const options = flags("--price-per-hour", "trn2.3xlarge=3");
    const { goal, prices } = options;
    const shop = nodeWorkshop(await loadModel(options.model));
    const space = await candidatesOf({ ...options, seed: 0 }, shop, goal);
    const found = await searchPlans(space.candidates, shop, goal, { prices, seconds: 60 });
    const { plans } = found;
    expect(plans.length).toBeGreaterThan(1);
    expect(plans.every((plan) => plan.run.kept.ok)).toBe(true);
    const costs = plans.map((plan) => plan.dollarsPerHour ?? Number.NaN);
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
    for (const plan of plans) {
      expect(plan.replicas * plan.usersPerReplica).toBeGreaterThanOrEqual(goal.users);
      expect(dollarsPerMillion(plan)).toBeCloseTo(
        ((plan.dollarsPerHour ?? 0) / 3600 / plan.outputThroughput) * 1e6,
        9,
      );
    }
    const several = plans.find((plan) => plan.instances > 1);
    expect(several).toBeDefined();
    if (several === undefined) return;
    const fewer = loadsOf(several.candidate, goal.users).filter(
      ({ instances }) => instances < several.instances,
    );
    expect(fewer.length).toBeGreaterThan(0);
    for (const load of fewer) {
      expect((await found.planAt(several.candidate, load)).run.kept.ok).toBe(false);
    }
    expect(commandLine(several)).toContain(`--max-num-seqs ${several.usersPerReplica}`);
    // The data sheet alone is quicker than what was simulated, and its column stands beside it.
    const assessed = await assess(several, shop, goal);
    expect(assessed.floorTokensPerUser).toBeGreaterThan(several.run.kept.tokensPerUser);
    const row = { plan: several, place: 1, mostUsers: 2 * several.usersPerReplica, assessed };
    const kept = several.run.kept.tokensPerUser;
    const band = assessed.band;
    expect(band).toBeDefined();
    if (band === undefined) return;
    // One table of columns: what is printed, the CSV and the JSON say the same of the same plan.
    const [titles, cells] = planTable([row], goal).split("\n");
    expect(titles?.trim().split(/ {2,}/)).toEqual(
      planColumns(95).flatMap(({ title }) => title ?? []),
    );
    const shown = new Map(
      (titles?.trim().split(/ {2,}/) ?? []).map((title, at) => [
        title,
        cells?.trim().split(/ {2,}/)[at],
      ]),
    );
    expect(shown.get("floor")).toBe(assessed.floorTokensPerUser.toFixed(0));
    expect(shown.get("slow end")).toBe((kept / band.high).toFixed(0));
    expect(shown.get("fast end")).toBe((kept / band.low).toFixed(0));
    expect(shown.get("tier")).toBe(band.tier);
    expect(shown.get("headroom %")).toBe("100");
    const unpriced = planTable([{ ...row, plan: { ...several, dollarsPerHour: undefined } }], goal);
    expect(unpriced).toMatch(/ – +– +100$/);
    const [keys, line] = planCsv([row], goal).split("\n");
    const written = JSON.parse(JSON.stringify(plansJson([row], goal)));
    expect(written.plans[0].system).toEqual(several.candidate.spec);
    for (const [at, key] of (keys ?? "").split(",").entries()) {
      const value = written.plans[0][key];
      const text = line?.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)[at];
      expect(text).toBe(
        typeof value === "number" ? String(Number(value.toPrecision(8))) : quoted(value),
      );
    }
    const pace = written.columns.find(({ key }: { key: string }) => key === "tokensPerUser");
    expect(pace).toEqual({
      key: "tokensPerUser",
      title: "tok/s/user p95",
      unit: "tokens/s",
      better: "higher",
      formula: "1 ÷ p95 of TPOT",
    });
    expect(written.columns.map(({ key }: { key: string }) => key)).toEqual(keys?.split(","));
  });

  it("says which combinations cannot be built", async () => {
    const options = flags("--tp", "3,64");
    const shop = nodeWorkshop(await loadModel(options.model));
    const space = await candidatesOf({ ...options, seed: 0 }, shop, options.goal);
    expect(space.candidates).toEqual([]);
    expect(space.refused).toBe(4);
    expect(space.reasons.join("\n")).toContain("--tensor-parallel-size 3");
  });

  it("says by how much a promise is out of reach, and what could be promised", async () => {
    const options = flags("--instance", "trn2.3xlarge", "--tp", "1", "--tokens-per-user", "5000");
    const { goal, prices } = options;
    const shop = nodeWorkshop(await loadModel(options.model));
    const space = await candidatesOf({ ...options, seed: 0 }, shop, goal);
    const found = await searchPlans(space.candidates, shop, goal, { prices, seconds: 60 });
    expect(found.plans).toEqual([]);
    const said = whyNotLines(await whyNot({ space, found, shop, options })).join("\n");
    const most = Number(/--tokens-per-user (\d+)/.exec(said)?.[1]);
    const kept = found.failures[0]?.run.kept;
    expect(most).toBe(Math.floor(kept?.tokensPerUser ?? 0));
    expect(said).not.toContain("--ttft");
    const slower = flags("--instance", "trn2.3xlarge", "--tp", "1", "--tokens-per-user", `${most}`);
    const again = await searchPlans(space.candidates, shop, slower.goal, { prices, seconds: 60 });
    expect(again.plans.length).toBe(1);
  });

  it("names instances that the model fits when those asked for are too small", async () => {
    const options = parsePlan(
      "meta-llama/Llama-3.1-8B-Instruct --instance inf2.xlarge --tp 1 --formats stored --users 1".split(
        " ",
      ),
      () => {},
    );
    const shop = nodeWorkshop(await loadModel(options.model));
    const space = await candidatesOf({ ...options, seed: 0 }, shop, options.goal);
    const found = await searchPlans([], shop, options.goal, { prices: new Map(), seconds: 60 });
    const said = whyNotLines(await whyNot({ space, found, shop, options })).join("\n");
    expect(said).toContain("does not fit");
    expect(said).toContain("trn1.32xlarge");
  });

  it("says what an instance without a price may cost", async () => {
    const options = flags();
    const { goal, prices } = options;
    const shop = nodeWorkshop(await loadModel(options.model));
    const space = await candidatesOf({ ...options, seed: 0 }, shop, goal);
    const { plans } = await searchPlans(space.candidates, shop, goal, { prices, seconds: 60 });
    const priced = plans.find((plan) => plan.dollarsPerHour !== undefined);
    const unpriced = plans.find((plan) => plan.dollarsPerHour === undefined);
    const most = (priced?.dollarsPerHour ?? 0) / (unpriced?.instances ?? 1);
    // Two chips against three: first, though nobody knows their price.
    expect(plans[0]).toBe(unpriced);
    const said = (ranked: typeof plans) => priceNotes(ranked, prices, options.instances).join("\n");
    expect(said(plans)).toContain(`costs more than $${most.toFixed(2)}`);
    expect(said([priced, unpriced].flatMap((plan) => plan ?? []))).toContain("costs less than $");
  });

  it("takes listed prices, and those given over them", () => {
    expect(flags().prices.get("trn1.2xlarge")).toBeCloseTo(1.34375, 9);
    expect(flags().prices.has("trn2.3xlarge")).toBe(false);
    expect(flags("--price-per-hour", "trn1.2xlarge=2").prices.get("trn1.2xlarge")).toBe(2);
    expect(() => flags("--price-per-hour", "nowhere=2")).toThrow("NAME=DOLLARS");
    expect(() => flags("--users", "none")).toThrow("--users");
    expect(() => flags("--users", "1000001")).toThrow(
      "--users takes whole numbers from 1 to 1,000,000",
    );
    expect(() => flags("--instance", "nowhere")).toThrow("trn2.48xlarge");
  });

  it("never calls more machines the better choice because the better ones have no price", () => {
    const plan = (name: string, chips: number, instances: number, dollarsPerHour?: number) => ({
      name,
      chips,
      instances,
      dollarsPerHour,
      outputThroughput: 1,
    });
    const names = (...plans: ReturnType<typeof plan>[]) => rank(plans).map(({ name }) => name);
    // Seventeen machines at a known price against one whose price is not known.
    expect(names(plan("many", 272, 17, 365), plan("one", 16, 1))).toEqual(["one", "many"]);
    // As many chips, or more machines: the known price stays first.
    expect(names(plan("priced", 16, 1, 21), plan("same", 16, 1))).toEqual(["priced", "same"]);
    expect(names(plan("one", 16, 1, 21), plan("three", 3, 3))).toEqual(["one", "three"]);
    // Each kind keeps its own order.
    const mixed = names(
      plan("c", 4, 4, 9),
      plan("a", 8, 8, 3),
      plan("y", 6, 6),
      plan("x", 2, 2),
      plan("b", 1, 1, 5),
    );
    expect(mixed.filter((name) => "abc".includes(name))).toEqual(["a", "b", "c"]);
    expect(mixed.filter((name) => "xy".includes(name))).toEqual(["x", "y"]);
  });

  it("expects of drafts what they are said to hold", () => {
    const length = (keys: Record<string, unknown>) =>
      expectedLength(readSpeculativeConfig({ num_speculative_tokens: 3, ...keys }));
    expect(length({ method: "eagle3", acceptance_length: 2.6 })).toBeCloseTo(2.6, 6);
    expect(length({ method: "mtp", acceptance_rate: [0.5, 0.5, 0.5] })).toBe(1.875);
    expect(length({ method: "ngram" })).toBe(1);
    expect(() => flags("--speculative-config", '{"method":"eagle9"}')).toThrow("eagle9");
  });

  it("has as many loads as there are numbers of users a replica", () => {
    const loads = loadsOf({ chips: 4, instance: { ...INSTANCE, chips: 16 } }, 10);
    expect(loads.map(({ instances, usersPerReplica }) => [instances, usersPerReplica])).toEqual([
      [1, 3],
      [2, 2],
      [3, 1],
    ]);
    // Without a step for each instance that changes nothing.
    const many = loadsOf({ chips: 4, instance: { ...INSTANCE, chips: 16 } }, 10 ** 10);
    expect(many.length).toBeLessThan(10 ** 6);
    expect(many.at(-1)).toMatchObject({ usersPerReplica: 1, instances: 10 ** 10 / 4 });
    expect(loadsOf({ chips: 17, instance: { ...INSTANCE, chips: 16 } }, 10)).toEqual([]);
  });
});
