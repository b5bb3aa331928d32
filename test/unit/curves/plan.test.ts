import { describe, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { candidatesOf } from "../../../scripts/commands/plan/candidates.ts";
import { parsePlan } from "../../../scripts/commands/plan/flags.ts";
import { priceNotes } from "../../../scripts/commands/plan/notes.ts";
import { commandLine, dollarsPerMillion, planTable } from "../../../scripts/commands/plan/print.ts";
import { planAt, searchPlans } from "../../../scripts/commands/plan/search.ts";
import { whyNot } from "../../../scripts/commands/plan/why-not.ts";

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

describe("plan", () => {
  it("ranks by cost systems that keep the promise, and fewer instances break it", async () => {
    const options = flags("--price-per-hour", "trn2.3xlarge=3");
    const { goal, prices } = options;
    const model = await loadModel(options.model);
    const space = await candidatesOf({ ...options, seed: 0 }, model, goal);
    const { plans } = await searchPlans(space.candidates, model, goal, { prices, seconds: 60 });
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
    const fewer = await planAt(several.candidate, model, goal, {
      prices,
      instances: several.instances - 1,
      mostUsers: 0,
    });
    expect(fewer.run.kept.ok).toBe(false);
    expect(commandLine(several)).toContain(`--max-num-seqs ${several.usersPerReplica}`);
    expect(planTable([{ plan: several }], goal)).toContain(several.candidate.spec.instance);
  });

  it("says which combinations cannot be built", async () => {
    const options = flags("--tp", "3,64");
    const model = await loadModel(options.model);
    const space = await candidatesOf({ ...options, seed: 0 }, model, options.goal);
    expect(space.candidates).toEqual([]);
    expect(space.refused).toBe(4);
    expect(space.reasons.join("\n")).toContain("--tensor-parallel-size 3");
  });

  it("says by how much a promise is out of reach, and what could be promised", async () => {
    const options = flags("--instance", "trn2.3xlarge", "--tp", "1", "--tokens-per-user", "5000");
    const { goal, prices } = options;
    const model = await loadModel(options.model);
    const space = await candidatesOf({ ...options, seed: 0 }, model, goal);
    const found = await searchPlans(space.candidates, model, goal, { prices, seconds: 60 });
    expect(found.plans).toEqual([]);
    const said = (await whyNot({ space, found, model, options })).join("\n");
    const most = Number(/--tokens-per-user (\d+)/.exec(said)?.[1]);
    const kept = found.failures[0]?.run.kept;
    expect(most).toBe(Math.floor(kept?.tokensPerUser ?? 0));
    expect(said).not.toContain("--ttft");
    const slower = flags("--instance", "trn2.3xlarge", "--tp", "1", "--tokens-per-user", `${most}`);
    const again = await searchPlans(space.candidates, model, slower.goal, { prices, seconds: 60 });
    expect(again.plans.length).toBe(1);
  });

  it("names instances that the model fits when those asked for are too small", async () => {
    const options = parsePlan(
      "meta-llama/Llama-3.1-8B-Instruct --instance inf2.xlarge --tp 1 --formats stored --users 1".split(
        " ",
      ),
      () => {},
    );
    const model = await loadModel(options.model);
    const space = await candidatesOf({ ...options, seed: 0 }, model, options.goal);
    const found = { plans: [], failures: [], searched: 0, unsearched: 0 };
    const said = (await whyNot({ space, found, model, options })).join("\n");
    expect(said).toContain("does not fit");
    expect(said).toContain("trn1.32xlarge");
  });

  it("says what an instance without a price may cost", async () => {
    const options = flags();
    const { goal, prices } = options;
    const model = await loadModel(options.model);
    const space = await candidatesOf({ ...options, seed: 0 }, model, goal);
    const { plans } = await searchPlans(space.candidates, model, goal, { prices, seconds: 60 });
    const unpriced = plans.find((plan) => plan.dollarsPerHour === undefined);
    const most = (plans[0]?.dollarsPerHour ?? 0) / (unpriced?.instances ?? 1);
    expect(priceNotes(plans, prices, options.instances).join("\n")).toContain(
      `less than $${most.toFixed(2)}`,
    );
  });

  it("takes listed prices, and those given over them", () => {
    expect(flags().prices.get("trn1.2xlarge")).toBeCloseTo(1.34375, 9);
    expect(flags().prices.has("trn2.3xlarge")).toBe(false);
    expect(flags("--price-per-hour", "trn1.2xlarge=2").prices.get("trn1.2xlarge")).toBe(2);
    expect(() => flags("--price-per-hour", "nowhere=2")).toThrow("NAME=DOLLARS");
    expect(() => flags("--users", "none")).toThrow("--users");
    expect(() => flags("--instance", "nowhere")).toThrow("trn2.48xlarge");
  });
});
