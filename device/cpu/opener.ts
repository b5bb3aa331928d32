/**
 * Opens a rank's segments as sessions, one after the other. Weights that lie in the checkpoint
 * as the runtime wants them are mapped from there; the others are converted once into the
 * store (converted/) and mapped from it, this time and at every start that follows.
 */
import { Scratch } from "./converted/scratch.ts";
import { type Opened, openEntry, openWeights, type StoreOptions } from "./converted/store.ts";
import type { BuiltGraph } from "./graph/builder.ts";
import { type Format, lowerSegment, type Quantization } from "./graph/lower.ts";
import type { BlockBits } from "./graph/quantise.ts";
import { Rounding } from "./graph/rounding.ts";
import type { ShardReader } from "./graph/shard-reader.ts";
import { isSmallSegment } from "./graph/small-segment.ts";
import type { Segment } from "./graph/steps.ts";
import { type BlockProduct, isUnpacked } from "./graph/unpacked.ts";
import { IntegerSegment } from "./kernel/segment.ts";
import { type Runner, Session, type SessionOptions } from "./session.ts";
import { type Crossing, TwoWays } from "./two-ways.ts";
import { Unpacked, Unpacker } from "./unpacking.ts";

/** Makes a session here, or on another thread. */
export type Make<Made> = (graph: BuiltGraph, options: SessionOptions) => Made;

const onThisThread: Make<Runner> = (graph, options) => new Session(graph, options);

/** What a segment was opened as: one session, or two that share the steps by their rows. */
export interface Ways<Made> {
  readonly few: Made;
  readonly many?: { readonly made: Made; readonly crossing: Crossing };
}

/** What a rank's weights cost to load; plain data. */
export interface Loaded {
  /** `as-stored`: nothing had to be converted. */
  readonly how: "as-stored" | "kept-before" | "kept-now" | "in-memory";
  /** Why they are in memory. */
  readonly why?: string;
  /** Share of the weights' size that rounding moved them by; absent: nothing was rounded. */
  readonly rounded?: number;
  /** Of weights held twice: int8 computes steps of so many rows and more. */
  readonly crossing?: number;
  /** int4 weights are unpacked to int8 for prompts: bytes of the place for that. */
  readonly unpacks?: number;
}

export interface OpenerOptions {
  readonly quantization: Quantization;
  readonly blockBits?: BlockBits | undefined;
  /** Weights are held a second time in int8, for steps of as many rows as this says. */
  readonly second?: Crossing | undefined;
  /** Small segments are computed on one thread in steps of fewer rows than this says. */
  readonly alone?: Crossing | undefined;
  /** The same products whatever a step's rows. */
  readonly batchInvariant?: boolean;
  /** Absent: weights are converted in memory. */
  readonly store?: StoreOptions | undefined;
  /** About what all converted weights take, in bytes. */
  readonly bytes: number;
  /** What converted weights are known by. */
  readonly from: Parameters<typeof openEntry>[1];
}

export interface OpenHow {
  readonly threads: number;
  /** Not for one thread and for all, however small it is. */
  readonly once: boolean;
  /** In the first format alone. */
  readonly single?: boolean;
}

/** Of one session. */
interface How {
  readonly threads: number;
  readonly format: Format;
}

/** A smaller model's weights are handed over from memory. */
const SCRATCH_BYTES = 2 ** 26;

export class Opener {
  readonly #weights: ShardReader;
  readonly #format: Format;
  readonly #blockBits: BlockBits | undefined;
  readonly #small: boolean;
  readonly #second: Crossing | undefined;
  readonly #alone: Crossing | undefined;
  readonly #invariant: boolean;
  readonly #entry: Opened;
  /** Is there one copy of int4 weights? It is kept so that it can be unpacked. */
  readonly #single: boolean;
  #unpacker: Unpacker | undefined;
  /** Of the graph that was opened last. */
  #products: readonly BlockProduct[] = [];
  readonly #rounding = new Rounding();
  /** For what is not kept; undefined: converted weights are handed over from memory. */
  #scratch: Scratch | undefined;
  #converted = false;
  #opened = 0;

  constructor(weights: ShardReader, options: OpenerOptions) {
    const { quantization, blockBits, second, batchInvariant = false, store, bytes, from } = options;
    this.#alone = options.alone;
    this.#blockBits = blockBits;
    this.#weights = weights;
    this.#second = second;
    this.#invariant = batchInvariant;
    this.#small = quantization === "w8a16";
    this.#format = quantization === "w8a16" ? "none" : quantization;
    this.#entry =
      store === undefined || this.#small
        ? { kind: "none", why: "--no-cache" }
        : openEntry(store, from, bytes);
    this.#single = quantization === "int4" && second === undefined;
    if (bytes >= SCRATCH_BYTES && this.#entry.kind === "none") this.#scratch = Scratch.open();
  }

  /** `once`: not for one thread and for all, however small it is. */
  open(segment: Segment, threads: number, once = false): Runner {
    if (this.#small) {
      const session = this.#inMemory(segment, { threads, format: this.#format }, onThisThread);
      return new IntegerSegment(segment, this.#weights, session, this.#invariant);
    }
    const { few, many } = this.openAs(segment, { threads, once }, onThisThread);
    if (many !== undefined) return new TwoWays(few, many.made, many.crossing);
    return once ? few : this.#unpacked(segment, threads, few);
  }

  /** What prompts unpack; to be closed after the last run. */
  get unpacker(): Unpacker | undefined {
    return this.#unpacker;
  }

  /** As `open`, but for what makes small models' own functions. */
  openAs<Made>(
    segment: Segment,
    { threads, once, single = false }: OpenHow,
    make: Make<Made>,
  ): Ways<Made> {
    const twice = threads > 1 && !once && isSmallSegment(segment, this.#weights);
    const alone = twice ? this.#alone : undefined;
    const crossing = single ? undefined : (alone ?? this.#second);
    const few = this.#open(segment, { threads: alone ? 1 : threads, format: this.#format }, make);
    if (crossing === undefined) return { few };
    const format = this.#second ? "int8" : this.#format;
    return { few, many: { made: this.#open(segment, { threads, format }, make), crossing } };
  }

  /** With the same weights unpacked for prompts, where they lie in a file. */
  #unpacked(segment: Segment, threads: number, few: Runner): Runner {
    const entry = this.#entry;
    const products = this.#products;
    if (products.length === 0 || entry.kind === "none" || this.#invariant) return few;
    try {
      this.#unpacker ??= new Unpacker(openWeights(entry));
    } catch {
      return few; // somebody has made room meanwhile: what is mapped stays
    }
    const graph = lowerSegment(segment, this.#weights, "int8", { fed: true });
    const many = new Session(graph, { threads, folder: this.#weights.folder });
    return new Unpacked(few, many, this.#unpacker, products);
  }

  #open<Made>(segment: Segment, how: How, make: Make<Made>): Made {
    const index = this.#opened++;
    const entry = this.#entry;
    const { threads } = how;
    this.#products = [];
    if (entry.kind === "kept") {
      const model = entry.graph(index);
      if (model === undefined) return this.#inMemory(segment, how, make);
      try {
        const made = make({ model, externalData: [] }, { threads, folder: entry.folder });
        this.#products = entry.products(index);
        return made;
      } catch {
        // Somebody has made room meanwhile: the checkpoint is there.
        return this.#inMemory(segment, how, make);
      }
    }
    return entry.kind === "writing"
      ? this.#kept(entry, segment, how, make)
      : this.#inMemory(segment, how, make);
  }

  /** When all are open. */
  finish(): Loaded {
    this.#scratch?.close();
    const entry = this.#entry;
    const unpacks = this.#unpacker && { unpacks: this.#unpacker.bytes };
    if (entry.kind === "kept") {
      const rounded = entry.note === "" ? undefined : Number(entry.note);
      return { how: "kept-before", ...(rounded !== undefined && { rounded }), ...unpacks };
    }
    const rounded = this.#rounding.share;
    const told = { ...(rounded !== undefined && { rounded }), ...unpacks };
    const why = entry.kind === "writing" ? entry.finish(String(rounded ?? "")) : entry.why;
    if (!this.#converted) return { how: "as-stored" };
    return why === undefined ? { how: "kept-now", ...told } : { how: "in-memory", why, ...told };
  }

  /** Nothing of what was begun stays. */
  abandon(): void {
    this.#scratch?.close();
    this.#unpacker?.close();
    if (this.#entry.kind === "writing") this.#entry.abandon();
  }

  #kept<Made>(
    entry: Extract<Opened, { readonly kind: "writing" }>,
    segment: Segment,
    how: How,
    make: Make<Made>,
  ): Made {
    const { threads, format } = how;
    const products: BlockProduct[] = [];
    let fits = true;
    const unpacks = this.#single && isUnpacked(segment, this.#weights);
    const { mapped, ...graph } = lowerSegment(segment, this.#weights, format, {
      blockBits: this.#blockBits,
      keep: (data) => {
        const range = entry.keep(data);
        fits &&= range !== undefined;
        return range;
      },
      rounding: this.#roundingOf(format),
      ...(unpacks && { onBlocks: (product) => products.push(product) }),
    });
    if (!mapped) this.#converted = true;
    if (!fits) {
      // The disk is full: what cannot lie in the file is held, and a graph has one kind.
      entry.add(undefined);
      return this.#inMemory(segment, how, make);
    }
    entry.add(mapped ? undefined : graph.model, products);
    this.#products = products;
    const folder = mapped ? this.#weights.folder : entry.folder;
    return make(graph, { threads, folder });
  }

  #inMemory<Made>(segment: Segment, how: How, make: Make<Made>): Made {
    const { threads, format } = how;
    const scratch = this.#scratch;
    const { mapped, ...graph } = lowerSegment(segment, this.#weights, format, {
      blockBits: this.#blockBits,
      ...(scratch && { keep: (data) => scratch.keep(data) }),
      rounding: this.#roundingOf(format),
    });
    if (!mapped) this.#converted = true;
    if (scratch?.failed) {
      // No room there either: a graph has one kind of weights, so these are converted again.
      scratch.close();
      this.#scratch = undefined;
      return this.#inMemory(segment, how, make);
    }
    const folder = mapped ? this.#weights.folder : (scratch?.folder ?? this.#weights.folder);
    const made = make(graph, { threads, folder });
    scratch?.clear();
    return made;
  }

  /** What the first copy moved the weights by is told; the second is nearer to them. */
  #roundingOf(format: Format): Rounding | undefined {
    return format === this.#format ? this.#rounding : undefined;
  }
}
