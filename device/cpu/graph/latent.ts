/**
 * Latent attention as attention over the latents themselves (DeepSeek-V2, arXiv 2405.04434,
 * §2.1.2): what would raise a latent to a head's key is multiplied into the query, and what
 * would raise it to a value into the result. So all heads share one KV head, whose key is
 *
 *     [ rotary key | latent ]      and whose value is the latent.
 */
import type { LatentAttentionOp, Value, Weight } from "../../../models/ops.ts";
import type { Attending, PerHead, Share } from "./steps.ts";

/** Attention over `[rotary key | latent]`, of all ranks' heads. */
export function attendingLatents(op: LatentAttentionOp): Attending {
  return {
    path: op.path,
    heads: op.heads,
    kvHeads: 1,
    headDim: op.ropeDim + op.latentDim,
    valueDim: op.latentDim,
    scale: op.scale,
  };
}

/** Queries `[nope | rope]` of the rank's heads → `[rope | in the latents' space]`. */
export function queriesOfLatents(
  op: LatentAttentionOp,
  share: Share,
  flow: { readonly in: Value; readonly out: Value },
): PerHead {
  const { nopeDim, ropeDim } = op;
  return {
    op: "per-head",
    path: op.path,
    ...flow,
    weights: partsOf(op, share, "key"),
    turned: true,
    parts: [nopeDim, ropeDim],
    multiplied: 0,
  };
}

/** What the rank's heads see of the latents → their values. */
export function valuesOfLatents(
  op: LatentAttentionOp,
  share: Share,
  flow: { readonly in: Value; readonly out: Value },
): PerHead {
  return {
    op: "per-head",
    path: op.path,
    ...flow,
    weights: partsOf(op, share, "value"),
    parts: [op.latentDim],
    multiplied: 0,
  };
}

/** `[nopeDim, latentDim]` or `[valueDim, latentDim]` of each head of the rank. */
function partsOf(
  { kvUp, heads, nopeDim, valueDim, latentDim }: LatentAttentionOp,
  { rank, ranks }: Share,
  part: "key" | "value",
): readonly Weight[] {
  const count = heads / ranks;
  const [skip, rows] = part === "key" ? [0, nopeDim] : [nopeDim, valueDim];
  return Array.from({ length: count }, (_, index) => {
    const head = rank * count + index;
    return {
      name: `${kvUp.name}.${head}.${part}`,
      shape: [rows, latentDim],
      shard: "replicated",
      within: { name: kvUp.name, shape: kvUp.shape, row: head * (nopeDim + valueDim) + skip },
    };
  });
}
