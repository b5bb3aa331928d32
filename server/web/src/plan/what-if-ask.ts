/** A system and what it would be otherwise, as the link says it. */
import { parseConcurrency, parseShape } from "../../../../scripts/commands/sweep/protocol.ts";
import type { System } from "../curves/system.ts";

/** As the link says it. */
export interface WhatIfAsk {
  readonly model: string;
  readonly machine: string;
  readonly ranks: string;
  /** As --quantization; empty: as the model declares. */
  readonly weights: string;
  readonly shape: string;
  readonly users: string;
  /** Times the machine's own. */
  readonly hbm: string;
  readonly link: string;
  readonly hop: string;
  /** Empty: as it is. */
  readonly toRanks: string;
  readonly toWeights: string;
  /** Guesses of a step; 0: no speculation. */
  readonly drafts: string;
  /** Ids that a step is expected to yield. */
  readonly accept: string;
}

export const WHAT_IF: WhatIfAsk = {
  model: "meta-llama/Llama-3.1-8B-Instruct",
  machine: "trn2.3xlarge",
  ranks: "4",
  weights: "",
  shape: "1024/256",
  users: "1..32",
  hbm: "1",
  link: "1",
  hop: "1",
  toRanks: "",
  toWeights: "",
  drafts: "0",
  accept: "2",
};

export function whatIfOf(link: URLSearchParams): WhatIfAsk {
  return Object.fromEntries(
    Object.entries(WHAT_IF).map(([name, value]) => [name, link.get(name) ?? value]),
  ) as unknown as WhatIfAsk; // the same names as WHAT_IF
}

export interface Pair {
  readonly asIs: System;
  /** Undefined: no slider was moved. */
  readonly otherwise: System | undefined;
  readonly users: readonly number[];
}

/** Throws a sentence for what is no system. */
export function pairOf(ask: WhatIfAsk): Pair {
  const ranks = ranksOf(ask.ranks);
  const asIs: System = {
    model: ask.model,
    instance: ask.machine,
    tensorParallel: ranks,
    quantization: ask.weights === "" ? undefined : ask.weights,
    kernels: "",
    set: "",
    shape: parseShape(ask.shape),
  };
  const weights = ask.toWeights === "" ? asIs.quantization : ask.toWeights;
  const otherwise: System = {
    ...asIs,
    tensorParallel: ask.toRanks === "" ? ranks : ranksOf(ask.toRanks),
    quantization: weights,
    set: changesOf(ask),
    speculative: speculationOf(ask),
  };
  const moved = JSON.stringify(otherwise) !== JSON.stringify(asIs);
  return { asIs, otherwise: moved ? otherwise : undefined, users: parseConcurrency(ask.users) };
}

function ranksOf(text: string): number {
  const ranks = Number(text);
  if (!Number.isInteger(ranks) || ranks < 1) throw new Error(`TP cannot be “${text}”.`);
  return ranks;
}

/** As --set takes them. */
function changesOf({ hbm, link, hop }: WhatIfAsk): string {
  const times = { "hbm.bandwidth": hbm, "link.bandwidth": link, "link.hop": hop };
  return Object.entries(times)
    .filter(([, value]) => Number(value) !== 1)
    .map(([name, value]) => `${name}=${value}x`)
    .join(",");
}

/** Heads whose acceptance is told: nobody knows it of a model that is not run. */
function speculationOf({ drafts, accept }: WhatIfAsk): string | undefined {
  const guesses = Number(drafts);
  if (guesses === 0) return undefined;
  return JSON.stringify({
    method: "eagle3",
    num_speculative_tokens: guesses,
    acceptance_length: Math.min(Number(accept), guesses + 1),
  });
}
