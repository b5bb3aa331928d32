/**
 * A LoRA adapter as PEFT saves it: adapter_config.json beside adapter_model.safetensors,
 * read against the architecture that it adapts. No number is read here.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type AdapterModule, type AdapterWeights, adaptedProducts } from "../adapters.ts";
import type { Architecture } from "../architecture.ts";
import type { Checkpoint } from "../model.ts";
import type { LinearOp, Weight } from "../ops.ts";
import {
  type AdapterConfig,
  AdapterError,
  readAdapterConfig,
  scalingOf,
} from "./adapter-config.ts";
import { CheckpointError, indexFile } from "./checkpoint.ts";

const WEIGHTS = "adapter_model.safetensors";

/**
 * Reads the folder's config and the headers of its weights. Throws AdapterError, in vLLM's words
 * where it has some, for a feature, a module or a rank that is not served, and for shapes that
 * are not the base model's; AdapterMissingError where there is no adapter.
 */
export function readAdapter(
  folder: string,
  architecture: Architecture,
  maxRank: number,
): AdapterWeights {
  const config = readAdapterConfig(folder, maxRank);
  const file = join(folder, WEIGHTS);
  if (!existsSync(file)) {
    const other = ["adapter_model.bin", "adapter_model.pt"].find((name) =>
      existsSync(join(folder, name)),
    );
    throw new AdapterError(
      other === undefined
        ? `${folder} doesn't contain tensors`
        : `${join(folder, other)}: PyTorch files are not read; save the adapter as safetensors`,
    );
  }
  const checkpoint = indexFile(folder, WEIGHTS);
  const modules = readModules(checkpoint, config, adaptedProducts(architecture));
  const rank = modules.reduce((most, module) => Math.max(most, module.rank), 0);
  return { folder, checkpoint, rank, modules };
}

function readModules(
  checkpoint: Checkpoint,
  config: AdapterConfig,
  products: ReadonlyMap<string, LinearOp>,
): readonly AdapterModule[] {
  const pairs = new Map<string, { a?: string; b?: string }>();
  for (const name of checkpoint.tensors.keys()) {
    const parts = /^(?:base_model\.model\.)?(.+)\.lora_(A|B)\.weight$/.exec(name);
    const embedding = /^(?:base_model\.model\.)?(.+)\.lora_embedding_(A|B)$/.exec(name);
    const [, path, half] = parts ?? embedding ?? [];
    if (path === undefined) throw new AdapterError(`${name} is unsupported LoRA weight`);
    const pair = pairs.get(path) ?? {};
    pairs.set(path, { ...pair, ...(half === "A" ? { a: name } : { b: name }) });
  }
  const unknown = [...pairs.keys()].filter((path) => !products.has(path));
  if (unknown.length > 0) {
    const known = [...new Set([...products.keys()].map((path) => path.split(".").at(-1) ?? ""))];
    throw new AdapterError(
      `While loading ${checkpoint.folder}, expected target modules in {${known.map((name) => `'${name}'`).join(", ")}} but received [${unknown.map((path) => `'${path}'`).join(", ")}]. Please verify that the loaded LoRA module is correct`,
    );
  }
  return [...pairs].map(([path, { a, b }]) => {
    const op = products.get(path);
    if (op === undefined || a === undefined || b === undefined) {
      const missing = a === undefined ? "lora_A" : "lora_B";
      throw new AdapterError(`${checkpoint.folder}: ${path} has no ${missing}`);
    }
    return moduleOf(op, { a, b }, { checkpoint, config });
  });
}

function moduleOf(
  op: LinearOp,
  names: { readonly a: string; readonly b: string },
  from: { readonly checkpoint: Checkpoint; readonly config: AdapterConfig },
): AdapterModule {
  const { checkpoint, config } = from;
  const { shard } = op.weight;
  const [out = 0, width = 0] = op.weight.shape;
  const [rank = 0] = checkpoint.tensors.get(names.a)?.shape ?? [];
  const units = op.weight.units === undefined ? {} : { units: op.weight.units };
  const across = shard === "row";
  const a: Weight = {
    name: names.a,
    shape: [rank, width],
    ...(across ? { shard, ...units } : { shard: "replicated" }),
  };
  const b: Weight = {
    name: names.b,
    shape: [out, rank],
    ...(across ? { shard: "replicated" } : { shard, ...units }),
  };
  for (const weight of [a, b]) checkShape(checkpoint, weight);
  return { path: op.path, a, b, rank, scale: scalingOf(config, op.path, rank) * (op.scale ?? 1) };
}

function checkShape({ folder, tensors }: Checkpoint, { name, shape }: Weight): void {
  const stored = tensors.get(name);
  const where = `${join(folder, WEIGHTS)}: tensor "${name}"`;
  if (stored === undefined) throw new CheckpointError(`${where} is missing`);
  if (stored.shape.join() !== shape.join()) {
    throw new AdapterError(
      `${where}: expected shape [${shape.join(", ")}] for this base model, found [${stored.shape.join(", ")}]`,
    );
  }
  if (!["F32", "F16", "BF16"].includes(stored.dtype)) {
    throw new AdapterError(`${where}: expected dtype F32, F16 or BF16, found ${stored.dtype}`);
  }
}
