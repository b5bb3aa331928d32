/** w8a16: a small model's rows without the runtime, close to F32 and independent of each other. */
import { afterEach, expect, it } from "vitest";
import { RealClock } from "../../device/clocks/real.ts";
import { createCpuDevice } from "../../device/cpu/device.ts";
import type { Device } from "../../device/device.ts";
import { blockRange, execute, RecordingSampler, row } from "../support/device-driver.ts";
import { MISTRAL_LIKE, QWEN_LIKE, randomModel } from "../support/random-model.ts";

const QWEN3_LIKE = {
  ...QWEN_LIKE,
  architectures: ["Qwen3ForCausalLM"],
  model_type: "qwen3",
  head_dim: 32,
};
const GELU = { ...QWEN_LIKE, hidden_act: "gelu" };

const PROMPT = [5, 17, 80, 3, 201, 44, 9];
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(config: Readonly<Record<string, unknown>>, quantization: string, ranks = 1) {
  const made = randomModel(config);
  cleanups.push(made.remove);
  const sampler = new RecordingSampler();
  const device = await createCpuDevice({
    model: made.model,
    clock: new RealClock(),
    sampler,
    quantization,
    tensorParallelSize: ranks,
    blocks: 64,
    seed: 0,
    own: {},
  });
  cleanups.push(() => device.close());
  return { device, sampler };
}

/** The prompt but for its last id at once, then that one alone. */
async function oneRow(device: Device): Promise<void> {
  const blocks = blockRange(0, 1);
  const before = row(0, PROMPT, { blocks, count: PROMPT.length - 1, want: "none" });
  expect((await execute(device, [before])).ok).toBe(true);
  const last = row(0, PROMPT, { blocks, start: PROMPT.length - 1 });
  expect((await execute(device, [last])).ok).toBe(true);
}

it.each([
  { name: "biases, a vocabulary of 301", config: QWEN_LIKE, ranks: 1 },
  { name: "heads of 20", config: MISTRAL_LIKE, ranks: 1 },
  { name: "norms of heads", config: QWEN3_LIKE, ranks: 1 },
  { name: "GELU", config: GELU, ranks: 1 },
  { name: "two ranks", config: QWEN_LIKE, ranks: 2 },
])("one row is close to F32: $name", async ({ config, ranks }) => {
  const [exact, small] = [await open(config, "none", ranks), await open(config, "w8a16", ranks)];
  await oneRow(exact.device);
  await oneRow(small.device);
  const expected = exact.sampler.logits.get(0)?.[0] ?? [];
  const found = small.sampler.logits.get(0)?.[0] ?? [];
  const off = Math.max(...expected.map((value, id) => Math.abs(value - (found[id] ?? 0))));
  const spread = Math.max(...expected) - Math.min(...expected);
  expect(off).toBeGreaterThan(0);
  expect(off).toBeLessThan(0.02 * spread);
});

it("two rows give the bits that each gives alone", async () => {
  const { device, sampler } = await open(QWEN_LIKE, "w8a16");
  const other = [9, 8, 7, 6];
  const rows = [
    row(0, PROMPT, { blocks: blockRange(0, 1) }),
    row(1, other, { blocks: blockRange(1, 1) }),
  ];
  for (const each of rows)
    await execute(device, [{ ...each, count: each.count - 1, want: "none" }]);
  const last = rows.map((each) => ({ ...each, start: each.count - 1, count: 1 }));
  for (const each of last) await execute(device, [each]);
  await execute(device, last);
  for (const id of [0, 1]) {
    const [alone, together] = sampler.logits.get(id) ?? [];
    expect(together).toEqual(alone);
  }
});
