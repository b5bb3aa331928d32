/**
 * Rows of ggml's quantised types. Q4_0, Q8_0 and Q6_K are integers times a scale and stay so;
 * Q4_K subtracts a minimum of its own besides, which 8-bit codes come close to (`fitted`).
 * Layouts and the order of operations: ggml-quants.c and ggml-common.h of llama.cpp.
 */
import type { Packing, StoredTensor } from "../../model.ts";
import type { Bytes, IntegerRows } from "../integer-rows.ts";
import { halfTable } from "../small-floats.ts";

export type BlockType = Extract<Packing, { readonly kind: "ggml" }>["type"];

export function isBlockType(type: string): type is BlockType {
  return Object.hasOwn(LAYOUTS, type);
}

interface Layout {
  /** Elements and bytes of a block. */
  readonly elements: number;
  readonly bytes: number;
  /** Elements that share a scale. */
  readonly group: number;
  readonly bits: number;
  /** One block into `codes`, `scales` and `zeros` from the given places. */
  readonly unpack: (block: Uint8Array, out: IntegerRows, code: number, group: number) => void;
}

type Rows = { readonly begin: number; readonly end: number };

/** Rows `[begin, end)` as integers: the numbers themselves, but for Q4_K. */
export function blockRows(
  stored: StoredTensor,
  type: BlockType,
  rows: Rows,
  bytes: Bytes,
): IntegerRows {
  const layout = LAYOUTS[type];
  const count = (rows.end - rows.begin) * (stored.shape.at(-1) ?? 1);
  const groups = count / layout.group;
  const out = {
    codes: new Uint8Array(count),
    bits: layout.bits,
    scales: new Float32Array(groups),
    zeros: new Uint8Array(groups).fill(2 ** (layout.bits - 1)),
    groups: (stored.shape.at(-1) ?? 1) / layout.group,
  };
  eachBlock(stored, layout, rows, bytes, (block, at) =>
    layout.unpack(block, out, at * layout.elements, (at * layout.elements) / layout.group),
  );
  return out;
}

/** Rows `[begin, end)` of Q4_K as the numbers that they stand for. */
export function minimumRows(
  stored: StoredTensor,
  rows: Rows,
  bytes: Bytes,
  out: Float32Array,
): void {
  const layout = LAYOUTS.Q4_K;
  eachBlock(stored, layout, rows, bytes, (block, at) => {
    const codes = new Uint8Array(32);
    for (let group = 0; group < 8; group++) {
      const { scale, minimum } = groupOfQ4K(block, group, codes);
      const from = at * layout.elements + group * 32;
      for (let i = 0; i < 32; i++) out[from + i] = scale * (codes[i] as number) - minimum;
    }
  });
}

/** Bytes read at once. */
const READ_BYTES = 1 << 20;

function eachBlock(
  stored: StoredTensor,
  { elements, bytes: size }: Layout,
  { begin, end }: Rows,
  bytes: Bytes,
  take: (block: Uint8Array, index: number) => void,
): void {
  const row = ((stored.shape.at(-1) ?? 1) / elements) * size;
  const last = end * row;
  const most = Math.max(1, Math.floor(READ_BYTES / size)) * size;
  let index = 0;
  for (let from = begin * row; from < last; from += most) {
    const some = bytes(stored, from, Math.min(most, last - from));
    for (let at = 0; at < some.length; at += size) take(some.subarray(at, at + size), index++);
  }
}

const half = (block: Uint8Array, at: number): number =>
  halfTable()[(block[at] as number) | ((block[at + 1] as number) << 8)] as number;

const LAYOUTS: Readonly<Record<BlockType, Layout>> = {
  // A half, then 16 bytes: element i in the low nibble of byte i, 16 + i in the high one.
  Q4_0: {
    elements: 32,
    bytes: 18,
    group: 32,
    bits: 4,
    unpack: (block, { codes, scales }, code, group) => {
      scales[group] = half(block, 0);
      for (let i = 0; i < 16; i++) {
        codes[code + i] = (block[2 + i] as number) & 15;
        codes[code + 16 + i] = (block[2 + i] as number) >> 4;
      }
    },
  },
  // A half, then 32 signed bytes.
  Q8_0: {
    elements: 32,
    bytes: 34,
    group: 32,
    bits: 8,
    unpack: (block, { codes, scales }, code, group) => {
      scales[group] = half(block, 0);
      for (let i = 0; i < 32; i++) codes[code + i] = (block[2 + i] as number) ^ 128;
    },
  },
  Q4_K: {
    elements: 256,
    bytes: 144,
    group: 32,
    bits: 8,
    unpack: (block, out, code, first) => {
      const codes = new Uint8Array(32);
      for (let group = 0; group < 8; group++) {
        const { scale, minimum } = groupOfQ4K(block, group, codes);
        const fit = fitted(scale, minimum);
        out.scales[first + group] = fit.scale;
        out.zeros[first + group] = fit.zero;
        for (let i = 0; i < 32; i++)
          out.codes[code + group * 32 + i] = fit.codes[codes[i] as number] as number;
      }
    },
  },
  // 128 bytes of low nibbles, 64 of two high bits each, 16 signed scales, a half.
  Q6_K: {
    elements: 256,
    bytes: 210,
    group: 16,
    bits: 8,
    unpack: (block, { codes, scales }, code, first) => {
      const factor = half(block, 208);
      for (let group = 0; group < 16; group++)
        scales[first + group] = factor * (((block[192 + group] as number) << 24) >> 24);
      for (let i = 0; i < 256; i++) {
        const [part, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
        const low = block[part * 64 + (quarter & 1) * 32 + lane] as number;
        const high = block[128 + part * 32 + lane] as number;
        const value = ((quarter < 2 ? low : low >> 4) & 15) | (((high >> (2 * quarter)) & 3) << 4);
        codes[code + i] = value + 96;
      }
    },
  },
};

/** Group 0 to 7 of a Q4_K block: two halves, 12 bytes of 6-bit scales and minima, 128 of nibbles. */
function groupOfQ4K(
  block: Uint8Array,
  group: number,
  codes: Uint8Array,
): { readonly scale: number; readonly minimum: number } {
  const packed = (at: number): number => block[4 + at] as number;
  const [scale, minimum] =
    group < 4
      ? [packed(group) & 63, packed(group + 4) & 63]
      : [
          (packed(group + 4) & 15) | ((packed(group - 4) >> 6) << 4),
          (packed(group + 4) >> 4) | ((packed(group) >> 6) << 4),
        ];
  const from = 16 + (group >> 1) * 32;
  const shift = 4 * (group & 1);
  for (let i = 0; i < 32; i++) codes[i] = ((block[from + i] as number) >> shift) & 15;
  return { scale: half(block, 0) * scale, minimum: half(block, 2) * minimum };
}

/** (code − zero) · scale, with a code for each of 0 to 15. */
interface Fit {
  readonly scale: number;
  readonly zero: number;
  readonly codes: Uint8Array;
}

const NIBBLES = Uint8Array.from({ length: 16 }, (_, nibble) => nibble);
const MOST_CODE = 255;
/** Codes of each step from 1 to 17. */
const STEPS = Array.from({ length: 18 }, (_, step) => NIBBLES.map((nibble) => nibble * step));

/**
 * scale · q − minimum as (q · step − zero) · scale / step: `step` is the one of 1 to 17 whose
 * zero is nearest to a whole number, so that all 16 codes fit 8 bits. What is left is one
 * shift of the whole group, at most scale / 34 where the minimum is small. A minimum that no
 * zero reaches is rounded as any numbers are.
 */
export function fitted(scale: number, minimum: number): Fit {
  const offset = scale === 0 ? Number.POSITIVE_INFINITY : minimum / scale;
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let step = 1; step < STEPS.length; step++) {
    const zero = Math.round(offset * step);
    if (!(zero >= 0 && zero <= MOST_CODE)) continue;
    const error = Math.abs(offset * step - zero) / step;
    if (error < least) [best, least] = [step, error];
  }
  const codes = STEPS[best];
  if (best === 0 || codes === undefined) return rounded(scale, minimum);
  return { scale: scale / best, zero: Math.round(offset * best), codes };
}

function rounded(scale: number, minimum: number): Fit {
  const numbers = Array.from(NIBBLES, (nibble) => scale * nibble - minimum);
  const least = Math.min(0, ...numbers);
  const unit = (Math.max(0, ...numbers) - least) / MOST_CODE;
  if (unit === 0) return { scale: 0, zero: 0, codes: NIBBLES };
  const zero = Math.round(-least / unit);
  const code = (number: number): number =>
    Math.min(MOST_CODE, Math.max(0, zero + Math.round(number / unit)));
  return { scale: unit, zero, codes: Uint8Array.from(numbers, code) };
}
