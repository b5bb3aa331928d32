/**
 * A segment as one WebAssembly function, row by row on the thread that calls: what the
 * runtime does in nine nodes of 2 to 5 µs each, for models so small that those are most
 * of a step of one row (a draft model). Steps of more rows go to the runtime, whose
 * products read the weights once for all of them.
 */

import { type Code, createMemory, FunctionBuilder, link, sequence } from "../../wasm.ts";
import { quantisePairs } from "../graph/quantise.ts";
import type { ShardReader } from "../graph/shard-reader.ts";
import type { Products, Segment, SegmentOp } from "../graph/steps.ts";
import type { Runner, Tensors } from "../session.ts";
import { type Area, type Integers, OUTPUTS_TOGETHER, RowOps } from "./row-ops.ts";

const PAGE_BYTES = 65_536;
const ALIGNED = 64;

/** The bundled draft takes 0.13 ms a row here; in the runtime 0.26 for one, 0.37 for four. */
const MOST_ROWS = 2;

export class IntegerSegment implements Runner {
  readonly #segment: Segment;
  readonly #weights: ShardReader;
  /** For steps of many rows. */
  readonly #many: Runner;
  readonly #most: number;
  readonly #values = new Map<string, Area>();
  readonly #constants: { readonly at: number; readonly data: Float32Array | Int8Array }[] = [];
  readonly #views: ReadonlyMap<string, Float32Array>;
  readonly #row: () => void;
  #end = 0;
  /** Value whose integers were made last: products often share an input. */
  #held: string | undefined;

  /** `allRows`: steps of many rows are computed here too. Throws for widths that are no multiple of 4, and for activations that this device lacks. */
  constructor(segment: Segment, weights: ShardReader, many: Runner, allRows: boolean) {
    this.#segment = segment;
    this.#most = allRows ? Number.POSITIVE_INFINITY : MOST_ROWS;
    this.#weights = weights;
    this.#many = many;
    for (const { name, width } of segment.inputs) this.#place(name, width);
    const build = new FunctionBuilder();
    const ops = new RowOps(build);
    const widest = Math.max(0, ...segment.ops.map((op) => this.#inputWidth(op)));
    const integers = { at: this.#room(2 * widest), scaleAt: this.#room(4) };
    const body = sequence(...segment.ops.map((op) => this.#lower(op, ops, integers)));
    const pages = Math.ceil(this.#end / PAGE_BYTES);
    const memory = createMemory(pages);
    for (const { at, data } of this.#constants) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      new Uint8Array(memory.buffer, at, data.byteLength).set(bytes);
    }
    this.#constants.length = 0; // they lie in the memory now
    this.#views = new Map(
      [...segment.inputs, ...segment.outputs].map(({ name, width }) => {
        return [name, new Float32Array(memory.buffer, this.#value(name).at, width)];
      }),
    );
    // The module's one function takes and returns nothing.
    this.#row = link("row", build.module("row", body, pages), memory) as () => void;
  }

  run(feeds: Tensors, fetches: Tensors): void {
    const { inputs, outputs } = this.#segment;
    const [first] = inputs;
    const rows = first === undefined ? 0 : (feeds[first.name]?.dims[0] ?? 0);
    if (rows > this.#most) {
      this.#many.run(feeds, fetches);
      return;
    }
    for (let row = 0; row < rows; row++) {
      for (const { name, width } of inputs) {
        const data = feeds[name]?.data as Float32Array; // all flows are F32
        this.#views.get(name)?.set(data.subarray(row * width, (row + 1) * width));
      }
      this.#row();
      for (const { name, width } of outputs) {
        const view = this.#views.get(name);
        const data = fetches[name]?.data as Float32Array | undefined; // asked for, or not
        if (view !== undefined) data?.set(view, row * width);
      }
    }
  }

  close(): void {
    this.#many.close();
  }

  #room(bytes: number): number {
    const begin = this.#end;
    this.#end = Math.ceil((begin + bytes) / ALIGNED) * ALIGNED;
    return begin;
  }

  #place(name: string, width: number): Area {
    const area = { at: this.#room(4 * width), width };
    this.#values.set(name, area);
    return area;
  }

  #constant(data: Float32Array | Int8Array): number {
    const at = this.#room(data.byteLength);
    this.#constants.push({ at, data });
    return at;
  }

  #value(name: string): Area {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`cpu: value "${name}" is read before it is made.`);
    return value;
  }

  #inputWidth(op: SegmentOp): number {
    const [part] = op.op === "products" ? op.parts : [];
    return part === undefined ? 0 : this.#weights.size(part.weight).width;
  }

  #lower(op: SegmentOp, ops: RowOps, integers: Integers): Code {
    switch (op.op) {
      case "rms-norm": {
        const input = this.#value(op.in);
        const stored = op.weight
          ? this.#weights.read(op.weight)
          : new Float32Array(op.width).fill(1);
        const weight = op.lessOne ? stored.map((value) => value + 1) : stored;
        this.#inFours(op.path, weight.length);
        const area = { at: this.#constant(weight), width: weight.length };
        return ops.norm(input, area, op.eps, this.#place(op.out, input.width));
      }
      case "gated-activation": {
        const [gate, up] = [this.#value(op.gate), this.#value(op.up)];
        return ops.gate(op.activation, gate, up, this.#place(op.out, gate.width));
      }
      case "add": {
        if (op.scale !== undefined)
          throw new Error(`cpu: w8a16 has no factors; ${op.path} has one.`);
        const [a, b] = [this.#value(op.a), this.#value(op.b)];
        return ops.add(a, b, this.#place(op.out, a.width));
      }
      case "products":
        return this.#product(op, ops, integers);
      case "per-head":
      case "join":
        throw new Error(`cpu: w8a16 has no latent attention; ${op.path} has it.`);
    }
  }

  #inFours(name: string, width: number): void {
    if (width % 4 === 0) return;
    throw new Error(`cpu: w8a16 needs widths in fours; ${name} has ${width}.`);
  }

  #product({ in: from, out: to, parts, scale }: Products, ops: RowOps, integers: Integers): Code {
    const weights = this.#weights;
    const input = this.#value(from);
    const { width } = input;
    if (scale !== undefined) throw new Error(`cpu: w8a16 has no factors; ${from} has one.`);
    this.#inFours(parts[0]?.path ?? from, width);
    const rows = parts.reduce((sum, { weight }) => sum + weights.size(weight).rows, 0);
    const bias = weights.bias(parts);
    const { codes, scales } = quantisePairs(weights.stack(parts), width, OUTPUTS_TOGETHER);
    const out = this.#place(to, rows);
    const placed = { codes: this.#constant(codes), scales: this.#constant(scales) };
    const again = this.#held === from;
    this.#held = from;
    return sequence(
      again ? [] : ops.integers(input, integers),
      ops.product(integers, width, placed, out),
      bias ? ops.add(out, { at: this.#constant(bias), width: rows }, out) : [],
    );
  }
}
