import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startOf } from "../../../device/trainium/compile.ts";
import {
  CONSTANTS,
  constant,
  constantsTable,
  DEFAULT_CONSTANTS,
} from "../../../device/trainium/constants.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { STACKS } from "../../../device/trainium/stacks/registry.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { planStartUp } from "../../../server/world/start-up.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const plan = planFor({
  model: catalogueModel("Qwen/Qwen3-8B"),
  tensorParallel: 4,
  own: {},
  maxRows: 4,
  maxContext: 4096,
});

describe("constants", () => {
  it("the README prints the table that the code uses", () => {
    const readme = readFileSync(projectPath("device", "trainium", "README.md"), "utf8");
    expect(readme).toContain(constantsTable());
  });

  it("every stack has its own, and so have its graphs; none stands twice", () => {
    const keys = CONSTANTS.map(({ key }) => key);
    const known = (key: string) => constant(DEFAULT_CONSTANTS, `stack.${key}`); // throws
    for (const { name, graphs } of STACKS) {
      for (const what of ["step", "row", "prompt"]) known(`${what}.${name}`);
      for (const what of ["regions", "width", "plain", "spill"]) known(`${what}.${graphs}`);
    }
    expect(() => known("step.nobody")).toThrow("stack.step.nobody");
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("fitted values lie within three spreads of their priors, and no key names a model", () => {
    for (const { key, value, prior, fitted } of CONSTANTS) {
      expect(key).not.toMatch(/llama|mistral|qwen|gpt|sarvam|mimo|mixtral/i);
      expect(value, key).toBeGreaterThanOrEqual(0);
      if (fitted) expect(prior, key).toBeDefined();
      if (prior !== undefined)
        expect(Math.abs(Math.log(value / prior.value)), key).toBeLessThan(3 * prior.spread);
    }
  });
});

describe("start-up", () => {
  it("compiles one graph a bucket, once", () => {
    const cold = planStartUp(startOf(plan), () => false);
    expect(cold.neffs.map((neff) => neff.name)).toContain("decode_4x4096");
    expect(cold.neffs.length).toBe(6 + 3 * 3);
    expect(cold.compileSeconds).toBeGreaterThan(60);
    const kept = new Set(cold.neffs.map(({ key }) => key));
    const again = (tensorParallel: number) =>
      planStartUp(startOf({ ...plan, tensorParallel }), (key) => kept.has(key));
    const warm = again(plan.tensorParallel);
    expect(warm.compileSeconds).toBe(0);
    expect(warm.loadSeconds).toBe(cold.loadSeconds);
    expect(again(2).compileSeconds).toBeGreaterThan(60);
  });
});
