/** What a plan says beside its figures: the command that serves it, what is next cheaper, the slow end, why there is none. */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { findInstance } from "../../../device/trainium/instances.ts";
import type { Candidate, Space } from "../../../scripts/commands/plan/candidates.ts";
import { commandLine, systemText } from "../../../scripts/commands/plan/command-line.ts";
import { nodeWorkshop } from "../../../scripts/commands/plan/node-workshop.ts";
import {
  nextCheaper,
  priceNotes,
  searchNotes,
  slowEnd,
} from "../../../scripts/commands/plan/notes.ts";
import type { PlanOptions } from "../../../scripts/commands/plan/options.ts";
import type {
  PlanGoal,
  SearchOutcome,
  ServingPlan,
} from "../../../scripts/commands/plan/search.ts";
import type { Kept } from "../../../scripts/commands/plan/slo.ts";
import { whyNot } from "../../../scripts/commands/plan/why-not.ts";
import type { SystemSpec } from "../../../scripts/virtual/build.ts";
import { factsOf } from "../../../scripts/virtual/facts.ts";
import { parseSettings } from "../../../server/config.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const SPEC: SystemSpec = {
  ...{ model: "Qwen/Qwen3-0.6B", device: "trainium", instance: "trn2.3xlarge", tensorParallel: 4 },
  ...{ dataParallel: 1, expertParallel: false, kernels: "", own: {}, maxNumSeqs: 4 },
  ...{ maxModelLen: 512, prefixCaching: false, seed: 0 },
};
const GOAL: PlanGoal = {
  users: 8,
  workload: { inputLen: 100, outputLen: 20, spread: 0 },
  slo: { ttft: 1, tokensPerUser: 50, percentile: 95 },
  seed: 0,
};

function candidate(spec: Partial<SystemSpec>, chips = 1): Candidate {
  const its = { ...SPEC, ...spec };
  const instance = findInstance(its.instance ?? "");
  return { spec: its, instance, chips, format: "bf16", estimate: 4, capacity: 100 };
}

function plan(
  its: Candidate,
  more: Partial<ServingPlan> = {},
  kept: Partial<Kept> = {},
): ServingPlan {
  return {
    ...{ candidate: its, instances: 1, replicas: 1, usersPerReplica: 8, chips: 1 },
    ...{ dollarsPerHour: undefined, outputThroughput: 400 },
    run: {
      outputThroughput: 400,
      kept: { ok: true, ttft: 0.1, tokensPerUser: 60, broken: [], ...kept },
    },
    ...more,
  } as ServingPlan; // of a run only what was kept is read here
}

/** The words of a command line, quotes taken off. */
const words = (line: string): readonly string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");

describe("the command of a plan", () => {
  it("is one that serve takes, with all that the system was built of", () => {
    const drafts = '{"method":"ngram","num_speculative_tokens":3}';
    const its = candidate(
      {
        ...{ model: "openai/gpt-oss-120b", instance: "trn2.48xlarge", tensorParallel: 16 },
        ...{ expertParallel: true, kernels: "nki", quantization: "fp8", speculative: drafts },
        ...{ maxNumBatchedTokens: 256, own: { "logical-nc-config": 2 } },
      },
      4,
    );
    const made = plan(its, { replicas: 6, instances: 2, usersPerReplica: 3, dollarsPerHour: 90 });
    const [, command, ...argv] = words(commandLine(made));
    expect(command).toBe("serve");
    const { settings } = parseSettings(argv, {});
    expect(settings).toMatchObject({
      ...{ model: its.spec.model, device: "trainium", instance: "trn2.48xlarge" },
      ...{ "tensor-parallel-size": 16, "enable-expert-parallel": true, "neuron-kernels": "nki" },
      ...{ quantization: "fp8", "max-num-seqs": 3, "max-model-len": 512 },
      ...{ "max-num-batched-tokens": 256, "logical-nc-config": 2, "price-per-hour": 45 },
      // Sixteen chips hold four replicas of four.
      "data-parallel-size": 4,
    });
    expect(JSON.stringify(settings["speculative-config"])).toContain("ngram");
    expect(systemText(made)).toBe("trn2.48xlarge TP 16 EP nki ngram 3");
  });

  it("is read back by a shell, whatever the values hold", () => {
    const own = { hardware: "it's $HOME/a b.json" };
    const line = commandLine(plan(candidate({ model: "/models/my model", own })));
    const read = execFileSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" });
    expect(read.split("\n")).toContain("it's $HOME/a b.json");
    expect(read.split("\n")).toContain("/models/my model");
  });

  it("of a plain system says no more than that", () => {
    const made = plan(candidate({}));
    expect(commandLine(made)).toBe(
      "trainyard serve Qwen/Qwen3-0.6B --device trainium --instance trn2.3xlarge --tensor-parallel-size 4 --max-num-seqs 8 --max-model-len 512",
    );
    expect(systemText(made)).toBe("trn2.3xlarge TP 4");
    expect(systemText(plan(candidate({ speculative: "{}" })))).toBe(
      "trn2.3xlarge TP 4 speculation",
    );
  });
});

describe("what is next cheaper", () => {
  const [near, far] = [
    candidate({ instance: "trn1.2xlarge" }),
    candidate({ instance: "inf2.xlarge" }),
  ];
  const prices = new Map([
    ["trn1.2xlarge", 2],
    ["inf2.xlarge", 2],
    ["trn2.3xlarge", 9],
  ]);
  const at = (its: Candidate, kept: Partial<Kept>): ServingPlan =>
    plan(its, { dollarsPerHour: prices.get(its.instance.name), chips: its.chips }, kept);
  const said = (first: ServingPlan, runs: ReadonlyMap<Candidate, Partial<Kept>>, priced = prices) =>
    nextCheaper(first, {
      ...{ candidates: [...runs.keys()], goal: { ...GOAL, users: 1 }, prices: priced },
      found: {
        planAt: async (its: Candidate) => ({
          ...at(its, runs.get(its) ?? {}),
          dollarsPerHour: priced.get(its.instance.name),
        }),
      } as unknown as SearchOutcome, // nothing else is asked of it
    });

  it("of equal cost is the one nearest to the promise, with what it breaks", async () => {
    const runs = new Map([
      [far, { ok: false, tokensPerUser: 10, broken: ["p95 10.0 tokens/s/user"] }],
      [near, { ok: false, tokensPerUser: 40, broken: ["p95 40.0 tokens/s/user"] }],
    ]);
    expect(await said(at(candidate({}), {}), runs)).toBe(
      "Next cheaper: 1 × trn1.2xlarge TP 4 bf16 ($2.00/h) breaks it: p95 40.0 tokens/s/user.",
    );
  });

  it("may keep the promise for this seed alone, and may be told in chips", async () => {
    expect(await said(at(candidate({}), {}), new Map([[near, {}]]))).toContain(
      "($2.00/h) keeps it for this seed, not for the others.",
    );
    const large = plan(candidate({ instance: "trn2.48xlarge" }), { chips: 16 });
    const unpriced = new Map([[candidate({}), { ok: false, broken: ["TTFT p95 3.00 s"] }]]);
    expect(await said(large, unpriced, new Map())).toContain(
      "(1 chips) breaks it: TTFT p95 3.00 s.",
    );
  });

  it("is nothing where nothing costs less, or where prices cannot be compared", async () => {
    const nothing = "Nothing cheaper can be built from these systems.";
    expect(await said(at(near, {}), new Map([[candidate({}), {}]]))).toBe(nothing);
    expect(await said(plan(candidate({}), { chips: 9 }), new Map([[near, {}]]))).toBe(nothing);
  });
});

describe("the slow end of the band", () => {
  const shop = nodeWorkshop(catalogueModel("Qwen/Qwen3-0.6B"));
  const its = candidate({});

  it("is where the promise must hold too: the first row that keeps it there is named", async () => {
    const system = await shop.build(its.spec);
    const high = factsOf(system).band?.high ?? Number.NaN;
    await system.close();
    expect(high).toBeGreaterThan(1);
    const row = (kept: Partial<Kept>): ServingPlan => plan(its, {}, { ttft: 0.01, ...kept });
    const safe = row({ tokensPerUser: 50 * high * 1.01 });
    const close = row({ tokensPerUser: 50 * high * 0.99 });
    const late = row({ tokensPerUser: 1e6, ttft: 1.01 / high });
    expect(await slowEnd([safe, close], shop, GOAL)).toBe(
      "It keeps it at the slow end of its 80 % band too.",
    );
    expect(await slowEnd([close, late, safe], shop, GOAL)).toBe(
      "At the slow end of its 80 % band it does not: the first that then does is 3, 1 × trn2.3xlarge TP 4 bf16.",
    );
    expect(await slowEnd([close, late], shop, GOAL)).toContain("neither it nor any other");
  });
});

describe("what was looked at", () => {
  const space = (count: number, refused = 0): Space => ({
    candidates: Array.from({ length: count }, () => candidate({})),
    ...{ refused, reasons: [] },
  });
  const outcome = (its: Partial<SearchOutcome>): SearchOutcome => ({
    ...{ plans: [], failures: [], unsteady: [], searched: 0, unsearched: 0, dearer: 0 },
    planAt: () => Promise.reject(new Error("not asked")),
    ...its,
  });

  it("is counted whole, and nothing is left out in silence", () => {
    expect(searchNotes(space(5, 2), outcome({ searched: 5 }))).toEqual([
      "5 systems considered (2 combinations cannot be built), 5 simulated.",
    ]);
    expect(searchNotes(space(9), outcome({ searched: 2, unsearched: 3, dearer: 1 }))).toEqual([
      "Not proven the cheapest: --seconds left out 3 systems that may cost less. Give more.",
      "9 systems considered (0 combinations cannot be built, 3 need more chips than their instance has), 2 simulated; 1 cannot be cheaper and were left out by --seconds.",
    ]);
  });

  it("with every price known nothing is said of prices, with one unknown it is named", () => {
    expect(priceNotes([], new Map([["trn2.3xlarge", 1]]), ["trn2.3xlarge"])).toEqual([]);
    const [line, ...rest] = priceNotes([plan(candidate({}))], new Map(), ["trn2.3xlarge"]);
    expect(line).toBe("No price is listed for trn2.3xlarge: give --price-per-hour NAME=DOLLARS.");
    expect(rest).toEqual([]); // nothing priced to compare it with
  });

  it("where no plan is found: for some seeds only, not searched, or too large", async () => {
    const shop = nodeWorkshop(catalogueModel("Qwen/Qwen3-0.6B"));
    const options = { goal: GOAL, speculative: [undefined] } as unknown as PlanOptions; // no more is read
    const says = async (found: Partial<SearchOutcome>) =>
      whyNot({ space: space(1), found: outcome(found), shop, options });
    expect((await says({ unsteady: [{ plan: plan(candidate({})), why: "x" }] })).says).toEqual([
      "No system keeps this promise for every seed tried.",
    ]);
    expect((await says({ unsearched: 1 })).says[0]).toContain("give more --seconds");
    expect((await says({})).says[0]).toContain("No instance holds a replica");
    const failure = (kept: Partial<Kept>, spec: Partial<SystemSpec> = {}) => {
      const { candidate: its, run } = plan(candidate(spec), {}, { ok: false, ...kept });
      return { candidate: its, run };
    };
    const apart = await says({
      failures: [
        failure({ tokensPerUser: 60, ttft: 2 }),
        failure({ tokensPerUser: 20, ttft: 0.5 }),
      ],
    });
    expect(apart.helps).toEqual([
      "Each promise alone is kept by some system, both together by none.",
    ]);
    const slow = await says({
      failures: [failure({ tokensPerUser: 40, ttft: 0.5 }, { expertParallel: true })],
    });
    expect(slow.nearest?.rows[0]?.[0]).toBe("trn2.3xlarge TP 4 EP");
    expect(slow.helps[0]).toContain("falls 20 % short of 50 tokens/s/user");
    expect(slow.helps[0]).toContain("--tokens-per-user 40");
    expect(slow.helps[1]).toContain("Not tried: speculation");
    const late = await says({ failures: [failure({ tokensPerUser: 60, ttft: 3 })] });
    expect(late.helps[0]).toContain("after 3.0 times 1 s: no less than --ttft 3 can be promised");
  });
});
