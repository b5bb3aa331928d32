/** Floating-point operations of a step: two for each weight of a product and token, and attention's pairs. */
import type { Architecture } from "../../../models/architecture.ts";
import type { Op, Weight } from "../../../models/ops.ts";
import { padded, type StepShape } from "../kernels/kernel.ts";

/** Sizes as the model has them, or padded as the graph is compiled. */
export type Sizes = "model" | "compiled";

/** Of all ranks together. */
export function stepFlops(architecture: Architecture, shape: StepShape, sizes: Sizes): number {
  const tokens = shape.rows * shape.queries;
  // A prompt passes the head with its last token alone.
  const wanted = shape.phase === "prefill" ? shape.rows : tokens;
  const sum = (ops: readonly Op[], each: number): number =>
    ops.reduce((all, op) => all + opFlops(op, { shape, tokens: each, sizes }), 0);
  return (
    architecture.layers.reduce((all, layer) => all + sum(layer.ops, tokens), 0) +
    sum(architecture.epilogue, wanted)
  );
}

/** Of each op that has any, by its path, all ranks together; a path of layers alike names the first one's. */
export function flopsByPath(
  architecture: Architecture,
  shape: StepShape,
): ReadonlyMap<string, number> {
  const tokens = shape.rows * shape.queries;
  const wanted = shape.phase === "prefill" ? shape.rows : tokens;
  const found = new Map<string, number>();
  const take = (ops: readonly Op[], each: number): void => {
    for (const op of ops) {
      const flops = opFlops(op, { shape, tokens: each, sizes: "model" });
      if (flops > 0) found.set(op.path, flops);
    }
  };
  for (const layer of architecture.layers) take(layer.ops, tokens);
  take(architecture.epilogue, wanted);
  return found;
}

/** Of one op, all ranks together. */
export function opFlops(
  op: Op,
  at: { readonly shape: StepShape; readonly tokens: number; readonly sizes: Sizes },
): number {
  const { shape, tokens, sizes } = at;
  const size = (elements: number): number => (sizes === "model" ? elements : padded(elements));
  const product = ({ shape: [out = 1, width = 1] }: Weight): number =>
    2 * tokens * size(out) * size(width);
  switch (op.op) {
    case "linear":
    case "router":
      return product(op.weight);
    case "experts":
      return 2 * tokens * op.topK * 3 * size(op.hidden) * size(op.intermediate);
    case "attention":
      return 4 * pairs(shape, op.window) * op.heads * op.headDim;
    case "latent-attention": {
      const each = op.nopeDim + op.ropeDim + op.valueDim;
      return 2 * pairs(shape) * op.heads * each + product(op.kvUp);
    }
    default:
      return 0;
  }
}

/** (query, key) pairs of a step: the i-th token of a context sees min(i, window) keys. */
function pairs({ rows, queries, context }: StepShape, window = context): number {
  const first = context - queries + 1;
  const upTo = (last: number): number => {
    const rising = Math.min(last, window);
    return (rising * (rising + 1)) / 2 + (last - rising) * window;
  };
  return rows * (upTo(context) - upTo(first - 1));
}
