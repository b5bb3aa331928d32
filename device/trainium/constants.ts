/**
 * Every number that is not printed on a data sheet: fitted to the calibration
 * rows (scripts/commands/validate/fit.ts) or taken from a page. Each belongs to a core, a
 * kernel, a collective, the runtime or a stack, never to a model. README.md
 * prints this table. Keys end in the core (`v2`, `v3`, `v4`) they belong to.
 */

import { type Constant, fitted, given, V2, V3 } from "./constant.ts";
import { SAME, STACK_CONSTANTS } from "./stacks/constants.ts";

export const CONSTANTS: readonly Constant[] = Object.freeze([
  // Memory
  fitted("hbm.weights.v2", 0.964, [0.964, 0.7], "of the DMA ceiling", "chip", V2),
  fitted("hbm.weights.v3", 0.923, [0.923, 0.7], "of the DMA ceiling", "chip", V3),
  fitted("hbm.kv.v2", 1, [1, 0.7], "of the DMA ceiling", "kernel", V2),
  fitted("hbm.kv.v3", 0.92, [0.92, 0.7], "of the DMA ceiling", "kernel", V3),
  given("dma.chunk", 2480, "bytes at which a DMA saturates", "chip", "v2044–v2053"),
  given("dma.ceiling", 0.98, "efficiency of large DMAs", "chip", "v2044–v2053"),
  given("dma.fixed", 1300, "ns a transfer", "chip", "nki-dma-bandwidth-guide.rst, v2043"),
  // Decode
  fitted("region.v2", 2000, [2000, 0.7], "ns a kernel region", "kernel", V2),
  fitted("region.v3", 7330, [7330, 0.7], "ns a kernel region", "kernel", V3),
  fitted("softmax.v2", 5.34, [5.34, 0.7], "vector passes over the compiled context", "kernel", V2),
  fitted("softmax.v3", 11.6, [11.6, 0.7], "vector passes over the compiled context", "kernel", V3),
  fitted("pair.v2", 3740, [3740, 0.7], "ns a sequence and KV head", "kernel", V2),
  given("pair.v3", 0, "ns a sequence and KV head", "kernel", `${V3} leave none beside the passes`),
  fitted(
    "fused-attention.regions",
    1.39,
    [1.39, 0.7],
    "regions of the fused decode block",
    "kernel",
    "v1527–v1550, v1583–v1694",
  ),
  fitted(
    "fused-attention.pair",
    4890,
    [4890, 0.7],
    "ns a sequence and KV head, beside the plain cost",
    "kernel",
    "v1639–v1694",
  ),
  // Mixture of experts
  given(
    "moe.selective",
    1900,
    "ns a gathered expert: a dynamic DMA and its descriptors",
    "kernel",
    "nki-dma-bandwidth-guide.rst, nki-dge.rst",
  ),
  fitted(
    "moe.gather.speed",
    0.464,
    [0.464, 0.7],
    "of streaming speed, gathered experts",
    "kernel",
    "v1825–v1843, v0534–v0536",
  ),
  fitted(
    "moe.gather",
    187_000,
    [187_000, 0.7],
    "ns a layer that gathers experts without the fused kernel",
    "kernel",
    "v1826, v1843",
  ),
  fitted(
    "moe.fused-rows",
    10.2,
    [10.2, 0.7],
    "regions of the fused block at several rows",
    "kernel",
    "v1835–v1842",
  ),
  fitted(
    "moe.expert-parallel",
    768_000,
    [768_000, 0.7],
    "ns a layer and tile of 128 tokens, expert-parallel without fused kernel",
    "kernel",
    "v1737–v1748",
  ),
  given(
    "latent.regions",
    20,
    "regions of unfused latent attention",
    "kernel",
    "MLA layers cost 1.7 times a GQA layer beyond their bytes (contrib tables)",
  ),
  // Prefill
  fitted("prefill.gemm.v2", 0.844, [0.844, 0.7], "of BF16 peak", "kernel", V2),
  fitted("prefill.gemm.v3", 0.9, [0.9, 0.7], "of BF16 peak", "kernel", "v1856–v1860, v1583–v1694"),
  given("attention.flash.fixed", 13_600, "ns a head", "kernel", "v2080–v2100"),
  given("attention.flash.v2", 21.8, "ps a score", "kernel", "v2080–v2100"),
  given("attention.plain.v2", 75, "ps a score", "kernel", "v3 scaled by vector width and clock"),
  given("attention.flash.v3", 20, "ps a score", "kernel", "v2 scaled by vector width and clock"),
  fitted(
    "attention.plain.v3",
    68.5,
    [68.5, 0.7],
    "ps a score",
    "kernel",
    "v1856–v1860, v1825–v1834",
  ),
  ...STACK_CONSTANTS,
  // Collectives
  fitted(
    "collective.base.v2",
    1250,
    [1250, 0.7],
    "ns a decode all-reduce, beside hops",
    "collective",
    V2,
  ),
  fitted(
    "collective.base.v3",
    28200,
    [28200, 0.7],
    "ns a decode all-reduce, beside hops",
    "collective",
    V3,
  ),
  fitted(
    "collective.rank",
    1000,
    [1000, 0.7],
    "ns a rank of the group",
    "collective",
    "v0051–v0390, v0534–v0540",
  ),
  fitted(
    "collective.bandwidth.v2",
    110_000_000_000,
    [110_000_000_000, 0.7],
    "bytes a second, algorithm",
    "collective",
    V2,
  ),
  fitted(
    "collective.bandwidth.v3",
    117_000_000_000,
    [117_000_000_000, 0.7],
    "bytes a second, algorithm",
    "collective",
    "v2164–v2179",
  ),
  fitted(
    "collective.links",
    0.719,
    [0.719, 0.7],
    "of the links' bandwidth",
    "collective",
    "v0051–v0390, v0553–v0802",
  ),
  given("collective.efa-hop", 15_000, "ns", "collective", "internode-collective-comm.rst"),
  given(
    "collective.switch-all-gather",
    6,
    "times lower latency than a torus",
    "collective",
    "AIM201",
  ),
  given(
    "collective.switch-all-reduce",
    2,
    "times lower latency than a torus",
    "collective",
    "AIM201",
  ),
  // Runtime
  given(
    "runtime.sync-gap",
    437_000,
    "ns between executions without async",
    "runtime",
    "v2129, async_execution.md",
  ),
  given("runtime.jitter", 80_000, "ns between cores", "runtime", "v2132, async_execution.md"),
  given(
    "runtime.cpu-sampling-live",
    1_650_000,
    "ns a live row and token",
    "runtime",
    "v0778–v0792",
  ),
  given(
    "runtime.cpu-sampling-row",
    720_000,
    "ns a row at a vocabulary of 128k",
    "runtime",
    "v0763–v0779",
  ),
]);

/**
 * No absolute figure of a v4 core is published: its constants are those of v3,
 * scaled where a clock or a width says so. Whatever rests on them is extrapolated.
 */
const V4_SCALE: Readonly<Record<string, number>> = {
  region: 0.96 / 1.2, // vector clock
  "attention.plain": (0.96 / 1.2) * (256 / 512), // vector clock and width
  "attention.flash": (0.96 / 1.2) * (256 / 512),
};

export const ALL_CONSTANTS: readonly Constant[] = Object.freeze([
  ...CONSTANTS,
  ...CONSTANTS.filter((its) => its.key.endsWith(".v3")).map((its): Constant => {
    const name = its.key.slice(0, -".v3".length);
    const scale = V4_SCALE[name] ?? 1;
    const source = scale === 1 ? "as v3; extrapolated" : `v3 × ${scale.toFixed(2)}; extrapolated`;
    return given(`${name}.v4`, its.value * scale, its.unit, its.scope, source);
  }),
]);

export type ConstantTable = ReadonlyMap<string, number>;

export const DEFAULT_CONSTANTS: ConstantTable = new Map(
  ALL_CONSTANTS.map((its) => [its.key, its.value]),
);

/** A constant by key; throws when there is none, which is a mistake in the caller. */
export function constant(table: ConstantTable, key: string): number {
  const value = table.get(SAME[key] ?? key);
  if (value === undefined) throw new Error(`No constant "${key}".`);
  return value;
}

/** The table of README.md, in Markdown; constants of extrapolated cores are told in one line there. */
export function constantsTable(): string {
  const lines = CONSTANTS.map(({ key, value, unit, scope, source, fitted }) =>
    [
      `\`${key}\``,
      `${Number(value.toPrecision(4))}`,
      unit,
      scope,
      fitted ? `fit: ${source}` : source,
    ].join(" | "),
  );
  const same = Object.entries(SAME).map(
    ([key, other]) => `\`${key}\` | as \`${other}\` | | stack | `,
  );
  return [
    "| constant | value | unit | scope | source or rows that fix it |",
    "|---|---|---|---|---|",
    ...[...lines, ...same].map((line) => `| ${line} |`),
  ].join("\n");
}
