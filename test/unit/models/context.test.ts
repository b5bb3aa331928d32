import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ConfigReader } from "../../../models/config.ts";
import { readContext } from "../../../models/context.ts";
import { readRotary } from "../../../models/rope.ts";

interface Derived {
  readonly config: Readonly<Record<string, unknown>>;
  readonly length: number;
  readonly theta: number;
}

const DERIVED = JSON.parse(
  readFileSync(new URL("context-lengths.json", import.meta.url), "utf8"),
) as readonly Derived[]; // written by scripts/maintain/goldens/context_lengths.py

const reader = (config: Readonly<Record<string, unknown>>) =>
  new ConfigReader(config, "config.json");

describe("the context length and the rotary base are those vLLM derives", () => {
  for (const { config, length, theta } of DERIVED)
    it(JSON.stringify(config).slice(0, 120), () => {
      const { maxContext, usualContext } = readContext(reader(config));
      expect(usualContext ?? maxContext).toBe(length);
      expect(readRotary(reader(config), 64).theta).toBe(theta);
    });
});

describe("what may be asked for", () => {
  const yarn = (length: number, factor: number) => ({
    max_position_embeddings: length,
    rope_scaling: { type: "yarn", factor, original_max_position_embeddings: 32_768 },
  });

  it.each([
    [yarn(32_768, 4), 131_072],
    [yarn(40_960, 2.5), 81_920],
    [yarn(262_144, 4), 262_144],
    [{ rope_scaling: { type: "linear", factor: 3 }, n_positions: 1000 }, 3000],
    [{}, 2048],
  ])("%j: %i", (config, most) => {
    expect(readContext(reader(config)).maxContext).toBe(most);
  });
});

describe("sections by layer type", () => {
  const section = (theta: number) => ({ rope_type: "default", rope_theta: theta });

  it("are one where they agree", () => {
    const config = {
      rope_parameters: { full_attention: section(7), sliding_attention: section(7) },
    };
    expect(readRotary(reader(config), 64).theta).toBe(7);
  });

  it("are refused where they differ", () => {
    const config = {
      rope_parameters: { full_attention: section(7), sliding_attention: section(8) },
    };
    expect(() => readRotary(reader(config), 64)).toThrow(/"rope_parameters" must be the same/);
  });
});
