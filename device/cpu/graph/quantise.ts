/**
 * Weight quantisation, done on a rank's own shard, so blocks never straddle ranks.
 *
 * int4: symmetric blocks along the input, as MatMulNBits stores them: value =
 * (nibble − 8) · scale, the scale signed so that the largest magnitude is −8
 * (as llama.cpp's Q4_0). int8: one scale per output channel, value = int · scale.
 */

/** Input widths that are no multiple of this keep F32 weights. */
export const INT4_SMALLEST_BLOCK = 32;

/** Block of an int4 weight with `width` inputs; undefined: it cannot be blocked. */
export function int4Block(width: number): number | undefined {
  if (width % 128 === 0) return 128;
  return width % INT4_SMALLEST_BLOCK === 0 ? INT4_SMALLEST_BLOCK : undefined;
}

export interface Int4Weight {
  /** [out, blocks, block / 2], low nibble first. */
  readonly nibbles: Uint8Array<ArrayBuffer>;
  /** [out, blocks] */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** `weight` is [out, in] row-major; `block` divides `in`. */
export function quantiseInt4(weight: Float32Array, block: number): Int4Weight {
  const count = weight.length / block;
  const nibbles = new Uint8Array(weight.length / 2);
  const scales = new Float32Array(count);
  for (let b = 0; b < count; b++) {
    const begin = b * block;
    let peak = 0;
    let size = 0;
    for (let i = begin; i < begin + block; i++) {
      const value = weight[i] as number;
      const its = value < 0 ? -value : value;
      if (its > size) {
        size = its;
        peak = value;
      }
    }
    const scale = Math.fround(peak / -8);
    scales[b] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = 0; i < block; i += 2) {
      const low = nibble((weight[begin + i] as number) * inverse);
      const high = nibble((weight[begin + i + 1] as number) * inverse);
      nibbles[(begin + i) >> 1] = low | (high << 4);
    }
  }
  return { nibbles, scales };
}

/** −8 … 7 to 0 … 15, to nearest. */
function nibble(value: number): number {
  const rounded = (value + 8.5) | 0;
  return rounded > 15 ? 15 : rounded;
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
  const values = new Int8Array(weight.length);
  const scales = new Float32Array(outs);
  for (let out = 0; out < outs; out++) {
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
      values[i * outs + out] = (((weight[begin + i] as number) * inverse + 128.5) | 0) - 128;
    }
  }
  return { values, scales };
}
