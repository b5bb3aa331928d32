/**
 * Runs an architecture op by op in plain loops, on any number of ranks: the
 * meaning of models/ops.ts, with no device. Slow and without a cache; the whole
 * sequence goes through at once and the last position's logits come out.
 */
import type { Architecture } from "../../../models/architecture.ts";
import type { AttentionOp, LinearOp, Op, RmsNormOp, RopeOp, Weight } from "../../../models/ops.ts";
import { rotaryTable } from "../../../models/rope.ts";
import type { WeightReader } from "../../../models/weights/read.ts";
import { shardShape, shardWeight } from "../../../models/weights/shard.ts";

/** One matrix per rank, row-major; `partial`: the value is their sum. */
interface Held {
  readonly ranks: readonly Float32Array[];
  readonly partial: boolean;
}

export function referenceLogits(
  architecture: Architecture,
  reader: WeightReader,
  tokens: readonly number[],
  ranks = 1,
): Float32Array {
  const machine = new Machine(reader, tokens, ranks);
  machine.run(architecture.prologue);
  for (const layer of architecture.layers) machine.run(layer.ops);
  machine.run(architecture.epilogue);
  return machine.join("logits");
}

class Machine {
  readonly #reader: WeightReader;
  readonly #tokens: readonly number[];
  readonly #ranks: number;
  readonly #values = new Map<string, Held>();
  /** Rows of the values now: all tokens, then the wanted one. */
  #rows: number;

  constructor(reader: WeightReader, tokens: readonly number[], ranks: number) {
    this.#reader = reader;
    this.#tokens = tokens;
    this.#ranks = ranks;
    this.#rows = tokens.length;
  }

  /** The ranks' slices side by side. */
  join(name: string): Float32Array {
    return Float32Array.from(this.#held(name).ranks.flatMap((part) => [...part]));
  }

  run(ops: readonly Op[]): void {
    for (const op of ops) this.#values.set(op.out, this.#apply(op));
  }

  #apply(op: Op): Held {
    switch (op.op) {
      case "embed":
        return this.#perRank((rank) => this.#embed(op.table, rank), this.#ranks > 1);
      case "rms-norm":
        return this.#perRank((rank) =>
          rmsNorm(this.#whole(op.in, rank), this.#normWeight(op, rank), op.eps),
        );
      case "linear":
        return this.#perRank((rank) => this.#linear(op, rank), op.partial === true);
      case "rope":
        return this.#perRank((rank) => rotate(op, this.#whole(op.in, rank), this.#rows));
      case "attention":
        return this.#perRank((rank) => this.#attend(op, rank));
      case "gated-activation":
        return this.#perRank((rank) => {
          const up = this.#whole(op.up, rank);
          return this.#whole(op.gate, rank).map((x, i) => (x / (1 + Math.exp(-x))) * (up[i] ?? 0));
        });
      case "add":
        return this.#perRank((rank) => {
          const b = this.#whole(op.b, rank);
          return this.#whole(op.a, rank).map((x, i) => x + (b[i] ?? 0));
        });
      case "take-wanted": {
        const before = this.#rows;
        const taken = this.#perRank((rank) => {
          const all = this.#whole(op.in, rank);
          return all.slice((before - 1) * (all.length / before));
        });
        this.#rows = 1;
        return taken;
      }
      default:
        throw new Error(`the reference does not run ${op.op}`);
    }
  }

  #perRank(work: (rank: number) => Float32Array, partial = false): Held {
    return { ranks: Array.from({ length: this.#ranks }, (_, rank) => work(rank)), partial };
  }

  #held(name: string): Held {
    const held = this.#values.get(name);
    if (!held) throw new Error(`no value ${name}`);
    return held;
  }

  /** A value as a rank sees it, partial sums added up. */
  #whole(name: string, rank: number): Float32Array {
    const { ranks, partial } = this.#held(name);
    const own = ranks[rank] ?? new Float32Array(0);
    return partial ? own.map((_, i) => ranks.reduce((sum, part) => sum + (part[i] ?? 0), 0)) : own;
  }

  #normWeight({ weight, width }: RmsNormOp, rank: number): Float32Array {
    return weight ? this.#weight(weight, rank) : new Float32Array(width).fill(1);
  }

  #weight(weight: Weight, rank: number): Float32Array {
    return this.#reader.read(weight.name, shardWeight(weight, rank, this.#ranks));
  }

  #embed(table: Weight, rank: number): Float32Array {
    const width = table.shape[1] ?? 0;
    const range = shardWeight(table, rank, this.#ranks);
    const begin = range?.begin ?? 0;
    const rows = this.#weight(table, rank);
    const out = new Float32Array(this.#tokens.length * width);
    for (const [t, token] of this.#tokens.entries()) {
      const row = token - begin;
      if (row >= 0 && (row + 1) * width <= rows.length)
        out.set(rows.subarray(row * width, (row + 1) * width), t * width);
    }
    return out;
  }

  #linear(op: LinearOp, rank: number): Float32Array {
    const [outputs = 0, inputs = 0] = shardShape(op.weight, rank, this.#ranks);
    const weight = this.#weight(op.weight, rank);
    // The bias of a sum over ranks is added once.
    const bias =
      op.bias && !(op.partial && rank > 0) ? this.#weight(op.bias, rank) : new Float32Array(0);
    const input = this.#whole(op.in, rank);
    const out = new Float32Array(this.#rows * outputs);
    for (let t = 0; t < this.#rows; t++)
      for (let o = 0; o < outputs; o++) {
        let sum = bias[o] ?? 0;
        for (let i = 0; i < inputs; i++)
          sum += (input[t * inputs + i] ?? 0) * (weight[o * inputs + i] ?? 0);
        out[t * outputs + o] = sum;
      }
    return out;
  }

  #attend(op: AttentionOp, rank: number): Float32Array {
    const { headDim, scale } = op;
    const q = this.#whole(op.q, rank);
    const k = this.#whole(op.k, rank);
    const v = this.#whole(op.v, rank);
    const heads = q.length / this.#rows / headDim;
    const kvHeads = k.length / this.#rows / headDim;
    const window = op.window ?? Number.POSITIVE_INFINITY;
    const out = new Float32Array(q.length);
    for (let t = 0; t < this.#rows; t++)
      for (let h = 0; h < heads; h++) {
        const kv = Math.floor((h * kvHeads) / heads);
        const first = Math.max(0, t - window + 1);
        const at = (row: number): number => (row * kvHeads + kv) * headDim;
        const from = (t * heads + h) * headDim;
        const scores: number[] = [];
        for (let s = first; s <= t; s++) {
          let dot = 0;
          for (let d = 0; d < headDim; d++) dot += (q[from + d] ?? 0) * (k[at(s) + d] ?? 0);
          scores.push(dot * scale);
        }
        const top = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - top));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [i, weight] of weights.entries())
          for (let d = 0; d < headDim; d++)
            out[from + d] = (out[from + d] ?? 0) + (weight / total) * (v[at(first + i) + d] ?? 0);
      }
    return out;
  }
}

function rmsNorm(input: Float32Array, weight: Float32Array, eps: number): Float32Array {
  const width = weight.length;
  const out = new Float32Array(input.length);
  for (let begin = 0; begin < input.length; begin += width) {
    let squares = 0;
    for (let i = 0; i < width; i++) squares += (input[begin + i] ?? 0) ** 2;
    const factor = 1 / Math.sqrt(squares / width + eps);
    for (let i = 0; i < width; i++)
      out[begin + i] = (input[begin + i] ?? 0) * factor * (weight[i] ?? 0);
  }
  return out;
}

function rotate(op: RopeOp, input: Float32Array, rows: number): Float32Array {
  const { frequencies, amplitude } = rotaryTable(op);
  const half = op.rotaryDim / 2;
  const width = input.length / rows;
  const out = input.slice();
  for (let t = 0; t < rows; t++)
    for (let head = 0; head < width / op.headDim; head++)
      for (let pair = 0; pair < half; pair++) {
        const a = t * width + head * op.headDim + pair;
        const b = a + half;
        const angle = t * (frequencies[pair] ?? 0);
        const cos = Math.cos(angle) * amplitude;
        const sin = Math.sin(angle) * amplitude;
        out[a] = (input[a] ?? 0) * cos - (input[b] ?? 0) * sin;
        out[b] = (input[b] ?? 0) * cos + (input[a] ?? 0) * sin;
      }
  return out;
}
