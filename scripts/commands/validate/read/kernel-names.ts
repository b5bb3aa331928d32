/** Kernels by how tables name them, in words or by NxD Inference's flags. */
import type { Words } from "./words.ts";

/** What the clauses read so far switch. */
export interface Switches {
  readonly on: Set<string>;
  readonly off: Set<string>;
  none: boolean;
}

const TKG = String.raw`(?:tkg|token[\s_-]*gen(?:eration)?|decode)`;
const CTE = String.raw`(?:cte|context[\s_-]*encoding|prefill|prompt)`;

/** Kernels by how tables call them; the first that matches takes the words. */
const NAMED: readonly (readonly [RegExp, string | undefined])[] = [
  [
    new RegExp(
      String.raw`\b(?:${CTE}[\s_-]*)?moe[\s_-]*(?:${CTE})\b|\b(?:${CTE})[\s_-]*moe\b|\bblock-?wise(?:[\s_-]*(?:moe|matmul|mm))?\b`,
      "i",
    ),
    "blockwise-moe",
  ],
  [
    new RegExp(
      String.raw`\b(?:${TKG}[\s_-]*)?(?:fused[\s_-]*)?(?:moe|experts?)(?:[\s_-]*(?:fused|${TKG}|mlp))*\b`,
      "i",
    ),
    "fused-moe",
  ],
  [
    new RegExp(String.raw`\b(?:quantized[\s_-]*)?(?:fused[\s_-]*)?mlp(?:[\s_-]*${TKG})?\b`, "i"),
    "fused-mlp",
  ],
  [/\b(?:rms[\s_-]*norm[\s_-]*)?qkv(?:[\s_-]*proj\w*)?\b/i, "fused-qkv"],
  [/\b(?:out(?:put)?[\s_-]*proj\w*|o[\s_-]?proj)\b/i, undefined],
  [
    new RegExp(
      String.raw`\b(?:flash[\s_-]*(?:attention|attn)|(?:${CTE})[\s_-]*(?:attention|attn)|(?:attention|attn)[\s_-]*(?:${CTE}))\b`,
      "i",
    ),
    "flash-attention",
  ],
  [
    new RegExp(
      String.raw`\b(?:${TKG})[\s_-]*(?:fused[\s_-]*)?(?:attention|attn)(?:[\s_-]*blocks?)?\b|\b(?:attention|attn)[\s_-]*(?:blocks?[\s_-]*)?(?:${TKG})\b|\b(?:attention|attn)[\s_-]*blocks?\b|\bfused[\s_-]*(?:attention|attn)\b`,
      "i",
    ),
    "fused-attention",
  ],
  // NxD Inference's attn_kernel_enabled is that of prompts.
  [/\b(?:attention|attn)\b/i, "flash-attention"],
  [
    /\b(?:rms[\s_-]*norm|layer[\s_-]*norm|norm|router|top[\s_-]?k|lm[\s_-]*head|rope|embedding|quanti[sz]e|collectives?|cache[\s_-]*update)\b/i,
    undefined,
  ],
];

const DECODE_KERNELS = ["fused-attention", "fused-qkv", "fused-mlp", "fused-moe"];
const KERNEL_CLAUSE =
  /\bkernels?\b|\bfused\b|\bnki\b|\bflash[\s_-]*attention\b|\b(?:attention|attn)[\s_-]*blocks?\b/i;
const NOT = /\b(?:no|not|without|w\/o|off|disabled|non)\b/i;

/** Does a clause list kernels, so that each of its parts is one ("QKV + MLP kernels")? */
export function listsKernels(clause: string): boolean {
  return KERNEL_CLAUSE.test(clause) && !NOT.test(clause);
}

/** The kernels that a part of a clause switches on, or off. */
export function kernelsOf(clause: Words, its: Switches, listed = false): void {
  const told = clause.has(KERNEL_CLAUSE);
  if (!told && !(listed && NAMED.some(([pattern]) => clause.has(pattern)))) return;
  const not = clause.takes(NOT);
  const found = new Set<string>();
  let named = false;
  const tkg = clause.has(new RegExp(String.raw`\b${TKG}\b`, "i"));
  for (const [pattern, kernel] of NAMED) {
    while (clause.take(pattern) !== undefined) {
      named = true;
      if (kernel !== undefined) found.add(kernel);
    }
  }
  const all = clause.takes(/\b(?:all|every|full|default)\b/i);
  const decode = clause.takes(new RegExp(String.raw`\b${TKG}\b`, "i")) || (tkg && !named);
  const prompts = clause.takes(new RegExp(String.raw`\b${CTE}\b`, "i"));
  const fused = clause.takes(/\bfused\b/i);
  const nki = clause.takes(/\bnki(?:lib)?\b(?:[\s_-]*library)?/i);
  const kernels = clause.takes(/\bkernels?\b/i);
  clause.takes(/\b(?:baseline|tuned|custom|enabled|on|enable|named|library|blocks?)\b/i);
  if (!named && not && (kernels || nki) && !decode && !prompts && !fused) its.none = true;
  else if (!named && (decode || (fused && not)))
    for (const kernel of DECODE_KERNELS) found.add(kernel);
  else if (!named && all && kernels)
    for (const kernel of [...DECODE_KERNELS, "flash-attention"]) found.add(kernel);
  else if (!named && prompts) found.add("flash-attention");
  for (const kernel of found) (not ? its.off : its.on).add(kernel);
}
