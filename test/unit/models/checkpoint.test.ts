import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describe as describeModel } from "../../../models/registry.ts";
import {
  checkpointFormat,
  checkWeights,
  indexCheckpoint,
} from "../../../models/weights/checkpoint.ts";
import { WeightReader } from "../../../models/weights/read.ts";

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A safetensors file of these tensors; `change` may spoil header or bytes. */
function safetensors(tensors: Readonly<Record<string, Entry>>): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.length] };
    offset += data.length;
  }
  return withHeader(JSON.stringify(header), ...Object.values(tensors).map(({ data }) => data));
}

function withHeader(header: string, ...data: readonly Uint8Array[]): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([prefix, Buffer.from(header), ...data]);
}

const f32 = (values: readonly number[], shape: readonly number[] = [values.length]): Entry => ({
  dtype: "F32",
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const halves = (dtype: string, bits: readonly number[], shape: readonly number[]): Entry => ({
  dtype,
  shape,
  data: new Uint8Array(Uint16Array.from(bits).buffer),
});

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "checkpoint-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const write = (bytes: Uint8Array | string, file = "model.safetensors"): void =>
  writeFileSync(join(folder, file), bytes);

describe("a checkpoint's index", () => {
  it("finds tensors in one file", () => {
    write(safetensors({ a: f32([1, 2, 3, 4], [2, 2]), b: halves("BF16", [0x3f80], [1]) }));
    const checkpoint = indexCheckpoint(folder);
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(checkpoint.bytes).toBe(18);
    expect(checkpointFormat(checkpoint)).toBe("f32");
  });

  it("finds tensors in shards", () => {
    write(safetensors({ a: f32([1]) }), "one.safetensors");
    write(safetensors({ b: f32([2]) }), "two.safetensors");
    const map = { weight_map: { a: "one.safetensors", b: "two.safetensors" } };
    write(JSON.stringify(map), "model.safetensors.index.json");
    const reader = new WeightReader(indexCheckpoint(folder));
    expect([reader.read("a")[0], reader.read("b")[0]]).toEqual([1, 2]);
    reader.close();
  });

  const whole = safetensors({ a: f32([1, 2, 3, 4]) });
  const tensor = (entry: string): Buffer => withHeader(`{"a":${entry}}`, new Uint8Array(16));
  const broken: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      "an empty file",
      new Uint8Array(0),
      /model\.safetensors: truncated: expected at least 8 bytes, found 0; fetch it again$/,
    ],
    [
      "a cut header",
      whole.subarray(0, 20),
      /truncated: expected a header of \d+ bytes, found 12; fetch it again$/,
    ],
    [
      "cut data",
      whole.subarray(0, -4),
      /truncated: tensor "a" ends at byte \d+, the file has \d+ bytes; fetch it again$/,
    ],
    ["no safetensors", Buffer.from("version https://git-lfs"), /not a safetensors file/],
    ["a header that is no JSON", withHeader("{not json"), /corrupt: its JSON does not parse/],
    ["a header that is a list", withHeader("[]"), /corrupt: expected a JSON object/],
    ["an entry that is no object", tensor("1"), /tensor "a": its header entry must be an object/],
    [
      "an unknown dtype",
      tensor('{"dtype":"F4","shape":[4],"data_offsets":[0,16]}'),
      /tensor "a": dtype must be one of .*, found "F4"/,
    ],
    [
      "a bad shape",
      tensor('{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}'),
      /tensor "a": shape must be a list of sizes, found \[-4\]/,
    ],
    [
      "bad offsets",
      tensor('{"dtype":"F32","shape":[4],"data_offsets":[0]}'),
      /tensor "a": data_offsets must be two/,
    ],
    [
      "a size that is not its shape's",
      tensor('{"dtype":"F32","shape":[4],"data_offsets":[0,12]}'),
      /tensor "a": expected 16 bytes for F32 \[4\], found 12/,
    ],
  ];
  for (const [name, bytes, message] of broken)
    it(`refuses ${name}`, () => {
      write(bytes);
      expect(() => indexCheckpoint(folder)).toThrow(message);
    });

  it("refuses a shard that is missing, lacks its tensor, or lies elsewhere", () => {
    const point = (file: string): void =>
      write(JSON.stringify({ weight_map: { a: file } }), "model.safetensors.index.json");
    point("one.safetensors");
    expect(() => indexCheckpoint(folder)).toThrow(
      /one\.safetensors: no such file, though model\.safetensors\.index\.json names it; fetch it too$/,
    );
    write(safetensors({ b: f32([1]) }), "one.safetensors");
    expect(() => indexCheckpoint(folder)).toThrow(/one\.safetensors: tensor "a" is missing/);
    point("../one.safetensors");
    expect(() => indexCheckpoint(folder)).toThrow(/must name a file of this folder/);
    for (const place of [".", ".."]) {
      point(place);
      expect(() => indexCheckpoint(folder)).toThrow(/: not a file$/);
    }
    execFileSync("mkfifo", [join(folder, "pipe")]);
    point("pipe");
    expect(() => indexCheckpoint(folder)).toThrow(/pipe: not a file$/);
    rmSync(join(folder, "model.safetensors.index.json"));
    mkdirSync(join(folder, "model.safetensors.index.json"));
    expect(() => indexCheckpoint(folder)).toThrow(/index\.json: not a file$/);
  });

  it("never breaks on spoiled bytes but by a CheckpointError", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flip) => {
          const spoiled = Buffer.from(whole);
          spoiled[at] = (spoiled[at] ?? 0) ^ flip;
          write(spoiled);
          try {
            indexCheckpoint(folder);
          } catch (error) {
            expect(error).toMatchObject({ name: "CheckpointError" });
            expect(String(error)).toContain("model.safetensors");
          }
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("a checkpoint against its architecture", () => {
  const architecture = describeModel({
    architectures: ["LlamaForCausalLM"],
    hidden_size: 4,
    intermediate_size: 4,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    vocab_size: 2,
    max_position_embeddings: 8,
    tie_word_embeddings: true,
  });
  const check = (tensors: Readonly<Record<string, Entry>>): void => {
    write(safetensors(tensors));
    checkWeights(indexCheckpoint(folder), architecture);
  };

  it("names a missing tensor, and one that looks like it", () => {
    expect(() => check({ "embed_tokens.weight": f32([1]) })).toThrow(
      /tensor "model\.embed_tokens\.weight" is missing; the checkpoint has 1 tensors/,
    );
    expect(() => check({ "language.model.embed_tokens.weight": f32([1]) })).toThrow(
      /is missing; .* among them "language\.model\.embed_tokens\.weight"/,
    );
  });

  it("names a wrong shape: expected and found", () => {
    expect(() => check({ "model.embed_tokens.weight": f32([1, 2, 3, 4], [1, 4]) })).toThrow(
      /model\.safetensors: tensor "model\.embed_tokens\.weight": expected shape \[2, 4\] .* found \[1, 4\]/,
    );
  });

  it("names a dtype that cannot be read", () => {
    const packed = { dtype: "I8", shape: [2, 4], data: new Uint8Array(8) };
    expect(() => check({ "model.embed_tokens.weight": packed })).toThrow(
      /expected dtype F32, F16 or BF16, found I8/,
    );
  });
});

describe("reading weights", () => {
  /** Four rows of three, as each stored dtype: 0 … 11. */
  const values = Array.from({ length: 12 }, (_, i) => i);
  const bf16 = values.map(
    (value) => (new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0) >>> 16,
  );
  const f16 = [
    0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700, 0x4800, 0x4880, 0x4900, 0x4980,
  ];
  const stored = {
    F32: f32(values, [4, 3]),
    BF16: halves("BF16", bf16, [4, 3]),
    F16: halves("F16", f16, [4, 3]),
  };

  for (const dtype of ["F32", "BF16", "F16"] as const)
    it(`gives ${dtype} as F32: all, rows, columns`, () => {
      write(safetensors({ odd: { ...stored[dtype], shape: [12] }, a: stored[dtype] }));
      const reader = new WeightReader(indexCheckpoint(folder));
      expect([...reader.read("a")]).toEqual(values);
      expect([...reader.read("a", { axis: 0, begin: 1, end: 3 })]).toEqual([3, 4, 5, 6, 7, 8]);
      expect([...reader.read("a", { axis: 1, begin: 1, end: 2 })]).toEqual([1, 4, 7, 10]);
      expect([...reader.read("odd", { axis: 0, begin: 10, end: 12 })]).toEqual([10, 11]);
      const target = new Float32Array(14).fill(-1);
      reader.read("a", undefined, target.subarray(1, 13));
      expect([...target]).toEqual([-1, ...values, -1]);
      reader.close();
    });

  it("gives F16's small, infinite and odd numbers", () => {
    const bits = [0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x8000, 0xc000, 0x7e00];
    write(safetensors({ a: halves("F16", bits, [9]) }));
    const [tiny, subnormal, least, most, up, down, zero, two, nothing] = new WeightReader(
      indexCheckpoint(folder),
    ).read("a");
    expect([tiny, subnormal, least]).toEqual([2 ** -24, 1023 * 2 ** -24, 2 ** -14]);
    expect([most, up, down]).toEqual([65504, Infinity, -Infinity]);
    expect(Object.is(zero, -0)).toBe(true);
    expect(two).toBe(-2);
    expect(nothing).toBeNaN();
  });

  it("gives a large tensor in pieces as in one", () => {
    const rows = 1 << 18;
    // Half a million small BF16 numbers and their F32: more than one scratch buffer holds.
    const bits = Uint16Array.from({ length: rows * 3 }, (_, i) => 0x3f80 + (i % 977));
    const whole = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
    const data = new Uint8Array(bits.buffer);
    write(safetensors({ a: { dtype: "BF16", shape: [rows, 3], data } }));
    const reader = new WeightReader(indexCheckpoint(folder));
    const read = reader.read("a");
    expect(Buffer.compare(Buffer.from(read.buffer), Buffer.from(whole.buffer))).toBe(0);
    const columns = reader.read("a", { axis: 1, begin: 2, end: 3 });
    expect(columns.length).toBe(rows);
    expect(columns.every((value, row) => value === whole[row * 3 + 2])).toBe(true);
    reader.close();
  });

  it("refuses a range outside, a wrong target, a file cut since it was indexed", () => {
    write(safetensors({ a: stored.F32 }));
    const checkpoint = indexCheckpoint(folder);
    const reader = new WeightReader(checkpoint);
    expect(() => reader.read("a", { axis: 0, begin: 2, end: 5 })).toThrow(
      /tensor "a": range \[2, 5\) of axis 0 is not in \[4, 3\]/,
    );
    expect(() => reader.read("a", undefined, new Float32Array(3))).toThrow(
      /of 12 elements, found 3/,
    );
    expect(() => reader.read("b")).toThrow(/tensor "b" is missing/);
    write(safetensors({ a: stored.F32 }).subarray(0, -8));
    expect(() => new WeightReader(checkpoint).read("a")).toThrow(
      /model\.safetensors: tensor "a": truncated: expected 48 bytes, found 40/,
    );
    reader.close();
  });
});
