/** Converted weights are kept between starts: the same ids, and no entry that is not the source's. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, it, vi } from "vitest";
import { RealClock } from "../../device/clocks/real.ts";
import { keyOfCode } from "../../device/cpu/converted/entry-key.ts";
import { Scratch } from "../../device/cpu/converted/scratch.ts";
import { openEntry } from "../../device/cpu/converted/store.ts";
import type { CpuDevice } from "../../device/cpu/device.ts";
import { createCpuDevice } from "../../device/cpu/device.ts";
import { compileProgram } from "../../device/cpu/graph/program.ts";
import { ShardReader } from "../../device/cpu/graph/shard-reader.ts";
import { LEAST_UNPACKED } from "../../device/cpu/graph/unpacked.ts";
import { Opener, type OpenerOptions } from "../../device/cpu/opener.ts";
import { type Runner, Tensor } from "../../device/cpu/session.ts";
import { TwoWays } from "../../device/cpu/two-ways.ts";
import { Unpacked } from "../../device/cpu/unpacking.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { ownerLives, ownerText } from "../../models/weights/owner.ts";
import { execute, RecordingSampler, row } from "../support/device-driver.ts";
import { drawModel } from "../support/drawn-models.ts";
import { QWEN_LIKE, randomModel } from "../support/random-model.ts";

/** Matrices of which some are kept beside their graph, some in it. */
const wide = randomModel({
  ...QWEN_LIKE,
  hidden_size: 192,
  vocab_size: 2048,
  num_hidden_layers: 1,
});
/** Of more than 8 MiB: int4 of a smaller one is held in 8-bit blocks. */
const large = randomModel({
  ...QWEN_LIKE,
  hidden_size: 192,
  vocab_size: 48_000,
  num_hidden_layers: 1,
});
const experts = drawModel("gpt-oss");
const store = mkdtempSync(join(tmpdir(), "converted-"));
afterAll(() => {
  wide.remove();
  large.remove();
  experts.remove();
  rmSync(store, { recursive: true, force: true });
});

interface Start {
  readonly how: string;
  readonly lines: readonly string[];
  readonly logits: Float32Array;
}

async function start(options: {
  readonly quantization: string;
  readonly ranks?: number;
  readonly mostBytes?: number;
  readonly folder?: string;
  readonly model?: Model;
  readonly own?: Readonly<Record<string, unknown>>;
}): Promise<Start> {
  const { quantization, ranks = 1, mostBytes = 2 ** 30, folder = store, own = {} } = options;
  const sampler = new RecordingSampler();
  const device = (await createCpuDevice({
    model: options.model ?? wide.model,
    clock: new RealClock(),
    sampler,
    tensorParallelSize: ranks,
    seed: 0,
    own,
    convertedWeights: { folder, mostBytes },
    quantization,
  })) as CpuDevice;
  await execute(device, [row(0, [5, 3, 200, 7, 44], { blocks: [0] })]);
  const { loaded } = device.ranks;
  await device.close();
  const logits = sampler.logits.get(0)?.[0] ?? new Float32Array(0);
  return { how: `${loaded?.how} ${loaded?.why ?? ""}`.trim(), lines: device.loadLines, logits };
}

const entries = (): readonly string[] => readdirSync(store).sort();
const weights = join(wide.model.source, "weights.bin");

it("is converted once, and gives the same bits from what was kept", async () => {
  const first = await start({ quantization: "int8" });
  expect(first.how).toBe("kept-now");
  expect(entries()).toHaveLength(1);
  const second = await start({ quantization: "int8" });
  expect(second.how).toBe("kept-before");
  expect(second.logits).toEqual(first.logits);
  // What rounding did is told again.
  expect(second.lines[1]).toMatch(/^rounding {3}int8 moved the weights by 0\.\d+ %/);
  expect(second.lines[1]).toBe(first.lines[1]);
  expect(second.lines[0]).toContain(`converted before, mapped from ${store}`);
});

it("asks the runtime to report its use to nobody", async () => {
  delete process.env["ORT_DISABLE_TELEMETRY"];
  await start({ quantization: "int8" });
  expect(process.env["ORT_DISABLE_TELEMETRY"]).toBe("1");
});

it("keeps experts too", async () => {
  const model = await loadModel(experts.folder);
  const first = await start({ quantization: "int8", model });
  expect(first.how).toBe("kept-now");
  const second = await start({ quantization: "int8", model });
  expect(second.how).toBe("kept-before");
  expect(second.logits).toEqual(first.logits);
});

it("keeps every rank's part and every format apart", async () => {
  const before = entries().length;
  // Of two copies the machine's speed says which computes.
  const four = { quantization: "int4", model: large.model, own: { "weight-copies": "1" } };
  const int4 = await start(four);
  expect(int4.lines[0]).toContain("in memory as int4, converted, kept in");
  const again = await start(four);
  expect(again.how).toBe("kept-before");
  expect(again.logits).toEqual(int4.logits);
  const two = await start({ quantization: "int8", ranks: 2 });
  expect(two.how).toBe("kept-now");
  expect(entries()).toHaveLength(before + 3);
  expect((await start({ quantization: "int8", ranks: 2 })).logits).toEqual(two.logits);
});

it("is ignored when the source's time or size changed, and replaced", async () => {
  const before = entries();
  utimesSync(weights, new Date(), new Date(Date.now() + 5000));
  const changed = await start({ quantization: "int8" });
  expect(changed.how).toBe("kept-now");
  expect(entries()).toEqual(before);
  expect((await start({ quantization: "int8" })).how).toBe("kept-before");
  writeFileSync(weights, Buffer.concat([readFileSync(weights), Buffer.alloc(8)]));
  expect((await start({ quantization: "int8" })).how).toBe("kept-now");
});

it("is known by the code that converts, in folders below folders too", () => {
  const code = join(store, "code");
  mkdirSync(join(code, "below"), { recursive: true });
  writeFileSync(join(code, "top.ts"), "1");
  const keys = [keyOfCode([code])];
  for (const [name, text] of [
    ["below/a.ts", "1"],
    ["below/a.ts", "2"],
    ["below/b.md", "no code"],
  ] as const) {
    writeFileSync(join(code, name), text);
    keys.push(keyOfCode([code]));
  }
  rmSync(code, { recursive: true });
  expect(new Set(keys).size).toBe(3);
});

it("has one writer: who comes second converts in memory", async () => {
  for (const name of entries()) rmSync(join(store, name), { recursive: true });
  const first = await start({ quantization: "int8" });
  const [key = ""] = entries();
  const writing = join(store, `${key}.writing`);
  rmSync(join(store, key), { recursive: true });
  mkdirSync(writing);
  writeFileSync(join(writing, "writer"), `${process.pid} ${hostname()}`);
  const second = await start({ quantization: "int8" });
  expect(second.how).toBe("in-memory another process writes it");
  expect(second.logits).toEqual(first.logits);
  // A writer that ended gives way.
  writeFileSync(join(writing, "writer"), `4194305 ${hostname()}`);
  expect((await start({ quantization: "int8" })).how).toBe("kept-now");
  expect(existsSync(writing)).toBe(false);
  // So does one of the same number that began at another time: a container that was started again.
  expect(ownerText()).toMatch(process.platform === "linux" ? /^\d+ \S+ \d+$/ : /^\d+ \S+/);
  writeFileSync(join(store, "owner"), ownerText());
  expect(ownerLives(join(store, "owner"))).toBe(true);
  writeFileSync(join(store, "owner"), `${process.pid} ${hostname()} 1`);
  expect(ownerLives(join(store, "owner"))).toBe(process.platform !== "linux");
  rmSync(join(store, "owner"));
});

it.each([
  ["an index cut short", "index.json", 40],
  ["graphs cut short", "graphs.bin", 100],
  ["weights cut short", "weights.bin", 5000],
])("is made again where the system went down: %s", async (_, file, bytes) => {
  await start({ quantization: "int8" });
  const [key = ""] = entries();
  truncateSync(join(store, key, file), bytes);
  expect((await start({ quantization: "int8" })).how).toBe("kept-now");
  expect((await start({ quantization: "int8" })).how).toBe("kept-before");
  expect(entries()).toEqual([key]);
});

it("serves where the entry cannot be put in its place", async () => {
  const { checkpoint, architecture } = wide.model;
  if (checkpoint === undefined) throw new Error("no checkpoint");
  const from = { architecture, checkpoint, rank: 0, ranks: 1, adapters: false };
  const options = { folder: join(store, "removed"), mostBytes: 2 ** 30 };
  const entry = openEntry(options, { ...from, quantization: "int8" }, 1);
  if (entry.kind !== "writing") throw new Error(`not to be written: ${entry.kind}`);
  entry.add(new Uint8Array(8));
  rmSync(options.folder, { recursive: true });
  expect(entry.finish("")).toMatch(/^ENOENT/);
});

it("stays below its bound: what was used longest ago goes", async () => {
  for (const name of entries()) rmSync(join(store, name), { recursive: true });
  await start({ quantization: "int8" });
  const [oldest = ""] = entries();
  const old = new Date(Date.now() - 60_000);
  utimesSync(join(store, oldest, "index.json"), old, old);
  await start({ quantization: "int4" });
  expect(entries()).toHaveLength(2);
  const size = (name: string): number => readFileSync(join(store, name, "weights.bin")).length;
  const mostBytes = entries().reduce((sum, name) => sum + size(name), 0);
  await start({ quantization: "int8", ranks: 2, mostBytes });
  expect(entries()).not.toContain(oldest);
  const all = entries().reduce((sum, name) => sum + size(name), 0);
  expect(all).toBeGreaterThan(0);
  expect(all).toBeLessThan(mostBytes);
  const small = await start({ quantization: "int8", mostBytes: 10, folder: join(store, "other") });
  expect(small.how).toBe("in-memory larger than the cache");
});

it("what is not kept passes through a file a segment, of which nothing stays", () => {
  const folder = join(store, "temporary");
  const left = join(folder, "trainyard-weights-left");
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, "writer"), `4194305 ${hostname()}`);
  vi.stubEnv("TMPDIR", folder);
  // The runtime has files of its own there.
  const ours = () => readdirSync(folder).filter((name) => name.startsWith("trainyard-"));
  const scratch = Scratch.open();
  expect(ours()).toEqual([basename(scratch?.folder ?? "")]);
  for (const value of [1, 2]) {
    const range = scratch?.keep(new Uint8Array(70_000).fill(value));
    const file = join(scratch?.folder ?? "", range?.file ?? "");
    expect(readFileSync(file).subarray(range?.begin, range?.end)).toHaveLength(70_000);
    scratch?.clear();
    expect(existsSync(file)).toBe(false);
  }
  scratch?.close();
  expect(ours()).toEqual([]);
  // Of a large model only: the same head, said to be one.
  const large = headOf(2 ** 30);
  expect(ours()).toEqual([]);
  vi.stubEnv("TMPDIR", join(folder, "missing"));
  const small = headOf(2 ** 30);
  vi.unstubAllEnvs();
  expect(large.some((value) => value !== 0)).toBe(true);
  expect(large).toEqual(small);
});

/** Logits of one hidden state by the model's head, whose weights are not kept. */
function headOf(bytes: number): Float32Array {
  const { architecture, checkpoint } = wide.model;
  if (checkpoint === undefined) throw new Error("no checkpoint");
  const from = { architecture, checkpoint, rank: 0, ranks: 1, adapters: false };
  const reader = new ShardReader(checkpoint, 0, 1);
  const { head, logits } = compileProgram(architecture, from);
  const quantization = "int8";
  const opener = new Opener(reader, { quantization, bytes, from: { ...from, quantization } });
  const session = opener.open(head, 1);
  const tensors = (of: typeof head.inputs, data: (width: number) => Float32Array) =>
    Object.fromEntries(
      of.map(({ name, width }) => [name, new Tensor("float32", data(width), [1, width])]),
    );
  const made = tensors(head.outputs, (width) => new Float32Array(width));
  session.run(
    tensors(head.inputs, (width) => Float32Array.from({ length: width }, (_, i) => i / width)),
    made,
  );
  session.close();
  expect(opener.finish()).toMatchObject({ how: "in-memory", why: "--no-cache" });
  reader.close();
  return made[logits.name]?.data as Float32Array;
}

it("holds a small segment for one thread and for all, with the same sums", () => {
  const { architecture, checkpoint } = wide.model;
  if (checkpoint === undefined) throw new Error("no checkpoint");
  const from = { architecture, checkpoint, rank: 0, ranks: 1, adapters: false };
  const reader = new ShardReader(checkpoint, 0, 1);
  const { head, logits } = compileProgram(architecture, from);
  const alone = { rows: 2 };
  const options = { quantization: "int4", bytes: 1, alone } as const;
  const opener = new Opener(reader, { ...options, from: { ...from, quantization: "int4" } });
  const runners = [opener.open(head, 2), opener.open(head, 2, true), opener.open(head, 1)];
  expect(runners.map((runner) => runner instanceof TwoWays)).toEqual([true, false, false]);
  const states = Float32Array.from({ length: 4 * 192 }, (_, i) => Math.sin(i));
  const sums = (runner: (typeof runners)[number], rows: number): Float32Array => {
    const tensor = (data: Float32Array, width: number) =>
      new Tensor("float32", data.subarray(0, rows * width), [rows, width]);
    const out = new Float32Array(4 * logits.width);
    const [{ name, width } = logits] = head.inputs;
    runner.run({ [name]: tensor(states, width) }, { [logits.name]: tensor(out, logits.width) });
    return out;
  };
  const [both, many, one] = runners;
  if (!(both instanceof TwoWays) || many === undefined || one === undefined)
    throw new Error("none");
  expect(sums(both, 1)).toEqual(sums(one, 1));
  expect(sums(both, 4)).toEqual(sums(many, 4));
  expect(sums(both.few, 4)).toEqual(sums(both.many, 4));
  for (const runner of runners) runner.close();
  reader.close();
});

it("unpacks int4 weights of the file that keeps them for steps of many rows, alike at every start", () => {
  const { architecture, checkpoint } = wide.model;
  if (checkpoint === undefined) throw new Error("no checkpoint");
  const from = { architecture, checkpoint, rank: 0, ranks: 1, adapters: false };
  const reader = new ShardReader(checkpoint, 0, 1);
  const { head, logits } = compileProgram(architecture, from);
  const [{ name, width } = logits] = head.inputs;
  const rows = LEAST_UNPACKED;
  const states = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i * i));
  const kept = { folder: join(store, "unpacked"), mostBytes: 2 ** 30 };
  const begin = (options: Partial<OpenerOptions>): Opener => {
    const all = { quantization: "int4", bytes: 1, store: kept, ...options } as const;
    return new Opener(reader, { ...all, from: { ...from, quantization: "int4" } });
  };
  const run = (runner: Runner, first: number, count: number): Float32Array => {
    const input = states.subarray(first * width, (first + count) * width);
    const out = new Float32Array(count * logits.width);
    runner.run(
      { [name]: new Tensor("float32", input, [count, width]) },
      { [logits.name]: new Tensor("float32", out, [count, logits.width]) },
    );
    return out;
  };
  const starts = ["kept-now", "kept-before"].map((how) => {
    const opener = begin({});
    // Two segments share one place: each finds its own weights there.
    const [one, other] = [opener.open(head, 1), opener.open(head, 1)];
    const loaded = opener.finish();
    expect(loaded.how).toBe(how);
    // A byte a weight, and what one product's codes and scales are read into.
    expect(loaded.unpacks).toBeGreaterThan(1.5 * width * logits.width);
    expect(loaded.unpacks).toBeLessThan(1.65 * width * logits.width);
    if (!(one instanceof Unpacked)) throw new Error("not unpacked");
    const many = run(one, 0, rows);
    expect(run(other, 0, rows)).toEqual(many);
    expect(run(one, 0, rows)).toEqual(many);
    const few = run(one.few, 0, rows);
    // Of one row the runtime's 4-bit product sums otherwise than of many.
    expect(run(one, 0, 2)).toEqual(few.subarray(0, 2 * logits.width));
    // Both round activations to 8 bits, one by the block and one by the row.
    const size = Math.sqrt(few.reduce((sum, value) => sum + value ** 2, 0));
    const apart = Math.sqrt(few.reduce((sum, value, i) => sum + (value - (many[i] ?? 0)) ** 2, 0));
    expect(apart / size).toBeLessThan(0.02);
    expect(apart).toBeGreaterThan(0);
    return { opener, one, many };
  });
  const [first, second] = starts;
  expect(second?.many).toEqual(first?.many);
  for (const options of [{ batchInvariant: true }, { store: undefined }]) {
    const opener = begin(options);
    expect(opener.open(head, 1)).not.toBeInstanceOf(Unpacked);
    opener.finish();
  }
  for (const { opener, one } of starts) {
    one.close();
    opener.unpacker?.close();
  }
  // Somebody cuts the file under a server that has not read it yet.
  const opener = begin({});
  const late = opener.open(head, 1);
  opener.finish();
  const [entry = ""] = readdirSync(kept.folder);
  truncateSync(join(kept.folder, entry, "weights.bin"), 100);
  expect(() => run(late, 0, rows)).toThrow("cut short");
  opener.unpacker?.close();
  reader.close();
});

it("does without unpacking where somebody has made room before the file was opened", () => {
  // Of middling products, each of which lies in its graph: the session needs no file.
  const shape = { hidden_size: 256, num_attention_heads: 4, num_key_value_heads: 2 };
  const { model, remove } = randomModel({ ...QWEN_LIKE, ...shape });
  const { architecture, checkpoint } = model;
  if (checkpoint === undefined) throw new Error("no checkpoint");
  const from = { architecture, checkpoint, rank: 0, ranks: 1, adapters: false };
  const reader = new ShardReader(checkpoint, 0, 1);
  const { body } = compileProgram(architecture, from);
  const [, middle] = body.flatMap((step) => (step.kind === "run" ? [step.segment] : []));
  if (middle === undefined) throw new Error("no segment");
  const folder = join(store, "evicted");
  const options = {
    quantization: "int4",
    bytes: 1,
    store: { folder, mostBytes: 2 ** 30 },
  } as const;
  const begin = () => new Opener(reader, { ...options, from: { ...from, quantization: "int4" } });
  const first = begin();
  const whole = first.open(middle, 1);
  expect(whole).toBeInstanceOf(Unpacked);
  first.finish();
  first.unpacker?.close();
  const second = begin();
  for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true });
  const alone = second.open(middle, 1);
  expect(alone).not.toBeInstanceOf(Unpacked);
  expect(second.finish()).toEqual({ how: "kept-before", rounded: expect.any(Number) });
  for (const runner of [whole, alone]) runner.close();
  reader.close();
  remove();
});

it("serves all the same where the folder cannot be written", async () => {
  const file = join(store, "a-file");
  writeFileSync(file, "");
  const { how } = await start({ quantization: "int8", folder: file });
  expect(how).toMatch(/^in-memory ENOTDIR|^in-memory EEXIST/);
});
