/**
 * Converted models in the user's cache folder: each a folder that is whole or not there. One
 * writer an entry; those that were used longest ago make room.
 *
 *     KEY/            index.json (sources, where each graph lies), graphs.bin, weights.bin
 *     KEY.writing/    an entry in the making, with the process that makes it in `writer`
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ownerLives, ownerText } from "../../../models/weights/owner.ts";
import type { FileRange } from "../graph/builder.ts";
import type { BlockProduct } from "../graph/unpacked.ts";
import { type ConvertedFrom, keyOf, type Sources, sourcesOf } from "./entry-key.ts";
import { ALIGNED, SHARE_OF_FREE, writeWhole } from "./files.ts";

const INDEX = "index.json";
const GRAPHS = "graphs.bin";
const WEIGHTS = "weights.bin";
const WRITER = "writer";
const WRITING = ".writing";

export interface StoreOptions {
  readonly folder: string;
  /** Bytes of all entries together. */
  readonly mostBytes: number;
  /** Smaller models are converted in an instant, and not kept; absent: 0. */
  readonly leastBytes?: number;
}

interface Index {
  readonly sources: Sources;
  /** Sizes of graphs.bin and weights.bin: a system that went down may have kept less of them. */
  readonly bytes: readonly [graphs: number, weights: number];
  /** Bytes `[begin, end)` of graphs.bin, in the order of the segments; null: it needs no conversion. */
  readonly graphs: readonly (readonly [begin: number, end: number] | null)[];
  /** Of each graph the int4 products whose weights lie in weights.bin, where they can be unpacked. */
  readonly products: readonly (readonly BlockProduct[])[];
  /** Whatever the writer wants to say again. */
  readonly note: string;
}

/** An entry to read. */
export interface Kept {
  readonly kind: "kept";
  readonly folder: string;
  readonly note: string;
  /** Of the segment that is opened as the `index`-th; undefined: it is to be lowered. */
  graph(index: number): Uint8Array | undefined;
  /** Of that graph; none: it has no weights to unpack. */
  products(index: number): readonly BlockProduct[];
}

export type Opened = Kept | Writer | { readonly kind: "none"; readonly why: string };

/** A descriptor of an entry's weights; it outlives the entry. */
export const openWeights = ({ folder }: Kept | Writer): number =>
  openSync(join(folder, WEIGHTS), "r");

/** The entry of a model, or one to write, of about `bytes`. */
export function openEntry(options: StoreOptions, from: ConvertedFrom, bytes: number): Opened {
  try {
    const path = join(options.folder, keyOf(from));
    const sources = sourcesOf(from.checkpoint);
    const kept = readEntry(path, sources);
    if (kept !== undefined) return kept;
    if (bytes < (options.leastBytes ?? 0)) return { kind: "none", why: "a small model" };
    if (bytes > options.mostBytes) return { kind: "none", why: "larger than the cache" };
    mkdirSync(options.folder, { recursive: true });
    const { bavail, bsize } = statfsSync(options.folder);
    if (bytes > bavail * bsize * SHARE_OF_FREE)
      return { kind: "none", why: "the disk is too full" };
    if (!claim(`${path}${WRITING}`)) return { kind: "none", why: "another process writes it" };
    return new Writer(options, path, sources);
  } catch (error) {
    // Nothing here may keep a model from being served: it is converted in memory instead.
    return { kind: "none", why: (error as Error).message };
  }
}

function readEntry(path: string, sources: Sources): Kept | undefined {
  const index = readIndex(path);
  if (JSON.stringify(index?.sources) !== JSON.stringify(sources)) return undefined;
  const bytes = [GRAPHS, WEIGHTS].map((file) => sizeOf(join(path, file)));
  if (index === undefined || JSON.stringify(index.bytes) !== JSON.stringify(bytes))
    return undefined;
  const graphs = readFileSync(join(path, GRAPHS));
  utimesSync(join(path, INDEX), new Date(), new Date()); // used last: see makeRoom
  return {
    kind: "kept",
    folder: path,
    note: index.note,
    graph: (segment) => {
      const range = index.graphs[segment];
      return range ? Uint8Array.from(graphs.subarray(...range)) : undefined;
    },
    products: (segment) => index.products[segment] ?? [],
  };
}

/** Undefined: there is none, or none that can be read. */
function readIndex(path: string): Index | undefined {
  try {
    return JSON.parse(readFileSync(join(path, INDEX), "utf8")) as Index; // our own file
  } catch {
    return undefined;
  }
}

/** Makes the folder of an entry in the making, unless a process that lives has it. */
function claim(path: string): boolean {
  for (let tries = 0; tries < 2; tries++) {
    try {
      mkdirSync(path);
      writeFileSync(join(path, WRITER), ownerText());
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (isAlive(path)) return false;
      rmSync(path, { recursive: true, force: true });
    }
  }
  return false;
}

const isAlive = (path: string): boolean => ownerLives(join(path, WRITER), path);

/** Writes an entry while the model is loaded from it. */
export class Writer {
  readonly kind = "writing";
  /** Where `keep` puts weights, until `finish`. */
  readonly folder: string;
  readonly #options: StoreOptions;
  readonly #path: string;
  readonly #sources: Sources;
  readonly #weights: number;
  readonly #graphs: number;
  readonly #index: ([number, number] | null)[] = [];
  readonly #products: (readonly BlockProduct[])[] = [];
  #kept = 0;
  #graphBytes = 0;
  #failed: string | undefined;

  constructor(options: StoreOptions, path: string, sources: Sources) {
    this.#options = options;
    this.#path = path;
    this.#sources = sources;
    this.folder = `${path}${WRITING}`;
    this.#weights = openSync(join(this.folder, WEIGHTS), "w");
    this.#graphs = openSync(join(this.folder, GRAPHS), "w");
  }

  /** Bytes of the weights so far. */
  get bytes(): number {
    return this.#kept;
  }

  /** Where the bytes lie now; undefined: they could not be written. */
  keep(data: Uint8Array): FileRange | undefined {
    if (this.#failed !== undefined) return undefined;
    const begin = Math.ceil(this.#kept / ALIGNED) * ALIGNED;
    if (!this.#write(this.#weights, data, begin)) return undefined;
    this.#kept = begin + data.byteLength;
    return { file: WEIGHTS, begin, end: this.#kept };
  }

  /** The graph of the next segment; undefined: it needs nothing of this entry. */
  add(graph: Uint8Array | undefined, products: readonly BlockProduct[] = []): void {
    this.#products.push(products);
    if (graph === undefined || !this.#write(this.#graphs, graph, this.#graphBytes)) {
      this.#index.push(null);
      return;
    }
    const begin = this.#graphBytes;
    this.#graphBytes += graph.byteLength;
    this.#index.push([begin, this.#graphBytes]);
  }

  /** Puts the entry where the next start finds it; why not, where it cannot. */
  finish(note: string): string | undefined {
    closeSync(this.#weights);
    closeSync(this.#graphs);
    try {
      return this.#place(note);
    } catch (error) {
      // The disk is full, or somebody removes the folder: the model is loaded all the same.
      rmSync(this.folder, { recursive: true, force: true });
      return (error as Error).message;
    }
  }

  #place(note: string): string | undefined {
    if (this.#failed !== undefined || this.#index.every((graph) => graph === null)) {
      rmSync(this.folder, { recursive: true, force: true });
      return this.#failed ?? "nothing was converted";
    }
    const index: Index = {
      sources: this.#sources,
      bytes: [this.#graphBytes, this.#kept],
      graphs: this.#index,
      products: this.#products,
      note,
    };
    writeFileSync(join(this.folder, INDEX), JSON.stringify(index));
    rmSync(join(this.folder, WRITER));
    rmSync(this.#path, { recursive: true, force: true });
    renameSync(this.folder, this.#path);
    makeRoom(this.#options, this.#path);
    return undefined;
  }

  /** Leaves nothing of it. */
  abandon(): void {
    closeSync(this.#weights);
    closeSync(this.#graphs);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #write(file: number, data: Uint8Array, begin: number): boolean {
    try {
      writeWhole(file, data, begin);
      return true;
    } catch (error) {
      this.#failed = (error as Error).message;
      return false;
    }
  }
}

/** Removes what was used longest ago, and what writers that ended left, down to the bound; never `but`. */
function makeRoom({ folder, mostBytes }: StoreOptions, but: string): void {
  const entries: { path: string; bytes: number; used: number }[] = [];
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.endsWith(WRITING)) {
      if (!isAlive(path)) rmSync(path, { recursive: true, force: true });
      continue;
    }
    const index = join(path, INDEX);
    if (!existsSync(index)) continue; // not ours
    const bytes = [INDEX, GRAPHS, WEIGHTS].reduce((sum, file) => sum + sizeOf(join(path, file)), 0);
    entries.push({ path, bytes, used: statSync(index).mtimeMs });
  }
  let all = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { path, bytes } of entries.sort((a, b) => a.used - b.used)) {
    if (all <= mostBytes) return;
    if (path === but) continue;
    rmSync(path, { recursive: true, force: true }); // who has it mapped keeps it until it ends
    all -= bytes;
  }
}

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);
