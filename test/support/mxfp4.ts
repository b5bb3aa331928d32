/** Rounds matrices to MXFP4 as gpt-oss keeps its experts, for tests. */

const MAGNITUDES = [0, 0.5, 1, 1.5, 2, 3, 4, 6] as const;

export interface Mxfp4 {
  /** [rows, width / 32, 16] */
  readonly blocks: Uint8Array;
  /** [rows, width / 32] */
  readonly scales: Uint8Array;
  /** What they stand for. */
  readonly numbers: Float32Array;
}

/** `values` are whole blocks of 32. */
export function toMxfp4(values: Float32Array): Mxfp4 {
  const blocks = new Uint8Array(values.length / 2);
  const scales = new Uint8Array(values.length / 32);
  const numbers = new Float32Array(values.length);
  for (let block = 0; block < scales.length; block++) {
    const part = values.subarray(block * 32, (block + 1) * 32);
    const exponent = Math.ceil(Math.log2(Math.max(...part.map(Math.abs), 1e-9) / 6));
    scales[block] = exponent + 127;
    part.forEach((value, i) => {
      const size = Math.abs(value) / 2 ** exponent;
      const errors = MAGNITUDES.map((magnitude) => Math.abs(magnitude - size));
      const code = errors.indexOf(Math.min(...errors));
      const at = block * 32 + i;
      numbers[at] = Math.sign(value) * (MAGNITUDES[code] ?? 0) * 2 ** exponent;
      const nibble = code | (value < 0 ? 8 : 0);
      blocks[at >> 1] = (blocks[at >> 1] ?? 0) | (nibble << (4 * (at & 1)));
    });
  }
  return { blocks, scales, numbers };
}
