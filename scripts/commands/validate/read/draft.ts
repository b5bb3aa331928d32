/** The words of `spec_decode` → who drafts, how many tokens. */
import type { Architecture } from "../../../../models/architecture.ts";
import { findArchitecture } from "./model.ts";
import { Refusal, Words } from "./words.ts";

export interface Draft {
  /** Drafted tokens a step. */
  readonly tokens: number;
  /**
   * `head`: a layer of the target's own width, once a token (EAGLE, MTP); `parallel`: that layer once for
   * all tokens (P-EAGLE, Medusa); `model`: a model of its own, once a token.
   */
  readonly kind: "head" | "parallel" | "model";
  readonly architecture: Architecture | undefined;
}

/** undefined: nothing drafts. */
export function readDraft(text: string): [Draft | undefined, Words] {
  const words = new Words("spec_decode", text);
  if (words.takes(/^\s*(?:n(?:o|one)?|off|disabled|false|-)?\s*(?:\(.*\))?\s*$/i))
    return [undefined, new Words("spec_decode", "")];
  const said = words.take(/^\s*(?:y(?:es)?|true|on)\b\s*[:;,-]?/i);
  const tokens =
    words.count(
      /\b(?:k|num[\s_-]*speculative[\s_-]*tokens|speculation[\s_-]*length|spec[\s_-]*len(?:gth)?|lookahead|gamma)\s*[=:]?\s*(\d+)/i,
    ) ?? words.count(/\b(\d+)\s*(?:speculative |draft(?:ed)? )?tokens?\b/i);
  const parallel = words.takes(/\bp-?eagle\b|\bparallel[\s-]eagle\b|\bmedusa\b/i);
  const head = words.takes(/\beagle[\s-]?[123]?\b|\bmtp\b|\bheads?\b/i);
  const name = words.take(
    /\b[\w.]*[A-Za-z][\w.]*(?:-[\w.]+)*-\d+(?:\.\d+)?[BbMm]\b(?:-[\w.]+)*/,
  )?.[0];
  words.takes(
    /\b(?:drafts?|drafter|draft model|models?|fused|vanilla|standard|unfused|greedy|speculation|speculative|decoding|tokens?|token tree|steps?|each)\b/i,
  );
  if (said === undefined && name === undefined && !parallel && !head)
    throw new Refusal(`speculation "${text}" is not understood`);
  if (tokens === undefined)
    throw new Refusal(`speculation of an untold number of tokens ("${text}")`);
  const architecture = name === undefined ? undefined : findArchitecture(name);
  if (name !== undefined && architecture === undefined)
    throw new Refusal(`no config of the draft model ${name}`);
  if (architecture === undefined && !parallel && !head)
    throw new Refusal(`speculation without its draft ("${text}")`);
  return [
    {
      tokens,
      kind: architecture !== undefined ? "model" : parallel ? "parallel" : "head",
      architecture,
    },
    words,
  ];
}
