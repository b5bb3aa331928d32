/** Converted weights are kept between starts: the same ids, and no entry that is not the source's. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { RealClock } from "../../device/clocks/real.ts";
import type { CpuDevice } from "../../device/cpu/device.ts";
import { createCpuDevice } from "../../device/cpu/device.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
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
const experts = drawModel("gpt-oss");
const store = mkdtempSync(join(tmpdir(), "converted-"));
afterAll(() => {
  wide.remove();
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
}): Promise<Start> {
  const { quantization, ranks = 1, mostBytes = 2 ** 30, folder = store } = options;
  const sampler = new RecordingSampler();
  const device = (await createCpuDevice({
    model: options.model ?? wide.model,
    clock: new RealClock(),
    sampler,
    tensorParallelSize: ranks,
    seed: 0,
    own: {},
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
  await start({ quantization: "int4" });
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

it("serves all the same where the folder cannot be written", async () => {
  const file = join(store, "a-file");
  writeFileSync(file, "");
  const { how } = await start({ quantization: "int8", folder: file });
  expect(how).toMatch(/^in-memory ENOTDIR|^in-memory EEXIST/);
});
