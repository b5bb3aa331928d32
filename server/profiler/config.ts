/** `--profiler-config`: vLLM's keys. */
import { SettingsError } from "../settings/error.ts";

export interface ProfilerConfig {
  /** Folder of the files. */
  readonly folder: string;
  /** Steps that pass before the first is recorded. */
  readonly delaySteps: number;
  /** Steps recorded at most. */
  readonly maxSteps: number;
}

/** A forgotten profile ends by itself. */
const MOST_STEPS = 20_000;

/** What vLLM hands to torch; there is no torch here. */
const WITHOUT_EFFECT = new Set([
  "ignore_frontend",
  "torch_profiler_with_stack",
  "torch_profiler_with_flops",
  "torch_profiler_use_gzip",
  "torch_profiler_dump_cuda_time_total",
  "torch_profiler_record_shapes",
  "torch_profiler_with_memory",
]);

/** Undefined: profiling is not configured, and vLLM has no such routes then. Throws SettingsError. */
export function readProfilerConfig(
  given: Readonly<Record<string, unknown>> = {},
): ProfilerConfig | undefined {
  const { profiler, torch_profiler_dir, delay_iterations, max_iterations, ...rest } = given;
  const unknown = Object.keys(rest).find((key) => !WITHOUT_EFFECT.has(key));
  if (unknown !== undefined) throw wrong(`${unknown} is not a key of it.`);
  if (profiler === undefined || profiler === null) return undefined;
  if (profiler === "cuda") throw wrong("there is no CUDA here; use profiler torch.");
  if (profiler !== "torch") throw wrong(`profiler must be torch, not ${String(profiler)}.`);
  if (typeof torch_profiler_dir !== "string" || torch_profiler_dir === "") {
    throw wrong("torch_profiler_dir must be set when profiler is set to 'torch'.");
  }
  const most = count("max_iterations", max_iterations);
  return {
    folder: torch_profiler_dir,
    delaySteps: count("delay_iterations", delay_iterations),
    maxSteps: most === 0 ? MOST_STEPS : Math.min(most, MOST_STEPS),
  };
}

function count(name: string, value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw wrong(`${name} must be a whole number.`);
  }
  return value;
}

function wrong(what: string): SettingsError {
  return new SettingsError(`--profiler-config: ${what}`);
}
