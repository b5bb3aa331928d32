/**
 * vLLM Neuron's megakernel (SDK 2.33): all layers of a decode step in one NKI kernel, written for one
 * model and one layout. Between two collectives nothing is launched: weights of what follows are under
 * way, and a half of a layer begins with one DMA and its semaphores. What its engines and DMAs overlap
 * beyond that is not modelled.
 */
import type { Plan } from "../plan.ts";

export const MEGAKERNEL = "megakernel";

/** What its page asks of a plan, in the words of the flags. */
const CONSTRAINTS: readonly (readonly [holds: (plan: Plan) => boolean, wanted: string])[] = [
  [({ architecture }) => architecture.family === "gpt_oss", "a gpt-oss model"],
  [
    ({ formats }) => formats.experts === "mxfp4",
    "experts in MXFP4 (an --instance that computes it)",
  ],
  [({ formats }) => formats.kv === "fp8", "--kv-cache-dtype fp8"],
  [({ logicalCore }) => logicalCore === 1, "--logical-nc-config 1"],
  [({ stack }) => stack.blockSize === 128, "--block-size 128"],
  [({ tensorParallel }) => tensorParallel === 8, "--tensor-parallel-size 8"],
  [
    ({ expertParallel, tensorParallel }) => expertParallel > tensorParallel,
    "experts spread over data-parallel ranks (moe_ep_degree, e.g. 128)",
  ],
];

/** What a plan lacks for it; undefined: nothing. */
export function megakernelLacks(plan: Plan): string | undefined {
  const wanted = CONSTRAINTS.flatMap(([holds, words]) => (holds(plan) ? [] : [words]));
  return wanted.length === 0 ? undefined : wanted.join(", ");
}

/** Is it among the plan's kernels, and does the plan suit it? */
export function hasMegakernel(plan: Plan): boolean {
  return plan.kernels.has(MEGAKERNEL) && megakernelLacks(plan) === undefined;
}

/** Throws naming what is missing. */
export function checkMegakernel(plan: Plan): void {
  const lacks = plan.kernels.has(MEGAKERNEL) ? megakernelLacks(plan) : undefined;
  if (lacks !== undefined) throw new Error(`--neuron-kernels ${MEGAKERNEL} needs ${lacks}.`);
}
