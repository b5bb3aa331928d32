/**
 * `trainyard models`: the catalogue, which any command takes by its ids, with what
 * decides whether a model fits: parameters, bytes of weights as stored, bytes of KV
 * cache a token.
 */
import { FORMAT_BYTES } from "../../device/trainium/plan.ts";
import { architectureWeights, parameterCount } from "../../models/architecture.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { nearest } from "../../models/nearest.ts";
import type { WeightFormat } from "../../models/ops.ts";
import { catalogIds } from "../../models/weights/folder.ts";
import { type CachedModel, cachedModels, hubCacheFolder } from "../../models/weights/hub-cache.ts";
import { rowsOf } from "../../server/settings/row.ts";
import { UsageError } from "../usage.ts";
import { parseFlags } from "./flags.ts";
import { aligned } from "./sweep/print.ts";

const output = rowsOf("Output");

export const MODELS_FLAGS = {
  json: output.toggle(false, "as JSON"),
  cached: output.toggle(false, "only what the hub's cache holds"),
} as const;

export interface ModelSize {
  readonly id: string;
  readonly family: string;
  readonly parameters: number;
  /** Of all weights, in the formats they are stored in. */
  readonly bytes: number;
  readonly format: string;
  readonly context: number;
  /** Of K and V in BF16, all layers; windows count until they are full. */
  readonly kvBytesPerToken: number;
}

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const { values, argument } = parseFlags(
    {
      name: "trainyard models",
      sentence: "Models of the hub's cache and of the catalogue, by id, with their sizes.",
      argument: { name: "part", sentence: "of an id: those that contain it" },
      flags: MODELS_FLAGS,
    },
    argv,
    print,
  );
  const cached = cachedModels().filter(({ id }) =>
    id.toLowerCase().includes((argument ?? "").toLowerCase()),
  );
  const ids = catalogIds().filter((id) =>
    id.toLowerCase().includes((argument ?? "").toLowerCase()),
  );
  if (ids.length === 0 && cached.length === 0) {
    const close = nearest(argument ?? "", catalogIds());
    throw new UsageError(
      `no id contains "${argument ?? ""}"${close.length > 0 ? `; nearest: ${close.join(", ")}` : ""}.`,
    );
  }
  const sizes: ModelSize[] = [];
  for (const id of ids) sizes.push(sizeOf(await loadModel(id), id));
  if (values.json) {
    print(JSON.stringify(values.cached ? cached : sizes, null, 1));
    return 0;
  }
  if (cached.length > 0) print(`${cachedTable(cached)}\n`);
  if (!values.cached) print(modelTable(sizes));
  else if (cached.length === 0) print(`The hub's cache ${hubCacheFolder()} has no model.`);
  return 0;
}

/** Models of the hub's cache: what is there, and what was cut. */
function cachedTable(models: readonly CachedModel[]): string {
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 0)} GB`;
  const rows = models.map(({ id, bytes, unfinishedBytes, revisions }) => [
    gigabytes(bytes),
    unfinishedBytes === 0 ? "" : gigabytes(unfinishedBytes),
    `${id}  ${revisions.join(" ")}`,
  ]);
  const table = [["there", "cut", "of the hub's cache"], ...rows];
  const widest = Math.max(...table.map(([, , name = ""]) => name.length));
  return aligned(
    table.map(([there = "", cut = "", name = ""]) => [there, cut, name.padEnd(widest)]),
  );
}

export function sizeOf({ architecture, format }: Model, id: string): ModelSize {
  const weights = architectureWeights(architecture);
  const elements = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);
  const formats = new Set<WeightFormat>(weights.map((weight) => weight.format ?? format));
  return {
    id,
    family: architecture.family,
    parameters: parameterCount(architecture),
    bytes: weights.reduce(
      (sum, weight) => sum + elements(weight.shape) * FORMAT_BYTES[weight.format ?? format],
      0,
    ),
    format: [...formats].join(" "),
    context: architecture.maxContext,
    kvBytesPerToken: architecture.kvGroups.reduce(
      (sum, { layers, kvHeads, keyDim, valueDim }) =>
        sum + 2 * layers.length * kvHeads * (keyDim + valueDim),
      0,
    ),
  };
}

function modelTable(sizes: readonly ModelSize[]): string {
  const rows = sizes.map(({ parameters, bytes, format, context, kvBytesPerToken, family, id }) => [
    `${(parameters / 1e9).toFixed(parameters < 1e9 ? 2 : 1)} B`,
    `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`,
    format,
    context.toLocaleString("en-US"),
    `${(kvBytesPerToken / 1e3).toFixed(0)} kB`,
    family,
    id,
  ]);
  const header = ["parameters", "weights", "format", "context", "KV a token", "family", "id"];
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => (row[column] ?? "").length)),
  );
  // Names to the left, figures to the right.
  const left = [header, ...rows].map((row) =>
    row.map((cell, column) =>
      column >= 5 || column === 2 ? cell.padEnd(widths[column] ?? 0) : cell,
    ),
  );
  return `${aligned(left)}\n\n${sizes.length} models; any command takes an id. A folder or a config.json with a model of these families does as well.`;
}
