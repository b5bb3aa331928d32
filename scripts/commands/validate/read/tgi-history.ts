/**
 * Which Text Generation Inference a published table is of. Tables name the blob of
 * their file; when it was committed says what served and what asked. Source: git
 * log of huggingface/optimum-neuron, benchmark/text-generation-inference.
 */
import {
  tgi,
  tgiEarly,
  tgiNxd,
  transformersNeuronx,
} from "../../../../device/trainium/stacks/registry.ts";
import type { StackSpec } from "../../../../device/trainium/stacks/stack.ts";
import type { Row } from "../rows.ts";

/** Blobs by the month of what they measured (those of July 2025 only end their last line). */
const MONTHS: Readonly<Record<string, readonly string[]>> = {
  "2024-04": ["35bac0e2", "3b13086c", "cc0ebc87"],
  "2024-05": ["96f382dc"],
  "2024-06": ["39bb3000", "a6a74945", "a73b2409", "c29c7211", "ea63372f"],
  "2024-07": ["c7ea60d6", "faa69bec", "fe0313b6"],
  "2024-09": ["3f1359b7", "be95fdf5", "e764ef36", "1483ff62", "20fc6249", "d85d5a25"],
  "2024-10": ["35679806"],
  "2024-12": ["17cf6125"],
  "2025-06": ["46cfd644", "c650f6ec"],
};

/** Month of a table of that benchmark; of blobs that are not known, its year's summer. */
function monthOf(row: Row): string {
  const blob = /blob ([0-9a-f]{8})/.exec(row.source)?.[1] ?? "";
  const known = Object.entries(MONTHS).find(([, blobs]) => blobs.includes(blob));
  return known?.[0] ?? `${/20\d\d/.exec(row.date)?.[0] ?? 2024}-07`;
}

/** TGI 1.4.4 until May 2024, 2.0.2 until 2025, then over NxD Inference's graphs. */
export function tgiOf(row: Row, family: string): StackSpec {
  const month = monthOf(row);
  if (month < "2024-05") return tgiEarly;
  if (month >= "2025") return tgiNxd;
  // optimum-neuron asked for BSH and one product of Q, K and V for Llama alone (model_configs.py).
  const { graphs, kernels } = transformersNeuronx;
  const its = family === "llama" ? tgi : { ...tgi, graphs, kernels };
  return month < "2024-07" ? { ...its, kvSharding: transformersNeuronx.kvSharding } : its;
}

/** Did llmperf draw each prompt as it sent it? It has them ready since 18 June 2024. */
export function drawsAsItSends(row: Row): boolean {
  return monthOf(row) < "2024-07";
}
