/**
 * Kernels that join ops: what they cover runs as few regions instead of one or
 * more an op. A fusion applies when its name is among the plan's kernels.
 */
import type { Role } from "../roles.ts";
import type { Site } from "./kernel.ts";
import { hasMegakernel, MEGAKERNEL } from "./megakernel.ts";

export interface Fusion {
  readonly name: string;
  readonly summary: string;
  /** Which half of a layer it joins: fusions of one half may exclude each other. */
  readonly side: "attention" | "mlp";
  readonly covers: readonly Role[];
  /** Regions of the whole, in place of those of the covered ops; `plain` is their sum. Undefined: it has no such kernel, whatever that is. */
  regions(site: Site, plain: number): number | undefined;
}

const decodeOnly =
  (regions: (site: Site, plain: number) => number) =>
  (site: Site, plain: number): number | undefined =>
    site.shape.phase === "decode" ? regions(site, plain) : undefined;

/** One DMA and its semaphores instead of a half layer's regions, where the megakernel's layout is met. */
const oneDma = (site: Site): number | undefined =>
  site.shape.phase === "decode" && hasMegakernel(site.plan)
    ? site.constant("dma.fixed") / site.region
    : undefined;

export const FUSIONS: readonly Fusion[] = Object.freeze([
  {
    name: "fused-attention",
    summary: "Norm, QKV, rotation, attention and output projection in one decode kernel.",
    side: "attention",
    covers: ["attention-norm", "qkv", "qk-norm", "rope", "attention", "attention-out"],
    regions: decodeOnly((site) => site.constant("fused-attention.regions")),
  },
  {
    name: "fused-qkv",
    summary: "One product for Q, K and V, behind their norm.",
    side: "attention",
    covers: ["attention-norm", "qkv"],
    regions: () => 1,
  },
  {
    name: "fused-mlp",
    summary: "Norm, gate, up, activation and down in one kernel.",
    side: "mlp",
    covers: ["mlp-norm", "gate-up", "activation", "down"],
    regions: () => 2,
  },
  {
    name: "fused-moe",
    summary: "Norm, router and experts in one decode kernel.",
    side: "mlp",
    covers: ["mlp-norm", "router", "experts", "shared"],
    regions: decodeOnly((site) => 1 + (site.tokens - 1) * site.constant("moe.token")),
  },
  {
    name: MEGAKERNEL,
    summary: "All layers of a decode step in one kernel; gpt-oss in one layout.",
    side: "attention",
    covers: ["attention-norm", "qkv", "qk-norm", "rope", "attention", "attention-out"],
    regions: oneDma,
  },
  {
    name: MEGAKERNEL,
    summary: "The same: norm, router and experts.",
    side: "mlp",
    covers: ["mlp-norm", "router", "experts", "shared"],
    regions: oneDma,
  },
]);
