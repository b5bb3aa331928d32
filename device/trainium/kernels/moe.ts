/**
 * Experts. Decode gathers the chosen experts (selective), streams all of a rank's
 * (all-experts), or streams its group's (expert-parallel). Prompts go through in
 * blocks of tokens that share an expert (blockwise).
 */
import type { ExpertsOp } from "../../../models/ops.ts";
import {
  bytesOf,
  type Kernel,
  type Move,
  matmulCycles,
  padded,
  type Site,
  tensorRate,
  utilisation,
  type Work,
  weightsMove,
} from "./kernel.ts";

/** Elements of one expert on one rank, and its three matrices' inner width there. */
function expertOf(
  op: ExpertsOp,
  site: Site,
): { readonly elements: number; readonly width: number } {
  const { tensorParallel, expertParallel } = site.plan;
  const within = Math.max(1, tensorParallel / expertParallel);
  const width = padded(op.intermediate) / within;
  return { elements: 3 * padded(op.hidden) * width, width };
}

function expertBytes(op: ExpertsOp, site: Site): number {
  return expertOf(op, site).elements * bytesOf(site.plan.formats.experts);
}

/** Tensor cycles of `tokens` through one expert. */
function expertCycles(op: ExpertsOp, site: Site, tokens: number): number {
  const { width } = expertOf(op, site);
  const rate = tensorRate(site, site.plan.formats.experts);
  const hidden = padded(op.hidden);
  return 2 * matmulCycles(tokens, hidden, width, rate) + matmulCycles(tokens, width, hidden, rate);
}

/** Experts of one rank. */
function localExperts(op: ExpertsOp, site: Site): number {
  return Math.ceil(op.experts / site.plan.expertParallel);
}

/** Rows of an expert lie apart in HBM: a gather streams slower than a matrix. */
function gather(site: Site, bytes: number): Move {
  const move = weightsMove(site, bytes);
  return { ...move, efficiency: move.efficiency * site.constant("moe.gather.speed") };
}

/** Models of few, large experts are compiled to stream all of them (rows v1559–v1562). */
const FEW_EXPERTS = 16;

export const selectiveExperts: Kernel<ExpertsOp> = {
  name: "moe-selective",
  summary: "Gathers the chosen experts of each token: few rows, many experts.",
  fits: (op, { plan, shape, tokens }) =>
    shape.phase === "decode" &&
    plan.expertParallel === 1 &&
    op.experts > FEW_EXPERTS &&
    tokens * op.topK < op.experts,
  work(op, site) {
    const gathered = site.tokens * op.topK;
    return {
      cycles: { tensor: gathered * expertCycles(op, site, 1) },
      moves: [gather(site, gathered * expertBytes(op, site))],
      regions: 4,
      fixed:
        gathered * site.constant("moe.selective") +
        (site.plan.kernels.has("fused-moe") ? 0 : site.constant("moe.gather")),
    };
  },
};

export const allExperts: Kernel<ExpertsOp> = {
  name: "moe-all-experts",
  summary: "Streams every expert of the rank past all tokens.",
  fits: (_op, { shape }) => shape.phase === "decode",
  work: (op, site) => streamAll(op, site, 0),
};

export const expertParallel: Kernel<ExpertsOp> = {
  name: "moe-expert-parallel",
  summary: "Streams the experts of the rank's group past tiles of 128 tokens.",
  fits: (_op, { plan }) => plan.expertParallel > 1,
  work(op, site) {
    const fused = site.plan.kernels.has("fused-moe");
    const tiles = fused ? 0 : Math.ceil(site.tokens / 128);
    return streamAll(op, site, tiles * site.constant("moe.expert-parallel"));
  },
};

function streamAll(op: ExpertsOp, site: Site, fixed: number): Work {
  const experts = localExperts(op, site);
  // Tokens of all replicas that share the experts meet at them, spread over the groups.
  const replicas = Math.max(1, site.plan.expertParallel / site.plan.tensorParallel);
  // More ranks than experts: some are held more than once, and share their tokens.
  const copies = Math.max(1, site.plan.expertParallel / op.experts);
  const tokens = Math.ceil((site.tokens * replicas) / copies);
  return {
    cycles: { tensor: experts * expertCycles(op, site, tokens) },
    moves: [weightsMove(site, experts * expertBytes(op, site))],
    regions: 4,
    fixed,
  };
}

/** Tokens of a block of the blockwise prompt kernel. */
const BLOCK_TOKENS = 256;

export const blockwiseExperts: Kernel<ExpertsOp> = {
  name: "moe-blockwise",
  summary: "Sorts a prompt's tokens by expert into padded blocks.",
  fits: (_op, { shape }) => shape.phase === "prefill",
  work(op, site) {
    const experts = localExperts(op, site);
    const share = (site.tokens * op.topK) / site.plan.expertParallel;
    const blocks = Math.ceil(share / BLOCK_TOKENS) + experts - 1;
    const peak = utilisation(site, expertOf(op, site).width);
    return {
      cycles: { tensor: (blocks * expertCycles(op, site, BLOCK_TOKENS)) / peak },
      moves: [weightsMove(site, blocks * expertBytes(op, site))],
      regions: 4,
      fixed: 0,
    };
  },
};
