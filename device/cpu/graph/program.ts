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
 */
import type { Architecture } from "../../../models/architecture.ts";
import type {
  AddOp,
  AttentionOp,
  EmbedOp,
  GatedActivationOp,
  LinearOp,
  Op,
  RmsNormOp,
  RopeOp,
  Value,
  Weight,
} from "../../../models/ops.ts";
import { kvHeadsPerRank, shardShape } from "../../../models/weights/shard.ts";

/** A value between steps: unique over the whole program, `[tokens, width]` on each rank. */
export interface Flow {
  readonly name: Value;
  readonly width: number;
}

/** Columns of a value from `at` on. */
export interface Columns {
  readonly flow: Flow;
  readonly at: number;
}

/** Products of one input, their outputs side by side; mostly a single one. */
export interface Products {
  readonly op: "products";
  readonly in: Value;
  readonly out: Value;
  readonly parts: readonly Pick<LinearOp, "path" | "weight" | "bias" | "partial">[];
}

export type SegmentOp = RmsNormOp | Products | GatedActivationOp | AddOp;

/** Ops that one ONNX session computes; value names are unique over the program. */
export interface Segment {
  readonly name: string;
  readonly ops: readonly SegmentOp[];
  readonly inputs: readonly Flow[];
  readonly outputs: readonly Flow[];
}

export type Step =
  | { readonly kind: "embed"; readonly op: EmbedOp; readonly out: Flow }
  | { readonly kind: "run"; readonly segment: Segment }
  | {
      readonly kind: "attend";
      readonly op: AttentionOp;
      /** Counts the attention ops of the program: the pool's layer. */
      readonly layer: number;
      readonly q: Columns;
      readonly k: Columns;
      readonly v: Columns;
      /** Queries and keys are to be rotated first. */
      readonly rotated: boolean;
      readonly out: Flow;
    }
  | { readonly kind: "sum"; readonly value: Flow };

export interface Program {
  /** From token ids to the last hidden state. */
  readonly body: readonly Step[];
  readonly hidden: Flow;
  /** From wanted rows of the hidden state to their logits (the rank's share of the vocabulary). */
  readonly head: Segment;
  /** Input of the head's product: the normed hidden state. */
  readonly final: Flow;
  readonly logits: Flow;
  /** Shape of the KV cache on a rank. */
  readonly cache: CacheShape;
  /** The rotary embedding's ops differ by at most this one description. */
  readonly rope?: RopeOp;
}

export interface CacheShape {
  readonly layers: number;
  /** On this rank. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Throws for ops that this device does not compute, naming them. */
export function compileProgram(
  architecture: Architecture,
  { rank, ranks }: { readonly rank: number; readonly ranks: number },
): Program {
  const body = new Cutter(rank, ranks);
  body.take("", architecture.prologue);
  for (const layer of architecture.layers) body.take(`layer${layer.index}.`, layer.ops);
  const [take, ...rest] = architecture.epilogue;
  if (take?.op !== "take-wanted") throw new Error("cpu: the epilogue must start with take-wanted.");
  const hidden = body.flow(take.in);
  const steps = body.finish([hidden]);

  const end = new Cutter(rank, ranks);
  end.define(take.out, hidden.width);
  end.take("head.", rest);
  const logits = end.flow("logits");
  const last = rest.at(-1);
  if (last?.op !== "linear") throw new Error("cpu: the epilogue must end in the head's product.");
  const final = end.flow(last.in);
  const [head, ...more] = end.finish([logits, final]);
  if (head?.kind !== "run" || more.length > 0) {
    throw new Error("cpu: the epilogue must be one segment.");
  }
  return {
    body: steps,
    hidden,
    head: head.segment,
    final,
    logits,
    cache: cacheShape(steps, ranks),
    ...ropeOf(architecture),
  };
}

function cacheShape(steps: readonly Step[], ranks: number): CacheShape {
  const ops = steps.flatMap((step) => (step.kind === "attend" ? [step.op] : []));
  const first = ops[0];
  if (first === undefined) throw new Error("cpu: the model has no attention.");
  const { heads, kvHeads, headDim } = first;
  if (ops.some((op) => op.heads !== heads || op.kvHeads !== kvHeads || op.headDim !== headDim)) {
    throw new Error("cpu: layers with different attention shapes are not supported.");
  }
  return {
    layers: ops.length,
    heads: heads / ranks,
    kvHeads: kvHeadsPerRank(kvHeads, ranks),
    headDim,
  };
}

function ropeOf(architecture: Architecture): { readonly rope?: RopeOp } {
  const ropes = architecture.layers.flatMap((layer) => layer.ops.filter((op) => op.op === "rope"));
  const first = ropes[0];
  if (first === undefined) return {};
  const key = ({ rotaryDim, theta, scaling }: RopeOp): string =>
    JSON.stringify([rotaryDim, theta, scaling]);
  if (ropes.some((rope) => key(rope) !== key(first))) {
    throw new Error("cpu: layers with different rotary embeddings are not supported.");
  }
  return { rope: first };
}

interface Known {
  readonly flow: Flow;
  /** A term of a sum over ranks that was not made yet. */
  readonly partial: boolean;
  /** To be rotated by the attention that reads it. */
  readonly rotated?: true;
}

/** Walks ops in order; keeps the open segment and who is in scope. */
class Cutter {
  readonly #rank: number;
  readonly #ranks: number;
  readonly #steps: Step[] = [];
  /** Values in scope by their name in the op list. */
  readonly #scope = new Map<Value, Known>();
  /** Every value made so far by its unique name. */
  readonly #flows = new Map<Value, Flow>();
  /** Ops since the last cut, renamed. */
  #open: SegmentOp[] = [];
  #attentions = 0;
  #prefix = "";

  constructor(rank: number, ranks: number) {
    this.#rank = rank;
    this.#ranks = ranks;
  }

  /** Brings a value into scope that something else provides. */
  define(name: Value, width: number): void {
    const flow = { name, width };
    this.#flows.set(name, flow);
    this.#scope.set(name, { flow, partial: false });
  }

  take(prefix: string, ops: readonly Op[]): void {
    this.#prefix = prefix;
    for (const op of ops) this.#take(op);
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
        this.#scope.set(op.out, { flow: this.#use(op.in), partial: false, rotated: true });
        return;
      case "linear": {
        const { name } = this.#use(op.in);
        const [width = 0] = this.#local(op.weight);
        const out = this.#add(op.out, width, op.partial === true && this.#ranks > 1);
        this.#open.push({ op: "products", in: name, out: out.name, parts: [op] });
        return;
      }
      case "gated-activation": {
        const gate = this.#use(op.gate);
        const up = this.#use(op.up);
        const out = this.#add(op.out, gate.width);
        this.#open.push({ ...op, gate: gate.name, up: up.name, out: out.name });
        return;
      }
      case "add": {
        const a = this.#use(op.a);
        const b = this.#use(op.b);
        const out = this.#add(op.out, a.width);
        this.#open.push({ ...op, a: a.name, b: b.name, out: out.name });
        return;
      }
      case "attention": {
        const rotated = this.#known(op.q).rotated === true;
        if (rotated !== (this.#known(op.k).rotated === true) || this.#known(op.v).rotated) {
          throw new Error(`cpu: ${op.path} must rotate queries and keys alike, and no values.`);
        }
        const flows = [op.q, op.k, op.v].map((name) => this.#known(name).flow);
        const [q, k, v] = this.#sideBySide(flows);
        if (q === undefined || k === undefined || v === undefined) return;
        this.#cut();
        const out = this.#add(op.out, this.#known(op.q).flow.width);
        const layer = this.#attentions++;
        this.#steps.push({ kind: "attend", op, layer, q, k, v, rotated, out });
        return;
      }
      case "latent-attention":
      case "router":
      case "experts":
      case "take-wanted":
        throw new Error(
          `cpu: ${op.path} needs the op "${op.op}", which this device does not compute.`,
        );
    }
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
    return flows.map(({ width }) => {
      end += width;
      return { flow, at: end - width };
    });
  }

  #local(weight: Weight): readonly number[] {
    return shardShape(weight, this.#rank, this.#ranks);
  }

  /** Reads a value; a partial sum is summed over the ranks first. */
  #use(name: Value): Flow {
    const known = this.#known(name);
    if (known.rotated) throw new Error(`cpu: only attention can read "${name}", which is rotated.`);
    if (known.partial) {
      this.#cut();
      this.#steps.push({ kind: "sum", value: known.flow });
      this.#scope.set(name, { ...known, partial: false });
    }
    return known.flow;
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
  }
}

/** Drops from every segment the outputs that nothing later reads. */
function withLiveOutputs(steps: readonly Step[], wanted: ReadonlySet<Value>): readonly Step[] {
  const live = new Set(wanted);
  const result: Step[] = [];
  for (const step of [...steps].reverse()) {
    if (step.kind === "run") {
      const outputs = step.segment.outputs.filter((flow) => live.has(flow.name));
      result.push({ kind: "run", segment: { ...step.segment, outputs } });
    } else {
      result.push(step);
    }
    for (const flow of flowsRead(step)) live.add(flow.name);
  }
  return result.reverse();
}

/** Values a step takes from before it. */
export function flowsRead(step: Step): readonly Flow[] {
  switch (step.kind) {
    case "embed":
      return [];
    case "run":
      return step.segment.inputs;
    case "attend":
      return [step.q.flow, step.k.flow, step.v.flow];
    case "sum":
      return [step.value];
  }
}

function readsOf(op: SegmentOp): readonly Value[] {
  switch (op.op) {
    case "rms-norm":
    case "products":
      return [op.in];
    case "gated-activation":
      return [op.gate, op.up];
    case "add":
      return [op.a, op.b];
  }
}
