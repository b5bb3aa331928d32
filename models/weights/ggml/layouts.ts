/**
 * How ggml's quantised types lie in a block. Most are integers times a scale; the others
 * subtract a minimum besides. Layouts: ggml-common.h and ggml-quants.c of llama.cpp.
 */
import type { ScaledType, ShiftedType } from "../../model.ts";
import { halfTable } from "../small-floats.ts";

interface Size {
  /** Elements and bytes of a block. */
  readonly elements: number;
  readonly bytes: number;
  /** Elements that share a scale. */
  readonly group: number;
}

/** number = (code − middle of the codes) · scale */
export interface ScaledLayout extends Size {
  readonly bits: 4 | 8;
  /** Codes of a group into `codes[at…]`; its scale. */
  readonly read: (block: Uint8Array, group: number, codes: Uint8Array, at: number) => number;
}

/** number = scale · code − minimum, with codes below `levels` */
export interface ShiftedLayout extends Size {
  readonly levels: number;
  /** Codes of a group into `codes[at…]`; its scale and minimum into `numbers`. */
  readonly read: (
    block: Uint8Array,
    group: number,
    codes: Uint8Array,
    at: number,
    numbers: ScaleAndMinimum,
  ) => void;
}

export interface ScaleAndMinimum {
  scale: number;
  minimum: number;
}

const byte = (block: Uint8Array, at: number): number => block[at] as number;
const half = (block: Uint8Array, at: number): number =>
  halfTable()[byte(block, at) | (byte(block, at + 1) << 8)] as number;

/** 32 nibbles of 16 bytes from `from` on: first all the low ones. */
function nibbles(block: Uint8Array, from: number, codes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++) {
    codes[at + i] = byte(block, from + i) & 15;
    codes[at + 16 + i] = byte(block, from + i) >> 4;
  }
}

/** A fifth bit for each of 32 codes, from four bytes. */
function fifthBits(block: Uint8Array, from: number, codes: Uint8Array, at: number): void {
  for (let i = 0; i < 32; i++)
    codes[at + i] = byte(codes, at + i) | (((byte(block, from + (i >> 3)) >> (i & 7)) & 1) << 4);
}

function translate(codes: Uint8Array, at: number, count: number, table: Uint8Array): void {
  for (let i = at; i < at + count; i++) codes[i] = table[codes[i] as number] as number;
}

const around128 = (...values: readonly number[]): Uint8Array =>
  Uint8Array.from(values, (value) => 128 + value);
/** `kvalues_iq4nl` */
const IQ4 = around128(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
/** Twice the magnitudes of E2M1. */
const E2M1 = around128(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

/** Signed scales of 6 bits: a word of low nibbles, then two high bits each. */
function scaleOfQ3K(block: Uint8Array, group: number): number {
  const [word, at] = [group >> 2, 96 + (group & 3)];
  const low = byte(block, at + 4 * (word & 1)) >> (word < 2 ? 0 : 4);
  return ((low & 15) | (((byte(block, at + 8) >> (2 * word)) & 3) << 4)) - 32;
}

export const SCALED = {
  // A half, then 16 bytes of nibbles.
  Q4_0: {
    elements: 32,
    bytes: 18,
    group: 32,
    bits: 4,
    read: (block, _, codes, at) => {
      nibbles(block, 2, codes, at);
      return half(block, 0);
    },
  },
  // A half, four bytes of fifth bits, nibbles; from −16.
  Q5_0: {
    elements: 32,
    bytes: 22,
    group: 32,
    bits: 8,
    read: (block, _, codes, at) => {
      nibbles(block, 6, codes, at);
      fifthBits(block, 2, codes, at);
      for (let i = at; i < at + 32; i++) codes[i] = byte(codes, i) + 112;
      return half(block, 0);
    },
  },
  // A half, then 32 signed bytes.
  Q8_0: {
    elements: 32,
    bytes: 34,
    group: 32,
    bits: 8,
    read: (block, _, codes, at) => {
      for (let i = 0; i < 32; i++) codes[at + i] = byte(block, 2 + i) ^ 128;
      return half(block, 0);
    },
  },
  // 32 bytes of third bits, 64 of two low bits each, 12 of scales, a half; from −4.
  Q3_K: {
    elements: 256,
    bytes: 110,
    group: 16,
    bits: 8,
    read: (block, group, codes, at) => {
      const [part, quarter, lane] = [group >> 3, (group >> 1) & 3, 16 * (group & 1)];
      for (let i = 0; i < 16; i++) {
        const low = (byte(block, 32 + part * 32 + lane + i) >> (2 * quarter)) & 3;
        const high = (byte(block, lane + i) >> (4 * part + quarter)) & 1;
        codes[at + i] = 124 + low + 4 * high;
      }
      return half(block, 108) * scaleOfQ3K(block, group);
    },
  },
  // 128 bytes of low nibbles, 64 of two high bits each, 16 signed scales, a half; from −32.
  Q6_K: {
    elements: 256,
    bytes: 210,
    group: 16,
    bits: 8,
    read: (block, group, codes, at) => {
      const [part, quarter, lane] = [group >> 3, (group >> 1) & 3, 16 * (group & 1)];
      const [low, shift] = [part * 64 + (quarter & 1) * 32 + lane, quarter < 2 ? 0 : 4];
      const high = 128 + part * 32 + lane;
      for (let i = 0; i < 16; i++) {
        const top = (byte(block, high + i) >> (2 * quarter)) & 3;
        codes[at + i] = 96 + (((byte(block, low + i) >> shift) & 15) | (top << 4));
      }
      return half(block, 208) * ((byte(block, 192 + group) << 24) >> 24);
    },
  },
  // A half, then nibbles that name one of 16 values.
  IQ4_NL: {
    elements: 32,
    bytes: 18,
    group: 32,
    bits: 8,
    read: (block, _, codes, at) => {
      nibbles(block, 2, codes, at);
      translate(codes, at, 32, IQ4);
      return half(block, 0);
    },
  },
  // A half, scales of 6 bits (two bytes of high bits, four of nibbles), nibbles.
  IQ4_XS: {
    elements: 256,
    bytes: 136,
    group: 32,
    bits: 8,
    read: (block, group, codes, at) => {
      nibbles(block, 8 + 16 * group, codes, at);
      translate(codes, at, 32, IQ4);
      const low = (byte(block, 4 + (group >> 1)) >> (4 * (group & 1))) & 15;
      const high = (byte(block, 2 + (group >> 2)) >> (2 * (group & 3))) & 3;
      return half(block, 0) * ((low | (high << 4)) - 32);
    },
  },
  // A power of two, then nibbles of E2M1.
  MXFP4: {
    elements: 32,
    bytes: 17,
    group: 32,
    bits: 8,
    read: (block, _, codes, at) => {
      nibbles(block, 1, codes, at);
      translate(codes, at, 32, E2M1);
      return 2 ** (byte(block, 0) - 128);
    },
  },
} satisfies Readonly<Record<ScaledType, ScaledLayout>>;

/** Of Q4_K and Q5_K: two halves, then 12 bytes of eight scales and eight minima of 6 bits. */
function sixBits(block: Uint8Array, group: number, numbers: ScaleAndMinimum): void {
  const at = 4 + group;
  const high = group >= 4;
  const scale = high
    ? (byte(block, at + 4) & 15) | ((byte(block, at - 4) >> 6) << 4)
    : byte(block, at) & 63;
  const minimum = high
    ? (byte(block, at + 4) >> 4) | ((byte(block, at) >> 6) << 4)
    : byte(block, at + 4) & 63;
  numbers.scale = half(block, 0) * scale;
  numbers.minimum = half(block, 2) * minimum;
}

/** Group 0 to 7 of 128 bytes from `from` on: two groups share 32 bytes. */
function halfGroup(
  block: Uint8Array,
  from: number,
  group: number,
  codes: Uint8Array,
  at: number,
): void {
  const [begin, shift] = [from + (group >> 1) * 32, 4 * (group & 1)];
  for (let i = 0; i < 32; i++) codes[at + i] = (byte(block, begin + i) >> shift) & 15;
}

export const SHIFTED = {
  // Two halves, scale and what is added, then nibbles.
  Q4_1: {
    elements: 32,
    bytes: 20,
    group: 32,
    levels: 16,
    read: (block, _, codes, at, numbers) => {
      nibbles(block, 4, codes, at);
      numbers.scale = half(block, 0);
      numbers.minimum = -half(block, 2);
    },
  },
  // The same with fifth bits before the nibbles.
  Q5_1: {
    elements: 32,
    bytes: 24,
    group: 32,
    levels: 32,
    read: (block, _, codes, at, numbers) => {
      nibbles(block, 8, codes, at);
      fifthBits(block, 4, codes, at);
      numbers.scale = half(block, 0);
      numbers.minimum = -half(block, 2);
    },
  },
  // 16 bytes of a scale and a minimum of 4 bits, 64 of two bits each, two halves.
  Q2_K: {
    elements: 256,
    bytes: 84,
    group: 16,
    levels: 4,
    read: (block, group, codes, at, numbers) => {
      const [part, quarter, lane] = [group >> 3, (group >> 1) & 3, 16 * (group & 1)];
      for (let i = 0; i < 16; i++)
        codes[at + i] = (byte(block, 16 + part * 32 + lane + i) >> (2 * quarter)) & 3;
      numbers.scale = half(block, 80) * (byte(block, group) & 15);
      numbers.minimum = half(block, 82) * (byte(block, group) >> 4);
    },
  },
  Q4_K: {
    elements: 256,
    bytes: 144,
    group: 32,
    levels: 16,
    read: (block, group, codes, at, numbers) => {
      halfGroup(block, 16, group, codes, at);
      sixBits(block, group, numbers);
    },
  },
  // As Q4_K, with 32 bytes of fifth bits before the nibbles.
  Q5_K: {
    elements: 256,
    bytes: 176,
    group: 32,
    levels: 32,
    read: (block, group, codes, at, numbers) => {
      halfGroup(block, 48, group, codes, at);
      for (let i = 0; i < 32; i++)
        codes[at + i] = byte(codes, at + i) | (((byte(block, 16 + i) >> group) & 1) << 4);
      sixBits(block, group, numbers);
    },
  },
} satisfies Readonly<Record<ShiftedType, ShiftedLayout>>;
