/**
 * Rows of ggml's quantised types: those that are integers times a scale as they are, those that
 * subtract a minimum besides as 8-bit codes that come close to them (fitted.ts). In F32 each is
 * what ggml makes of it: products of halves and small integers are exact, and a sum is rounded once.
 */
import type { BlockType, ShiftedType, StoredTensor } from "../../model.ts";
import type { Bytes, IntegerRows, Moved } from "../integer-rows.ts";
import { fitted } from "./fitted.ts";
import {
  SCALED,
  type ScaleAndMinimum,
  type ScaledLayout,
  SHIFTED,
  type ShiftedLayout,
} from "./layouts.ts";

export function isBlockType(type: string): type is BlockType {
  return Object.hasOwn(SCALED, type) || isShifted(type);
}

/** Do its groups have a minimum, so that 8-bit codes only come close? */
export function isShifted(type: string): type is ShiftedType {
  return Object.hasOwn(SHIFTED, type);
}

const layoutOf = (type: BlockType): ScaledLayout | ShiftedLayout =>
  isShifted(type) ? SHIFTED[type] : SCALED[type];

/** What a number takes as `blockRows` gives it: bits of its code, numbers that share a scale, and whether they have a zero. */
export function sizeAsIntegers(type: BlockType): {
  readonly bits: number;
  readonly group: number;
  readonly zeroed: boolean;
} {
  const layout = layoutOf(type);
  const { group } = layout;
  return "bits" in layout
    ? { bits: layout.bits, group, zeroed: false }
    : { bits: 8, group, zeroed: true };
}

type Rows = { readonly begin: number; readonly end: number };

/** Rows `[begin, end)` as integers: the numbers themselves, but where groups have minima. */
export function blockRows(
  stored: StoredTensor,
  type: BlockType,
  rows: Rows,
  bytes: Bytes,
): IntegerRows {
  const layout = layoutOf(type);
  const width = stored.shape.at(-1) ?? 1;
  const count = (rows.end - rows.begin) * width;
  const bits = "bits" in layout ? layout.bits : 8;
  const out = {
    codes: new Uint8Array(count),
    bits,
    scales: new Float32Array(count / layout.group),
    zeros: new Uint8Array(count / layout.group).fill(2 ** (bits - 1)),
    groups: width / layout.group,
  };
  const { codes, scales, zeros } = out;
  if ("bits" in layout) {
    eachGroup(stored, layout, { rows, bytes }, (block, inner, group) => {
      scales[group] = layout.read(block, inner, codes, group * layout.group);
    });
    return out;
  }
  const numbers: ScaleAndMinimum = { scale: 0, minimum: 0 };
  const moved: Moved = { differences: 0, squares: 0 };
  eachGroup(stored, layout, { rows, bytes }, (block, inner, group) => {
    const from = group * layout.group;
    layout.read(block, inner, codes, from, numbers);
    const { scale, minimum } = numbers;
    const fit = fitted(scale, minimum, layout.levels);
    scales[group] = fit.scale;
    zeros[group] = fit.zero;
    const looked = group % EVERY === 0;
    for (let i = from; i < from + layout.group; i++) {
      const code = codes[i] as number;
      const near = fit.codes[code] as number;
      codes[i] = near;
      if (!looked) continue;
      const number = scale * code - minimum;
      moved.differences += (number - (near - fit.zero) * fit.scale) ** 2;
      moved.squares += number ** 2;
    }
  });
  return { ...out, moved };
}

/** Rows `[begin, end)` of a type with minima as the numbers that they stand for. */
export function shiftedRows(
  stored: StoredTensor,
  type: ShiftedType,
  source: { readonly rows: Rows; readonly bytes: Bytes },
  out: Float32Array,
): void {
  const layout: ShiftedLayout = SHIFTED[type];
  const codes = new Uint8Array(layout.group);
  const numbers: ScaleAndMinimum = { scale: 0, minimum: 0 };
  eachGroup(stored, layout, source, (block, inner, group) => {
    layout.read(block, inner, codes, 0, numbers);
    const from = group * layout.group;
    const { scale, minimum } = numbers;
    for (let i = 0; i < codes.length; i++) out[from + i] = scale * (codes[i] as number) - minimum;
  });
}

/** Of so many groups one is looked at for how far its numbers are moved. */
const EVERY = 16;

/** Bytes read at once. */
const READ_BYTES = 1 << 20;

/** `take` is given each group by its block, its place in that, and its place among all. */
function eachGroup(
  stored: StoredTensor,
  { elements, bytes: size, group }: ScaledLayout | ShiftedLayout,
  { rows, bytes }: { readonly rows: Rows; readonly bytes: Bytes },
  take: (block: Uint8Array, inner: number, index: number) => void,
): void {
  const row = ((stored.shape.at(-1) ?? 1) / elements) * size;
  const last = rows.end * row;
  const most = Math.max(1, Math.floor(READ_BYTES / size)) * size;
  const groups = elements / group;
  let index = 0;
  for (let from = rows.begin * row; from < last; from += most) {
    const some = bytes(stored, from, Math.min(most, last - from));
    for (let at = 0; at < some.length; at += size) {
      const block = some.subarray(at, at + size);
      for (let inner = 0; inner < groups; inner++) take(block, inner, index++);
    }
  }
}
