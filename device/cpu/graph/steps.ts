/**
 * What a rank runs, in order: ONNX segments, and between them what no segment can do:
 * rotation and attention over the paged pool, the choice of experts, sums over ranks.
 */
import type {
  AddOp,
  AttentionOp,
  EmbedOp,
  ExpertsOp,
  GatedActivationOp,
  LinearOp,
  RmsNormOp,
  RopeOp,
  RouterOp,
  Value,
  Weight,
} from "../../../models/ops.ts";

/** Which share of the model is compiled. */
export interface Share {
  readonly rank: number;
  readonly ranks: number;
  /** Experts are dealt out whole; absent: each is divided. */
  readonly expertParallel?: boolean;
  /** Adapters may add to products; absent: none does. */
  readonly adapters?: boolean;
}

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
  /** Factor on the output; absent: 1. */
  readonly scale?: number;
  /** Never quantised: a router's scores. */
  readonly exact?: true;
}

/** Of each head the part `multiplied` times the head's own matrix; the other parts come before it. */
export interface PerHead {
  readonly op: "per-head";
  readonly path: string;
  readonly in: Value;
  readonly out: Value;
  /** One for each head: `[out, in]`, or `[in, out]` where they are `turned`. Never quantised. */
  readonly weights: readonly Weight[];
  readonly turned?: true;
  /** Widths of a head's parts. */
  readonly parts: readonly number[];
  readonly multiplied: number;
}

/** Columns of several values, side by side. */
export interface Join {
  readonly op: "join";
  readonly path: string;
  readonly in: readonly Value[];
  readonly out: Value;
}

export type SegmentOp = RmsNormOp | Products | GatedActivationOp | AddOp | PerHead | Join;

/** What the pool is to attend: numbers of all ranks together. */
export interface Attending
  extends Pick<
    AttentionOp,
    | "path"
    | "heads"
    | "kvHeads"
    | "headDim"
    | "scale"
    | "window"
    | "chunked"
    | "temperature"
    | "sinks"
  > {
  /** Elements of a value; absent: `headDim`. */
  readonly valueDim?: number;
}

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
      readonly op: Attending;
      /** Counts the attention ops of the program: the pool's layer. */
      readonly layer: number;
      readonly q: Columns;
      readonly k: Columns;
      readonly v: Columns;
      /** How queries and keys are to be rotated first; absent: not at all. */
      readonly rope?: RopeOp;
      readonly out: Flow;
    }
  | ExpertsStep
  | AdaptStep
  | { readonly kind: "sum"; readonly value: Flow };

/** Adapters of rows add to products, before anything reads their outputs. */
export interface AdaptStep {
  readonly kind: "adapt";
  readonly in: Flow;
  /** Added to in place. */
  readonly out: Flow;
  /** Products side by side in `out`, by module path. */
  readonly parts: readonly { readonly path: string; readonly at: number }[];
}

/** The chosen experts of each token: every expert is a segment of its own, run with the rows that chose it. */
export interface ExpertsStep {
  readonly kind: "experts";
  readonly op: ExpertsOp;
  readonly router: RouterOp;
  /** The router's product `[tokens, experts]`. */
  readonly scores: Flow;
  readonly in: Flow;
  /** A partial sum where there are several ranks. */
  readonly out: Flow;
  /** Index of the first expert that this rank has. */
  readonly first: number;
  readonly experts: readonly Segment[];
}

export interface Program {
  /** From token ids to the last hidden state. */
  readonly body: readonly Step[];
  readonly hidden: Flow;
  /** From wanted rows of the hidden state to their logits (the rank's share of the vocabulary). */
  readonly head: Segment;
  /** The same up to the head's product, for who wants states alone; absent: nothing comes before it. */
  readonly norm?: Segment;
  /** Input of the head's product: the normed hidden state. */
  readonly final: Flow;
  readonly logits: Flow;
  /** Shape of the KV cache on a rank. */
  readonly cache: CacheShape;
}

export interface CacheShape {
  readonly layers: number;
  /** On this rank. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Elements of a value. */
  readonly valueDim: number;
}

/** Drops from every segment the outputs that nothing later reads. */
export function withLiveOutputs(
  steps: readonly Step[],
  wanted: ReadonlySet<Value>,
): readonly Step[] {
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
    case "experts":
      return [step.in, step.scores];
    case "adapt":
      return [step.in, step.out];
    case "sum":
      return [step.value];
  }
}

/** Values a step gives. */
export function flowsMade(step: Step): readonly Flow[] {
  switch (step.kind) {
    case "embed":
    case "attend":
    case "experts":
      return [step.out];
    case "run":
      return step.segment.outputs;
    case "adapt":
    case "sum":
      return [];
  }
}

export function readsOf(op: SegmentOp): readonly Value[] {
  switch (op.op) {
    case "rms-norm":
    case "products":
    case "per-head":
      return [op.in];
    case "join":
      return op.in;
    case "gated-activation":
      return [op.gate, op.up];
    case "add":
      return [op.a, op.b];
  }
}
