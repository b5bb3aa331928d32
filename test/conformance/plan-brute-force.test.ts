/**
 * `plan` against every system and every number of instances, on small spaces drawn
 * at random: what it ranks first is never dearer than the cheapest there is.
 * PLAN_SPACES=200 draws as many; PLAN_SEED another series.
 */
import { describe, expect, it } from "vitest";
import { loadModel } from "../../models/load.ts";
import { candidatesOf } from "../../scripts/commands/plan/candidates.ts";
import { nodeWorkshop } from "../../scripts/commands/plan/node-workshop.ts";
import { searchPlans } from "../../scripts/commands/plan/search.ts";
import { Random } from "../../scripts/workload/random.ts";
import { bruteForce, type SmallSpace } from "../support/plan-oracle.ts";

const SPACES = Number(process.env["PLAN_SPACES"] ?? 5);
const SEED = Number(process.env["PLAN_SEED"] ?? 1);

const MODELS = ["meta-llama/Llama-3.2-1B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"];
const INSTANCES = [
  "inf2.xlarge",
  "inf2.24xlarge",
  "trn1.2xlarge",
  "trn1.32xlarge",
  "trn2.3xlarge",
  "trn2.48xlarge",
];
const DRAFTS = '{"method":"eagle3","num_speculative_tokens":3,"acceptance_length":2.6}';

function draw(random: Random): SmallSpace {
  const some = <T>(all: readonly T[], most: number): T[] => {
    const left = [...all];
    const count = random.integer(1, most);
    return Array.from({ length: count }, () =>
      left.splice(random.integer(0, left.length - 1), 1),
    ).flat();
  };
  const between = (low: number, high: number): number =>
    low * (high / low) ** (random.integer(0, 1000) / 1000);
  const instances = some(INSTANCES, 3);
  const prices = new Map(
    instances
      .filter(() => random.integer(0, 4) > 0)
      .map((name) => [name, Math.round(100 * between(0.5, 30)) / 100] as const),
  );
  return {
    model: MODELS[random.integer(0, 1)] ?? "",
    instances,
    tensorParallel: some([1, 2, 4, 8, 16], 3),
    formats: some(["stored", "fp8"], 2),
    speculative: random.integer(0, 2) === 0 ? [undefined, DRAFTS] : [undefined],
    prices,
    goal: {
      users: random.integer(1, 14),
      workload: {
        inputLen: Math.round(between(40, 1500)),
        outputLen: Math.round(between(10, 120)),
        spread: random.integer(0, 4) / 10,
      },
      slo: {
        ttft: between(0.02, 2),
        tokensPerUser: between(15, 400),
        percentile: [50, 90, 95, 99][random.integer(0, 3)] ?? 95,
      },
      seed: random.integer(0, 1000),
    },
    otherSeeds: [4001, 4002],
  };
}

describe("plan against brute force", () => {
  const random = new Random(SEED);
  const found = { kept: 0, nothing: 0 };
  for (let index = 1; index <= SPACES; index++) {
    const space = draw(random);
    const { goal, prices, otherSeeds } = space;
    it(`space ${index}: ${space.instances.join("+")} TP ${space.tensorParallel.join("+")}, ${goal.users} users`, async () => {
      const model = await loadModel(space.model);
      const options = { ...space, kernels: [""], own: {}, seed: goal.seed };
      const { candidates } = await candidatesOf(options, nodeWorkshop(model), goal);
      const { plans } = await searchPlans(candidates, nodeWorkshop(model), goal, {
        prices,
        seconds: 600,
        otherSeeds,
      });
      const cheapest = await bruteForce(space, model);
      const priced = plans.find(({ dollarsPerHour }) => dollarsPerHour !== undefined);
      const unpriced = plans.find(({ dollarsPerHour }) => dollarsPerHour === undefined);
      expect(priced?.dollarsPerHour ?? Number.POSITIVE_INFINITY).toBeCloseTo(cheapest.dollars, 9);
      expect(unpriced?.chips ?? Number.POSITIVE_INFINITY).toBe(cheapest.chips);
      found[plans.length > 0 ? "kept" : "nothing"]++;
    });
  }

  it("has seen promises that can be kept", () => {
    expect(found.kept).toBeGreaterThan(0);
  });
});
