/**
 * Attention of prompts that a step holds from their first token on, by the runtime's fused
 * operator: its products take many queries at a time, where the kernel over pages (kernel/attention.ts)
 * takes one. Keys and values are the step's own, so nothing is gathered. Sums run in another order:
 * for weights whose products depend on a row's neighbours anyway.
 */
import { GraphBuilder } from "./graph/builder.ts";
import type { CacheShape, Step } from "./graph/steps.ts";
import type { RotaryTable } from "./rotary.ts";
import { type Runner, Session, Tensor } from "./session.ts";
import type { StepRow } from "./wire.ts";

type AttendStep = Extract<Step, { readonly kind: "attend" }>;

/** Of fewer tokens the kernel is as quick. */
const LEAST_TOKENS = 32;

/** The operator holds a score for each head, query and key. */
const MOST_SCORES_BYTES = 2 ** 26;

/** Queries, keys and values lie side by side as the operator takes them, and nothing is asked that it lacks. */
export function fitsPrompts({ op, q, k, v, rope }: AttendStep, shape: CacheShape): boolean {
  const { heads, kvHeads, headDim, valueDim } = shape;
  const [keysAt, valuesAt] = [heads * headDim, (heads + kvHeads) * headDim];
  return (
    q.flow === k.flow &&
    k.flow === v.flow &&
    q.at === 0 &&
    k.at === keysAt &&
    v.at === valuesAt &&
    q.flow.width === valuesAt + kvHeads * headDim &&
    headDim === valueDim &&
    headDim % 16 === 0 &&
    (rope === undefined || rope.rotaryDim === headDim) &&
    op.window === undefined &&
    op.temperature === undefined &&
    op.sinks === undefined
  );
}

export interface Divided {
  readonly rows: readonly StepRow[];
  readonly prompts: readonly StepRow[];
  readonly others: readonly StepRow[];
}

export class PromptAttention {
  readonly #shape: CacheShape;
  readonly #session: Runner;
  readonly #most: number;
  /** Of the step at hand: layers ask alike. */
  #divided: Divided | undefined;

  constructor(
    shape: CacheShape,
    how: { readonly scale: number; readonly interleaved?: boolean; readonly rotates: boolean },
    threads: number,
  ) {
    const { heads, kvHeads, headDim } = shape;
    this.#shape = shape;
    this.#most = Math.floor(Math.sqrt(MOST_SCORES_BYTES / (4 * heads)));
    const graph = new GraphBuilder("prompts");
    graph.input({
      name: "qkv",
      type: "float",
      shape: [1, "tokens", (heads + 2 * kvHeads) * headDim],
    });
    for (const name of ["last", "total"]) graph.input({ name, type: "int32", shape: [1] });
    const turning = how.rotates ? ["cos", "sin"] : [];
    for (const name of turning)
      graph.input({ name, type: "float", shape: ["positions", headDim / 2] });
    const inputs = ["qkv", "", "", "", "", "last", "total", ...turning];
    graph.nodes("ms.GroupQueryAttention", inputs, ["out", "", ""], {
      num_heads: heads,
      kv_num_heads: kvHeads,
      scale: { float: how.scale },
      do_rotary: how.rotates ? 1 : 0,
      rotary_interleaved: how.interleaved ? 1 : 0,
    });
    graph.output({ name: "out", type: "float", shape: [1, "tokens", heads * headDim] });
    this.#session = new Session(graph.build(), { threads, folder: "" });
  }

  /** Of a step's rows the whole prompts, none too short or too long, and the others. */
  divide(rows: readonly StepRow[]): Divided {
    const takes = ({ start, count }: StepRow): boolean =>
      start === 0 && count >= LEAST_TOKENS && count <= this.#most;
    if (this.#divided?.rows !== rows) {
      const [prompts, others] = [rows.filter(takes), rows.filter((row) => !takes(row))];
      this.#divided = { rows, prompts, others };
    }
    return this.#divided;
  }

  /** `qkv` is [tokens, (heads + 2 · kvHeads) · headDim], `out` [tokens, heads · headDim]. */
  attend(
    rows: readonly StepRow[],
    qkv: Float32Array,
    out: Float32Array,
    rotary: RotaryTable | undefined,
  ): void {
    const { heads, kvHeads, headDim } = this.#shape;
    for (const { offset, count } of rows) {
      const rowsOf = (flow: Float32Array, width: number): Tensor =>
        new Tensor("float32", flow.subarray(offset * width, (offset + count) * width), [
          1,
          count,
          width,
        ]);
      const angles = rotary?.upTo(count);
      const table = (values: Float32Array): Tensor =>
        new Tensor("float32", values, [count, headDim / 2]);
      const feeds = {
        qkv: rowsOf(qkv, (heads + 2 * kvHeads) * headDim),
        last: new Tensor("int32", Int32Array.of(count - 1), [1]),
        total: new Tensor("int32", Int32Array.of(count), [1]),
        ...(angles && { cos: table(angles.cos), sin: table(angles.sin) }),
      };
      this.#session.run(feeds, { out: rowsOf(out, heads * headDim) });
    }
  }

  close(): void {
    this.#session.close();
  }
}
