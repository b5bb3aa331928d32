/** Heads of keys and values on their way into the pool: straight there in F32, else rounded to the cache's format. */
import type { KvFormat } from "./kernel/kv-layout.ts";
import type { HeadCopy } from "./rotary.ts";

/** Of eight bits. */
const MOST = 127;

/** Where a head's elements go, counted in elements of the format. */
export interface Place {
  /** Element i goes to `at + ⌊i / run⌋ · stride + i mod run`; `run` is 1 or 2. */
  readonly at: number;
  readonly run: 1 | 2;
  readonly stride: number;
  /** Of its scale, in floats; int8 only. */
  readonly scaleAt: number;
}

export class HeadWriter {
  /** What heads are copied to: the pool itself, or a vector that is rounded. */
  readonly target: Float32Array;
  readonly #vector: Float32Array;
  readonly #bits: Uint32Array;
  readonly #format: KvFormat;
  readonly #floats: Float32Array;
  readonly #halves: Uint16Array;
  readonly #bytes: Int8Array;

  constructor(pool: SharedArrayBuffer, format: KvFormat, longest: number) {
    this.#vector = new Float32Array(longest);
    this.#bits = new Uint32Array(this.#vector.buffer);
    this.#format = format;
    this.#floats = new Float32Array(pool);
    this.target = format === "f32" ? this.#floats : this.#vector;
    this.#halves = new Uint16Array(pool);
    this.#bytes = new Int8Array(pool);
  }

  /** Says where in the target a head goes. */
  aim(copy: HeadCopy, { at, stride }: Place): void {
    if (this.#format !== "f32") return;
    copy.to = at;
    copy.stride = stride;
  }

  /** Puts the `count` elements that were copied to the target into their place. */
  write(count: number, place: Place): void {
    if (this.#format === "bf16") this.#writeHalves(count, place);
    else if (this.#format === "int8") this.#writeBytes(count, place);
  }

  /** To nearest, of equals to even; no number stays none. */
  #writeHalves(count: number, { at, stride }: Place): void {
    for (let i = 0; i < count; i++) {
      const bits = this.#bits[i] as number;
      const half =
        (bits & 0x7fffffff) > 0x7f800000
          ? (bits >>> 16) | 0x40
          : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
      this.#halves[at + i * stride] = half;
    }
  }

  /** By the head's largest element. */
  #writeBytes(count: number, { at, run, stride, scaleAt }: Place): void {
    let largest = 0;
    for (let i = 0; i < count; i++) {
      // A number that is none stays the largest, and the scale is none too.
      const size = Math.abs(this.#vector[i] as number);
      if (!(size <= largest)) largest = size;
    }
    const factor = largest > 0 ? MOST / largest : 0;
    this.#floats[scaleAt] = largest / MOST;
    const shift = run - 1;
    for (let i = 0; i < count; i++) {
      const value = Math.round((this.#vector[i] as number) * factor);
      this.#bytes[at + (i >> shift) * stride + (i & shift)] = value;
    }
  }
}
