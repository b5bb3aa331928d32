/** Two adapters and their base in one batch: vLLM 0.32's ids, whatever else goes on. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Adapter } from "../../../device/device.ts";
import { makeFolders } from "../../../scripts/maintain/goldens/adapter-folders.ts";
import { GreedyEngine, type GreedySetup } from "../../support/greedy.ts";

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
const adapter = (name: string, id: number): Adapter => {
  const path = join(folder, name);
  return { id, name, path, folder: path };
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "adapters-"));
  makeFolders(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function withAdapters<T>(
  setup: GreedySetup,
  use: (engine: GreedyEngine, named: Readonly<Record<string, Adapter>>) => Promise<T>,
): Promise<T> {
  const engine = await GreedyEngine.start(join(folder, "base"), { adapters: ADAPTERS, ...setup });
  const named = { r8: adapter("r8", 1), r64: adapter("r64", 2) };
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
});
