/**
 * Ops × shards → kernels: one rank's calls of a layer, for one step shape. A
 * partial sum that meets an add becomes a collective; ops that a fusion covers
 * share its regions. Layers of one structure are lowered once.
 */
import type { Architecture } from "../../../models/architecture.ts";
import type {
  AttentionOp,
  ExpertsOp,
  GatedActivationOp,
  LatentAttentionOp,
  LinearOp,
  Op,
  Value,
} from "../../../models/ops.ts";
import { fusedDecodeWork } from "../kernels/attention.ts";
import {
  activationsMove,
  bytesOf,
  type Kernel,
  localShape,
  localUnits,
  matmulWork,
  padded,
  type Site,
  vectorWork,
  type Work,
  weightsMove,
} from "../kernels/kernel.ts";
import { MEGAKERNEL } from "../kernels/megakernel.ts";
import { ATTENTION_KERNELS, choose, EXPERT_KERNELS, LATENT_KERNELS } from "../kernels/registry.ts";
import type { Plan } from "../plan.ts";
import { edgeRole, layerRoles } from "../roles.ts";
import { adapterCalls } from "./adapters.ts";
import { fuse } from "./fuse.ts";
import type { KernelCall, LayerGroup } from "./receipt.ts";
import { workNanos } from "./time.ts";

const grouped = new WeakMap<Architecture, readonly LayerGroup[]>();

/** Groups the layers whose ops differ only in names; remembered by architecture. */
export function layerGroups(architecture: Architecture): readonly LayerGroup[] {
  let groups = grouped.get(architecture);
  if (groups === undefined) {
    groups = groupLayers(architecture);
    grouped.set(architecture, groups);
  }
  return groups;
}

function groupLayers(architecture: Architecture): readonly LayerGroup[] {
  const groups = new Map<string, { indices: number[]; ops: readonly Op[] }>();
  for (const layer of architecture.layers) {
    const key = JSON.stringify(layer.ops, (name, value: unknown) =>
      name === "path" || name === "name" || name === "kvGroup" ? undefined : value,
    );
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { indices: [layer.index], ops: layer.ops });
    else group.indices.push(layer.index);
  }
  return [...groups.values()];
}

/** A layer's calls on one rank. */
export function lowerLayer(ops: readonly Op[], site: Site): readonly KernelCall[] {
  const roles = layerRoles(ops);
  const partial = new Set<Value>();
  const calls: KernelCall[] = [];
  ops.forEach((op, index) => {
    const role = roles[index] ?? "residual";
    if ("partial" in op && op.partial) partial.add(op.out);
    if (op.op === "add") {
      const sums = partial.has(op.a) && partial.has(op.b);
      // Two partial sums add up on each rank; the sum stays partial until it meets the residual.
      if (sums) partial.add(op.out);
      else if (partial.has(op.a) || partial.has(op.b)) calls.push(reduction(site, op.path));
    }
    const { kernel, work, within } = lowerOp(op, site, ops);
    // Experts spread wider than the attention's ranks: tokens travel to them and back.
    const exchange = op.op === "experts" ? expertExchange(op, site) : undefined;
    if (exchange !== undefined) calls.push(exchange);
    calls.push({ role, kernel, path: op.path, work, ...(within !== undefined && { within }) });
    if (exchange !== undefined) calls.push(exchange);
  });
  return [...fuse(calls, site), ...adapterCalls(ops, roles, site)];
}

/** Embedding and its sum over ranks, or final norm, head and choice. */
export function lowerEdge(ops: readonly Op[], site: Site, ranks: number): readonly KernelCall[] {
  const calls: KernelCall[] = [];
  for (const op of ops) {
    const { kernel, work } = lowerOp(op, site, ops);
    calls.push({ role: edgeRole(op), kernel, path: op.path, work });
    if (op.op === "embed" && ranks > 1) calls.push(reduction(site, op.path));
  }
  return calls;
}

function reduction(site: Site, path: string): KernelCall {
  const { plan, tokens } = site;
  const bytes = tokens * padded(plan.architecture.hidden) * 2;
  return {
    role: "residual",
    kernel: site.shape.phase === "prefill" ? "reduce-scatter + all-gather" : "all-reduce",
    path,
    collective: { kind: "all-reduce", bytes, ranks: plan.tensorParallel },
  };
}

function expertExchange(op: ExpertsOp, site: Site): KernelCall | undefined {
  const { plan, tokens } = site;
  if (plan.expertParallel <= plan.tensorParallel) return undefined;
  const bytes = tokens * op.topK * padded(op.hidden) * 2;
  return {
    role: "experts",
    kernel: "all-to-all",
    path: op.path,
    collective: { kind: "all-to-all", bytes, ranks: plan.expertParallel },
  };
}

/** The quickest of the kernels that a plan may take for an op. */
function cheapest<Kind extends AttentionOp | LatentAttentionOp | ExpertsOp>(
  kernels: readonly Kernel<Kind>[],
  op: Kind,
  site: Site,
): Lowered {
  const [first, ...others] = choose(kernels, op, site).map((kernel) => {
    const work = kernel.work(op, site);
    return { kernel: kernel.name, work, nanos: workNanos(work, site) };
  });
  if (first === undefined) throw new Error(`No kernel for ${op.path}.`);
  return others.reduce((best, one) => (one.nanos < best.nanos ? one : best), first);
}

interface Lowered {
  readonly kernel: string;
  readonly work: Work;
  /** Its work inside fusions, where that differs. */
  readonly within?: Readonly<Record<string, Work>>;
}

function lowerOp(op: Op, site: Site, ops: readonly Op[]): Lowered {
  const { plan, shape } = site;
  switch (op.op) {
    case "embed": {
      const width = op.table.shape[1] ?? 1;
      const bytes = site.tokens * width * bytesOf(plan.formats.dense);
      return {
        kernel: "gather",
        work: { cycles: {}, moves: [weightsMove(site, bytes)], regions: 1, fixed: 0 },
      };
    }
    case "rms-norm": {
      const whole = op.heads === undefined;
      const width = op.width * localUnits(op.heads ?? 1, plan.tensorParallel);
      return { kernel: "norm", work: vectorWork(site, width, 3, whole) };
    }
    case "linear":
      return { kernel: "matmul", work: linearWork(op, site, ops) };
    case "rope": {
      const width = localUnits(op.heads, plan.tensorParallel) * op.rotaryDim;
      return { kernel: "rope", work: { ...vectorWork(site, width, 4), regions: 0.5 } };
    }
    case "attention": {
      const plain = cheapest(ATTENTION_KERNELS, op, site);
      const fused = plan.kernels.has("fused-attention") || plan.kernels.has(MEGAKERNEL);
      if (shape.phase !== "decode" || !fused) return plain;
      const work = fusedDecodeWork(op, site);
      return { ...plain, within: { "fused-attention": work, [MEGAKERNEL]: work } };
    }
    case "latent-attention":
      return cheapest(LATENT_KERNELS, op, site);
    case "gated-activation":
      return { kernel: "activation", work: vectorWork(site, gatedWidth(op, site, ops), 3) };
    case "router": {
      const work = matmulWork(site, {
        k: padded(op.weight.shape[1] ?? 1),
        out: op.experts,
        format: plan.formats.dense,
      });
      return { kernel: "router", work: { ...work, regions: 3 } }; // scores, top-k, weights
    }
    case "experts":
      return cheapest(EXPERT_KERNELS, op, site);
    case "add":
      return { kernel: "add", work: residualWork(site) };
    case "take-wanted":
      return { kernel: "select", work: { cycles: {}, moves: [], regions: 1, fixed: 0 } };
  }
}

/** Columns of the gate on one rank: those of the product that made it. */
function gatedWidth(op: GatedActivationOp, site: Site, ops: readonly Op[]): number {
  const gate = ops.find((its) => its.out === op.gate);
  if (gate?.op === "linear") return localShape(gate.weight, site.plan)[0];
  return padded(site.plan.architecture.hidden) / site.plan.tensorParallel;
}

/** A residual sum; a prompt's activations that exceed SBUF pass through HBM around it. */
function residualWork(site: Site): Work {
  const { plan, tokens, shape, rank } = site;
  const width = padded(plan.architecture.hidden);
  const work = { ...vectorWork(site, width, 1, true), regions: 0.5 };
  const bytes = tokens * width * 2;
  if (shape.phase === "decode" || bytes <= plan.instance.chip.sbufBytesPerCore * rank.cores) {
    return work;
  }
  return { ...work, moves: [...work.moves, activationsMove(site, bytes * site.stack("spill"))] };
}

function linearWork(op: LinearOp, site: Site, ops: readonly Op[]): Work {
  const [out, k] = localShape(op.weight, site.plan);
  const work = matmulWork(site, {
    k: op.weight.shard === "row" ? k : padded(k),
    out: op.weight.shard === "row" ? padded(out) : out,
    format: op.weight.format ?? site.plan.formats.dense,
    ...(site.plan.kernels.has("fused-qkv") && { wide: joinedWidth(op, site, ops) }),
  });
  return op.bias === undefined ? work : { ...work, regions: work.regions + 1 };
}

/** Columns on one rank of all products of the same input: Q, K and V are one where they are fused. */
function joinedWidth(op: LinearOp, site: Site, ops: readonly Op[]): number {
  return ops.reduce(
    (sum, its) =>
      its.op === "linear" && its.in === op.in ? sum + localShape(its.weight, site.plan)[0] : sum,
    0,
  );
}

/** A step's sampling site: the wanted rows alone pass the head. */
export function headSite(site: Site, plan: Plan): Site {
  const { shape } = site;
  const tokens = shape.phase === "prefill" ? shape.rows : site.tokens;
  return {
    ...site,
    plan,
    tokens,
    shape: { ...shape, phase: "decode", queries: tokens / shape.rows },
  };
}
