/**
 * Weights that were published as integers in groups, as MatMulNBits takes them: the same
 * codes, scales and zeros, so nothing is rounded again.
 */
import type { IntegerRows, Moved } from "../../../models/weights/integer-rows.ts";
import type { Range } from "../../../models/weights/shard.ts";
import type { Int8Weight } from "./quantise.ts";

export interface StoredBlocks {
  readonly bits: number;
  readonly block: number;
  /** [out, blocks, block · bits / 8], low nibble first. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** [out, blocks] */
  readonly scales: Float32Array<ArrayBuffer>;
  /** [out, ⌈blocks · bits / 8⌉]; absent: the middle of the codes. */
  readonly zeros?: Uint8Array<ArrayBuffer>;
  /** Which of the inputs each column is of; absent: in order. */
  readonly inputs?: Int32Array<ArrayBuffer>;
  /** Of parts that are not quite what was published. */
  readonly moved: readonly Moved[];
}

/** Group sizes that the product has kernels for. */
const BLOCKS: ReadonlySet<number> = new Set([16, 32, 64, 128, 256]);

/**
 * The parts below each other; undefined where they are not alike, or where a group is of no
 * size that the product knows or is divided over ranks. `columns` are those of the rank.
 * Inputs out of order (GPTQ's act-order) are sorted by their groups.
 */
export function storedBlocks(
  parts: readonly { readonly rows: IntegerRows; readonly columns?: Range }[],
): StoredBlocks | undefined {
  const cut = parts.map(({ rows, columns }) => cutColumns(rows, columns));
  const whole = cut.flatMap((each) => each ?? []);
  const [first] = whole;
  if (first === undefined || whole.length < parts.length) return undefined;
  const { bits, block, groups, inputs } = first;
  if (whole.some((its) => its.bits !== bits || its.block !== block || its.groups !== groups))
    return undefined;
  if (whole.some((its) => its.inputs?.join() !== inputs?.join())) return undefined;
  const codes = join(whole.map((its) => (bits === 4 ? nibbles(its.codes) : its.codes)));
  const scales = new Float32Array(whole.reduce((sum, its) => sum + its.scales.length, 0));
  let at = 0;
  for (const its of whole) {
    scales.set(its.scales, at);
    at += its.scales.length;
  }
  const plain = whole.every(({ zeros }) => zeros.every((zero) => zero === 2 ** (bits - 1)));
  const moved = parts.flatMap(({ rows }) => rows.moved ?? []);
  const told = { bits, block, codes, scales, moved, ...(inputs && { inputs }) };
  if (plain) return told;
  if (whole.some(({ zeros }) => zeros.some((zero) => zero >= 2 ** bits))) return undefined;
  const zeros = join(whole.map((its) => (bits === 4 ? rowNibbles(its.zeros, groups) : its.zeros)));
  return { ...told, zeros };
}

/** The same of int8 with a scale a row; undefined where they are anything else. */
export function storedInt8(
  parts: readonly { readonly rows: IntegerRows; readonly columns?: Range }[],
): Int8Weight | undefined {
  if (parts.some(({ rows }) => rows.bits !== 8 || rows.groups !== 1)) return undefined;
  const outs = parts.reduce((sum, { rows }) => sum + rows.scales.length, 0);
  const [first] = parts;
  if (first === undefined) return undefined;
  const all = first.rows.codes.length / first.rows.scales.length;
  const { begin, end } = first.columns ?? { begin: 0, end: all };
  const values = new Int8Array(outs * (end - begin));
  const scales = new Float32Array(outs);
  let out = 0;
  for (const { rows } of parts)
    for (let row = 0; row < rows.scales.length; row++, out++) {
      scales[out] = rows.scales[row] as number;
      for (let input = begin; input < end; input++)
        values[(input - begin) * outs + out] = (rows.codes[row * all + input] as number) - 128;
    }
  return { values, scales };
}

interface Cut {
  readonly bits: number;
  readonly block: number;
  readonly groups: number;
  readonly codes: Uint8Array<ArrayBuffer>;
  readonly scales: Float32Array;
  readonly zeros: Uint8Array<ArrayBuffer>;
  readonly inputs?: Int32Array<ArrayBuffer>;
}

function cutColumns(rows: IntegerRows, columns: Range | undefined): Cut | undefined {
  const { bits, groups, order } = rows;
  const count = rows.scales.length / groups;
  const width = rows.codes.length / count;
  const block = width / groups;
  if (!BLOCKS.has(block)) return undefined;
  if (order !== undefined) return columns === undefined ? inOrder(rows, order, block) : undefined;
  if (columns === undefined) return { ...rows, bits, block };
  const { begin, end } = columns;
  if (begin % block !== 0 || end % block !== 0) return undefined;
  const [left, right] = [begin / block, end / block];
  const codes = new Uint8Array(count * (end - begin));
  const scales = new Float32Array(count * (right - left));
  const zeros = new Uint8Array(count * (right - left));
  for (let row = 0; row < count; row++) {
    codes.set(rows.codes.subarray(row * width + begin, row * width + end), row * (end - begin));
    const [from, to] = [row * groups + left, row * groups + right];
    scales.set(rows.scales.subarray(from, to), row * (right - left));
    zeros.set(rows.zeros.subarray(from, to), row * (right - left));
  }
  return { bits, block, groups: right - left, codes, scales, zeros };
}

/** Columns sorted by their groups; undefined where groups are of unlike sizes. */
function inOrder(rows: IntegerRows, order: Int32Array, block: number): Cut | undefined {
  const width = order.length;
  const inputs = Int32Array.from({ length: width }, (_, input) => input).sort(
    (a, b) => (order[a] as number) - (order[b] as number) || a - b,
  );
  if (inputs.some((input, column) => order[input] !== Math.floor(column / block))) return undefined;
  const codes = new Uint8Array(rows.codes.length);
  for (let from = 0; from < codes.length; from += width)
    for (let column = 0; column < width; column++)
      codes[from + column] = rows.codes[from + (inputs[column] as number)] as number;
  return { ...rows, codes, block, inputs };
}

function nibbles(codes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(codes.length / 2);
  for (let i = 0; i < out.length; i++)
    out[i] = (codes[2 * i] as number) | ((codes[2 * i + 1] as number) << 4);
  return out;
}

/** Rows of an odd number end in half a byte. */
function rowNibbles(zeros: Uint8Array, groups: number): Uint8Array<ArrayBuffer> {
  const bytes = Math.ceil(groups / 2);
  const out = new Uint8Array((zeros.length / groups) * bytes);
  zeros.forEach((zero, i) => {
    const group = i % groups;
    const at = Math.floor(i / groups) * bytes + (group >> 1);
    out[at] = (out[at] as number) | (zero << (4 * (group & 1)));
  });
  return out;
}

function join(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
