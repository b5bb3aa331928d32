/**
 * Small products behind a pooled state: heads of labels, and Dense modules of sentence-transformers.
 * One row at a time, in plain numbers: beside a forward pass they cost nothing.
 */
import { join } from "node:path";
import { type ConfigReader, isObject, ModelConfigError } from "../config.ts";
import type { Checkpoint } from "../model.ts";
import { CheckpointError, findTensor, indexCheckpoint } from "./checkpoint.ts";
import { readJson } from "./folder.ts";
import { WeightReader } from "./read.ts";

interface Layer {
  /** `[out, in]` */
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly out: number;
  readonly activation: "identity" | "tanh";
}

export class Head {
  readonly #layers: readonly Layer[];

  constructor(layers: readonly Layer[]) {
    this.#layers = layers;
  }

  /** Numbers that come out. */
  get width(): number {
    return this.#layers.at(-1)?.out ?? 0;
  }

  apply(state: Float32Array): Float32Array {
    return this.#layers.reduce(product, state);
  }
}

function product(input: Float32Array, { weight, bias, out, activation }: Layer): Float32Array {
  const width = input.length;
  return Float32Array.from({ length: out }, (_, row) => {
    let sum = bias?.[row] ?? 0;
    const at = row * width;
    for (let i = 0; i < width; i++) sum += (weight[at + i] as number) * (input[i] as number);
    return activation === "tanh" ? Math.tanh(sum) : sum;
  });
}

/** Names of the products of a head over the first token's state, as the classes have them; the last gives labels. */
const ENCODER_HEADS = [
  ["pooler.dense", "classifier"],
  ["bert.pooler.dense", "classifier"],
  ["classifier.dense", "classifier.out_proj"],
] as const;

/** The head of `…ForSequenceClassification`: an encoder's two products, a decoder's `score`. Throws CheckpointError. */
export function readClassifier(
  checkpoint: Checkpoint,
  config: ConfigReader,
  encoder: boolean,
): Head {
  const labels = labelCount(config);
  const hidden = config.integer("hidden_size");
  const reader = new WeightReader(checkpoint);
  const has = (name: string) => checkpoint.tensors.has(`${name}.weight`);
  try {
    if (!encoder)
      return new Head([layer(reader, checkpoint, { name: "score", out: labels, width: hidden })]);
    const [dense, last] = ENCODER_HEADS.find((names) => names.every(has)) ?? ENCODER_HEADS[1];
    return new Head([
      layer(reader, checkpoint, { name: dense, out: hidden, width: hidden, activation: "tanh" }),
      layer(reader, checkpoint, { name: last, out: labels, width: hidden }),
    ]);
  } finally {
    reader.close();
  }
}

/** As transformers counts them: by `id2label`, else `num_labels`, else 2. */
export function labelCount(config: ConfigReader): number {
  const named = config.raw("id2label");
  return isObject(named) ? Object.keys(named).length : config.integer("num_labels", 2, 1);
}

/** The Dense modules of modules.json, in order; undefined: there are none. Throws ModelConfigError, CheckpointError. */
export function readProjection(
  folder: string,
  modules: readonly { readonly path: string }[],
): Head | undefined {
  if (modules.length === 0) return undefined;
  return new Head(
    modules.map(({ path }) => {
      const file = join(folder, path, "config.json");
      const told = readJson(file);
      const called = String(told["activation_function"] ?? "torch.nn.modules.linear.Identity");
      const activation = /\.(Identity|Tanh)$/.exec(called)?.[1]?.toLowerCase();
      if (activation !== "identity" && activation !== "tanh") {
        throw new ModelConfigError(
          `${file}: "activation_function": expected Identity or Tanh, found ${called}`,
        );
      }
      const checkpoint = indexCheckpoint(join(folder, path));
      const reader = new WeightReader(checkpoint);
      const [out, width] = [Number(told["out_features"]), Number(told["in_features"])];
      try {
        return layer(reader, checkpoint, { name: "linear", out, width, activation });
      } finally {
        reader.close();
      }
    }),
  );
}

function layer(
  reader: WeightReader,
  checkpoint: Checkpoint,
  of: {
    readonly name: string;
    readonly out: number;
    readonly width: number;
    readonly activation?: Layer["activation"];
  },
): Layer {
  const { name, out, width, activation = "identity" } = of;
  const stored = findTensor(checkpoint, `${name}.weight`);
  const { shape } = stored;
  if (shape.length !== 2 || shape[0] !== out || shape[1] !== width) {
    const where = `${join(checkpoint.folder, stored.file)}: tensor "${stored.name}"`;
    throw new CheckpointError(
      `${where}: expected shape [${out}, ${width}] from config.json, found [${shape.join(", ")}]`,
    );
  }
  const bias = checkpoint.tensors.has(`${name}.bias`) ? reader.read(`${name}.bias`) : undefined;
  return { weight: reader.read(stored.name), bias, out, activation };
}
