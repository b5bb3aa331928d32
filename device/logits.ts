/**
 * What is asked of a row of logits, four at a time: the likeliest id, and a draw at a temperature.
 * WebAssembly says of each stretch of a row how high it reaches, or what its ids weigh together;
 * the id is looked for in one stretch alone.
 *
 *     [ a number for each stretch of a row | rows of logits ]
 */
import { argmax } from "./argmax.ts";
import type { TokenId } from "./device.ts";
import { expMinus } from "./exp-minus.ts";
import { largestModule, type OfStretches, weighModule } from "./logit-stretches.ts";
import { createOwnMemory, link } from "./wasm.ts";

const PAGE_BYTES = 65_536;

/**
 * Logits of a stretch, of long rows and of others: what is left of a row, and the stretch that is
 * looked into, go one by one, and are most of what a row of a few hundred costs.
 */
const LONG_STRETCH = 512;
const SHORT_STRETCH = 64;
const LONG_ROW = 8_192;

interface Asking {
  readonly largest: OfStretches;
  readonly weigh: OfStretches;
}

export class LogitRows {
  #answers = new Float32Array(0);
  #rows = new Float32Array(0);
  /** What was last given: views are dear beside a short row's draw. */
  #given = this.#rows;
  /** Where that begins, in bytes. */
  #first = 0;
  /** Undefined: nothing was reserved. */
  #ofStretches: { readonly short: Asking; readonly long: Asking } | undefined;

  /** Room for `size` logits; what stood there is lost when it grows. */
  reserve(size: number): Float32Array<ArrayBuffer> {
    if (this.#ofStretches === undefined || this.#rows.length < size) {
      // Numbers for as many stretches as all of the memory could have.
      const least = ((size + 16) * SHORT_STRETCH) / (SHORT_STRETCH - 1);
      const pages = Math.ceil((4 * least) / PAGE_BYTES);
      const stretches = 16 * Math.ceil((pages * PAGE_BYTES) / 4 / SHORT_STRETCH / 16);
      const memory = createOwnMemory(pages);
      this.#answers = new Float32Array(memory.buffer, 0, stretches);
      this.#first = 4 * stretches;
      this.#rows = new Float32Array(memory.buffer, this.#first);
      // The modules' one function takes these four numbers.
      const linked = (name: string, bytes: Uint8Array<ArrayBuffer>): OfStretches =>
        link(name, bytes, memory) as OfStretches;
      const asking = (length: number): Asking => ({
        largest: linked("largest", largestModule(4 * length)),
        weigh: linked("weigh", weighModule(4 * length)),
      });
      this.#ofStretches = { short: asking(SHORT_STRETCH), long: asking(LONG_STRETCH) };
      this.#given = this.#rows.subarray(0, size);
    }
    if (this.#given.length !== size) this.#given = this.#rows.subarray(0, size);
    return this.#given;
  }

  /** The likeliest id of a view that `reserve` gave, or of a part of it; as argmax.ts. */
  likeliest(row: Float32Array): TokenId | undefined {
    const length = stretchOf(row);
    const stretches = Math.floor(row.length / length);
    this.#asking(row).largest(row.byteOffset, row.byteOffset + 4 * stretches * length, 0, 0);
    let best = Number.NEGATIVE_INFINITY;
    let at = -1;
    for (let stretch = 0; stretch < stretches; stretch++) {
      const value = this.#answers[stretch] as number; // stretch < stretches
      if (value > best) {
        best = value;
        at = stretch * length;
      }
    }
    const rest = stretches * length;
    const last = rest < row.length ? argmax(row.subarray(rest)) : undefined;
    if (last !== undefined && (row[rest + last] as number) > best) return rest + last;
    return at < 0 ? undefined : row.indexOf(best, at);
  }

  /**
   * The id at `u`, 0 ≤ u < 1, of what ids weigh one after the other: e^(logit / temperature).
   * Undefined where no logit is finite, or one is +∞.
   */
  draw(row: Float32Array, temperature: number, u: number): TokenId | undefined {
    const ask = this.#asking(row);
    const answers = this.#answers;
    const length = stretchOf(row);
    const stretches = Math.floor(row.length / length);
    const rest = stretches * length;
    // To ask a view where it lies is a call of the runtime; one that reserve() gave lies first.
    const begin = row === this.#given ? this.#first : row.byteOffset;
    const end = begin + 4 * rest;
    ask.largest(begin, end, 0, 0);
    let top = highestOf(row, rest);
    for (let stretch = 0; stretch < stretches; stretch++) {
      const value = answers[stretch] as number; // stretch < stretches
      if (value > top) top = value;
    }
    if (!Number.isFinite(top)) return undefined;
    const scale = 1 / temperature;
    ask.weigh(begin, end, top, scale * Math.LOG2E);
    const fall = { top, scale };
    const last = weightOf(row, rest, fall);
    let total = last;
    for (let stretch = 0; stretch < stretches; stretch++) total += answers[stretch] as number;
    let target = u * total;
    for (let stretch = 0; stretch <= stretches; stretch++) {
      const mass = stretch < stretches ? (answers[stretch] as number) : last;
      if (target < mass) {
        const from = stretch * length;
        const of = { begin: from, end: Math.min(from + length, row.length), target };
        const id = placeIn(row, of, fall);
        // Undefined: all of it lies too far below.
        if (id !== undefined) return id;
      }
      target -= mass;
    }
    return this.likeliest(row); // rounding left a last bit of mass
  }

  /** What is asked of the row's stretches. */
  #asking(row: Float32Array): Asking {
    const of = this.#ofStretches;
    if (of === undefined || (row !== this.#given && row.buffer !== this.#rows.buffer))
      throw new Error("These logits do not lie where reserve() said.");
    return row.length < LONG_ROW ? of.short : of.long;
  }
}

/** Of what stands from `begin` on. */
function highestOf(row: Float32Array, begin: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let id = begin; id < row.length; id++) {
    const value = row[id] as number; // id < length
    if (value > top) top = value;
  }
  return top;
}

function stretchOf(row: Float32Array): number {
  return row.length < LONG_ROW ? SHORT_STRETCH : LONG_STRETCH;
}

/** How weights fall from the likeliest logit's. */
interface Fall {
  readonly top: number;
  /** One over the temperature. */
  readonly scale: number;
}

/** What lies further below the likeliest cannot be drawn: e^-40 is less than the rounding of a stretch's mass. */
const MOST_NATS = 40;

function weightAt(value: number, { top, scale }: Fall): number {
  const nats = (top - value) * scale;
  return nats < MOST_NATS ? expMinus(nats) : 0; // NaN is not
}

/** Of what stands from `begin` on. */
function weightOf(row: Float32Array, begin: number, fall: Fall): number {
  let sum = 0;
  for (let id = begin; id < row.length; id++) sum += weightAt(row[id] as number, fall); // id < length
  return sum;
}

/** Where the sum from `begin` on passes `target`; the last that can be drawn where rounding keeps it below. */
function placeIn(
  row: Float32Array,
  of: { readonly begin: number; readonly end: number; readonly target: number },
  fall: Fall,
): TokenId | undefined {
  let left = of.target;
  let last: TokenId | undefined;
  for (let id = of.begin; id < of.end; id++) {
    const weight = weightAt(row[id] as number, fall); // end is within the row
    if (weight === 0) continue;
    if (left < weight) return id;
    left -= weight;
    last = id;
  }
  return last;
}
