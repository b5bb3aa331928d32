/**
 * Releases of a stack: NAME@RELEASE. A release is a stack of its own where layouts, buckets, kernels or
 * hosts changed; its constants are those of the stack whose graphs it has.
 */
import {
  findStack,
  nkipy,
  nxdDirect,
  nxdInference,
  optimum,
  STACKS,
  tgi,
  tgiEarly,
  tgiNxd,
  torchNeuronx,
  transformersNeuronx,
  transformersNeuronxBsh,
  vllmNeuron,
} from "./registry.ts";
import type { StackSpec } from "./stack.ts";

/**
 * vLLM Neuron 0.29 (SDK 2.33): its scheduler never mixes prompts and decodes; decode graphs read the
 * whole compiled context unless `decode_context_length_buckets` names shorter ones (neuron-scheduler.md,
 * decode-context-length-bucketing.md).
 */
export const vllmNeuron029: StackSpec = { ...vllmNeuron, contextBuckets: "compiled" };

/** By name, newest first: that is what the name alone means, unless the registry has it. */
const RELEASES: Readonly<Record<string, Readonly<Record<string, StackSpec>>>> = Object.freeze({
  "vllm-neuron": { "0.29": vllmNeuron029, "2.33": vllmNeuron029, "2.32": vllmNeuron },
  "nxd-inference": { "2.29": nxdInference },
  "nxd-direct": { "2.29": nxdDirect },
  optimum: { "0.3": optimum },
  "transformers-neuronx": { "2.18.1": transformersNeuronxBsh, "2.18.0": transformersNeuronx },
  tgi: { "2025": tgiNxd, "2.0.2": tgi, "1.4.4": tgiEarly },
  nkipy: { "2026-03": nkipy },
  "torch-neuronx": { "2.27": torchNeuronx },
});

/** Every `NAME` and `NAME@RELEASE`. */
export function stackNames(): readonly string[] {
  const releases = Object.entries(RELEASES).flatMap(([name, its]) =>
    Object.keys(its).map((release) => `${name}@${release}`),
  );
  return [...new Set([...STACKS.map((its) => its.name), ...releases])];
}

/** Of `NAME[@RELEASE]`; throws listing the known ones. */
export function stackNamed(text: string): StackSpec {
  const [name = "", release] = text.toLowerCase().split("@");
  if (release === undefined && STACKS.some((its) => its.name === name)) return findStack(name);
  const found = RELEASES[name]?.[release ?? ""];
  if (found === undefined)
    throw new Error(`--neuron-stack "${text}" is not known; known: ${stackNames().join(", ")}.`);
  return found;
}
