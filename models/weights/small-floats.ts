/** Floats of 8 and 16 bits as F32, by tables made at first use. */

let eighths: Float32Array | undefined;

/** F32 of every E4M3 byte (FN: no infinities, NaN where all but the sign is set), made at first use. */
export function eighthTable(): Float32Array {
  eighths ??= Float32Array.from({ length: 256 }, (_, byte) => {
    const exponent = (byte >> 3) & 15;
    const fraction = byte & 7;
    if ((byte & 127) === 127) return Number.NaN;
    const size = exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7);
    return byte & 128 ? -size : size;
  });
  return eighths;
}

let halves: Float32Array | undefined;

/** F32 of every F16 bit pattern, 256 KiB, made at first use. */
export function halfTable(): Float32Array {
  if (halves) return halves;
  const table = new Float32Array(1 << 16);
  for (let bits = 0; bits < table.length; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size =
      exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 0x8000 ? -size : size;
  }
  halves = table;
  return table;
}
