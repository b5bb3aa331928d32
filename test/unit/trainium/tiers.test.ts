import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bandOf, HALF_WIDTHS, UNKNOWN_HALF_WIDTH } from "../../../device/trainium/price/bands.ts";
import type { Covered } from "../../../device/trainium/price/covered.ts";
import { describePlan, pathOf, tierOf } from "../../../device/trainium/price/tier.ts";
import { trustOf } from "../../../device/trainium/price/trust.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { trustText } from "../../../device/trust.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { constantsHash } from "../../../scripts/commands/validate/json.ts";
import {
  bandsMarkdown,
  errorsMarkdown,
  readLeftOut,
} from "../../../scripts/commands/validate/left-out-report.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const planOf = (id: string, ranks: number, own = {}) =>
  planFor({
    model: catalogueModel(id),
    tensorParallel: ranks,
    own,
    maxRows: 8,
    maxContext: 4096,
  });
const dense = planOf("Qwen/Qwen3-8B", 4);
const known = (change: Partial<Covered> = {}): Covered => ({
  table: "a table",
  kind: "dense decode",
  ...describePlan(dense),
  ...change,
});

describe("tiers", () => {
  it("calibrated: the same stack, core, path and format, about the same ranks, rows and context", () => {
    expect(tierOf(dense, "dense decode", [known()])).toBe("calibrated");
    expect(tierOf(dense, "dense decode", [known({ ranks: 8, rows: 2 })])).toBe("calibrated");
    expect(tierOf(dense, "dense decode", [known({ rows: 1 })])).toBe("related");
    expect(tierOf(dense, "dense decode", [known({ context: 512 })])).toBe("related");
    expect(tierOf(dense, "dense decode", [known({ ranks: 16 })])).toBe("related");
    expect(tierOf(dense, "dense decode", [known({ stack: "another" })])).toBe("related");
  });

  it("unknown: another path, another kind, far ranks, a chip without figures, nothing at all", () => {
    expect(tierOf(dense, "dense decode", [])).toBe("unknown");
    expect(tierOf(dense, "prefill", [known()])).toBe("unknown");
    expect(tierOf(dense, "dense decode", [known({ path: "many experts" })])).toBe("unknown");
    expect(tierOf(dense, "dense decode", [known({ ranks: 64 })])).toBe("unknown");
    const three = planOf("Qwen/Qwen3-8B", 4, { instance: "trn3-gen2-ultraserver" });
    expect(tierOf(three, "dense decode", [known({ core: "v4" })])).toBe("unknown");
    expect(bandOf(1e6, "dense decode", three).extrapolated).toBe(true);
  });

  it("are told with what is extrapolated: constants of another core, or figures of a what-if", () => {
    expect(trustOf(dense).extrapolated).toBeUndefined();
    expect(trustText(trustOf(dense))).toMatch(
      /^decode \w+ ×÷ \d\.\d\d, prompts \w+ ×÷ \d\.\d\d, serving \w+ ×÷ \d\.\d\d$/,
    );
    const three = trustOf(planOf("Qwen/Qwen3-8B", 4, { instance: "trn3-gen2-ultraserver" }));
    expect(three.decode.tier).toBe("unknown");
    expect(three.extrapolated).toMatch(
      /^constants of Trainium3: .*hbm\.weights as v3.*region v3 × 0\.80/,
    );
    const wider = trustOf(planOf("Qwen/Qwen3-8B", 4, { set: "hbm.bandwidth=2x" }));
    expect(wider.extrapolated).toBe("what if hbm.bandwidth=2x");
    expect(wider.decode.factor).toBeGreaterThan(trustOf(dense).decode.factor);
  });

  it("paths tell latent attention and spread experts apart", () => {
    const trn2 = { instance: "trn2.48xlarge" };
    expect(pathOf(planOf("deepseek-ai/DeepSeek-V3", 64, trn2))).toBe("many experts latent");
    const spread = { ...trn2, "enable-expert-parallel": true };
    expect(pathOf(planOf("XiaomiMiMo/MiMo-V2.5", 64, spread))).toBe("expert-parallel");
    expect(pathOf(planOf("mistralai/Mixtral-8x7B-Instruct-v0.1", 4))).toBe("few experts");
  });
});

describe("what is kept of leaving out", () => {
  const kept = readLeftOut();

  it("belongs to these constants: run `trainyard validate --left-out --save` after a change", () => {
    expect(kept?.constants).toBe(constantsHash());
  });

  it.each([
    ["dense decode", 0.08],
    ["MoE decode", 0.33],
    ["prefill", 0.25],
    ["serving", 0.18],
    ["  first tokens", 0.35],
  ])("%s is at most so far off on tables left out: %d", (group, most) => {
    const its = kept?.groups.find((one) => one.group === group);
    expect(its?.withoutTable).toBeLessThanOrEqual(most);
    expect(its?.tables).toBeGreaterThanOrEqual(9);
  });

  it("is what the READMEs quote, never the calibration's errors alone", () => {
    const read = (...path: string[]): string => readFileSync(projectPath(...path), "utf8");
    if (kept === undefined) throw new Error("nothing kept");
    expect(read("README.md")).toContain(errorsMarkdown(kept));
    expect(read("device", "trainium", "README.md")).toContain(bandsMarkdown(kept));
  });

  it("holds the bands that the simulator tells", () => {
    const shared = kept?.bands.find((its) => its.kind === "shared");
    expect(UNKNOWN_HALF_WIDTH).toBeCloseTo(shared?.half ?? 0, 3);
    for (const [kind, tiers] of Object.entries(HALF_WIDTHS)) {
      for (const [tier, half] of Object.entries(tiers)) {
        const own = kept?.bands.find((its) => its.kind === kind && its.tier === tier);
        expect(half, `${kind} ${tier}`).toBeCloseTo(own?.half ?? UNKNOWN_HALF_WIDTH, 3);
      }
    }
  });

  it("has every tier's nominal share within the interval that its tables allow", () => {
    for (const { kind, tier, low, high } of kept?.bands ?? []) {
      expect(low, `${kind} ${tier}`).toBeLessThan(0.8);
      expect(high, `${kind} ${tier}`).toBeGreaterThan(0.8);
    }
  });
});
