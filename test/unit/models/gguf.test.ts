/** GGUF files that are cut, lie about lengths, or hold what is not read: one sentence each, and no memory. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { CheckpointError } from "../../../models/weights/checkpoint.ts";
import { isBlockType, isShifted } from "../../../models/weights/ggml/blocks.ts";
import { fitted } from "../../../models/weights/ggml/fitted.ts";
import { readGguf } from "../../../models/weights/gguf/file.ts";
import { readParts } from "../../../models/weights/gguf/parts.ts";
import { TENSOR_TYPES } from "../../../models/weights/gguf/types.ts";
import { widen } from "../../../models/weights/integers.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { entry, gguf, tensor, text, u32, u64 } from "../../support/gguf.ts";

const WHOLE = "models/tiny/gguf/llama-q4_0.gguf";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "trainyard-gguf-"));
  path = join(folder, "model.gguf");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refused = (bytes: Buffer): string => {
  writeFileSync(path, bytes);
  try {
    readGguf(path);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "read";
};

describe("a truncated file", () => {
  it("names the tensor that is cut and says what to do", () => {
    const bytes = readFileSync(WHOLE);
    expect(refused(bytes.subarray(0, bytes.length - 100))).toMatch(
      /model\.gguf: truncated: tensor "\S+" ends at byte \d+, the file has \d+ bytes; fetch it again$/,
    );
  });

  it("names the key that is cut", () => {
    expect(refused(readFileSync(WHOLE).subarray(0, 3000))).toMatch(
      /model\.gguf: truncated: key "tokenizer\.ggml\.tokens" ends at byte \d+ or later, the file has 3000 bytes; fetch it again$/,
    );
  });

  it("is refused wherever it is cut", () => {
    const bytes = readFileSync(WHOLE);
    for (let length = 0; length < bytes.length; length += 2_997)
      expect(refused(bytes.subarray(0, length)), `${length} bytes`).toMatch(/truncated|not a GGUF/);
  });
});

const LIST = 9;
const list = (type: number, count: number | bigint): Buffer =>
  Buffer.concat([u32(LIST), u32(type), u64(count)]);

describe("a file that lies", () => {
  it.each([
    ["keys without end", gguf({ keyCount: 2 ** 40 }), /metadata of 1099511627776 keys ends/],
    [
      "tensors without end",
      gguf({ tensorCount: 2 ** 40 }),
      /the list of 1099511627776 tensors ends/,
    ],
    [
      "more than 2^53 of them",
      gguf({ keyCount: 2n ** 63n }),
      /damaged: the count of its keys says/,
    ],
    [
      "a name of 2^50 bytes",
      gguf({ keys: [u64(2 ** 50)], keyCount: 1, data: 64 }),
      /the name of key 1 of 1 ends/,
    ],
    ["strings without end", gguf({ keys: [entry("a", list(8, 2 ** 33))] }), /key "a" ends/],
    ["numbers without end", gguf({ keys: [entry("a", list(6, 2 ** 33))] }), /key "a" ends/],
    ["lists in lists", gguf({ keys: [entry("a", list(LIST, 1))] }), /key "a" is a list of type 9/],
    [
      "a type that is none",
      gguf({ keys: [entry("a", u32(77))], data: 8 }),
      /key "a" is of type 77, which is none/,
    ],
    ["a key twice", gguf({ keys: [entry("a", 1), entry("a", 2)] }), /key "a" stands twice/],
    [
      "an alignment of 3",
      gguf({ keys: [entry("general.alignment", 3)] }),
      /"general.alignment" says 3/,
    ],
    [
      "9 axes",
      gguf({ tensors: [tensor("t", { shape: Array(9).fill(1) })] }),
      /tensor "t" has 9 axes/,
    ],
    [
      "axes of 2^52",
      gguf({ tensors: [tensor("t", { shape: [2 ** 52, 2 ** 52] })] }),
      /truncated: tensor "t" ends at byte/,
    ],
    [
      "an offset beyond its end",
      gguf({ tensors: [tensor("t", { shape: [1], offset: 2 ** 45 })] }),
      /tensor "t" ends at byte 35184372088900, /,
    ],
    [
      "an offset between",
      gguf({ tensors: [tensor("t", { shape: [1], offset: 4 })], data: 64 }),
      /offset 4 is not aligned/,
    ],
    [
      "half a block",
      gguf({ tensors: [tensor("t", { shape: [48], type: 2 })], data: 64 }),
      /a row of 48 is no number of Q4_0 blocks/,
    ],
  ])("%s", (_, bytes, message) => {
    const before = process.memoryUsage().rss;
    expect(refused(bytes)).toMatch(message);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
  });

  it("is refused or read, whatever byte is another", () => {
    const bytes = readFileSync(WHOLE);
    for (let at = 0; at < 2000; at += 29) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      expect(refused(changed)).toMatch(/^read$|model\.gguf: /);
    }
  });
});

describe("what is not read is named", () => {
  it.each([
    ["another file", Buffer.from("PK\u0003\u0004 and so on, and so on"), /not a GGUF file/],
    ["version 1", gguf({ version: 1 }), /GGUF version 1 is not read, 2 and 3 are/],
    ["a big-endian file", gguf({ version: 3 << 24 }), /a big-endian GGUF file/],
    [
      "IQ2_XS",
      gguf({ tensors: [tensor("blk.0.ffn_up.weight", { shape: [256], type: 17 })] }),
      /tensor "blk.0.ffn_up.weight": type IQ2_XS is not read \(F32, F16, Q4_0, .*, MXFP4 are\); quantize/,
    ],
    [
      "a type of tomorrow",
      gguf({ tensors: [tensor("t", { shape: [1], type: 99 })] }),
      /type of number 99 is not read/,
    ],
  ])("%s", (_, bytes, message) => {
    expect(refused(bytes)).toMatch(message);
  });

  const load = async (keys: readonly Buffer[]) => {
    writeFileSync(path, gguf({ keys }));
    return loadModel(path);
  };
  const architecture = entry("general.architecture", "llama");

  it("an architecture, a missing key, a pre-tokenizer", async () => {
    await expect(load([entry("general.architecture", "mamba")])).rejects.toThrow(
      /"general.architecture" must be one of llama, qwen2, .*, found "mamba"/,
    );
    await expect(load([architecture])).rejects.toThrow(
      /model\.gguf: "llama.attention.head_count" must be an integer ≥ 1, found nothing/,
    );
    const bytes = readFileSync(WHOLE);
    const at = bytes.indexOf("llama-bpe");
    bytes.write("llama-xyz", at);
    writeFileSync(path, bytes);
    await expect(loadModel(path)).rejects.toThrow(
      /model\.gguf: key "tokenizer.ggml.pre" says "llama-xyz", which is not known \(.*llama-bpe.*\); give the model's own tokenizer by --tokenizer/,
    );
    expect((await loadModel(path, { tokenizer: "models/tiny/llama" })).tokenizer).toBeDefined();
  });

  it("a folder that holds only such a file: its own path is to be given", async () => {
    writeFileSync(join(folder, "config.json"), readFileSync("models/tiny/llama/config.json"));
    writeFileSync(path, "GGUF");
    expect((await loadModel(folder)).unread).toBe(
      `${path}: a GGUF file is a model by itself; give its own path, not the folder's`,
    );
  });
});

describe("a model in several files", () => {
  const part = (number: number): string => join(folder, `tiny-0000${number}-of-00003.gguf`);
  const whole = readGguf(WHOLE);
  const bytes = readFileSync(WHOLE);
  const metadata = (): Buffer => {
    // Counts stand at 8 and 16; what follows up to the tensors' list is kept.
    const at = bytes.indexOf(text(whole.tensors[0]?.name ?? ""));
    return bytes.subarray(24, at);
  };
  const write = (number: number, { no = number - 1, count = 3 } = {}): void => {
    const own = whole.tensors.filter((_, i) => i % 2 === number % 2 && number > 1);
    const keys = [entry("split.no", no), entry("split.count", count)];
    let offset = 0;
    const lines = own.map(({ name, shape, type, begin, end }) => {
      const [number] = Object.entries(TENSOR_TYPES).find(([, each]) => each.name === type) ?? [];
      const line = tensor(name, { shape: [...shape].reverse(), type: Number(number), offset });
      offset += Math.ceil((end - begin) / 32) * 32;
      return line;
    });
    const head = gguf({
      keys: number === 1 ? [metadata(), ...keys] : keys,
      keyCount: (number === 1 ? whole.metadata.size : 0) + keys.length,
      tensors: lines,
    });
    const data = own.flatMap(({ begin, end }) => [
      bytes.subarray(begin, end),
      Buffer.alloc((32 - ((end - begin) % 32)) % 32),
    ]);
    writeFileSync(part(number), Buffer.concat([head, ...data]));
  };
  beforeEach(() => {
    for (const number of [1, 2, 3]) write(number);
  });

  it("is read from all of them, the first of which may hold none", async () => {
    const [one, several] = [await loadModel(WHOLE), await loadModel(part(1))];
    const files = [...(several.checkpoint?.tensors.values() ?? [])].map(({ file }) => file);
    expect(new Set(files)).toEqual(new Set([2, 3].map((number) => basename(part(number)))));
    expect(several.config).toEqual(one.config);
    const readers = [one, several].map(
      ({ checkpoint }) => checkpoint && new WeightReader(checkpoint),
    );
    for (const name of one.checkpoint?.tensors.keys() ?? [])
      expect(readers[1]?.read(name), name).toEqual(readers[0]?.read(name));
    for (const reader of readers) reader?.close();
  });

  const message = (path: string): string => {
    try {
      readParts(path);
      return "read";
    } catch (error) {
      return error instanceof CheckpointError ? error.message : `crashed: ${error}`;
    }
  };

  it("names what is missing, another's, or not the first", () => {
    expect(message(part(2))).toBe(
      `${part(2)}: part 2 of 3 of a model; give the first, ${basename(part(1))}`,
    );
    write(3, { no: 1 });
    expect(message(part(1))).toBe(
      `${part(3)}: key "split.no" says it is another part than 3 of 3; fetch it again`,
    );
    cpSync(part(2), part(3));
    rmSync(part(2));
    expect(message(part(1))).toBe(
      `${part(2)}: no such file, though ${basename(part(1))} says that it is one of 3; fetch it too`,
    );
    write(1, { count: 2 ** 31 });
    expect(message(part(1))).toBe(`${part(1)}: damaged: key "split.count" says 2147483648`);
    write(2);
    cpSync(part(2), path);
    expect(message(path)).toMatch(/one of 3 files, which are found by their names; call it NAME-/);
    writeFileSync(part(2), "version https://git-lfs.github.com/spec/v1");
    write(1);
    expect(message(part(1))).toMatch(/00002-of-00003\.gguf: a Git LFS pointer/);
  });
});

it("strings and numbers of every kind are read", () => {
  const bool = Buffer.concat([u32(7), Buffer.from([1])]);
  const strings = Buffer.concat([list(8, 2), text("ä"), text("")]);
  const int = Buffer.concat([list(5, 2), u32(1), u32(0xffffffff)]);
  writeFileSync(
    path,
    gguf({ keys: [entry("s", "x"), entry("b", bool), entry("l", strings), entry("i", int)] }),
  );
  const { metadata } = readGguf(path);
  expect(metadata.get("s")).toBe("x");
  expect(metadata.get("b")).toBe(true);
  expect(metadata.get("l")).toEqual(["ä", ""]);
  expect(metadata.get("i")).toEqual(Int32Array.of(1, -1));
});

/** Rows of 256 numbers as they lie in a file, and what the gguf package makes of them, in base64. */
type Blocks = Readonly<
  Record<string, { readonly number: number; readonly rows: string; readonly numbers: string }>
>;
const BLOCKS: Blocks = JSON.parse(readFileSync("test/unit/models/gguf-blocks.json", "utf8"));

describe.each(Object.entries(BLOCKS))("blocks of %s", (type, { number, rows, numbers }) => {
  const bytes = Buffer.from(rows, "base64");
  const expected = new Float32Array(Uint8Array.from(Buffer.from(numbers, "base64")).buffer);
  const reader = (): WeightReader => {
    writeFileSync(path, bytes);
    if (!isBlockType(type)) throw new Error(`${type} has no blocks`);
    const packing = { kind: "ggml", type } as const;
    const place = { file: "model.gguf", begin: 0, end: bytes.length, shape: [2, 256] };
    const tensor = { name: "t", dtype: type, packing, ...place };
    return new WeightReader({ folder, tensors: new Map([["t", tensor]]), bytes: bytes.length });
  };

  it("are the gguf package's numbers, bit for bit, rows and columns too", () => {
    const { name, block = 0, bytes: size = 0 } = TENSOR_TYPES[number] ?? {};
    expect([name, (512 / block) * size]).toEqual([type, bytes.length]);
    const weights = reader();
    expect(weights.read("t")).toEqual(expected);
    expect(weights.read("t", { axis: 0, begin: 1, end: 2 })).toEqual(expected.subarray(256));
    const columns = weights.read("t", { axis: 1, begin: 64, end: 100 });
    expect(columns.subarray(36)).toEqual(expected.subarray(256 + 64, 256 + 100));
    weights.close();
  });

  it("are integers in groups: the same numbers, or as close as the README tells", () => {
    const weights = reader();
    const integers = weights.integers("t", { begin: 0, end: 2 });
    weights.close();
    if (integers === undefined) throw new Error("no integers");
    const near = new Float32Array(512);
    widen(integers, near, 0);
    if (!isShifted(type)) {
      expect(near).toEqual(expected);
      return;
    }
    const squares = (of: (value: number, i: number) => number): number =>
      expected.reduce((sum, value, i) => sum + of(value, i) ** 2, 0);
    const error = squares((value, i) => value - (near[i] ?? 0)) / squares((value) => value);
    expect(Math.sqrt(error)).toBeLessThan(0.003);
  });
});

it.each([4, 16, 32])("8-bit codes come close to scales with minima, at %i levels", (levels) => {
  for (const [scale, minimum] of [
    [1, 7],
    [0.37, 5.11],
    [0.01, 0],
    [0.02, 0.3],
    [0, 2],
    [0, 0],
    [1e-6, 3],
    [0.5, -4],
  ] as const) {
    const { scale: unit, zero, codes } = fitted(scale, minimum, levels);
    expect(codes).toHaveLength(levels);
    const most = Math.max(Math.abs(minimum), Math.abs((levels - 1) * scale - minimum));
    for (const [nibble, code] of codes.entries())
      expect(Math.abs((code - zero) * unit - (nibble * scale - minimum))).toBeLessThanOrEqual(
        most / 500 + 1e-12,
      );
  }
});
