/** Rows of single kernels, DMAs, collectives and the runtime: priced by the same parts. */

import { type ConstantTable, constant } from "../../../device/trainium/constants.ts";
import { findInstance } from "../../../device/trainium/instances.ts";
import { flashAttention, plainAttention } from "../../../device/trainium/kernels/attention.ts";
import { type StepShape, siteOf } from "../../../device/trainium/kernels/kernel.ts";
import { ALL_PRINCIPLES, type Plan } from "../../../device/trainium/plan.ts";
import { benchmarkedNanos } from "../../../device/trainium/price/collectives.ts";
import { timeCall } from "../../../device/trainium/price/time.ts";
import { nxdInference } from "../../../device/trainium/stacks/registry.ts";
import type { AttentionOp } from "../../../models/ops.ts";
import { findArchitecture } from "./read/model.ts";
import { milliseconds, type Row } from "./rows.ts";

export interface KernelPrice {
  readonly part: "kernels" | "collectives" | "runtime";
  /** In the row's own unit. */
  readonly predicted: number;
  readonly measured: number;
  /** Bytes over the ceiling, or FLOPs over peak: what a roofline alone would say. */
  readonly baseline: number;
}

/** The price of a row that is no model's; a reason when it has none; undefined when it is a model's. */
export function priceKernel(row: Row, constants: ConstantTable): KernelPrice | string | undefined {
  const { metric } = row;
  if (metric === "attention_latency") return attention(row, constants);
  if (metric === "dma_efficiency") return dma(row, constants);
  if (metric === "dma_latency") {
    const predicted = constant(constants, "dma.fixed") + 32_768 / 272;
    return { part: "kernels", predicted, measured: row.value, baseline: 32_768 / 27.2 };
  }
  if (metric === "runtime_overhead") return runtime(row, constants);
  if (/^(all_reduce|all_gather|reduce_scatter|all_to_all|alltoall|permute)/.test(metric))
    return collective(row);
  if (/^ratio/.test(metric)) return "a marketing ratio of two machines, not a time";
  if (/kernel_latency|matmul_latency|instruction_latency|tensor_engine/.test(metric))
    return "a kernel outside the decoder's vocabulary";
  return undefined;
}

function attention(row: Row, constants: ConstantTable): KernelPrice | string {
  const size = Number(/\d+/.exec(row.inputLength)?.[0]);
  if (!Number.isFinite(size)) return "no length";
  const version = Number(/\bv(\d+)/.exec(row.kernelNotes)?.[1] ?? Number.NaN);
  if (version < 7) return "a tutorial stage before pipelining: no kernel of a stack";
  if (size > 8192) return "scores of one row exceed SBUF: the kernel spills";
  const architecture = findArchitecture("Llama-2-7b");
  if (architecture === undefined) return "no architecture";
  const plan: Plan = {
    architecture,
    instance: findInstance("trn1.2xlarge"),
    stack: nxdInference,
    constants,
    logicalCore: 1,
    tensorParallel: 32,
    expertParallel: 1,
    kernels: new Set(["flash-attention"]),
    formats: { dense: "bf16", experts: "bf16", kv: "bf16" },
    maxContext: size,
    maxRows: 1,
    maxTokens: size,
    asyncScheduling: true,
    onDeviceSampling: true,
    principles: ALL_PRINCIPLES,
  };
  const shape: StepShape = { phase: "prefill", rows: 1, queries: size, context: size };
  const site = siteOf(plan, shape);
  const op = architecture.layers[0]?.ops.find((its): its is AttentionOp => its.op === "attention");
  if (op === undefined) return "no attention";
  const work = flashAttention.work(op, site);
  const timed = timeCall(
    { role: "attention", kernel: plainAttention.name, path: "", work: { ...work, regions: 0 } },
    site,
  );
  // The published kernel is not causal: it visits the square, twice the causal half.
  const fixed = work.fixed;
  const nanos = fixed + 2 * (timed.nanos - fixed);
  const flops = 4 * size * size * 128;
  return {
    part: "kernels",
    predicted: nanos / 1000,
    measured: milliseconds(row.value, row.unit) * 1000,
    baseline: (flops / 92e12) * 1e6,
  };
}

function dma(row: Row, constants: ConstantTable): KernelPrice | string {
  const bytes = Number(/\d+/.exec(row.inputLength)?.[0] ?? 0);
  if (bytes === 0) return "no bytes";
  const predicted = Math.min(
    constant(constants, "dma.ceiling"),
    bytes / constant(constants, "dma.chunk"),
  );
  return { part: "kernels", predicted, measured: row.value, baseline: 1 };
}

function runtime(row: Row, constants: ConstantTable): KernelPrice | string {
  const us = milliseconds(row.value, row.unit) * 1000;
  if (/gap/.test(row.kernelNotes)) {
    const predicted = constant(constants, "runtime.sync-gap") / 1000;
    return { part: "runtime", predicted, measured: us, baseline: 0 };
  }
  if (/jitter/.test(row.kernelNotes)) {
    const predicted = constant(constants, "runtime.jitter") / 1000;
    return { part: "runtime", predicted, measured: us, baseline: 0 };
  }
  return "the graph is not described";
}

function collective(row: Row): KernelPrice | string {
  const ranks = Number(/r=(\d+)/.exec(row.model)?.[1]);
  const bytes = Number(/\d+/.exec(row.inputLength)?.[0]);
  if (!Number.isFinite(ranks) || !Number.isFinite(bytes)) return "no ranks or bytes";
  const words = `${row.metric} ${row.notes} ${row.kernelNotes}`;
  const nodes = Number(/(\d+) nodes/.exec(words)?.[1] ?? 1);
  if (/concurrent stream/.test(words)) return "two streams at once";
  if (/300 us floor/.test(words)) return "the page's floor is not a hardware latency";
  if (/^(alltoallv|all_gatherv|permute)/.test(row.metric))
    return "a collective of another kind, one row";
  const kind = /^all_gather/.test(row.metric) ? "all-gather" : "all-reduce";
  const predicted = benchmarkedNanos({
    kind,
    ranks,
    bytes,
    nodes,
    olderRuntime: /older runtime/.test(words),
  });
  const us = milliseconds(row.value, row.unit) * 1000;
  return {
    part: "collectives",
    predicted: predicted / 1000,
    measured: us,
    baseline: (bytes / 100e9) * 1e6,
  };
}
