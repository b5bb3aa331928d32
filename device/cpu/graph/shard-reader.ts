/** A rank's part of each weight: read as F32, or named as a range of its file. */
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Checkpoint } from "../../../models/model.ts";
import type { LinearOp, Weight } from "../../../models/ops.ts";
import { findTensor } from "../../../models/weights/checkpoint.ts";
import type { IntegerRows } from "../../../models/weights/integer-rows.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { type Range, shardShape, shardWeight } from "../../../models/weights/shard.ts";
import type { FileRange } from "./builder.ts";
import type { Int8Weight } from "./quantise.ts";
import { type StoredBlocks, storedBlocks, storedInt8 } from "./stored-blocks.ts";

/** A matrix and its bias. */
export type Part = Pick<LinearOp, "weight" | "bias" | "partial">;

/** Elements of a matrix that is large; smaller weights may stay in a graph. */
const LARGE = 2 ** 18;

export class ShardReader {
  readonly rank: number;
  /** The folder that ranges are relative to, links resolved: the runtime maps no file outside it. */
  readonly folder: string;
  readonly #ranks: number;
  readonly #checkpoint: Checkpoint;
  readonly #reader: WeightReader;
  #reused: Float32Array<ArrayBuffer> | undefined;

  constructor(checkpoint: Checkpoint, rank: number, ranks: number) {
    this.rank = rank;
    this.#ranks = ranks;
    this.#checkpoint = checkpoint;
    this.#reader = new WeightReader(checkpoint);
    const first = [...checkpoint.tensors.values()][0];
    this.folder =
      first === undefined
        ? checkpoint.folder
        : dirname(realpathSync(join(checkpoint.folder, first.file)));
  }

  /** Of the rank's part of a matrix `[rows, width]`. */
  size(weight: Weight): { readonly rows: number; readonly width: number } {
    const [rows = 0, width = 1] = shardShape(weight, this.rank, this.#ranks);
    return { rows, width };
  }

  /**
   * The rank's part of a matrix and of its bias as parts of `rows` rows at most, for matrices
   * that are better not held whole.
   */
  cut({ weight, bias, partial }: Part, rows: number): readonly Part[] {
    const range = shardWeight(weight, this.rank, this.#ranks);
    const first = range?.axis === 0 ? range.begin : 0;
    const count = this.size(weight).rows;
    const piece = (whole: Weight, begin: number, end: number): Weight => {
      const base = whole.within ?? { name: whole.name, shape: whole.shape, row: 0 };
      return {
        ...whole,
        name: `${whole.name}.${begin}`,
        shape: [end - begin, ...whole.shape.slice(1)],
        shard: whole.shard === "row" ? "row" : "replicated",
        within: { ...base, row: base.row + (first + begin) * (base.step ?? 1) },
      };
    };
    return Array.from({ length: Math.ceil(count / rows) }, (_, index) => {
      const [begin, end] = [index * rows, Math.min((index + 1) * rows, count)];
      return {
        weight: piece(weight, begin, end),
        ...(bias && { bias: piece(bias, begin, end) }),
        ...(partial && { partial }),
      };
    });
  }

  /** The rank's part as F32, row-major. */
  read(weight: Weight): Float32Array<ArrayBuffer> {
    return this.stack([{ weight }]);
  }

  /** The rank's parts of several matrices, one below the other. */
  stack(parts: readonly Part[]): Float32Array<ArrayBuffer> {
    const ends: number[] = [];
    for (const { weight } of parts) {
      const { rows, width } = this.size(weight);
      ends.push((ends.at(-1) ?? 0) + rows * width);
    }
    const whole = this.#room(ends.at(-1) ?? 0);
    parts.forEach(({ weight }, part) => {
      const target = whole.subarray(ends[part - 1] ?? 0, ends[part]);
      this.#reader.read(weight, shardWeight(weight, this.rank, this.#ranks), target);
    });
    return whole;
  }

  /**
   * What `work` reads of large matrices is in one array, which its next read overwrites: the
   * collector would be late for one each.
   */
  overwriting<T>(work: () => T): T {
    this.#reused = new Float32Array(0);
    try {
      return work();
    } finally {
      this.#reused = undefined;
    }
  }

  #room(count: number): Float32Array<ArrayBuffer> {
    if (this.#reused === undefined || count < LARGE) return new Float32Array(count);
    if (this.#reused.length < count) this.#reused = new Float32Array(count);
    return this.#reused.subarray(0, count);
  }

  /** Were the parts published in one way, so that they can be one product as they are? */
  alike(parts: readonly Part[]): boolean {
    const ways = parts.map(({ weight }) => {
      const { packing } = findTensor(this.#checkpoint, weight.within?.name ?? weight.name);
      if (packing === undefined) return "";
      return packing.kind === "ggml" ? packing.type : packing.kind;
    });
    return new Set(ways).size <= 1;
  }

  /** The same as they were published, where that is integers; undefined: they are not. */
  stored(parts: readonly Part[]): StoredBlocks | Int8Weight | undefined {
    const pieces: { rows: IntegerRows; columns?: Range }[] = [];
    for (const { weight } of parts) {
      const range = shardWeight(weight, this.rank, this.#ranks);
      const down = range?.axis === 0 ? range : { begin: 0, end: weight.shape[0] ?? 0 };
      const rows = this.#reader.integers(weight, down);
      if (rows === undefined) return undefined;
      pieces.push({ rows, ...(range && range.axis > 0 && { columns: range }) });
    }
    return storedInt8(pieces) ?? storedBlocks(pieces);
  }

  /** Their biases side by side, 0 where there is none; undefined: none has one. */
  bias(parts: readonly Part[]): Float32Array<ArrayBuffer> | undefined {
    // The bias of a partial sum is one rank's to add.
    const added = parts.map(({ bias, partial }) => (partial && this.rank > 0 ? undefined : bias));
    if (added.every((bias) => bias === undefined)) return undefined;
    return concatenate(
      parts.map(({ weight }, part) => {
        const bias = added[part];
        return bias ? this.read(bias) : new Float32Array(this.size(weight).rows);
      }),
    );
  }

  /** Row `index` of a table into `target`, as F32. */
  readRow(weight: Weight, index: number, target: Float32Array): void {
    this.#reader.read(weight, { axis: 0, begin: index, end: index + 1 }, target);
  }

  /**
   * Where the rank's part lies in its file, when it is F32 and in one piece;
   * undefined when it must be read.
   */
  range(weight: Weight): FileRange | undefined {
    const { within } = weight;
    if (within?.transposed || (within?.step ?? 1) !== 1) return undefined;
    const stored = findTensor(this.#checkpoint, within?.name ?? weight.name);
    const shard = shardWeight(weight, this.rank, this.#ranks);
    const path = realpathSync(join(this.#checkpoint.folder, stored.file));
    if (stored.dtype !== "F32" || stored.begin % 4 !== 0 || dirname(path) !== this.folder) {
      return undefined;
    }
    if (stored.interleaved !== undefined || stored.plus !== undefined) return undefined;
    if (shard !== undefined && shard.axis !== 0) return undefined;
    const file = path.slice(this.folder.length + 1);
    const [rows = 1, width = 1] = weight.shape;
    const first = (within?.row ?? 0) + (shard?.begin ?? 0);
    const begin = stored.begin + first * width * 4;
    return {
      file,
      begin,
      end: begin + (shard === undefined ? rows : shard.end - shard.begin) * width * 4,
    };
  }

  close(): void {
    this.#reader.close();
  }
}

function concatenate(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
