/** Kernels by op, in order of preference; the last of each list always fits. */
import type { AttentionOp, ExpertsOp, LatentAttentionOp } from "../../../models/ops.ts";
import { flashAttention, latentAttention, plainAttention } from "./attention.ts";
import { FUSIONS } from "./fusions.ts";
import type { Kernel, Site } from "./kernel.ts";
import {
  allExperts,
  blockwiseExperts,
  expertParallel,
  promptExperts,
  selectiveExperts,
  tracedBlocks,
} from "./moe.ts";

export const ATTENTION_KERNELS: readonly Kernel<AttentionOp>[] = Object.freeze([
  flashAttention,
  plainAttention,
]);

export const LATENT_KERNELS: readonly Kernel<LatentAttentionOp>[] = Object.freeze([
  latentAttention,
]);

export const EXPERT_KERNELS: readonly Kernel<ExpertsOp>[] = Object.freeze([
  promptExperts,
  blockwiseExperts,
  tracedBlocks,
  expertParallel,
  selectiveExperts,
  allExperts,
]);

/** Names that `--neuron-kernels` takes, beside `plain` (or `compiler`) and `default` (or `nki`). */
export const KERNEL_NAMES: readonly string[] = Object.freeze([
  "flash-attention",
  "blockwise-moe",
  ...new Set(FUSIONS.map((fusion) => fusion.name)),
]);

/** Keys of vLLM-Neuron's and NxDI's neuron_config that switch a kernel. */
const CONFIG_KEYS: Readonly<Record<string, string>> = Object.freeze({
  fused_qkv: "fused-qkv",
  qkv_kernel_enabled: "fused-qkv",
  qkv_nki_kernel_enabled: "fused-qkv",
  attn_kernel_enabled: "flash-attention",
  attn_block_tkg_nki_kernel_enabled: "fused-attention",
  mlp_kernel_enabled: "fused-mlp",
  quantized_mlp_kernel_enabled: "fused-mlp",
  moe_fused_nki_kernel_enabled: "fused-moe",
});

/**
 * The kernels of a plan: the stack's own, or the named ones, then what
 * neuron_config switches. Throws listing the known names.
 */
export function chooseKernels(
  defaults: readonly string[],
  named: string | undefined,
  neuronConfig: Readonly<Record<string, unknown>> = {},
): ReadonlySet<string> {
  const names =
    named === undefined || named === "default" || named === "nki"
      ? defaults
      : named === "plain" || named === "compiler"
        ? []
        : named.split(",").map((name) => name.trim());
  for (const name of names) {
    if (!KERNEL_NAMES.includes(name)) {
      throw new Error(
        `--neuron-kernels "${name}" is not known; known: default (nki), plain (compiler), ${KERNEL_NAMES.join(", ")}.`,
      );
    }
  }
  const chosen = new Set(names);
  for (const [key, kernel] of Object.entries(CONFIG_KEYS)) {
    if (neuronConfig[key] === true) chosen.add(kernel);
    else if (neuronConfig[key] === false) chosen.delete(kernel);
  }
  return chosen;
}

/** The first kernel of a list that fits and the named ones before it that do; the last always fits. */
export function choose<Kind extends AttentionOp | LatentAttentionOp | ExpertsOp>(
  kernels: readonly Kernel<Kind>[],
  op: Kind,
  site: Site,
): readonly Kernel<Kind>[] {
  const fitting = kernels.filter((kernel) => kernel.fits(op, site));
  const first = fitting.findIndex((kernel) => kernel.named !== true);
  if (first < 0) throw new Error(`No kernel for ${op.path} in ${site.shape.phase}.`);
  return fitting.slice(0, first + 1);
}
