/**
 * A rank's adapters: each place of the shelf is a memory of its own with the rank's parts of
 * one adapter's matrices, as kernel/low-rank.ts reads them, behind room for some rows. A place
 * is as large as the largest adapter may be; what is not written takes no memory.
 */
import type { AdapterModule, AdapterWeights } from "../../models/adapters.ts";
import { adaptedProducts } from "../../models/adapters.ts";
import type { Architecture } from "../../models/architecture.ts";
import { WeightReader } from "../../models/weights/read.ts";
import { shardShape, shardWeight } from "../../models/weights/shard.ts";
import { createMemory, link, type Memory } from "../wasm.ts";
import type { AdaptStep } from "./graph/steps.ts";
import type { LowRank, LowRankShape } from "./kernel/low-rank.ts";
import { lowRankModule, packDown, packUp, padded } from "./kernel/low-rank.ts";
import type { StepRow } from "./wire.ts";

/** Rows given to the kernel at once. */
const ROWS = 64;
const PAGE_BYTES = 65_536;
const MOST_PAGES = 65_536;

interface Share {
  readonly rank: number;
  readonly ranks: number;
}

/** A product's matrices in a place, at byte offsets. */
interface Placed {
  readonly shape: LowRankShape;
  readonly a: number;
  readonly b: number;
}

/** Byte offsets of the rows' room at the beginning of a place. */
interface Room {
  readonly x: number;
  readonly h: number;
  readonly y: number;
  readonly end: number;
}

interface Place {
  readonly memory: Memory;
  readonly values: Float32Array;
  readonly add: LowRank;
  modules: ReadonlyMap<string, Placed>;
}

/** Bytes of one rank's matrices, those of rank `rank` where a module has no own. */
export function adapterBytes(
  modules: readonly Pick<AdapterModule, "a" | "b">[],
  share: Share,
): number {
  return modules.reduce((sum, module) => {
    const { ranks, inputs, outputs } = padded(shapeOf(module, share));
    return sum + 4 * ranks * (inputs + outputs);
  }, 0);
}

export class RankAdapters {
  readonly #share: Share;
  readonly #room: Room;
  readonly #pages: number;
  readonly #code: Uint8Array<ArrayBuffer>;
  readonly #places: (Place | undefined)[] = [];

  /** Throws when an adapter of `maxRank` needs more than 4 GiB on a rank. */
  constructor(architecture: Architecture, maxRank: number, share: Share) {
    this.#share = share;
    const modules = [...adaptedProducts(architecture).values()].map(({ weight }) => ({
      a: { ...weight, shape: [maxRank, weight.shape[1] ?? 0], shard: lengthwise(weight.shard) },
      b: { ...weight, shape: [weight.shape[0] ?? 0, maxRank], shard: across(weight.shard) },
    }));
    this.#room = roomFor(modules.map((module) => padded(shapeOf(module, share))));
    const bytes = this.#room.end + adapterBytes(modules, share);
    this.#pages = Math.ceil(bytes / PAGE_BYTES);
    if (this.#pages > MOST_PAGES) {
      throw new Error(
        `cpu: an adapter of rank ${maxRank} takes ${(bytes / 2 ** 30).toFixed(1)} GiB a rank, and 4 at most can be had: lower --max-lora-rank.`,
      );
    }
    this.#code = lowRankModule(this.#pages);
  }

  /** Reads the rank's parts of an adapter into a place, over what was there. */
  load(at: number, { checkpoint, modules }: AdapterWeights): void {
    const place = this.#places[at] ?? this.#open();
    this.#places[at] = place;
    place.modules = new Map();
    const reader = new WeightReader(checkpoint);
    try {
      const placed = new Map<string, Placed>();
      let begin = this.#room.end;
      for (const module of modules) {
        const shape = shapeOf(module, this.#share);
        const { ranks, inputs, outputs } = padded(shape);
        const a = begin;
        const b = a + 4 * ranks * inputs;
        begin = b + 4 * ranks * outputs;
        place.values.fill(0, a / 4, begin / 4);
        packDown(this.#read(reader, module.a), shape, place.values.subarray(a / 4, b / 4));
        const up = this.#read(reader, module.b);
        packUp(up, module.scale, shape, place.values.subarray(b / 4, begin / 4));
        placed.set(module.path, { shape, a, b });
      }
      place.modules = placed;
    } finally {
      reader.close();
    }
  }

  /** Adds to the products of `step` what the rows' adapters add; neighbours of one adapter together. */
  apply(step: AdaptStep, input: Float32Array, out: Float32Array, rows: readonly StepRow[]): void {
    for (let first = 0; first < rows.length; ) {
      const { adapter, offset = 0 } = rows[first] ?? {};
      let next = first + 1;
      while (next < rows.length && rows[next]?.adapter === adapter) next++;
      const last = rows[next - 1];
      const end = (last?.offset ?? 0) + (last?.count ?? 0);
      first = next;
      if (adapter === undefined) continue;
      const place = this.#places[adapter];
      if (place === undefined) throw new Error(`cpu: no adapter was loaded into place ${adapter}.`);
      for (const part of step.parts) {
        const placed = place.modules.get(part.path);
        if (placed === undefined) continue;
        for (let at = offset; at < end; at += ROWS) {
          const range = { begin: at, end: Math.min(at + ROWS, end) };
          const from = { values: input, stride: step.in.width, at: 0 };
          this.#add(place, placed, {
            range,
            from,
            to: { values: out, stride: step.out.width, at: part.at },
          });
        }
      }
    }
  }

  #add(place: Place, { shape, a, b }: Placed, run: Run): void {
    const { ranks, inputs, outputs } = padded(shape);
    const { values, add } = place;
    const { x, h, y } = this.#room;
    const { range, from, to } = run;
    const rows = range.end - range.begin;
    for (let row = 0; row < rows; row++) {
      const token = range.begin + row;
      const source = token * from.stride;
      const target = token * to.stride + to.at;
      const at = x / 4 + row * inputs;
      values.set(from.values.subarray(source, source + shape.inputs), at);
      // What was there before may be no number.
      if (inputs > shape.inputs) values.fill(0, at + shape.inputs, at + inputs);
      values.set(to.values.subarray(target, target + shape.outputs), y / 4 + row * outputs);
    }
    add(rows, x, 4 * inputs, a, h, 4 * ranks, b, y, 4 * outputs);
    for (let row = 0; row < rows; row++) {
      const at = y / 4 + row * outputs;
      const target = (range.begin + row) * to.stride + to.at;
      to.values.set(values.subarray(at, at + shape.outputs), target);
    }
  }

  #open(): Place {
    const memory = createMemory(this.#pages);
    const values = new Float32Array(memory.buffer);
    // The module's one function is what low-rank.ts says.
    const add = link("add", this.#code, memory) as LowRank;
    return { memory, values, add, modules: new Map() };
  }

  #read(reader: WeightReader, weight: AdapterModule["a"]): Float32Array {
    return reader.read(weight, shardWeight(weight, this.#share.rank, this.#share.ranks));
  }
}

/** Columns of a row's values in a matrix of rows. */
interface Side {
  readonly values: Float32Array;
  readonly stride: number;
  readonly at: number;
}

interface Run {
  readonly range: { readonly begin: number; readonly end: number };
  readonly from: Side;
  readonly to: Side;
}

const lengthwise = (shard: AdapterModule["a"]["shard"]): AdapterModule["a"]["shard"] =>
  shard === "row" ? "row" : "replicated";
const across = (shard: AdapterModule["b"]["shard"]): AdapterModule["b"]["shard"] =>
  shard === "row" ? "replicated" : shard;

function shapeOf({ a, b }: Pick<AdapterModule, "a" | "b">, { rank, ranks }: Share): LowRankShape {
  const [inner = 0, inputs = 0] = shardShape(a, rank, ranks);
  const [outputs = 0] = shardShape(b, rank, ranks);
  return { ranks: inner, inputs, outputs };
}

function roomFor(shapes: readonly LowRankShape[]): Room {
  const most = (of: (shape: LowRankShape) => number): number =>
    4 * ROWS * Math.max(0, ...shapes.map(of));
  const h = most(({ inputs }) => inputs);
  const y = h + most(({ ranks }) => ranks);
  return { x: 0, h, y, end: y + most(({ outputs }) => outputs) };
}
