/**
 * A rank's experts as segments, one each: gate, up, activation, down, from `x` to `y`.
 * Whole experts are dealt out with expert parallelism; without it every rank has its
 * columns of all of them, and `y` is a term of a sum.
 */
import type { ExpertsOp, ShardKind, Weight, Within } from "../../../models/ops.ts";
import { ShardError, shardShape } from "../../../models/weights/shard.ts";
import type { Program, Segment, Share } from "./steps.ts";

export const EXPERT_INPUT = "x";
export const EXPERT_OUTPUT = "y";

/** A layer of more experts has a thread for each, not a team: a session's threads are its own. */
const MOST_TEAMS = 16;

/** Whether a rank's experts of a layer are one thread's each. */
export const threadEach = ({ experts }: Pick<RankExperts, "experts">): boolean =>
  experts.length > MOST_TEAMS;

export const hasThreadEach = ({ body }: Pick<Program, "body">): boolean =>
  body.some((step) => step.kind === "experts" && threadEach(step));

export interface RankExperts {
  /** Index of the first. */
  readonly first: number;
  readonly experts: readonly Segment[];
}

/** Throws ShardError when the experts can be divided neither way. */
export function expertsOfRank(op: ExpertsOp, share: Share): RankExperts {
  const { rank, ranks } = share;
  const whole = share.expertParallel || op.intermediate % ranks !== 0;
  if (whole && op.experts % ranks !== 0)
    throw new ShardError(`${op.path}: ${op.experts} experts cannot be divided over ${ranks} ranks`);
  const count = whole ? op.experts / ranks : op.experts;
  const first = whole ? rank * count : 0;
  const experts = Array.from({ length: count }, (_, index) =>
    expertSegment(op, first + index, whole ? undefined : share),
  );
  return { first, experts };
}

/** `share` is absent for an expert that is not divided. */
function expertSegment(op: ExpertsOp, expert: number, share: Share | undefined): Segment {
  const { path, hidden, intermediate } = op;
  const column: ShardKind = share ? "column" : "replicated";
  const row: ShardKind = share ? "row" : "replicated";
  const [first, second] = op.gateUp;
  if (first === undefined) throw new Error(`cpu: ${path} has no weights.`);
  const size = { rows: intermediate, width: hidden, shard: column } as const;
  const half = (part: 0 | 1): Weight =>
    second === undefined
      ? slice(first, expert, { ...size, ...halfOf(op, part) })
      : slice(part === 0 ? first : second, expert, size);
  const bias = (part: 0 | 1): { readonly bias?: Weight } =>
    op.gateUpBias === undefined
      ? {}
      : {
          bias: slice(op.gateUpBias, expert, {
            rows: intermediate,
            shard: column,
            ...halfOf(op, part),
          }),
        };
  const product = (
    name: string,
    flow: { in: string; out: string },
    weight: Weight,
    its: object,
  ) => ({
    op: "products" as const,
    ...flow,
    parts: [{ path: `${path}.${expert}.${name}`, weight, ...its }],
  });
  const down = slice(op.down, expert, { rows: hidden, width: intermediate, shard: row });
  const downBias =
    op.downBias === undefined
      ? {}
      : { bias: slice(op.downBias, expert, { rows: hidden, shard: "replicated" }) };
  const width = share ? (shardShape(half(0), share.rank, share.ranks)[0] ?? 0) : intermediate;
  if (width === 0) throw new Error(`cpu: ${path} has no columns on this rank.`);
  return {
    name: `${path}.${expert}`,
    inputs: [{ name: EXPERT_INPUT, width: hidden }],
    outputs: [{ name: EXPERT_OUTPUT, width: hidden }],
    ops: [
      product("gate", { in: EXPERT_INPUT, out: "gate" }, half(0), bias(0)),
      product("up", { in: EXPERT_INPUT, out: "up" }, half(1), bias(1)),
      {
        op: "gated-activation",
        path,
        gate: "gate",
        up: "up",
        out: "activated",
        activation: op.activation,
      },
      product("down", { in: "activated", out: EXPERT_OUTPUT }, down, {
        ...downBias,
        ...(share && { partial: true as const }),
      }),
    ],
  };
}

interface Slice {
  readonly rows: number;
  /** Absent: a vector. */
  readonly width?: number;
  readonly shard: ShardKind;
  /** First of the expert's rows in a fused stack, and every which. */
  readonly from?: number;
  readonly step?: number;
}

/** Rows of gate (0) or up (1) in a stack that holds both. */
function halfOf({ fused, intermediate }: ExpertsOp, part: 0 | 1): { from: number; step: number } {
  return fused === "halves" ? { from: part * intermediate, step: 1 } : { from: part, step: 2 };
}

/** An expert's part of a stack. */
function slice(
  stack: Weight,
  expert: number,
  { rows, width, shard, from = 0, step }: Slice,
): Weight {
  const shape = width === undefined ? [rows] : [rows, width];
  const format = stack.format === undefined ? {} : { format: stack.format };
  if (stack.name.includes("{e}")) {
    return { name: stack.name.replace("{e}", String(expert)), shape, shard, ...format };
  }
  const base: Within = stack.within ?? { name: stack.name, shape: stack.shape, row: 0 };
  const row = base.row + expert * (stack.shape[1] ?? 1) + from;
  return {
    name: `${stack.name}.${expert}${step === undefined ? "" : `.${from}`}`,
    shape,
    shard,
    ...format,
    within: { ...base, row, ...(step !== undefined && { step }) },
  };
}
