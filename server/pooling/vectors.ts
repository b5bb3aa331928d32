/** Vectors as the wire has them: as numbers or as base64 of a dtype. */
import { rounded } from "../../models/weights/round.ts";

/** Of vectors of length 1: their product. */
export function cosine(a: Float32Array, b: Float32Array): number {
  return Math.fround(a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0));
}

export type VectorDtype = "float32" | "float16" | "bfloat16";

const DTYPES = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

export interface Encoding {
  readonly format: "float" | "base64";
  readonly dtype: VectorDtype;
  readonly big: boolean;
}

export function encoded(vector: Float32Array, { format, dtype, big }: Encoding): number[] | string {
  if (format === "float") return [...vector];
  const bytes = Buffer.from(rounded(vector, DTYPES[dtype]));
  if (big) dtype === "float32" ? bytes.swap32() : bytes.swap16();
  return bytes.toString("base64");
}
