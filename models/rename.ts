/** An architecture whose checkpoint has other names than those that decoder.ts gives. */
import type { Architecture } from "./architecture.ts";
import type { Op, Weight } from "./ops.ts";

export function renameWeights(
  architecture: Architecture,
  rename: (name: string) => string,
): Architecture {
  const ops = (list: readonly Op[]): readonly Op[] => list.map((op) => renamed(op, rename));
  return {
    ...architecture,
    prologue: ops(architecture.prologue),
    layers: architecture.layers.map((layer) => ({ ...layer, ops: ops(layer.ops) })),
    epilogue: ops(architecture.epilogue),
  };
}

function renamed(op: Op, rename: (name: string) => string): Op {
  const one = (weight: Weight): Weight => ({
    ...weight,
    name: rename(weight.name),
    ...(weight.within && { within: { ...weight.within, name: rename(weight.within.name) } }),
  });
  const entries = Object.entries(op).map(([key, value]) => {
    if (Array.isArray(value))
      return [key, value.map((each) => (isWeight(each) ? one(each) : each))];
    return [key, isWeight(value) ? one(value) : value];
  });
  // Keys and kinds of the values are as before.
  return Object.fromEntries(entries) as Op;
}

const isWeight = (value: unknown): value is Weight =>
  typeof value === "object" && value !== null && "shard" in value;
