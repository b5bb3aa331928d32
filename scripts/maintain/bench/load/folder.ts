/** A folder of 494M random parameters in a format, as its tools store them: to see what loading costs. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { architectureWeights } from "../../../../models/architecture.ts";
import { describe } from "../../../../models/registry.ts";
import { SHAPE_494M } from "../shapes.ts";

type Shape = readonly number[];

interface Stored {
  readonly name: string;
  readonly dtype: keyof typeof BYTES;
  readonly shape: Shape;
  /** Absent: noise that is a number in the type. */
  readonly value?: number;
}

const BYTES = { F32: 4, F16: 2, BF16: 2, F8_E4M3: 1, I8: 1, I32: 4 } as const;

interface Format {
  /** config.json's `quantization_config`. */
  readonly config?: object;
  /** A matrix of a layer, as it is stored; the rest is `rest`. */
  readonly matrix?: (stem: string, out: number, width: number) => readonly Stored[];
  readonly rest: "F32" | "F16" | "BF16";
}

export const FORMATS: Readonly<Record<string, Format>> = {
  F32: { rest: "F32" },
  F16: { rest: "F16" },
  BF16: { rest: "BF16" },
  FP8: {
    rest: "BF16",
    config: { quant_method: "fp8", weight_block_size: [128, 128] },
    matrix: (stem, out, width) => [
      { name: `${stem}.weight`, dtype: "F8_E4M3", shape: [out, width] },
      {
        name: `${stem}.weight_scale_inv`,
        dtype: "F32",
        shape: [Math.ceil(out / 128), Math.ceil(width / 128)],
        value: 0.001,
      },
    ],
  },
  "GPTQ int4": {
    rest: "F16",
    config: { quant_method: "gptq", bits: 4, group_size: 128, desc_act: false, sym: true },
    matrix: (stem, out, width) => [
      { name: `${stem}.qweight`, dtype: "I32", shape: [width / 8, out] },
      { name: `${stem}.qzeros`, dtype: "I32", shape: [width / 128, out / 8], value: 0x77777777 },
      { name: `${stem}.scales`, dtype: "F16", shape: [width / 128, out], value: 0.01 },
    ],
  },
  "W8A8 int8": {
    rest: "BF16",
    config: {
      quant_method: "compressed-tensors",
      format: "int-quantized",
      quantization_status: "compressed",
      ignore: ["lm_head"],
      config_groups: {
        group_0: {
          targets: ["Linear"],
          weights: {
            num_bits: 8,
            type: "int",
            symmetric: true,
            strategy: "channel",
            dynamic: false,
          },
          input_activations: {
            num_bits: 8,
            type: "int",
            symmetric: true,
            strategy: "token",
            dynamic: true,
          },
        },
      },
    },
    matrix: (stem, out, width) => [
      { name: `${stem}.weight`, dtype: "I8", shape: [out, width] },
      { name: `${stem}.weight_scale`, dtype: "F32", shape: [out, 1], value: 0.001 },
    ],
  },
};

/** Writes config.json and model.safetensors. */
export function writeFolder(folder: string, name: string): void {
  const format = FORMATS[name];
  if (format === undefined) throw new Error(`no format ${name}`);
  mkdirSync(folder, { recursive: true });
  const config = { ...SHAPE_494M, ...(format.config && { quantization_config: format.config }) };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const tensors = architectureWeights(describe(SHAPE_494M)).flatMap((weight) => {
    const [out = 1, width] = weight.shape;
    const stem = weight.name.replace(/\.weight$/, "");
    const packed = width !== undefined && weight.name.includes(".layers.") && format.matrix;
    return packed ? packed(stem, out, width) : [plain(weight.name, weight.shape, format.rest)];
  });
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape }) => {
    const begin = end;
    end += shape.reduce((product, size) => product * size, BYTES[dtype]);
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const json = JSON.stringify(Object.fromEntries(entries));
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const file = openSync(join(folder, "model.safetensors"), "w");
  writeSync(file, BigUint64Array.of(BigInt(header.length)));
  writeSync(file, header);
  for (const tensor of tensors) writeTensor(file, tensor);
  closeSync(file);
}

const plain = (name: string, shape: Shape, dtype: Format["rest"]): Stored => ({
  name,
  dtype,
  shape,
  ...(shape.length === 1 && { value: name.endsWith("bias") ? 0 : 1 }),
});

/** A megabyte of it over and over: what is read and computed is as much. */
function writeTensor(file: number, { dtype, shape, value }: Stored): void {
  let left = shape.reduce((product, size) => product * size, 1);
  const most = Math.min(left, 1 << 18);
  const chunk = elements(dtype, most, value);
  while (left > 0) {
    const count = Math.min(left, most);
    writeSync(file, chunk, 0, count * BYTES[dtype]);
    left -= count;
  }
}

function elements(dtype: Stored["dtype"], count: number, value: number | undefined): Uint8Array {
  let state = 0x9e3779b9;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 0;
  };
  const number = (): number => value ?? ((random() >>> 8) / 2 ** 23 - 1) * 0.06;
  const words = (bits: (number: number) => number): Uint8Array =>
    new Uint8Array(Uint16Array.from({ length: count }, () => bits(number())).buffer);
  switch (dtype) {
    case "F32":
      return new Uint8Array(Float32Array.from({ length: count }, number).buffer);
    case "BF16":
      return words((x) => f32Bits(x) >>> 16);
    case "F16":
      return words(f16Bits);
    case "I32":
      return new Uint8Array(Int32Array.from({ length: count }, () => value ?? random()).buffer);
    case "I8":
      return Uint8Array.from({ length: count }, () => random() >>> 24);
    case "F8_E4M3":
      // Without the two codes that are no number.
      return Uint8Array.from({ length: count }, () => (random() >>> 24) & 0xf7);
  }
}

const view = new DataView(new ArrayBuffer(4));

function f32Bits(x: number): number {
  view.setFloat32(0, x);
  return view.getUint32(0);
}

/** Cut, not rounded; what is below the smallest normal number is 0. */
function f16Bits(x: number): number {
  const bits = f32Bits(x);
  const exponent = ((bits >>> 23) & 255) - 112;
  if (exponent <= 0) return 0;
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}
