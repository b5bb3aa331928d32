/**
 * Cuts a model's op lists into what a rank runs, in order: ONNX segments, and
 * between them what no segment can do: rotation and attention over the paged pool,
 * and sums over ranks. Pure. Ranks get the same steps; widths may differ (the last
 * share of the vocabulary).
 *
 *     embed │ norm qkv │ attend │ o ─sum─ add norm gate up act down ─sum─ add norm qkv │ …
 *
 * With one rank nothing is summed and a segment reaches from attention to attention.
 * Products that only attention reads become one, with their outputs side by side.
 * Where adapters may add to products, segments end before whoever reads those too.
 */
import type { Architecture } from "../../../models/architecture.ts";
import type {
  AddOp,
  AttentionOp,
  ExpertsOp,
  LatentAttentionOp,
  LinearOp,
  Op,
  RopeOp,
  RouterOp,
  Value,
  Weight,
} from "../../../models/ops.ts";
import { kvHeadsPerRank, shardShape } from "../../../models/weights/shard.ts";
import { Adapts, productsTogether } from "./adapts.ts";
import { expertsOfRank } from "./experts.ts";
import { attendingLatents, queriesOfLatents, valuesOfLatents } from "./latent.ts";
import type {
  CacheShape,
  Columns,
  Flow,
  Program,
  Segment,
  SegmentOp,
  Share,
  Step,
} from "./steps.ts";
import { readsOf, withLiveOutputs } from "./steps.ts";

/** Throws for ops that this device does not compute, naming them. */
export function compileProgram(architecture: Architecture, share: Share): Program {
  const { ranks } = share;
  const body = new Cutter(share);
  body.take("", architecture.prologue);
  for (const layer of architecture.layers) body.take(`layer${layer.index}.`, layer.ops);
  const [take, ...rest] = architecture.epilogue;
  if (take?.op !== "take-wanted") throw new Error("cpu: the epilogue must start with take-wanted.");
  const hidden = body.flow(take.in);
  const steps = body.finish([hidden]);

  const end = new Cutter(share);
  end.define(take.out, hidden.width);
  end.take("head.", rest);
  const logits = end.flow("logits");
  const last = rest.at(-1);
  if (last?.op !== "linear") throw new Error("cpu: the epilogue must end in the head's product.");
  const head = onlySegment(end.finish([logits]));
  const before = new Cutter(share);
  before.define(take.out, hidden.width);
  before.take("head.", rest.slice(0, -1));
  const final = before.flow(last.in);
  const norm = before.finish([final]);
  return {
    body: steps,
    hidden,
    head,
    ...(norm.length > 0 && { norm: onlySegment(norm) }),
    final,
    logits,
    cache: cacheShape(steps, ranks),
  };
}

/** Sessions of a program: its segments, its experts and its head. */
export function countSegments({ body }: Program): number {
  return body.reduce((sum, step) => {
    if (step.kind === "experts") return sum + step.experts.length;
    return step.kind === "run" ? sum + 1 : sum;
  }, 1);
}

function onlySegment([first, ...more]: readonly Step[]): Segment {
  if (first?.kind === "run" && more.length === 0) return first.segment;
  throw new Error("cpu: the epilogue must be one segment.");
}

function cacheShape(steps: readonly Step[], ranks: number): CacheShape {
  const ops = steps.flatMap((step) => (step.kind === "attend" ? [step.op] : []));
  const first = ops[0];
  if (first === undefined) throw new Error("cpu: the model has no attention.");
  const { heads, kvHeads, headDim, valueDim = headDim } = first;
  if (ops.some((op) => op.heads !== heads || op.kvHeads !== kvHeads || op.headDim !== headDim)) {
    throw new Error("cpu: layers with different attention shapes are not supported.");
  }
  return {
    layers: ops.length,
    heads: heads / ranks,
    kvHeads: kvHeadsPerRank(kvHeads, ranks),
    headDim,
    valueDim,
  };
}

/** Do two ops turn alike, whatever they turn? */
function turnsAlike(a: RopeOp | undefined, b: RopeOp | undefined): boolean {
  const key = (rope: RopeOp | undefined): string =>
    rope === undefined
      ? ""
      : JSON.stringify([rope.rotaryDim, rope.theta, rope.scaling, rope.interleaved]);
  return key(a) === key(b);
}

interface Known {
  readonly flow: Flow;
  /** A term of a sum over ranks that was not made yet. */
  readonly partial: boolean;
  /** To be rotated by the attention that reads it. */
  readonly rope?: RopeOp;
}

/** Walks ops in order; keeps the open segment and who is in scope. */
class Cutter {
  readonly #share: Share;
  readonly #steps: Step[] = [];
  /** Values in scope by their name in the op list. */
  readonly #scope = new Map<Value, Known>();
  /** Every value made so far by its unique name. */
  readonly #flows = new Map<Value, Flow>();
  /** Routers by the name of their choice. */
  readonly #routers = new Map<Value, RouterOp>();
  /** Ops since the last cut, renamed. */
  #open: SegmentOp[] = [];
  readonly #adapts = new Adapts();
  #attentions = 0;
  #prefix = "";

  constructor(share: Share) {
    this.#share = share;
  }

  /** Brings a value into scope that something else provides. */
  define(name: Value, width: number): void {
    const flow = { name, width };
    this.#flows.set(name, flow);
    this.#scope.set(name, { flow, partial: false });
  }

  take(prefix: string, ops: readonly Op[]): void {
    this.#prefix = prefix;
    for (const op of this.#share.adapters ? productsTogether(ops) : ops) this.#take(op);
  }

  flow(name: Value): Flow {
    return this.#known(name).flow;
  }

  /** Closes the last segment; `wanted` are the program's outputs. */
  finish(wanted: readonly Flow[]): readonly Step[] {
    this.#cut();
    return withLiveOutputs(this.#steps, new Set(wanted.map((flow) => flow.name)));
  }

  #take(op: Op): void {
    switch (op.op) {
      case "embed": {
        this.#cut();
        const out = this.#add(op.out, op.table.shape[1] ?? 0);
        this.#steps.push({ kind: "embed", op, out });
        return;
      }
      case "rms-norm": {
        const { name, width } = this.#use(op.in);
        this.#open.push({ ...op, in: name, out: this.#add(op.out, width).name });
        return;
      }
      case "rope":
        this.#scope.set(op.out, { flow: this.#use(op.in), partial: false, rope: op });
        return;
      case "linear":
        this.#linear(op);
        return;
      case "gated-activation": {
        const gate = this.#use(op.gate);
        const up = this.#use(op.up);
        const out = this.#add(op.out, up.width);
        this.#open.push({ ...op, gate: gate.name, up: up.name, out: out.name });
        return;
      }
      case "add":
        this.#sum(op);
        return;
      case "attention":
        this.#attend(op);
        return;
      case "router": {
        const { name } = this.#use(op.in);
        const out = this.#add(op.out, op.experts);
        this.#open.push({ op: "products", in: name, out: out.name, parts: [op], exact: true });
        this.#routers.set(op.out, op);
        return;
      }
      case "experts":
        this.#choose(op);
        return;
      case "latent-attention":
        this.#attendLatents(op);
        return;
      case "take-wanted":
        throw new Error(
          `cpu: ${op.path} needs the op "${op.op}", which this device does not compute.`,
        );
    }
  }

  #linear(op: LinearOp): void {
    const input = this.#use(op.in);
    const { name } = input;
    const [width = 0] = this.#local(op.weight);
    const { scale } = op;
    const out = this.#add(op.out, width, op.partial === true && this.#share.ranks > 1);
    if (this.#share.adapters) this.#adapts.add(op.path, input, out);
    this.#open.push({
      op: "products",
      in: name,
      out: out.name,
      parts: [op],
      ...(scale !== undefined && { scale }),
    });
  }

  /** Two terms of sums over ranks are a term of one sum. */
  #sum(op: AddOp): void {
    const partial = this.#known(op.a).partial && this.#known(op.b).partial;
    const [a, b] = [op.a, op.b].map((name) => (partial ? this.#whole(name) : this.#use(name)));
    if (a === undefined || b === undefined) return;
    const out = this.#add(op.out, a.width, partial);
    this.#open.push({ ...op, a: a.name, b: b.name, out: out.name });
  }

  #attend(op: AttentionOp): void {
    const { rope } = this.#known(op.q);
    if (!turnsAlike(rope, this.#known(op.k).rope) || this.#known(op.v).rope) {
      throw new Error(`cpu: ${op.path} must rotate queries and keys alike, and no values.`);
    }
    const flows = [op.q, op.k, op.v].map((name) => this.#known(name).flow);
    const columns = this.#sideBySide(flows);
    const [q, k, v] = columns.map((its, part) => {
      const heads = part === 0 ? op.heads : op.kvHeads;
      return flows[part]?.width === heads * op.headDim ? this.#ownHeads(its, heads, op) : its;
    });
    if (q === undefined || k === undefined || v === undefined) return;
    this.#cut();
    const out = this.#add(op.out, (op.heads / this.#share.ranks) * op.headDim);
    const layer = this.#attentions++;
    this.#steps.push({ kind: "attend", op, layer, q, k, v, ...(rope && { rope }), out });
  }

  #attendLatents(op: LatentAttentionOp): void {
    const { path, latentDim, ropeDim, valueDim } = op;
    const heads = op.heads / this.#share.ranks;
    const attending = attendingLatents(op);
    const rope = this.#known(op.ropeKey).rope;
    if (rope === undefined) throw new Error(`cpu: ${path} needs a rotated "${op.ropeKey}".`);
    const turning = this.#known(op.ropeKey).flow;
    const [from, latent] = [this.#use(op.q), this.#use(op.latent)];
    const q = this.#add(`${op.out}-queries`, heads * attending.headDim);
    const key = this.#add(`${op.out}-key`, attending.headDim);
    this.#open.push(queriesOfLatents(op, this.#share, { in: from.name, out: q.name }), {
      op: "join",
      path,
      in: [turning.name, latent.name],
      out: key.name,
    });
    this.#cut();
    const seen = this.#add(`${op.out}-latents`, heads * latentDim);
    this.#steps.push({
      kind: "attend",
      op: attending,
      layer: this.#attentions++,
      q: { flow: q, at: 0 },
      k: { flow: key, at: 0 },
      v: { flow: key, at: ropeDim },
      rope,
      out: seen,
    });
    const out = this.#add(op.out, heads * valueDim);
    this.#open.push(valuesOfLatents(op, this.#share, { in: seen.name, out: out.name }));
  }

  /** The rank's heads of a value that every rank has whole. */
  #ownHeads({ flow, at }: Columns, heads: number, { headDim }: AttentionOp): Columns {
    const { rank, ranks } = this.#share;
    return { flow, at: at + Math.floor((rank * heads) / ranks) * headDim };
  }

  #choose(op: ExpertsOp): void {
    const router = this.#routers.get(op.routing);
    if (router === undefined) throw new Error(`cpu: ${op.path} has no router.`);
    const input = this.#use(op.in);
    const scores = this.#use(op.routing);
    this.#cut();
    const out = this.#add(op.out, op.hidden, this.#share.ranks > 1);
    const { first, experts } = expertsOfRank(op, this.#share);
    this.#steps.push({ kind: "experts", op, router, scores, in: input, out, first, experts });
  }

  /** Makes one product of those that make `flows`, when they read the same value. */
  #sideBySide(flows: readonly Flow[]): readonly Columns[] {
    const makers = flows.map(({ name }) => this.#open.find((op) => op.out === name));
    const products = makers.flatMap((op) => (op?.op === "products" ? [op] : []));
    const [first] = products;
    const alike = products.every((op) => op.in === first?.in);
    if (first === undefined || products.length < flows.length || !alike) {
      return flows.map((flow) => ({ flow, at: 0 }));
    }
    const name = products.map(({ out }) => out).join("+");
    const flow = { name, width: flows.reduce((sum, { width }) => sum + width, 0) };
    this.#flows.set(name, flow);
    const parts = products.flatMap((op) => op.parts);
    this.#open = this.#open.filter((op) => op.op !== "products" || !products.includes(op));
    this.#open.push({ ...first, out: name, parts });
    let end = 0;
    const columns = flows.map(({ width }) => {
      end += width;
      return { flow, at: end - width };
    });
    this.#adapts.together(flows, columns);
    return columns;
  }

  #local(weight: Weight): readonly number[] {
    return shardShape(weight, this.#share.rank, this.#share.ranks);
  }

  /** Reads a value; a partial sum is summed over the ranks first. */
  #use(name: Value): Flow {
    const known = this.#known(name);
    if (known.rope) throw new Error(`cpu: only attention can read "${name}", which is rotated.`);
    this.#whole(name);
    if (known.partial) {
      this.#cut();
      this.#steps.push({ kind: "sum", value: known.flow });
      this.#scope.set(name, { ...known, partial: false });
    }
    return known.flow;
  }

  /** Reads a value, or a term of it, with what adapters add. */
  #whole(name: Value): Flow {
    const { flow } = this.#known(name);
    if (this.#adapts.has(flow.name)) this.#cut();
    return flow;
  }

  #known(name: Value): Known {
    const known = this.#scope.get(name);
    if (known === undefined) throw new Error(`cpu: value "${name}" is read before it is made.`);
    return known;
  }

  #add(name: Value, width: number, partial = false): Flow {
    const flow = { name: this.#prefix + name, width };
    this.#flows.set(flow.name, flow);
    this.#scope.set(name, { flow, partial });
    return flow;
  }

  #cut(): void {
    if (this.#open.length === 0) return;
    const [first] = this.#open;
    const name = first?.op === "products" ? first.parts[0]?.path : first?.path;
    // Inputs and outputs are known when the whole program is: see withLiveOutputs.
    const made = new Set(this.#open.map((op) => op.out));
    const read = [...new Set(this.#open.flatMap(readsOf))].filter((value) => !made.has(value));
    const flows = (names: Iterable<Value>): Flow[] =>
      [...names].flatMap((value) => this.#flows.get(value) ?? []);
    this.#steps.push({
      kind: "run",
      segment: {
        name: name ?? "segment",
        ops: this.#open,
        inputs: flows(read),
        outputs: flows(made),
      },
    });
    this.#open = [];
    this.#steps.push(...this.#adapts.take());
  }
}
