/** What a merged folder is made of: rounding, what is copied, what is refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { readAdapter } from "../../../models/weights/adapter.ts";
import { mergeAdapter } from "../../../models/weights/merge.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { rounded } from "../../../models/weights/round.ts";
import { makeAdapter, makeBase } from "../../../scripts/maintain/goldens/adapter-folders.ts";
import { writeSafetensors } from "../../support/safetensors.ts";

const CONFIG = {
  ...{ architectures: ["LlamaForCausalLM"], model_type: "llama", vocab_size: 64 },
  ...{ hidden_size: 24, intermediate_size: 40, num_hidden_layers: 2, num_attention_heads: 2 },
  ...{ num_key_value_heads: 1, head_dim: 12, max_position_embeddings: 64, rms_norm_eps: 1e-5 },
  ...{ hidden_act: "silu", tie_word_embeddings: false, torch_dtype: "float32" },
};
let folder = "";
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "merge-"));
  makeBase(at("base"), CONFIG);
  const shape = { rank: 3, alpha: 6, seed: 5, targets: ["q_proj", "down_proj"] };
  makeAdapter(at("adapter"), shape, CONFIG);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("rounds to halves and bfloats as they are read again, ties to even", () => {
  const bits = Uint16Array.from({ length: 65_536 }, (_, index) => index);
  const check = (dtype: "F16" | "BF16"): void => {
    const path = at(`${dtype}.safetensors`);
    writeSafetensors(path, { x: { dtype, shape: [65_536], data: bits } });
    const stored = { name: "x", file: `${dtype}.safetensors`, dtype, shape: [65_536] };
    const begin = 8 + Number(readFileSync(path).readBigUInt64LE());
    const tensors = new Map([["x", { ...stored, begin, end: begin + 131_072 }]]);
    const values = new WeightReader({ folder, tensors, bytes: 131_072 }).read("x");
    const again = new Uint16Array(rounded(values, dtype).buffer);
    for (let i = 0; i < 65_536; i++) {
      if (Number.isNaN(values[i])) continue;
      if (again[i] !== i) throw new Error(`${dtype} ${i} became ${again[i]}`);
    }
    // Half-way between two: the even one. A little more: the upper.
    for (const low of [0x3c00, 0x3c01, 0x0001, 0x0002, 0x03ff, 0x7000]) {
      const [a = 0, b = 0] = [values[low], values[low + 1]];
      const middle = Float32Array.of((a + b) / 2);
      expect([...new Uint16Array(rounded(middle, dtype).buffer)]).toEqual([low + (low & 1)]);
      const more = Float32Array.of((a + b) / 2 + (b - a) / 100);
      expect([...new Uint16Array(rounded(more, dtype).buffer)]).toEqual([low + 1]);
    }
  };
  check("F16");
  check("BF16");
  expect(new Uint16Array(rounded(Float32Array.of(65_520, -1e9), "F16").buffer)).toEqual(
    Uint16Array.of(0x7c00, 0xfc00),
  );
});

it("adds scale · B · A to the weights that are adapted, and keeps the others' bytes", async () => {
  const base = await loadModel(at("base"));
  const adapter = readAdapter(at("adapter"), base.architecture, 8);
  expect(mergeAdapter(base, adapter, { out: at("out") })).toMatchObject({ adapted: 4 });
  const merged = await loadModel(at("out"));
  if (!base.checkpoint || !merged.checkpoint) throw new Error("no weights");
  const [before, after, low] = [base.checkpoint, merged.checkpoint, adapter.checkpoint].map(
    (checkpoint) => new WeightReader(checkpoint),
  ) as [WeightReader, WeightReader, WeightReader];
  for (const name of base.checkpoint.tensors.keys()) {
    const was = before.read(name);
    const is = after.read(name);
    const module = `base_model.model.${name.replace(/\.weight$/, "")}`;
    if (!/q_proj|down_proj/.test(name)) {
      expect(is).toEqual(was);
      continue;
    }
    const a = low.read(`${module}.lora_A.weight`);
    const b = low.read(`${module}.lora_B.weight`);
    const width = a.length / 3;
    was.forEach((value, index) => {
      const [row, column] = [Math.floor(index / width), index % width];
      let delta = 0;
      for (let k = 0; k < 3; k++) delta += (b[row * 3 + k] ?? 0) * (a[k * width + column] ?? 0);
      expect(is[index]).toBeCloseTo(value + 2 * delta, 5);
    });
  }
  expect(existsSync(join(at("out"), "tokenizer.json"))).toBe(true);
  expect(() => mergeAdapter(base, adapter, { out: at("out") })).toThrow("is not empty");
});

it("writes another dtype where that is asked for, and says so in config.json", async () => {
  const base = await loadModel(at("base"));
  const adapter = readAdapter(at("adapter"), base.architecture, 8);
  mergeAdapter(base, adapter, { out: at("half"), dtype: "BF16" });
  const merged = await loadModel(at("half"));
  expect(new Set([...(merged.checkpoint?.tensors.values() ?? [])].map((its) => its.dtype))).toEqual(
    new Set(["BF16"]),
  );
  expect(merged.config["torch_dtype"]).toBe("bfloat16");
});

it("reads patterns of ranks and alphas, and names what it refuses", async () => {
  const { architecture } = await loadModel(at("base"));
  const read = (told: object) => {
    writeFileSync(join(at("adapter"), "adapter_config.json"), JSON.stringify(told));
    return readAdapter(at("adapter"), architecture, 8);
  };
  const told = { r: 3, lora_alpha: 6, target_modules: ["q_proj"] };
  const scales = (given: object) =>
    new Map(
      read(given).modules.map(({ path, scale }) => [path.replace("model.layers.", ""), scale]),
    );
  expect(scales(told).get("0.self_attn.q_proj")).toBe(2);
  expect(scales({ ...told, use_rslora: true }).get("1.mlp.down_proj")).toBeCloseTo(
    6 / Math.sqrt(3),
  );
  const some = scales({
    ...told,
    alpha_pattern: { down_proj: 12, "layers.1.self_attn.q_proj": 3 },
  });
  expect([...some.values()].sort()).toEqual([1, 2, 4, 4]);
  expect(() => read({ ...told, r: 4 })).toThrow(/has rank 3, and adapter_config.json says 4/);
  expect(() => read({ ...told, r: 4, rank_pattern: { q_proj: 3, down_proj: 3 } })).not.toThrow();
  expect(() => read({ ...told, r: 0 })).toThrow("LoRA rank `r` must be a positive integer, got 0.");
  expect(() => read({ r: 3 })).toThrow(
    "Missing required configuration fields: {'lora_alpha', 'target_modules'}",
  );
  expect(() => read({ ...told, r: 16 })).toThrow("LoRA rank 16 is greater than max_lora_rank 8.");
  expect(() => read({ ...told, init_lora_weights: "pissa", use_qalora: true })).toThrow(
    /init_lora_weights='pissa' is not supported.*QALoRA is not supported/,
  );
  expect(() => read({ ...told, modules_to_save: ["lm_head"] })).toThrow(
    /modules_to_save.*'lm_head'/,
  );
});
