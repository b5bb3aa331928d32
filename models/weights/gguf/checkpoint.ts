/** A GGUF file's tensors under the names and shapes that the architecture knows. */
import { dirname } from "node:path";
import type { ConfigReader } from "../../config.ts";
import type { Checkpoint, StoredTensor } from "../../model.ts";
import { isBlockType } from "../ggml/blocks.ts";
import type { GgufArchitecture } from "./architectures.ts";
import type { GgufFile, GgufTensor } from "./file.ts";

const OUTSIDE: Readonly<Record<string, string>> = {
  token_embd: "model.embed_tokens",
  output_norm: "model.norm",
  output: "lm_head",
};

/** What no name of ours is known for keeps its own. */
export function checkpointOf(
  file: GgufFile,
  architecture: GgufArchitecture,
  config: ConfigReader,
): Checkpoint {
  const headDim = config.integer("head_dim");
  const tensors = new Map<string, StoredTensor>();
  let bytes = 0;
  for (const tensor of file.tensors) {
    bytes += tensor.end - tensor.begin;
    for (const stored of renamed(tensor, { architecture, headDim }))
      tensors.set(stored.name, stored);
  }
  return { folder: dirname(file.path), tensors, bytes };
}

interface Place {
  readonly architecture: GgufArchitecture;
  readonly headDim: number;
}

function renamed(tensor: GgufTensor, place: Place): readonly StoredTensor[] {
  const { layer, experts = {}, interleaved, normsPlusOne } = place.architecture;
  const [, outside = "", kind = ""] = /^(\w+)\.(weight|bias)$/.exec(tensor.name) ?? [];
  const module = OUTSIDE[outside];
  if (module !== undefined) {
    const plus = normsPlusOne && outside === "output_norm" ? -1 : undefined;
    return [stored(tensor, { name: `${module}.${kind}`, ...(plus && { plus }) })];
  }
  const [, at, own = "", expert, ending = ""] =
    /^blk\.(\d+)\.(\w+?)(?:_exps|\.(\d+))?\.(weight|bias)$/.exec(tensor.name) ?? [];
  const stack = tensor.name.includes("_exps.") || expert !== undefined;
  const inner = stack ? experts[own] : layer[own];
  if (at === undefined || inner === undefined) return [stored(tensor, { name: tensor.name })];
  const name = `model.layers.${at}.${inner}.${ending}`;
  if (expert !== undefined) return [stored(tensor, { name: name.replace("{e}", expert) })];
  if (stack) return unstacked(tensor, name);
  const turned = interleaved && (own === "attn_q" || own === "attn_k");
  return [
    stored(tensor, {
      name,
      ...(turned && { interleaved: place.headDim }),
      ...(normsPlusOne && own.endsWith("norm") && { plus: -1 }),
    }),
  ];
}

/** `[experts, out, in]` as one tensor an expert. */
function unstacked(tensor: GgufTensor, pattern: string): readonly StoredTensor[] {
  const [experts = 0, ...shape] = tensor.shape;
  const each = (tensor.end - tensor.begin) / experts;
  return Array.from({ length: experts }, (_, expert) => {
    const begin = tensor.begin + expert * each;
    const name = pattern.replace("{e}", String(expert));
    return stored({ ...tensor, shape, begin, end: begin + each }, { name });
  });
}

function stored(
  { file, type, shape, begin, end }: GgufTensor,
  as: Pick<StoredTensor, "name" | "interleaved" | "plus">,
): StoredTensor {
  return {
    ...as,
    file,
    dtype: type,
    shape,
    begin,
    end,
    ...(isBlockType(type) && { packing: { kind: "ggml", type } }),
  };
}
