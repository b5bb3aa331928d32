/** Types of GGUF's tensors, by their number in the file (ggml's `ggml_type`), as of September 2026. */

export interface TensorType {
  readonly name: string;
  /** Elements of a block along a row, and its bytes; absent: the type is not read. */
  readonly block?: number;
  readonly bytes?: number;
}

const unread = (name: string): TensorType => ({ name });

export const TENSOR_TYPES: Readonly<Record<number, TensorType>> = {
  0: { name: "F32", block: 1, bytes: 4 },
  1: { name: "F16", block: 1, bytes: 2 },
  2: { name: "Q4_0", block: 32, bytes: 18 },
  3: { name: "Q4_1", block: 32, bytes: 20 },
  6: { name: "Q5_0", block: 32, bytes: 22 },
  7: { name: "Q5_1", block: 32, bytes: 24 },
  8: { name: "Q8_0", block: 32, bytes: 34 },
  9: unread("Q8_1"),
  10: { name: "Q2_K", block: 256, bytes: 84 },
  11: { name: "Q3_K", block: 256, bytes: 110 },
  12: { name: "Q4_K", block: 256, bytes: 144 },
  13: { name: "Q5_K", block: 256, bytes: 176 },
  14: { name: "Q6_K", block: 256, bytes: 210 },
  15: unread("Q8_K"),
  16: unread("IQ2_XXS"),
  17: unread("IQ2_XS"),
  18: unread("IQ3_XXS"),
  19: unread("IQ1_S"),
  20: { name: "IQ4_NL", block: 32, bytes: 18 },
  21: unread("IQ3_S"),
  22: unread("IQ2_S"),
  23: { name: "IQ4_XS", block: 256, bytes: 136 },
  24: unread("I8"),
  25: unread("I16"),
  26: unread("I32"),
  27: unread("I64"),
  28: unread("F64"),
  29: unread("IQ1_M"),
  30: { name: "BF16", block: 1, bytes: 2 },
  34: unread("TQ1_0"),
  35: unread("TQ2_0"),
  39: { name: "MXFP4", block: 32, bytes: 17 },
  40: unread("NVFP4"),
  41: unread("Q1_0"),
  42: unread("Q2_0"),
};

/** What is read, for messages. */
export const READ_TYPES: readonly string[] = Object.values(TENSOR_TYPES).flatMap(
  ({ name, block }) => (block === undefined ? [] : [name]),
);
