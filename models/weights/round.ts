/** F32 as the bytes of a checkpoint's dtype, rounded to the nearest, ties to even. */

export type RoundedDtype = "F32" | "BF16" | "F16";

export const DTYPE_BYTES: Readonly<Record<RoundedDtype, number>> = Object.freeze({
  F32: 4,
  BF16: 2,
  F16: 2,
});

export function rounded(values: Float32Array, dtype: RoundedDtype): Uint8Array {
  if (dtype === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const one = dtype === "BF16" ? bfloat : half;
  return new Uint8Array(Uint16Array.from(bits, one).buffer);
}

function bfloat(bits: number): number {
  const isNan = (bits & 0x7fffffff) > 0x7f800000;
  if (isNan) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Of IEEE 754 binary16; what is too large becomes infinite. */
function half(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00; // rounds to 65,536 or more
  if (size < 0x33000001) return sign; // half of the smallest, or less
  const exponent = size >>> 23;
  // Below 2^-14 the hidden one is shifted along with the rest.
  const fraction = (size & 0x7fffff) | (exponent < 113 ? 0x800000 : 0);
  const shift = exponent < 113 ? 126 - exponent : 13;
  const whole = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  const up = rest > middle || (rest === middle && (whole & 1) === 1) ? 1 : 0;
  return (sign | ((exponent < 113 ? 0 : exponent - 112) << 10)) + whole + up;
}
