/**
 * Every number that is not printed on a data sheet: fitted to the calibration
 * rows (scripts/commands/validate/fit.ts) or taken from a page. Each belongs to a core, a
 * kernel, a collective, the runtime or a stack, never to a model. README.md
 * prints this table. Keys end in the core (`v2`, `v3`, `v4`) they belong to.
 */

import { type Constant, fitted, given, held } from "./constant.ts";
import { SAME, STACK_CONSTANTS } from "./stacks/constants.ts";

const CEILING = "of the DMA ceiling";
const REGION = "between one DMA with its semaphores (2 µs) and a kernel's fill (13.5 µs)";
const PASSES = "maximum, exponent, sum, quotient and what casts between them";
const PAIR = "a DMA and its semaphores";
const GEMM = "0.87 to 0.99 in a NKI tutorial (kernel-optimization.rst), less in traced graphs";

export const CONSTANTS: readonly Constant[] = Object.freeze([
  // Memory
  fitted("hbm.weights.v2", 0.978, [0.95, 0.05], CEILING, "chip", "large DMAs reach 0.97 to 0.99"),
  fitted("hbm.weights.v3", 0.944, [0.95, 0.05], CEILING, "chip", "large DMAs reach 0.97 to 0.99"),
  fitted("hbm.kv.v2", 1.09, [0.9, 0.2], CEILING, "kernel", "a cache's rows are shorter DMAs"),
  fitted("hbm.kv.v3", 0.959, [0.9, 0.2], CEILING, "kernel", "a cache's rows are shorter DMAs"),
  given("dma.chunk", 2480, "bytes at which a DMA saturates", "chip", "nki-dma-bandwidth-guide.rst"),
  given("dma.ceiling", 0.98, "efficiency of large DMAs", "chip", "nki-dma-bandwidth-guide.rst"),
  given("dma.fixed", 1300, "ns a transfer", "chip", "nki-dma-bandwidth-guide.rst"),
  // Decode
  fitted("region.v2", 2790, [5000, 0.5], "ns a kernel region", "kernel", REGION),
  fitted("region.v3", 7450, [5000, 0.5], "ns a kernel region", "kernel", REGION),
  fitted("softmax.passes", 7.02, [5, 0.5], "passes over the compiled context", "kernel", PASSES),
  fitted("pair.v2", 4800, [2000, 0.8], "ns a sequence and KV head", "kernel", PAIR),
  fitted("pair.v3", 1430, [2000, 0.8], "ns a sequence and KV head", "kernel", PAIR),
  fitted(
    "fused-attention.regions",
    3.71,
    [2, 0.5],
    "regions of the fused decode block",
    "kernel",
    "one kernel that loads and stores once",
  ),
  fitted(
    "fused-attention.pair",
    3590,
    [2000, 0.8],
    "ns a sequence and KV head, beside the plain cost",
    "kernel",
    PAIR,
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
    0.505,
    [0.5, 0.3],
    "of streaming speed, gathered experts",
    "kernel",
    "an expert's rows are DMAs of their own",
  ),
  fitted(
    "moe.regions",
    7.45,
    [8, 0.4],
    "regions of the experts without the fused kernel",
    "kernel",
    "expert_mlps_v2.py: affinities, indices, three products, activation, weighting, sum",
  ),
  fitted(
    "moe.token",
    1.8,
    [4, 0.6],
    "regions a further token that gathers its experts",
    "kernel",
    "expert_mlps_v2.py, forward_selective_loading: a loop over tokens",
  ),
  fitted(
    "moe.block",
    4.43,
    [6, 0.4],
    "regions a block of 512 tokens",
    "kernel",
    "rows gathered, three products, activation, rows added",
  ),
  held(
    "moe.block.traced",
    [20, 0.5],
    "regions more, a block of the compiler's own graph",
    "kernel",
    "each of those a graph of its own, its rows DMAs of 1.3 µs over 16 queues",
  ),
  held(
    "moe.expert-parallel",
    [400_000, 0.9],
    "ns a layer and tile of 128 tokens, expert-parallel without fused kernel",
    "kernel",
    "two tables of one family lie at twice that and more",
  ),
  held(
    "latent.regions",
    [12, 0.4],
    "regions of unfused latent attention",
    "kernel",
    "absorption, rotation, scores of two kinds, softmax, values, expansion: a region or two each",
  ),
  // Prefill
  fitted("prefill.gemm.v2", 0.844, [0.8, 0.15], "of BF16 peak", "kernel", GEMM),
  fitted("prefill.gemm.v3", 0.751, [0.8, 0.15], "of BF16 peak", "kernel", GEMM),
  given("attention.flash.fixed", 13_600, "ns a head", "kernel", "v2080–v2100"),
  given("attention.flash.v2", 21.8, "ps a score", "kernel", "v2080–v2100"),
  given("attention.flash.v3", 20, "ps a score", "kernel", "v2 scaled by vector width and clock"),
  fitted("attention.passes", 15.1, [8, 0.5], "passes over a prompt's scores", "kernel", PASSES),
  ...STACK_CONSTANTS,
  // Collectives
  fitted(
    "collective.phase",
    13000,
    [10_000, 0.4],
    "ns a phase, beside hops",
    "collective",
    "nccom-test.rst: 8 ranks gather in 10.0 µs, one phase",
  ),
  fitted(
    "collective.dma",
    0.315,
    [0.33, 0.3],
    "of a rank's DMA bandwidth",
    "collective",
    "a byte is read, written and read again to be summed",
  ),
  fitted(
    "collective.links",
    0.663,
    [0.75, 0.2],
    "of the links' bandwidth",
    "collective",
    "packets of 4 KiB with their descriptors",
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
    "async_execution.md",
  ),
  given("runtime.jitter", 80_000, "ns between cores", "runtime", "async_execution.md"),
  fitted(
    "runtime.cpu-sampling-live",
    1180000,
    [1_000_000, 0.6],
    "ns a live row drawn from on the CPU",
    "runtime",
    "chunked-prefill/README.md: 24 ms more at 32 rows, logits moved and drawn from",
  ),
  fitted(
    "runtime.cpu-sampling-row",
    515000,
    [300_000, 0.6],
    "ns a compiled row whose logits are moved",
    "runtime",
    "chunked-prefill/README.md: 24 ms more at 32 rows, logits moved and drawn from",
  ),
]);

/**
 * No absolute figure of a v4 core is published: its constants are those of v3,
 * scaled where a clock or a width says so. Whatever rests on them is extrapolated.
 */
const V4_SCALE: Readonly<Record<string, number>> = {
  region: 0.96 / 1.2, // vector clock
  "attention.flash": (0.96 / 1.2) * (256 / 512), // vector clock and width
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
  const lines = CONSTANTS.map(({ key, value, unit, scope, source, prior, fitted }) =>
    [
      `\`${key}\``,
      `${Number(value.toPrecision(4))}`,
      unit,
      scope,
      prior === undefined
        ? source
        : `${fitted ? "fit" : "kept"} from ${prior.value} ×÷ ${Math.exp(prior.spread).toFixed(2)}: ${source}`,
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
