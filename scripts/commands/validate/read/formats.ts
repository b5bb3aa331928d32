/** The words of `dtype_quant` → formats of weights, experts and cache in HBM. */
import type { ChipSpec } from "../../../../device/trainium/chips/chip.ts";
import type { Plan } from "../../../../device/trainium/plan.ts";
import type { WeightFormat } from "../../../../models/ops.ts";
import { Refusal, Words } from "./words.ts";

const NAMES: readonly (readonly [RegExp, WeightFormat])[] = [
  [/\bmxfp4\b|\bmx-?fp-?4\b/i, "mxfp4"],
  [/\bmxfp8\b|\bmx-?fp-?8\b/i, "mxfp8"],
  [
    /\bc?fp[\s_-]?8(?:_?e[45]m[23]\w*)?\b|\bf8(?:e[45]m[23]\w*)?\b|\bfloat8\w*\b|\be[45]m[23]\w*\b|\bw8a8[\s_-]fp8\b/i,
    "fp8",
  ],
  [/\bint[\s_-]?8\b|\bw8a(?:16|8)\b|\bs8\b|\b8[\s-]bit\b/i, "int8"],
  [/\bint[\s_-]?4\b|\bw4a16\b|\bawq\b|\bgptq\b|\b4[\s-]bit\b/i, "int4"],
  [/\bb(?:f|float)[\s_-]?16\b/i, "bf16"],
  [/\bfp[\s_-]?16\b|\bf16\b|\bfloat16\b|\bhalf\b/i, "bf16"], // of the same bytes and rate
  [/\bfp[\s_-]?32\b|\bf32\b|\bfloat32\b/i, "f32"],
];

const SUBJECTS: readonly (readonly [RegExp, Subject])[] = [
  [/\b(?:kv[\s_-]?cache|kv)\b/i, "kv"],
  [/\b(?:matmul\s+)?(?:auto[\s_-]?cast|compute|activations?|accumulat\w*)\b/i, "compute"],
  [/\b(?:moe|experts?|expert weights)\b/i, "experts"],
  [/\b(?:attention|attn|dense|non-?experts?|router|embeddings?|lm[\s_-]?head)\b/i, "dense"],
  [/\b(?:weights?|model|mlp|checkpoint|params?)\b/i, "weights"],
];

type Subject = "kv" | "compute" | "experts" | "dense" | "weights";

/** How values are scaled within a format: the bytes are the same. */
const SCALES =
  /\b(?:per[\s-](?:channel|tensor|row|block|token)|block-?wise|blocks?|static|dynamic|symmetric|asymmetric|weight[\s-]only|quanti[sz]ed|quanti[sz]ation|scales?|rescaled|modelopt|native|original|native|only|mixed|precision|matmul|\d+x\d+)\b/i;

const SIZES: Readonly<Record<WeightFormat, number>> = {
  f32: 32,
  f16: 16,
  bf16: 16,
  fp8: 8,
  mxfp8: 8,
  mxfp4: 4,
  int8: 8,
  int4: 4,
};

export function readFormats(text: string, chip: ChipSpec): [Plan["formats"], Words] {
  const words = new Words("dtype_quant", text);
  const found = new Map<Subject, WeightFormat>();
  // What was dequantised is not what lies in HBM.
  words.takes(
    /\(?\s*(?:mx-?fp[48]|fp[48]|int[48])\b[^,;()+]*\bdequanti[sz]ed\b(?:\s+to\s+bf16)?\s*\)?/i,
  );
  const dequantised = words.takes(/\bdequanti[sz]ed\b(?:\s+to)?/i);
  for (const part of words.text.split(/[,;+()|]|\band\b|\bwith\b/i)) {
    const formats = NAMES.filter(([pattern]) => pattern.test(part)).map(([, format]) => format);
    const subjects = SUBJECTS.filter(([pattern]) => pattern.test(part)).map(([, its]) => its);
    const [format, other] = formats;
    if (format === undefined) continue;
    if (other !== undefined && SIZES[format] !== SIZES[other] && subjects.length < 2)
      throw new Refusal(`two formats of different sizes ("${text}")`);
    if (other !== undefined && subjects.length >= 2) {
      for (const [subject, its] of pairs(part)) found.set(subject, its);
      continue;
    }
    for (const subject of subjects.length === 0 ? (["weights"] as const) : subjects)
      if (!found.has(subject)) found.set(subject, format);
  }
  for (const [pattern] of [...NAMES, ...SUBJECTS]) words.takes(pattern);
  words.takes(SCALES);
  const named = found.get("weights") ?? found.get("dense") ?? found.get("compute") ?? "bf16";
  // Traced weights are constants of the graph: a cast of the products casts them at compile time.
  const weights = named === "f32" ? (found.get("compute") ?? named) : named;
  const kept = (format: WeightFormat): WeightFormat =>
    dequantised || (format.startsWith("mx") && chip.tensorRate[format] === undefined)
      ? "bf16"
      : format;
  const experts = kept(found.get("experts") ?? weights);
  const expertsAlone = found.has("experts") && !found.has("weights") && !found.has("dense");
  return [
    {
      dense: expertsAlone || experts === "mxfp4" ? "bf16" : kept(found.get("dense") ?? weights),
      experts,
      kv: kept(found.get("kv") ?? "bf16") === "fp8" ? "fp8" : "bf16",
    },
    words,
  ];
}

/** Formats and subjects of one part in pairs, in the order they stand. */
function pairs(part: string): readonly (readonly [Subject, WeightFormat])[] {
  const at = <Kind>(list: readonly (readonly [RegExp, Kind])[]): readonly Kind[] =>
    list
      .flatMap(([pattern, its]) => {
        const index = part.search(pattern);
        return index < 0 ? [] : [{ index, its }];
      })
      .sort((a, b) => a.index - b.index)
      .map((one) => one.its);
  const formats = at(NAMES);
  return at(SUBJECTS).map((subject, index) => [subject, formats[index] ?? formats[0] ?? "bf16"]);
}
