/**
 * Every number that is not printed on a data sheet: fitted to the calibration
 * rows (scripts/validate/fit.ts) or taken from a page. Each belongs to a core, a
 * kernel, a collective, the runtime or a stack, never to a model. README.md
 * prints this table. Keys end in the core (`v2`, `v3`, `v4`) they belong to.
 */

export interface Constant {
  readonly key: string;
  readonly value: number;
  readonly unit: string;
  readonly scope: "chip" | "kernel" | "collective" | "runtime" | "stack";
  /** Page, or ids of the rows that fix it. */
  readonly source: string;
  /** Range the fit may move it in; absent: not fitted. */
  readonly range?: readonly [number, number];
}

const fitted = (
  key: string,
  value: number,
  unit: string,
  scope: Constant["scope"],
  source: string,
  range: readonly [number, number],
): Constant => ({ key, value, unit, scope, source, range });

const given = (
  key: string,
  value: number,
  unit: string,
  scope: Constant["scope"],
  source: string,
): Constant => ({ key, value, unit, scope, source });

const V2 = "v0051–v0390 (transformers-neuronx)";
const V3 = "v1527–v1862, v1900–v1903 (NxD Inference)";

export const CONSTANTS: readonly Constant[] = Object.freeze([
  // Memory
  fitted("hbm.weights.v2", 0.952, "of the DMA ceiling", "chip", V2, [0.7, 1]),
  fitted("hbm.weights.v3", 0.923, "of the DMA ceiling", "chip", V3, [0.75, 1.04]),
  fitted("hbm.kv.v2", 1, "of the DMA ceiling", "kernel", V2, [0.5, 1]),
  fitted("hbm.kv.v3", 0.899, "of the DMA ceiling", "kernel", V3, [0.3, 1]),
  given("dma.chunk", 2480, "bytes at which a DMA saturates", "chip", "v2044–v2053"),
  given("dma.ceiling", 0.98, "efficiency of large DMAs", "chip", "v2044–v2053"),
  given("dma.fixed", 1300, "ns a transfer", "chip", "nki-dma-bandwidth-guide.rst, v2043"),
  // Decode
  fitted("region.v2", 2000, "ns a kernel region", "kernel", V2, [2000, 16_000]),
  fitted("region.v3", 7380, "ns a kernel region", "kernel", V3, [2000, 16_000]),
  fitted("softmax.v2", 5.57, "vector passes over the compiled context", "kernel", V2, [0, 12]),
  fitted("softmax.v3", 11.5, "vector passes over the compiled context", "kernel", V3, [0, 25]),
  fitted("pair.v2", 3610, "ns a sequence and KV head", "kernel", V2, [0, 12_000]),
  given("pair.v3", 0, "ns a sequence and KV head", "kernel", `${V3} leave none beside the passes`),
  fitted(
    "fused-attention.regions",
    1.45,
    "regions of the fused decode block",
    "kernel",
    "v1527–v1550, v1583–v1694",
    [1, 12],
  ),
  fitted(
    "fused-attention.pair",
    4920,
    "ns a sequence and KV head, beside the plain cost",
    "kernel",
    "v1639–v1694",
    [0, 9000],
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
    0.462,
    "of streaming speed, gathered experts",
    "kernel",
    "v1825–v1843, v0534–v0536",
    [0.2, 1],
  ),
  fitted(
    "moe.gather",
    186_000,
    "ns a layer that gathers experts without the fused kernel",
    "kernel",
    "v1826, v1843",
    [0, 500_000],
  ),
  fitted(
    "moe.fused-rows",
    10.3,
    "regions of the fused block at several rows",
    "kernel",
    "v1835–v1842",
    [1, 25],
  ),
  fitted(
    "moe.expert-parallel",
    776_000,
    "ns a layer and tile of 128 tokens, expert-parallel without fused kernel",
    "kernel",
    "v1737–v1748",
    [0, 3e6],
  ),
  given(
    "latent.regions",
    20,
    "regions of unfused latent attention",
    "kernel",
    "MLA layers cost 1.7 times a GQA layer beyond their bytes (contrib tables)",
  ),
  // Prefill
  fitted("prefill.gemm.v2", 0.832, "of BF16 peak", "kernel", V2, [0.1, 0.9]),
  fitted("prefill.gemm.v3", 0.9, "of BF16 peak", "kernel", "v1856–v1860, v1583–v1694", [0.2, 0.9]),
  given("attention.flash.fixed", 13_600, "ns a head", "kernel", "v2080–v2100"),
  given("attention.flash.v2", 21.8, "ps a score", "kernel", "v2080–v2100"),
  given("attention.plain.v2", 72, "ps a score", "kernel", "v3 scaled by vector width and clock"),
  given("attention.flash.v3", 20, "ps a score", "kernel", "v2 scaled by vector width and clock"),
  fitted("attention.plain.v3", 66.2, "ps a score", "kernel", "v1856–v1860, v1825–v1834", [10, 600]),
  // Stacks: what they leave of a plain graph's regions, and host work that nothing hides
  given("stack.regions.nxd-inference", 1, "of plain regions", "stack", "by definition"),
  fitted(
    "stack.regions.vllm-neuron",
    0.724,
    "of plain regions",
    "stack",
    "v0534–v0540",
    [0.3, 1.3],
  ),
  fitted("stack.regions.transformers-neuronx", 0.779, "of plain regions", "stack", V2, [0.2, 1.3]),
  given("stack.regions.tgi", 0.737, "of plain regions", "stack", "as transformers-neuronx"),
  given("stack.regions.optimum", 1, "of plain regions", "stack", "as nxd-inference"),
  fitted(
    "stack.width.nxd-inference",
    960,
    "local columns at which a prompt's GEMM reaches half its limit",
    "stack",
    "v1856–v1860, v1583–v1694",
    [0, 3000],
  ),
  given("stack.width.vllm-neuron", 973, "local columns", "stack", "as nxd-inference"),
  fitted(
    "stack.width.optimum",
    365,
    "local columns",
    "stack",
    "v0553–v0802, v1237–v1247",
    [0, 3000],
  ),
  fitted("stack.width.tgi", 250, "local columns", "stack", "v1070–v1093", [0, 3000]),
  fitted("stack.width.transformers-neuronx", 667, "local columns", "stack", V2, [0, 3000]),
  given("stack.spill.nxd-inference", 0, "passes", "stack", "keeps tokens apart over the ranks"),
  given("stack.spill.vllm-neuron", 0, "passes", "stack", "as nxd-inference"),
  given("stack.spill.optimum", 0, "passes", "stack", "as nxd-inference"),
  given("stack.spill.tgi", 0, "passes", "stack", "as nxd-inference"),
  fitted(
    "stack.spill.transformers-neuronx",
    10.1,
    "passes of a prompt's activations beyond SBUF through HBM, a residual sum",
    "stack",
    V2,
    [0, 40],
  ),
  given("stack.plain.nxd-inference", 1, "of plain attention's scores", "stack", "by definition"),
  given("stack.plain.vllm-neuron", 1, "of plain attention's scores", "stack", "as nxd-inference"),
  fitted(
    "stack.plain.optimum",
    1.73,
    "of plain attention's scores",
    "stack",
    "v0783–v0802",
    [0.5, 20],
  ),
  given("stack.plain.tgi", 1, "of plain attention's scores", "stack", "as nxd-inference"),
  fitted(
    "stack.plain.transformers-neuronx",
    3.42,
    "of plain attention's scores",
    "stack",
    V2,
    [0.5, 20],
  ),
  given("stack.step.nxd-inference", 0, "ns a step", "stack", "asynchronous"),
  given("stack.step.nxd-direct", 0, "ns a step", "stack", "device figures"),
  given("stack.step.vllm-neuron", 0, "ns a step", "stack", "asynchronous"),
  given("stack.step.transformers-neuronx", 0, "ns a step", "stack", "device figures"),
  fitted("stack.step.optimum", 3_020_000, "ns a step", "stack", "v0553–v0802", [0, 5e6]),
  given("stack.step.tgi", 0, "ns a step", "stack", "its logits are what it waits for"),
  given("stack.step.tgi-1.4", 0, "ns a step", "stack", "as tgi"),
  given("stack.step.tgi-nxd", 0, "ns a step", "stack", "as tgi"),
  fitted(
    "stack.logits.tgi",
    115_000,
    "ns a compiled row at a vocabulary of 128k",
    "stack",
    "v1070–v1093",
    [0, 2e6],
  ),
  fitted(
    "stack.logits.tgi-1.4",
    390_000,
    "ns a compiled row at a vocabulary of 128k",
    "stack",
    "v1136–v1225",
    [0, 2e6],
  ),
  given("stack.row.nxd-inference", 0, "ns a live row and step", "stack", "asynchronous"),
  given("stack.row.nxd-direct", 0, "ns a live row and step", "stack", "device figures"),
  given("stack.row.vllm-neuron", 0, "ns a live row and step", "stack", "asynchronous"),
  given("stack.row.transformers-neuronx", 0, "ns a live row and step", "stack", "device figures"),
  fitted("stack.row.optimum", 211_000, "ns a live row and step", "stack", "v0553–v0802", [0, 1e6]),
  fitted("stack.row.tgi", 655_000, "ns a live row and step", "stack", "v1070–v1093", [0, 3e6]),
  fitted(
    "stack.row.tgi-1.4",
    1_860_000,
    "ns a live row and step",
    "stack",
    "v1136–v1225",
    [0, 3e6],
  ),
  given("stack.row.tgi-nxd", 655_000, "ns a live row and step", "stack", "as tgi"),
  given("stack.prompt.tgi-nxd", 9_200_000, "ns a prompt", "stack", "as tgi"),
  fitted(
    "stack.prompt.nxd-inference",
    13_800_000,
    "ns a prompt",
    "stack",
    "v1583–v1694",
    [0, 40e6],
  ),
  fitted("stack.prompt.nxd-direct", 9_310_000, "ns a prompt", "stack", "v1856–v1860", [0, 40e6]),
  fitted("stack.prompt.vllm-neuron", 0, "ns a prompt", "stack", "v0536", [0, 200e6]),
  fitted("stack.prompt.transformers-neuronx", 10_600_000, "ns a prompt", "stack", V2, [0, 15e6]),
  fitted("stack.prompt.optimum", 0, "ns a prompt", "stack", "v0553–v0802", [0, 200e6]),
  fitted("stack.prompt.tgi", 9_200_000, "ns a prompt", "stack", "v1070–v1093", [0, 300e6]),
  fitted("stack.prompt.tgi-1.4", 91_000_000, "ns a prompt", "stack", "v1136–v1225", [0, 300e6]),
  fitted(
    "stack.arrival.optimum",
    24_900_000,
    "ns from a client to the queue",
    "stack",
    "v0553–v0802",
    [0, 200e6],
  ),
  // Collectives
  fitted(
    "collective.base.v2",
    1000,
    "ns a decode all-reduce, beside hops",
    "collective",
    V2,
    [1000, 60_000],
  ),
  fitted(
    "collective.base.v3",
    27900,
    "ns a decode all-reduce, beside hops",
    "collective",
    V3,
    [1000, 60_000],
  ),
  fitted(
    "collective.rank",
    936,
    "ns a rank of the group",
    "collective",
    "v0051–v0390, v0534–v0540",
    [0, 2500],
  ),
  fitted(
    "collective.bandwidth.v2",
    110_000_000_000,
    "bytes a second, algorithm",
    "collective",
    V2,
    [5e9, 200e9],
  ),
  fitted(
    "collective.bandwidth.v3",
    117_000_000_000,
    "bytes a second, algorithm",
    "collective",
    "v2164–v2179",
    [20e9, 400e9],
  ),
  fitted(
    "collective.links",
    0.726,
    "of the links' bandwidth",
    "collective",
    "v0051–v0390, v0553–v0802",
    [0.4, 1],
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
    1_500_000,
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
  const value = table.get(key);
  if (value === undefined) throw new Error(`No constant "${key}".`);
  return value;
}

/** The table of README.md, in Markdown; constants of extrapolated cores are told in one line there. */
export function constantsTable(): string {
  const lines = CONSTANTS.map(({ key, value, unit, scope, source, range }) =>
    [
      `\`${key}\``,
      `${Number(value.toPrecision(4))}`,
      unit,
      scope,
      range === undefined ? source : `fit: ${source}`,
    ].join(" | "),
  );
  return [
    "| constant | value | unit | scope | source or rows that fix it |",
    "|---|---|---|---|---|",
    ...lines.map((line) => `| ${line} |`),
  ].join("\n");
}
