/** Every format of quantised weights against the numbers of the tools that made it (goldens: packed_weights.py). */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { storedBlocks, storedInt8 } from "../../../device/cpu/graph/stored-blocks.ts";
import { ConfigReader } from "../../../models/config.ts";
import { indexCheckpoint } from "../../../models/weights/checkpoint.ts";
import { unpackNames } from "../../../models/weights/packing.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { type TensorEntry, writeSafetensors } from "../../support/safetensors.ts";

interface Case {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly weight: string;
  readonly shape: readonly number[];
  readonly tensors: Readonly<Record<string, { dtype: string; shape: number[]; data: string }>>;
  readonly numbers: string;
}

const CASES: readonly Case[] = JSON.parse(
  readFileSync(new URL("./packed-weights.json", import.meta.url), "utf8"),
);

let folder = "";
let reader: WeightReader;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "packed-"));
});
afterEach(() => {
  reader?.close();
  rmSync(folder, { recursive: true });
});

function open({ config, tensors }: Pick<Case, "config" | "tensors">): WeightReader {
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    return [name, { dtype, shape, data: Buffer.from(data, "base64") }] as const;
  });
  writeSafetensors(join(folder, "model.safetensors"), new Map<string, TensorEntry>(entries));
  const reads = new ConfigReader({ quantization_config: config }, "config.json");
  reader = new WeightReader(unpackNames(indexCheckpoint(folder), reads));
  return reader;
}

/** Without a sign of zero, which codes do not have. */
const numbersOf = ({ numbers }: Case): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(numbers, "base64")).buffer).map(
    (value) => value + 0,
  );
const plain = (values: Float32Array): number[] => [...values].map((value) => value + 0);

describe.each(CASES.map((each) => [each.name, each] as const))("%s", (_, each) => {
  const numbers = numbersOf(each);
  const width = each.shape.at(-1) ?? 1;

  it("is what its tool makes of it, whole and in parts", () => {
    open(each);
    expect(plain(reader.read(each.weight))).toEqual([...numbers]);
    if (each.shape.length > 2) return;
    const rows = reader.read(each.weight, { axis: 0, begin: 3, end: 13 });
    expect(plain(rows)).toEqual([...numbers.subarray(3 * width, 13 * width)]);
    const columns = reader.read(each.weight, { axis: 1, begin: 32, end: 64 });
    expect(plain(columns)).toEqual([...numbers].filter((_, i) => i % width >= 32));
  });

  it("is the same of a stack's every second row", () => {
    open(each);
    const flat = each.shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const within = { name: each.weight, shape: each.shape, row: 1, step: 2 };
    const odd = { name: "odd", shape: [flat / 2, width], within };
    const expected = [...numbers].filter((_, i) => Math.floor(i / width) % 2 === 1);
    expect(plain(reader.read(odd))).toEqual(expected);
  });

  it("goes to the product with the same codes, unless it is of floats", () => {
    open(each);
    const flat = each.shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const rows = reader.integers(each.weight, { begin: 0, end: flat });
    const kept = rows && (storedInt8([{ rows }]) ?? storedBlocks([{ rows }]));
    if (/fp8/.test(each.name)) {
      expect(kept).toBeUndefined();
      return;
    }
    if (kept === undefined || rows === undefined) throw new Error("not kept");
    const sorted = "inputs" in kept && kept.inputs !== undefined;
    expect(sorted).toBe(/order/.test(each.name));
    // Half of the inputs have members of every group.
    if (sorted)
      expect(storedBlocks([{ rows, columns: { axis: 1, begin: 0, end: 32 } }])).toBe(undefined);
    expect(numbersAgain(kept, flat, width).map((value) => value + 0)).toEqual([...numbers]);
  });
});

/** What the product computes with. */
function numbersAgain(
  kept: NonNullable<ReturnType<typeof storedInt8> | ReturnType<typeof storedBlocks>>,
  rows: number,
  width: number,
): number[] {
  const numbers = new Array<number>(rows * width);
  for (let i = 0; i < numbers.length; i++) {
    const [row, input] = [Math.floor(i / width), i % width];
    if ("values" in kept) {
      numbers[i] = Math.fround((kept.values[input * rows + row] ?? 0) * (kept.scales[row] ?? 0));
      continue;
    }
    const { bits, block, codes, scales, zeros, inputs } = kept;
    const groups = width / block;
    const group = Math.floor(input / block);
    const nibble = (bytes: Uint8Array, at: number): number =>
      ((bytes[at >> 1] ?? 0) >> (4 * (at & 1))) & 15;
    const code = bits === 4 ? nibble(codes, i) : (codes[i] ?? 0);
    const zero =
      zeros === undefined
        ? 2 ** (bits - 1)
        : bits === 4
          ? nibble(zeros.subarray(row * Math.ceil(groups / 2)), group)
          : (zeros[row * groups + group] ?? 0);
    const at = row * width + (inputs?.[input] ?? input);
    numbers[at] = Math.fround((code - zero) * (scales[row * groups + group] ?? 0));
  }
  return numbers;
}

describe("what is not read is refused by its key", () => {
  const [gptq] = CASES;
  it.each([
    [{ quant_method: "gptq", bits: 3 }, /"quantization_config\.bits" must be 4 or 8, found 3/],
    [{ quant_method: "quark" }, /"quantization_config\.quant_method" must be one of gptq, awq/],
  ])("%j", (config, message) => {
    if (gptq === undefined) throw new Error("no cases");
    expect(() => open({ ...gptq, config })).toThrow(message);
  });

  // weight_shape is not needed, and one scale is one of any shape.
  const parts = CASES.filter(({ name }) => !/one scale/.test(name)).flatMap((each) =>
    Object.keys(each.tensors).flatMap((key) =>
      key === "m.weight_shape" ? [] : [[each.name, key, each] as const],
    ),
  );
  it.each(parts)("%s: %s of another shape or type", (_, key, each) => {
    const tensor = each.tensors[key];
    if (tensor === undefined) throw new Error("no tensor");
    const reads = (changed: object) => () => {
      const changedOne = { ...tensor, ...changed };
      open({ ...each, tensors: { ...each.tensors, [key]: changedOne } }).read(each.weight);
    };
    const flat = tensor.shape.reduce((product, size) => product * size, 1);
    expect(reads({ shape: [1, flat, 1] })).toThrow(key);
    expect(reads({ dtype: "BOOL" })).toThrow(key);
  });

  it("and so are groups that are none, or that no order is given for", () => {
    const each = CASES.find(({ name }) => /order/.test(name));
    const order = each?.tensors["m.g_idx"];
    if (each === undefined || order === undefined) throw new Error("no case");
    const data = Buffer.from(Int32Array.from({ length: 64 }, (_, i) => i).buffer).toString(
      "base64",
    );
    const odd = { ...each.tensors, "m.g_idx": { ...order, data } };
    expect(() => open({ ...each, tensors: odd }).read("m.weight")).toThrow(
      /tensor "m\.g_idx": group 2 is none of 2/,
    );
    const { "m.g_idx": _, ...tensors } = each.tensors;
    expect(() => open({ tensors, config: { ...each.config, desc_act: true } })).toThrow(
      /tensor "m\.g_idx" is missing beside its packed weight/,
    );
  });

  it("and so is a weight without its scales", () => {
    if (gptq === undefined) throw new Error("no cases");
    const { "m.scales": _, ...tensors } = gptq.tensors;
    expect(() => open({ ...gptq, tensors })).toThrow(/tensor "m\.scales" is missing beside/);
  });
});
