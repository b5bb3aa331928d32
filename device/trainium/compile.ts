/**
 * Start-up as it would be: one NEFF a bucket, compiled unless it was kept, then
 * the runtime and the weights.
 *
 * Compile: 6.6 s + 1.3 s a billion parameters a graph (Qwen2.5-VL 3B, 7B, 72B: 56, 82, 508 s
 * for five graphs). Load: 6.7 s a process (nrt_init) and 10 GB/s (405B: 85 s, gpt-oss-120b: 12 s).
 */
import { parameterCount } from "../../models/architecture.ts";
import type { MachineStart } from "../machine.ts";
import { bucketsOf, FORMAT_BYTES, type Plan } from "./plan.ts";

const GRAPH_SECONDS = 6.6;
const GRAPH_SECONDS_PER_BILLION = 1.3;
const RUNTIME_SECONDS = 6.7;
const LOAD_BYTES_PER_SECOND = 10e9;

/** The version that a simulated cache is keyed by: the SDK whose pages were read. */
const SDK = "2.32";

/** What a start compiles, one graph a bucket, and loads. */
export function startOf(plan: Plan): MachineStart {
  const { tokens, rows, contexts } = bucketsOf(plan);
  const names = [
    ...tokens.map((bucket) => `prefill_${bucket}`),
    ...rows.flatMap((row) => contexts.map((context) => `decode_${row}x${context}`)),
  ];
  const parameters = parameterCount(plan.architecture);
  const compileSeconds = GRAPH_SECONDS + (GRAPH_SECONDS_PER_BILLION * parameters) / 1e9;
  const loadBytes = parameters * FORMAT_BYTES[plan.formats.experts];
  return {
    graphs: names.map((name) => ({ name, key: keyOf(plan, name, parameters), compileSeconds })),
    loadSeconds: RUNTIME_SECONDS + loadBytes / LOAD_BYTES_PER_SECOND,
    loadBytes,
  };
}

function keyOf(plan: Plan, name: string, parameters: number): string {
  const { architecture, instance, formats, stack } = plan;
  return [
    `sdk-${SDK}`,
    `${stack.name}-block${stack.blockSize}`,
    instance.chip.name,
    `${architecture.family}-${architecture.hidden}x${architecture.layers.length}-${architecture.vocabSize}-${parameters}p`,
    `tp${plan.tensorParallel}-ep${plan.expertParallel}-lnc${plan.logicalCore}`,
    `${formats.dense}-${formats.experts}-${formats.kv}`,
    [...plan.kernels].sort().join("+"),
    name,
  ].join("/");
}
