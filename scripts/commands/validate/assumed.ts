/**
 * Numbers of the simulator and of what reads its rows that no row moves and no page, data sheet or
 * line of public source prints: each with the file it stands in, as it stands there (a test looks), and
 * what it rests on. Fitted and kept constants are in constants.ts, with their priors.
 */

export interface Assumed {
  readonly name: string;
  readonly file: string;
  /** As the file has it. */
  readonly text: string;
  readonly unit: string;
  readonly why: string;
}

const KERNELS = "device/trainium/kernels";
const PRICE = "device/trainium/price";
const HERE = "scripts/commands/validate";

const assumed = (
  name: string,
  [file, text]: readonly [file: string, text: string],
  unit: string,
  why: string,
): Assumed => ({ name, file, text, unit, why });

export const ASSUMED: readonly Assumed[] = Object.freeze([
  // What a graph is taken to consist of, counted from what its ops do
  assumed(
    "regions of plain attention",
    [`${KERNELS}/attention.ts`, "regions: 4, // store K and V, scores, softmax, values"],
    "regions",
    "counted: one for each of what its comment lists",
  ),
  assumed(
    "regions of the flash kernel",
    [`${KERNELS}/attention.ts`, "regions: 2,"],
    "regions",
    "counted: the kernel and the cache's store",
  ),
  assumed(
    "regions of a latent prompt",
    [`${KERNELS}/attention.ts`, "regions: 6,"],
    "regions",
    "counted: expansion of two kinds beside plain attention's four",
  ),
  assumed(
    "regions of the fused QKV",
    [`${KERNELS}/fusions.ts`, "regions: () => 1,"],
    "regions",
    "one product behind its norm",
  ),
  assumed(
    "regions of the fused MLP",
    [`${KERNELS}/fusions.ts`, "regions: () => 2,"],
    "regions",
    "two products that wait for one another",
  ),
  assumed(
    "regions of a router",
    [`${PRICE}/lower.ts`, "regions: 3 } }; // scores, top-k, weights"],
    "regions",
    "counted: as its comment lists",
  ),
  assumed(
    "regions of a rotation",
    [`${PRICE}/lower.ts`, "vectorWork(site, width, 4), regions: 0.5"],
    "regions",
    "shares its loads with its neighbours",
  ),
  assumed(
    "regions of a residual sum",
    [`${PRICE}/lower.ts`, "vectorWork(site, width, 1, true), regions: 0.5"],
    "regions",
    "shares its loads with its neighbours",
  ),
  assumed(
    "passes of a norm",
    [`${PRICE}/lower.ts`, "vectorWork(site, width, 3, whole)"],
    "vector passes",
    "counted: square, scale, weight",
  ),
  assumed(
    "passes of an activation",
    [`${PRICE}/lower.ts`, "gatedWidth(op, site, ops), 3)"],
    "vector passes",
    "counted: function, gate, product",
  ),
  assumed(
    "passes of a rotation",
    [`${PRICE}/lower.ts`, "vectorWork(site, width, 4)"],
    "vector passes",
    "counted: two products and two sums, each of half the width twice",
  ),
  assumed(
    "chunks of weights",
    [`${KERNELS}/kernel.ts`, "LARGE_CHUNK = 16_384"],
    "bytes",
    "beyond the saturation that nki-dma-bandwidth-guide.rst prints: its value is without effect",
  ),
  assumed(
    "chunks of activations",
    [`${KERNELS}/kernel.ts`, "chunkBytes: 4096"],
    "bytes",
    "a partition's row of a tile: beyond saturation, without effect",
  ),
  assumed(
    "few experts",
    [`${KERNELS}/moe.ts`, "FEW_EXPERTS = 16"],
    "experts",
    "Mixtral's graphs stream all of 8; no table has between 16 and 60",
  ),
  assumed(
    "constants of v4 that clocks scale",
    ["device/trainium/constants.ts", "region: 0.96 / 1.2"],
    "of v3's",
    "launch and flash attention are the vector engine's; nothing of a v4 core is published",
  ),
  // Memory and start-up
  assumed(
    "runtime and scratch",
    ["device/trainium/memory.ts", "RUNTIME_BYTES = 2 ** 30"],
    "bytes of a logical core",
    "an estimate; no time hangs on it",
  ),
  assumed(
    "KV share of NxD Inference",
    ["device/trainium/stacks/registry.ts", "kvShare: 0.9"],
    "of HBM",
    "as vLLM's gpu_memory_utilization; no time hangs on it",
  ),
  assumed(
    "seconds to compile a graph",
    ["device/trainium/compile.ts", "GRAPH_SECONDS = 6.6"],
    "s",
    "three sizes of one published model; starts alone",
  ),
  assumed(
    "seconds to compile a billion parameters",
    ["device/trainium/compile.ts", "GRAPH_SECONDS_PER_BILLION = 1.3"],
    "s",
    "the same",
  ),
  assumed(
    "seconds to start the runtime",
    ["device/trainium/compile.ts", "RUNTIME_SECONDS = 6.7"],
    "s",
    "two published starts",
  ),
  assumed(
    "loading weights",
    ["device/trainium/compile.ts", "LOAD_BYTES_PER_SECOND = 10e9"],
    "bytes/s",
    "two published starts",
  ),
  assumed(
    "lateness that a launched step hides",
    ["device/trainium/device.ts", "LAUNCHED_AHEAD: Nanos = 5_000_000"],
    "ns",
    "of this host, not of the machine",
  ),
  // Tiers and bands
  assumed(
    "ranks of a calibrated plan",
    [`${PRICE}/tier.ts`, "within(its.ranks, one.ranks, 2)"],
    "times",
    "twice the ranks halve a shard: the next size up is still alike",
  ),
  assumed(
    "rows and context of a calibrated plan",
    [`${PRICE}/tier.ts`, "its.rows <= one.rows * 4"],
    "times",
    "two steps of a bucket",
  ),
  assumed(
    "ranks of a related plan",
    [`${PRICE}/tier.ts`, "within(its.ranks, one.ranks, 8)"],
    "times",
    "beyond, collectives are others",
  ),
  assumed(
    "band of a chip without figures",
    [`${PRICE}/bands.ts`, "UNCALIBRATED = 2"],
    "times the half-width",
    "nothing is known; told beside it",
  ),
  assumed(
    "bands of kernels and collectives",
    [`${PRICE}/bands.ts`, "kernels: 0.05, collectives: 0.08"],
    "half-width in logs",
    "in sample: their rows are their constants' own sources",
  ),
  // What the readers of published rows take a set-up to be
  assumed(
    "answers of emulated data",
    [`${HERE}/setup.ts`, 'stack.name.startsWith("tgi") ? 0.7 : 0.92'],
    "of the nominal",
    "tokens/s over requests/s of guidellm's own tables, one stream alone too",
  ),
  assumed(
    "llmperf's answers that end by themselves",
    [`${HERE}/setup.ts`, 'client === "llmperf" ? 0.1 : 0'],
    "of the answers",
    "what its tables lose in throughput against latency",
  ),
  assumed(
    "Llama 3's answers counted by Llama 2's tokenizer",
    [`${HERE}/setup.ts`, "vocabSize > 100_000 ? 1.19 : 1"],
    "times",
    "measured on llmperf's sonnets",
  ),
  assumed(
    "template around a prompt",
    [`${HERE}/serving.ts`, "FRAME_TOKENS = 8"],
    "tokens",
    "what served prompts carry beyond the benchmark's count",
  ),
  assumed(
    "requests of a client that does not tell",
    [`${HERE}/serving.ts`, "ROUNDS = 5"],
    "requests",
    "of tables that do: five to eight",
  ),
  assumed(
    "requests of the QKV tables",
    [`${HERE}/serving.ts`, "BURST_REQUESTS = 10"],
    "requests",
    "their medians at 4 and 8 at once",
  ),
  assumed(
    "those beside the fused block",
    [`${HERE}/serving.ts`, "FUSED_BURST_REQUESTS = 20"],
    "requests",
    "the same",
  ),
  assumed(
    "prompts drawn by llmperf",
    [`${HERE}/clients.ts`, "DRAW: Nanos = 200e6"],
    "ns",
    "what its tables of one request lose",
  ),
  assumed(
    "prompts found by bisection in guidellm",
    [`${HERE}/clients.ts`, "BISECTION: Nanos = 47e6"],
    "ns",
    "measured with Llama 3's tokenizer",
  ),
  assumed(
    "from an answer to its client's next request",
    [`${HERE}/clients.ts`, "TURNAROUND: Nanos = 1e6"],
    "ns",
    "a round trip over HTTP; that it is not nought matters, not how long it is",
  ),
  assumed(
    "mean in flight that is another's than so many clients'",
    [`${HERE}/serving.ts`, "UNLIKE = 1.25"],
    "times",
    "wider than what a run's end takes from its mean",
  ),
  assumed(
    "waves of llmperf",
    [`${HERE}/clients.ts`, "WAVES = 8"],
    "rounds",
    "of its scripts' runs",
  ),
  assumed(
    "drafts that hold",
    [`${HERE}/drafts.ts`, "ACCEPTANCE = 0.69"],
    "of drafts",
    "published beside the EAGLE3 rows, for all heads",
  ),
]);
