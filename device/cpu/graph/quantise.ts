/**
 * Weight quantisation, done on a rank's own shard, so blocks never straddle ranks.
 *
 * Blocks of 4 or 8 bits along the input, as MatMulNBits stores them: value = (code − half) · scale,
 * half = 2^(bits − 1), the scale signed so that the largest magnitude is −half (as llama.cpp's
 * Q4_0); of 4 bits −9 is tried too, which cuts the largest and is finer for the others, and what
 * leaves the smaller squared error is taken. int8 rows: one scale per output channel, value = int · scale.
 */

/** Input widths that are no multiple of this keep F32 weights. */
export const SMALLEST_BLOCK = 32;

/** Block of a weight with `width` inputs: the runtime holds 12 bytes a block beside the codes; undefined: it cannot be blocked. */
export function blockOf(width: number): number | undefined {
  return [128, 64, SMALLEST_BLOCK].find((block) => width % block === 0);
}

/** Bits of a weight in a block. */
export type BlockBits = 4 | 8;

export interface BlockWeight {
  readonly bits: BlockBits;
  /** [out, blocks, block · bits / 8]; of 4 bits the low half of a byte is first. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** [out, blocks] */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** `weight` is [out, in] row-major; `block` divides `in`. */
export function quantiseBlocks(
  weight: Float32Array,
  block: number,
  bits: BlockBits = 4,
): BlockWeight {
  const codes = new Uint8Array((weight.length * bits) / 8);
  const scales = new Float32Array(weight.length / block);
  const half = 2 ** (bits - 1);
  const most = 2 * half - 1;
  for (let b = 0; b < scales.length; b++) {
    const begin = b * block;
    const peak = peakOf(weight, begin, begin + block);
    const usual = Math.fround(peak / -half);
    const finer = Math.fround(peak / -9);
    const cut = bits === 4 && finer !== 0 && isNearer(weight, begin, begin + block, finer, usual);
    const scale = cut ? finer : usual;
    scales[b] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = begin; i < begin + block; i++) {
      // −half … half − 1 to 0 … most, to nearest.
      const rounded = ((weight[i] as number) * inverse + half + 0.5) | 0;
      const code = rounded > most ? most : rounded < 0 ? 0 : rounded;
      if (bits === 8) codes[i] = code;
      else codes[i >> 1] = (codes[i >> 1] as number) | (code << (4 * (i & 1)));
    }
  }
  return { bits, codes, scales };
}

/** Does scale `a` leave a smaller squared error in 4 bits than `b`? */
function isNearer(w: Float32Array, begin: number, end: number, a: number, b: number): boolean {
  const [perA, perB] = [1 / a, 1 / b];
  let sum = 0;
  for (let i = begin; i < end; i++) {
    const value = w[i] as number;
    const codeA = (value * perA + 8.5) | 0;
    const codeB = (value * perB + 8.5) | 0;
    const fromA = value - ((codeA > 15 ? 15 : codeA < 0 ? 0 : codeA) - 8) * a;
    const fromB = value - ((codeB > 15 ? 15 : codeB) - 8) * b;
    sum += fromA * fromA - fromB * fromB;
  }
  return sum < 0;
}

/** The element of largest magnitude. */
function peakOf(weight: Float32Array, begin: number, end: number): number {
  let peak = 0;
  let size = 0;
  for (let i = begin; i < end; i++) {
    const value = weight[i] as number;
    const its = value < 0 ? -value : value;
    if (its > size) {
      size = its;
      peak = value;
    }
  }
  return peak;
}

export interface Int8Weight {
  /** [in, out]: the runtime's product wants the weight transposed. */
  readonly values: Int8Array<ArrayBuffer>;
  /** [out] */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** `weight` is [out, in] row-major. */
export function quantiseInt8(weight: Float32Array, width: number): Int8Weight {
  const outs = weight.length / width;
  return quantiseRows(weight, width, (out, input) => input * outs + out);
}

/**
 * As kernel/row-ops.ts reads them: `[out / together, in / 2, together, 2]`, outputs filled
 * up to whole groups with zeros. `weight` is [out, in] row-major, `width` even.
 */
export function quantisePairs(
  weight: Float32Array,
  width: number,
  together: number,
): { readonly codes: Int8Array<ArrayBuffer>; readonly scales: Float32Array<ArrayBuffer> } {
  const outs = weight.length / width;
  const padded = Math.ceil(outs / together) * together;
  const { values, scales } = quantiseRows(
    weight,
    width,
    (out, input) => {
      const group = (out - (out % together)) * width;
      return group + (input >> 1) * 2 * together + (out % together) * 2 + (input & 1);
    },
    padded,
  );
  return { codes: values, scales };
}

/** −127 … 127 with one scale for each output; `place` says where a weight goes. */
function quantiseRows(
  weight: Float32Array,
  width: number,
  place: (out: number, input: number) => number,
  outputs = weight.length / width,
): Int8Weight {
  const values = new Int8Array(outputs * width);
  const scales = new Float32Array(outputs);
  for (let out = 0; out < weight.length / width; out++) {
    const begin = out * width;
    let size = 0;
    for (let i = begin; i < begin + width; i++) {
      const value = weight[i] as number;
      const its = value < 0 ? -value : value;
      if (its > size) size = its;
    }
    const scale = Math.fround(size / 127);
    scales[out] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = 0; i < width; i++) {
      // Adding 128.5 before truncation rounds to nearest for the range −127 … 127.
      values[place(out, i)] = (((weight[begin + i] as number) * inverse + 128.5) | 0) - 128;
    }
  }
  return { values, scales };
}
