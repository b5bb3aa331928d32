/** Which software a row is of, and of which release: from its source, its notes and its date. */
import {
  nkipy,
  nxdDirect,
  nxdInference,
  nxdSegmented,
  optimum,
  STACKS,
  transformersNeuronx,
  vllmNeuron,
} from "../../../../device/trainium/stacks/registry.ts";
import type { StackSpec } from "../../../../device/trainium/stacks/stack.ts";
import type { Architecture } from "../../../../models/architecture.ts";
import type { Row } from "../rows.ts";
import { tgiOf } from "./tgi-history.ts";

/** A stack that the registry may have. */
function named(name: string, otherwise: StackSpec): StackSpec {
  return STACKS.find((its) => its.name === name) ?? otherwise;
}

/** Its client sends each request in a thread of asyncio's pool: so many at once on a large host (bench_serving.py). */
const NKIPY_THREADS = 32;

/** Requests that a client has in flight when it sends `requests` at an unlimited rate. */
export function unlimited({ source }: Row, requests: number): number {
  return /nkipy/i.test(source) ? Math.min(requests, NKIPY_THREADS) : requests;
}

/** SDK release of the date column, e.g. "2.18.1"; "" when it names none. */
export function sdkOf({ date }: Row): string {
  return /SDK (\d+(?:\.\d+)*)/.exec(date)?.[1] ?? "";
}

export function stackOf(row: Row, { family }: Architecture, batch: number): StackSpec {
  const words = `${row.kernelNotes}; ${row.notes}; ${row.source}; ${row.inputLength}`;
  if (/transformers-neuronx/i.test(`${row.kernelNotes} ${row.source}`))
    return named(`transformers-neuronx-${sdkOf(row)}`, transformersNeuronx);
  if (/\btgi\b|text-generation-inference/i.test(words)) return batchOne(tgiOf(row, family), batch);
  if (/nkipy[_-]serving/i.test(words)) return nkipy;
  if (/nkipy/i.test(words)) return nxdDirect;
  if (/encoder forward|torch[\s_-]neuronx/i.test(words)) return named("torch-neuronx", nxdDirect);
  if (/optimum/i.test(words)) return optimum;
  if (/vllm[\s-]neuron plug-?in|vllm-neuron\/docs|vllm-project\/vllm-neuron/i.test(words))
    return vllmNeuron;
  if (!served(row)) return nxdDirect;
  return SEGMENTED.test(row.source) ? nxdSegmented : nxdInference;
}

/** One author's ports under vLLM, whose prompts pass in segments of 1,024. */
const SEGMENTED = /neuronx-distributed-inference PR #13[2-4]\b/;

/** Tables with both lengths come from vLLM's benchmark; the others from the model's own scripts. */
function served(row: Row): boolean {
  return /vllm/i.test(`${row.kernelNotes} ${row.notes}`) || row.outputLength !== "";
}

/**
 * optimum-neuron turns continuous batching on above batch 1 alone (exporters/neuron/config.py); without
 * it transformers-neuronx compiles prompts and contexts at every power of two.
 */
function batchOne(stack: StackSpec, batch: number): StackSpec {
  if (batch > 1 || stack.graphs === "optimum") return stack;
  const { contextBuckets, firstTokenBucket, firstContextBucket } = transformersNeuronx;
  return { ...stack, contextBuckets, firstTokenBucket, firstContextBucket };
}
