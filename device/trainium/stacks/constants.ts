/** What serving stacks cost: constants `stack.<what>.<stack or its graphs>`. */
import { type Constant, fitted, given } from "../constant.ts";

const WIDTH = "local columns at which a prompt's GEMM reaches half its limit";
const FILLED = "a tile of 512 columns fills and drains the array once";
const HOST = "Python between device and client: milliseconds";

export const STACK_CONSTANTS: readonly Constant[] = Object.freeze([
  // Graphs
  given("stack.regions.nxd-inference", 1, "of plain regions", "stack", "by definition"),
  fitted(
    "stack.regions.transformers-neuronx",
    0.871,
    [1, 0.3],
    "of plain regions",
    "stack",
    "HLO of whole layers, scheduled by the same compiler",
  ),
  fitted("stack.width.nxd-inference", 677, [500, 0.5], WIDTH, "stack", FILLED),
  fitted("stack.width.transformers-neuronx", 383, [500, 0.5], "local columns", "stack", FILLED),
  given("stack.spill.nxd-inference", 0, "passes", "stack", "keeps tokens apart over the ranks"),
  fitted(
    "stack.spill.transformers-neuronx",
    19.1,
    [8, 0.6],
    "passes of a prompt's activations beyond SBUF through HBM, a residual sum",
    "stack",
    "norm, sum and what they feed, read and written",
  ),
  given("stack.plain.nxd-inference", 1, "of plain attention's scores", "stack", "by definition"),
  fitted(
    "stack.plain.transformers-neuronx",
    1.61,
    [2, 0.5],
    "of plain attention's scores",
    "stack",
    "layout HSB: scores are transposed before and after",
  ),
  // Host work that nothing hides
  given("stack.step.nxd-inference", 0, "ns a step", "stack", "asynchronous"),
  given("stack.step.tgi", 0, "ns a step", "stack", "its logits are what it waits for"),
  fitted("stack.step.optimum", 1590000, [3e6, 0.7], "ns a step", "stack", HOST),
  given("stack.row.nxd-inference", 0, "ns a live row and step", "stack", "asynchronous"),
  given("stack.row.tgi", 0, "ns a live row and step", "stack", "what it draws on the CPU"),
  fitted("stack.row.optimum", 252000, [3e5, 0.7], "ns a live row and step", "stack", HOST),
  fitted("stack.prompt.nxd-inference", 12700000, [10e6, 0.5], "ns a prompt", "stack", HOST),
  given(
    "stack.prompt.nkipy",
    52_000_000,
    "ns a prompt",
    "stack",
    "nkipy_serving, scheduler.py, _run_overlap_step: request handling (~52ms)",
  ),
  fitted("stack.prompt.tgi", 32500000, [20e6, 0.7], "ns a prompt", "stack", HOST),
  fitted(
    "stack.arrival.optimum",
    34200000,
    [20e6, 0.7],
    "ns from a client to the queue",
    "stack",
    HOST,
  ),
]);

/** Constants that are another stack's: no row tells them apart. */
export const SAME: Readonly<Record<string, string>> = Object.freeze({
  "stack.regions.vllm-neuron": "stack.regions.nxd-inference",
  "stack.regions.optimum": "stack.regions.nxd-inference",
  "stack.regions.tgi": "stack.regions.transformers-neuronx",
  "stack.width.vllm-neuron": "stack.width.nxd-inference",
  "stack.width.optimum": "stack.width.nxd-inference",
  "stack.width.tgi": "stack.width.nxd-inference",
  "stack.spill.vllm-neuron": "stack.spill.nxd-inference",
  "stack.spill.optimum": "stack.spill.nxd-inference",
  "stack.spill.tgi": "stack.spill.nxd-inference",
  "stack.plain.vllm-neuron": "stack.plain.nxd-inference",
  "stack.plain.optimum": "stack.plain.nxd-inference",
  "stack.plain.tgi": "stack.plain.nxd-inference",
  "stack.step.nxd-direct": "stack.step.nxd-inference",
  "stack.step.vllm-neuron": "stack.step.nxd-inference",
  "stack.step.transformers-neuronx": "stack.step.nxd-inference",
  "stack.step.tgi-1.4": "stack.step.tgi",
  "stack.step.tgi-nxd": "stack.step.tgi",
  "stack.row.nxd-direct": "stack.row.nxd-inference",
  "stack.row.vllm-neuron": "stack.row.nxd-inference",
  "stack.row.transformers-neuronx": "stack.row.nxd-inference",
  "stack.row.tgi-1.4": "stack.row.tgi",
  "stack.row.tgi-nxd": "stack.row.tgi",
  "stack.prompt.nxd-direct": "stack.prompt.nxd-inference",
  "stack.prompt.transformers-neuronx": "stack.prompt.nxd-inference",
  "stack.prompt.optimum": "stack.step.optimum", // a prompt is a step too; what comes before it is stack.arrival
  "stack.prompt.vllm-neuron": "stack.prompt.nxd-inference",
  "stack.prompt.tgi-1.4": "stack.prompt.tgi",
  "stack.prompt.tgi-nxd": "stack.prompt.tgi",
  "stack.step.nxd-inference-segmented": "stack.step.nxd-inference",
  "stack.row.nxd-inference-segmented": "stack.row.nxd-inference",
  "stack.prompt.nxd-inference-segmented": "stack.prompt.nxd-inference",
  "stack.step.nkipy": "stack.step.nxd-inference",
  "stack.row.nkipy": "stack.row.nxd-inference",
  "stack.step.torch-neuronx": "stack.step.nxd-inference",
  "stack.step.transformers-neuronx-2.18.1": "stack.step.nxd-inference",
  "stack.row.torch-neuronx": "stack.row.nxd-inference",
  "stack.row.transformers-neuronx-2.18.1": "stack.row.nxd-inference",
  "stack.prompt.transformers-neuronx-2.18.1": "stack.prompt.nxd-inference",
  "stack.prompt.torch-neuronx": "stack.step.nxd-inference",
});
