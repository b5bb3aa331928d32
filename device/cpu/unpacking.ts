/**
 * A segment of int4 weights whose prompts are computed in int8: steps of many rows are bound by
 * arithmetic, and integer products do several times as many a second. Weights are read from the
 * file of converted weights and unpacked into one place that all segments share, where they stay
 * for the parts of a step; nothing is held twice.
 */
import { closeSync, readSync } from "node:fs";
import { createOwnMemory, type OwnMemory } from "../wasm.ts";
import { int8Names } from "./graph/integer-product.ts";
import { type BlockProduct, LEAST_UNPACKED } from "./graph/unpacked.ts";
import { linkUnpack, stagingBytes, type Unpack } from "./kernel/unpack.ts";
import { type Runner, Tensor, type Tensors } from "./session.ts";

const PAGE_BYTES = 65_536;
/** A code of 4 bits is worth −8 to 7 of its block's scale. */
const LARGEST_CODE = 8;
const LARGEST = 127;

/** Byte offsets of an unpacked product. */
interface Place {
  readonly product: BlockProduct;
  readonly columns: number;
  readonly values: number;
}

interface Areas {
  readonly places: readonly Place[];
  readonly codes: number;
  readonly scales: number;
  readonly staging: number;
  readonly end: number;
}

/** The place of unpacked weights, and the file they come from; it is the owner of the descriptor. */
export class Unpacker {
  readonly #file: number;
  #bytes = 0;
  #memory: OwnMemory | undefined;
  /** By their block. */
  readonly #unpack = new Map<number, Unpack>();
  /** Whose weights lie there. */
  #held: readonly BlockProduct[] | undefined;
  #feeds: Tensors = {};

  constructor(file: number) {
    this.#file = file;
  }

  /** Makes room, before the first is unpacked. */
  reserve(products: readonly BlockProduct[]): void {
    this.#bytes = Math.max(this.#bytes, layAreas(products).end);
  }

  /** Of the place. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Values and scales of the products as feeds, until another segment's are asked for. */
  feeds(products: readonly BlockProduct[]): Tensors {
    if (this.#held === products) return this.#feeds;
    const memory = this.#memory ?? createOwnMemory(Math.ceil(this.#bytes / PAGE_BYTES));
    this.#memory = memory;
    this.#held = undefined; // a read may fail
    const areas = layAreas(products);
    const entries = areas.places.flatMap((place) => this.#place(place, areas, memory));
    this.#feeds = Object.fromEntries(entries);
    this.#held = products;
    return this.#feeds;
  }

  close(): void {
    closeSync(this.#file);
  }

  #place(
    { product, columns, values }: Place,
    areas: Areas,
    memory: OwnMemory,
  ): readonly [string, Tensor][] {
    const { name, rows, width, block } = product;
    const { buffer } = memory;
    this.#read(new Uint8Array(buffer, areas.codes, (rows * width) / 2), product.codes);
    const scales = new Float32Array(buffer, areas.scales, (rows * width) / block);
    this.#read(new Uint8Array(buffer, areas.scales, scales.byteLength), product.scales);
    const factors = new Float32Array(buffer, columns, rows);
    columnScales(scales, factors);
    const unpack = this.#unpack.get(block) ?? linkUnpack(block, memory);
    this.#unpack.set(block, unpack);
    unpack(areas.codes, areas.scales, columns, values, areas.staging, rows, width);
    const names = int8Names(name);
    const integers = new Int8Array(buffer, values, rows * width);
    return [
      [names.values, new Tensor("int8", integers, [width, rows])],
      [names.scales, new Tensor("float32", factors, [rows])],
    ];
  }

  #read(target: Uint8Array, from: number): void {
    for (let done = 0; done < target.length; ) {
      const count = readSync(this.#file, target, done, target.length - done, from + done);
      if (count === 0) throw new Error("cpu: the file of converted weights has been cut short.");
      done += count;
    }
  }
}

/** A scale for each output, so that its largest code is LARGEST at most. */
function columnScales(scales: Float32Array, columns: Float32Array): void {
  const blocks = scales.length / columns.length;
  for (let column = 0; column < columns.length; column++) {
    let most = 0;
    for (let at = column * blocks; at < (column + 1) * blocks; at++) {
      const size = Math.abs(scales[at] as number);
      if (size > most) most = size;
    }
    columns[column] = (most * LARGEST_CODE) / LARGEST;
  }
}

function layAreas(products: readonly BlockProduct[]): Areas {
  let end = 0;
  const room = (bytes: number): number => {
    const begin = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return begin;
  };
  const most = (bytes: (product: BlockProduct) => number): number =>
    Math.max(0, ...products.map(bytes));
  const codes = room(most(({ rows, width }) => (rows * width) / 2));
  const scales = room(most(({ rows, width, block }) => (4 * rows * width) / block));
  const staging = room(most(({ block }) => stagingBytes(block)));
  const places = products.map((product) => ({
    product,
    columns: room(4 * product.rows),
    values: room(product.rows * product.width),
  }));
  return { places, codes, scales, staging, end };
}

export class Unpacked implements Runner {
  readonly few: Runner;
  readonly #many: Runner;
  readonly #unpacker: Unpacker;
  readonly #products: readonly BlockProduct[];

  /** `many` takes the products' weights as feeds. */
  constructor(few: Runner, many: Runner, unpacker: Unpacker, products: readonly BlockProduct[]) {
    this.few = few;
    this.#many = many;
    this.#unpacker = unpacker;
    this.#products = products;
    unpacker.reserve(products);
  }

  run(feeds: Tensors, fetches: Tensors): void {
    const [first] = Object.values(feeds);
    const rows = first?.dims[0] ?? 0;
    if (rows < LEAST_UNPACKED) this.few.run(feeds, fetches);
    else this.#many.run({ ...feeds, ...this.#unpacker.feeds(this.#products) }, fetches);
  }

  close(): void {
    this.few.close();
    this.#many.close();
  }
}
