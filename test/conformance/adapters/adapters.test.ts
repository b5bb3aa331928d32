/** Two adapters and their base in one batch: vLLM 0.32's ids, whatever else goes on. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Adapter } from "../../../device/device.ts";
import { loadModel } from "../../../models/load.ts";
import { readAdapter } from "../../../models/weights/adapter.ts";
import { mergeAdapter } from "../../../models/weights/merge.ts";
import { BASE_CONFIG, makeFolders } from "../../../scripts/maintain/goldens/adapter-folders.ts";
import { GreedyEngine, type GreedySetup } from "../../support/greedy.ts";
import { startServer } from "../../support/server.ts";

interface Goldens {
  readonly models: readonly string[];
  readonly length: number;
  readonly cases: readonly {
    readonly prompt: readonly number[];
    readonly outputs: Readonly<Record<string, readonly number[]>>;
  }[];
}

const goldens = JSON.parse(
  readFileSync(new URL("goldens.json", import.meta.url), "utf8"),
) as Goldens;
const ADAPTERS = { inStep: 2, inMemory: 2, maxRank: 64 };

let folder = "";
const adapter = (root: string, name: string, id: number): Adapter => {
  const path = join(root, name);
  return { id, name, path, folder: path };
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "adapters-"));
  makeFolders(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `root` holds the base and its adapters. */
async function withAdapters<T>(
  setup: GreedySetup,
  use: (engine: GreedyEngine, named: Readonly<Record<string, Adapter>>) => Promise<T>,
  root = folder,
): Promise<T> {
  const engine = await GreedyEngine.start(join(root, "base"), {
    adapters: ADAPTERS,
    blockSize: 16,
    ...setup,
  });
  const named = { r8: adapter(root, "r8", 1), r64: adapter(root, "r64", 2) };
  try {
    for (const each of Object.values(named)) await engine.device.adapters?.load(each);
    return await use(engine, named);
  } finally {
    await engine.close();
  }
}

/** Every prompt by every model, mixed. */
function asked(named: Readonly<Record<string, Adapter>>) {
  return goldens.cases.flatMap(({ prompt, outputs }) =>
    goldens.models.map((model) => {
      const its = named[model];
      return { prompt, golden: outputs[model], ...(its && { adapter: its }) };
    }),
  );
}

const setups: readonly (readonly [string, GreedySetup])[] = [
  ["one rank", {}],
  ["two ranks", { ranks: 2 }],
  ["chunks of 7 tokens", { maxTokens: 7 }],
  ["a pool that preempts", { blocks: 24 }],
];

describe("adapters in one batch", () => {
  it.each(setups)("give vLLM's ids: %s", async (_, setup) => {
    await withAdapters(setup, async (engine, named) => {
      const prompts = asked(named);
      const runs = await engine.adapted(prompts, goldens.length);
      expect(runs.map(({ outputs }) => outputs)).toEqual(prompts.map(({ golden }) => golden));
      if (setup.blocks !== undefined) expect(engine.count("request-preempted")).toBeGreaterThan(0);
    });
  });

  it("find in the cache what their own adapter computed, and nothing of others", async () => {
    await withAdapters({}, async (engine, named) => {
      const long = goldens.cases.filter(({ prompt }) => prompt.length > 32);
      const prompts = asked(named).filter(({ prompt }) =>
        long.some((one) => one.prompt === prompt),
      );
      expect(prompts.length).toBeGreaterThan(0);
      const first = await engine.adapted(prompts, goldens.length);
      expect(first.every(({ cachedTokens }) => cachedTokens === 0)).toBe(true);
      const again = await engine.adapted(prompts, goldens.length);
      expect(again.every(({ cachedTokens }) => cachedTokens >= 32)).toBe(true);
      expect(again.map(({ outputs }) => outputs)).toEqual(prompts.map(({ golden }) => golden));
    });
  });

  it.each(["int8", "int4"])("stand beside a base quantised to %s", async (quantization) => {
    // Of more than 8 MiB: a smaller one's int4 is held in 8-bit blocks.
    const root = join(folder, quantization);
    makeFolders(root, { ...BASE_CONFIG, intermediate_size: 2048 });
    const own = { "batch-invariant": true };
    const test = async (engine: GreedyEngine, named: Readonly<Record<string, Adapter>>) => {
      expect(engine.device.loadLines?.[0]).toContain(`in memory as ${quantization}, `);
      const prompts = asked(named).slice(0, 6);
      const mixed = await engine.adapted(prompts, 24);
      const texts = new Set(mixed.map(({ outputs }) => outputs.join()));
      expect(texts.size).toBe(6);
      for (const [index, prompt] of prompts.entries()) {
        const [alone] = await engine.adapted([prompt], 24);
        expect(alone?.outputs).toEqual(mixed[index]?.outputs);
      }
    };
    await withAdapters({ quantization, own }, test, root);
  });

  it.each([
    { method: "ngram", num_speculative_tokens: 3, prompt_lookup_max: 3 },
    { method: "draft_model", model: "models/bundled/trainyard-draft", num_speculative_tokens: 3 },
  ])("are what guesses of $method are verified by", async (speculative) => {
    const server = await startServer([
      ...[join(folder, "base"), "--device", "cpu", "--served-model-name", "m"],
      ...["--enable-lora", "--max-loras", "2", "--max-lora-rank", "64", "--lora-modules"],
      ...[`r8=${join(folder, "r8")}`, `r64=${join(folder, "r64")}`],
      ...["--speculative-config", JSON.stringify(speculative)],
    ]);
    try {
      const answers = await Promise.all(
        goldens.cases.flatMap(({ prompt, outputs }) =>
          goldens.models.map(async (model) => {
            const { json } = await server.post("/v1/completions", {
              ...{ model, prompt, max_tokens: goldens.length, temperature: 0 },
              ...{ ignore_eos: true, return_token_ids: true },
            });
            return [json.choices[0].token_ids, outputs[model]];
          }),
        ),
      );
      for (const [ids, golden] of answers) expect(ids).toEqual(golden);
      const drafted = await server.metric("vllm:spec_decode_num_drafts_total");
      if (speculative.method === "draft_model") expect(drafted).toBeGreaterThan(0);
    } finally {
      await server.stop(0);
    }
  });
});

describe("an adapter merged into its base", () => {
  it.each(["r8", "r64"])("gives the ids of the adapter beside it: %s", async (name) => {
    const out = join(folder, `merged-${name}`);
    const base = await loadModel(join(folder, "base"));
    const merged = mergeAdapter(base, readAdapter(join(folder, name), base.architecture, 64), {
      out,
    });
    expect(merged).toMatchObject({ adapted: 28, tensors: 39 });
    const engine = await GreedyEngine.start(out);
    try {
      const prompts = goldens.cases.map(({ prompt }) => prompt);
      const runs = await engine.run(prompts, goldens.length);
      const wanted = goldens.cases.map(({ outputs }) => outputs[name]);
      expect(runs.map(({ outputs }) => outputs)).toEqual(wanted);
    } finally {
      await engine.close();
    }
  });
});
