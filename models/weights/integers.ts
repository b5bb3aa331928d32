/**
 * Rows of weights that are stored as integers: number = (code − zero) · scale, where zero and
 * scale are of a group of inputs. MXFP4 is so too: its eight magnitudes are halves of
 * 0, 1, 2, 3, 4, 6, 8 and 12. Formats: model.ts.
 */
import type { Packing, StoredTensor } from "../model.ts";
import { CheckpointError } from "./checkpoint.ts";
import { blockRows } from "./ggml/blocks.ts";
import type { Bytes, IntegerRows, Numbers } from "./integer-rows.ts";

export type IntegerPacking = Exclude<Packing, { readonly kind: "fp8" }>;

/** Rows `[begin, end)` of a weight, all but whose last axis are seen as one. */
export function integerRows(
  stored: StoredTensor,
  packing: IntegerPacking,
  range: { readonly begin: number; readonly end: number },
  from: { readonly bytes: Bytes; readonly numbers: Numbers },
): IntegerRows {
  switch (packing.kind) {
    case "int8":
      return int8(stored, packing.scales, range, from);
    case "mxfp4":
      return mxfp4(stored, packing.scales, range, from);
    case "packed":
      return packed(stored, packing, range, from);
    case "gptq":
    case "awq":
      return words(stored, packing, range, from);
    case "ggml":
      return blockRows(stored, packing.type, range, from.bytes);
  }
}

type From = { readonly bytes: Bytes; readonly numbers: Numbers };
type Rows = { readonly begin: number; readonly end: number };

function int8(
  stored: StoredTensor,
  scales: StoredTensor,
  { begin, end }: Rows,
  from: From,
): IntegerRows {
  const width = stored.shape.at(-1) ?? 1;
  const count = (end - begin) * width;
  const codes = from.bytes(stored, begin * width, count).map((byte) => byte ^ 128);
  const all = from.numbers(scales);
  const own =
    all.length === 1 ? new Float32Array(end - begin).fill(all[0] ?? 0) : all.slice(begin, end);
  return { codes, bits: 8, scales: own, zeros: new Uint8Array(end - begin).fill(128), groups: 1 };
}

/** Twice the magnitudes of E2M1. */
const MAGNITUDES = [0, 1, 2, 3, 4, 6, 8, 12] as const;
const MXFP4_CODES = Uint8Array.from({ length: 16 }, (_, nibble) => {
  const size = MAGNITUDES[nibble & 7] ?? 0;
  return 128 + (nibble & 8 ? -size : size);
});

function mxfp4(
  stored: StoredTensor,
  scales: StoredTensor,
  { begin, end }: Rows,
  from: From,
): IntegerRows {
  const width = stored.shape.at(-1) ?? 1;
  const rows = end - begin;
  const codes = new Uint8Array(rows * width);
  const packed = from.bytes(stored, (begin * width) / 2, (rows * width) / 2);
  for (let i = 0; i < packed.length; i++) {
    const byte = packed[i] as number;
    codes[2 * i] = MXFP4_CODES[byte & 15] as number;
    codes[2 * i + 1] = MXFP4_CODES[byte >> 4] as number;
  }
  const groups = width / 32;
  const exponents = from.bytes(scales, begin * groups, rows * groups);
  // Codes are doubled: one less in the exponent.
  const own = Float32Array.from(exponents, (exponent) => 2 ** (exponent - 128));
  return { codes, bits: 8, scales: own, zeros: new Uint8Array(own.length).fill(128), groups };
}

type Words = Extract<Packing, { readonly kind: "packed" | "gptq" | "awq" }>;

/** One scale a row or several; the zero is 8. */
function packed(
  stored: StoredTensor,
  packing: Words,
  { begin, end }: Rows,
  from: From,
): IntegerRows {
  const width = stored.shape.at(-1) ?? 1;
  const rows = end - begin;
  const codes = new Uint8Array(rows * width);
  const bytes = from.bytes(stored, (begin * width) / 2, (rows * width) / 2);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    codes[2 * i] = byte & 15;
    codes[2 * i + 1] = byte >> 4;
  }
  const groups = packing.scales.shape[1] ?? 1;
  const scales = from.numbers(packing.scales).slice(begin * groups, end * groups);
  const zeros = new Uint8Array(scales.length).fill(8);
  return { codes, bits: 4, scales, zeros, groups, ...ordered(packing, from) };
}

/** Nibble of each of eight neighbouring outputs in a word of AWQ. */
const AWQ_NIBBLES = [0, 4, 1, 5, 2, 6, 3, 7] as const;

const TOGETHER = 64;

/** GPTQ and AWQ keep outputs side by side: all is read for any rows. */
function words(
  stored: StoredTensor,
  packing: Words,
  { begin, end }: Rows,
  from: From,
): IntegerRows {
  const [out = 0, width = 1] = stored.shape;
  const { bits, kind } = packing;
  const each = 32 / bits;
  const mask = 2 ** bits - 1;
  const rows = end - begin;
  const bytes = from.bytes(stored, 0, stored.end - stored.begin).slice();
  const lying = new Uint32Array(bytes.buffer);
  const shiftOf = (output: number): number =>
    kind === "awq" ? 4 * (AWQ_NIBBLES[output & 7] ?? 0) : bits * (output % each);
  const codes = new Uint8Array(rows * width);
  // Some outputs at a time: their words are neighbours, and so are the codes of each.
  for (let top = 0; top < rows; top += TOGETHER) {
    const bottom = Math.min(rows, top + TOGETHER);
    for (let input = 0; input < width; input += kind === "awq" ? 1 : each)
      for (let row = top; row < bottom; row++) {
        const output = begin + row;
        const at = row * width + input;
        if (kind === "awq") {
          const word = lying[input * (out / 8) + (output >> 3)] as number;
          codes[at] = (word >>> shiftOf(output)) & mask;
          continue;
        }
        let word = lying[(input / each) * out + output] as number;
        for (let i = at; i < at + each; i++, word >>>= bits) codes[i] = word & mask;
      }
  }
  const groups = packing.scales.shape[0] ?? 1;
  const all = from.numbers(packing.scales);
  const scales = new Float32Array(rows * groups);
  const zeros = new Uint8Array(rows * groups).fill(2 ** (bits - 1));
  const stored32 =
    packing.zeros &&
    new Uint32Array(
      from.bytes(packing.zeros, 0, packing.zeros.end - packing.zeros.begin).slice().buffer,
    );
  for (let row = 0; row < rows; row++) {
    const output = begin + row;
    for (let group = 0; group < groups; group++) {
      scales[row * groups + group] = all[group * out + output] as number;
      if (stored32 === undefined) continue;
      const word = stored32[group * Math.ceil(out / each) + Math.floor(output / each)] as number;
      zeros[row * groups + group] = ((word >>> shiftOf(output)) & mask) + packing.zeroOffset;
    }
  }
  return { codes, bits, scales, zeros, groups, ...ordered(packing, from) };
}

/** The groups of inputs that are not in order (GPTQ's act-order). */
function ordered({ order, scales, kind }: Words, { bytes }: From): { readonly order?: Int32Array } {
  if (order === undefined) return {};
  const groups = new Int32Array(bytes(order, 0, order.end - order.begin).slice().buffer);
  const count = (kind === "packed" ? scales.shape[1] : scales.shape[0]) ?? 1;
  const size = groups.length / count;
  const odd = groups.find((group) => group < 0 || group >= count);
  if (odd !== undefined)
    throw new CheckpointError(
      `${order.file}: tensor "${order.name}": group ${odd} is none of ${count}`,
    );
  return groups.every((group, input) => group === Math.floor(input / size))
    ? {}
    : { order: groups };
}

/** As F32 into `out[at…]`, row by row. */
export function widen(rows: IntegerRows, out: Float32Array, at: number): void {
  const { codes, scales, zeros, groups, order } = rows;
  const count = scales.length / groups;
  const width = codes.length / count;
  const size = width / groups;
  for (let row = 0; row < count; row++)
    for (let input = 0; input < width; input++) {
      const group = row * groups + (order ? (order[input] as number) : Math.floor(input / size));
      const code = codes[row * width + input] as number;
      out[at + row * width + input] = (code - (zeros[group] as number)) * (scales[group] as number);
    }
}

/** `count` rows, of which the i-th is row `from(i)`. */
export function pickRows(
  rows: IntegerRows,
  count: number,
  from: (row: number) => number,
): IntegerRows {
  const { scales, zeros, codes, groups } = rows;
  const width = (codes.length / scales.length) * groups;
  const out = {
    codes: new Uint8Array(count * width),
    scales: new Float32Array(count * groups),
    zeros: new Uint8Array(count * groups),
  };
  for (let row = 0; row < count; row++) {
    const at = from(row);
    out.codes.set(codes.subarray(at * width, (at + 1) * width), row * width);
    out.scales.set(scales.subarray(at * groups, (at + 1) * groups), row * groups);
    out.zeros.set(zeros.subarray(at * groups, (at + 1) * groups), row * groups);
  }
  return { ...rows, ...out };
}
