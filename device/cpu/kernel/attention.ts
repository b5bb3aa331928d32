/**
 * The attention kernel: one query token against one KV head, for all query heads
 * of the group, reading the paged pool in place. Generated as WebAssembly for the
 * model's head size, group and block, so that the inner loops have no variable
 * shape. F32 throughout.
 *
 * Every sum runs over positions (or over the head's elements) one after the other
 * from a fixed beginning; positions outside [begin, end) are never added. So the
 * result depends on the token and the keys and values it sees, bit for bit, and
 * not on blocks, batch or chunk.
 *
 *     keys    [block, kv head, tile, headDim, lanes]   a tile is `lanes` positions
 *     values  [block, kv head, blockSize, paddedDim]
 *
 * Keys lie with positions side by side: a product of one query element with 4
 * positions is one instruction, and nothing is summed across a register.
 */
import { exponential } from "./exponential.ts";
import type { Code, Local, Memory } from "./wasm.ts";
import {
  F32,
  FunctionBuilder,
  f32,
  f32x4,
  get,
  I32,
  i32,
  link,
  loop,
  sequence,
  set,
  V128,
  v128,
  when,
} from "./wasm.ts";

export interface KernelShape {
  /** Query heads that share the KV head. */
  readonly group: number;
  /** Elements of a query and of a key. */
  readonly headDim: number;
  /** Elements of a value. */
  readonly valueDim: number;
  /** A multiple of 4. */
  readonly blockSize: number;
  /** On the rank. */
  readonly kvHeads: number;
  /** Longest context. */
  readonly maxContext: number;
}

/** Sizes that the pool and the kernel agree on; bytes. */
export interface KernelLayout {
  /** Positions in a tile. */
  readonly lanes: number;
  /** Values' row, padded to whole tiles of 16. */
  readonly paddedDim: number;
  readonly keyHeadBytes: number;
  readonly valueHeadBytes: number;
  readonly keyBlockBytes: number;
  readonly valueBlockBytes: number;
  /** Scores of one query head. */
  readonly scoreBytes: number;
  /** Scores of the group and what else the kernel needs. */
  readonly scratchBytes: number;
}

/** Elements of a head's output computed at once: four registers. */
const WIDE = 16;

export function kernelLayout(shape: KernelShape): KernelLayout {
  const { blockSize, headDim, valueDim, kvHeads } = shape;
  const lanes = blockSize % 16 === 0 ? 16 : blockSize % 8 === 0 ? 8 : 4;
  const paddedDim = Math.ceil(valueDim / WIDE) * WIDE;
  const keyHeadBytes = blockSize * headDim * 4;
  const valueHeadBytes = blockSize * paddedDim * 4;
  const scoreBytes = Math.ceil(shape.maxContext / WIDE) * WIDE * 4;
  const heads = pairedHeads(shape);
  return {
    lanes,
    paddedDim,
    keyHeadBytes,
    valueHeadBytes,
    keyBlockBytes: kvHeads * keyHeadBytes,
    valueBlockBytes: kvHeads * valueHeadBytes,
    scoreBytes,
    scratchBytes: heads * scoreBytes + heads * 4,
  };
}

/** Query heads computed side by side. */
const together = ({ group }: KernelShape): number => (group === 1 ? 1 : 2);

/** The group, filled up to whole pairs. */
const pairedHeads = (shape: KernelShape): number =>
  Math.ceil(shape.group / together(shape)) * together(shape);

/**
 * attend(q, out, table, begin, end, keys, values, scratch, sinks, scale)
 *
 * Addresses in bytes: `q` [group, headDim]; `out` [group, paddedDim]; `table` the
 * row's blocks; `keys`/`values` the layer's first block at the KV head; `sinks`
 * one logit per query head (−∞: none). Positions [begin, end) are seen.
 */
export type Attend = (
  q: number,
  out: number,
  table: number,
  begin: number,
  end: number,
  keys: number,
  values: number,
  scratch: number,
  sinks: number,
  scale: number,
) => void;

/** The module of the kernel, for a memory of `pages` pages. */
export function attentionModule(shape: KernelShape, pages: number): Uint8Array<ArrayBuffer> {
  return new AttentionKernel(shape).module(pages);
}

/** The kernel over the memory, on the thread that calls. */
export function linkAttention(module: Uint8Array<ArrayBuffer>, memory: Memory): Attend {
  // attentionModule builds a module whose one function has this type.
  return link("attend", module, memory) as Attend;
}

class AttentionKernel {
  readonly #shape: KernelShape;
  readonly #layout: KernelLayout;
  readonly #function = new FunctionBuilder(I32, I32, I32, I32, I32, I32, I32, I32, I32, F32);
  readonly #q = 0;
  readonly #out = 1;
  readonly #table = 2;
  readonly #begin = 3;
  readonly #end = 4;
  readonly #keys = 5;
  readonly #values = 6;
  readonly #scratch = 7;
  readonly #sinks = 8;
  readonly #scale = 9;
  readonly #head = this.#function.local(I32);
  readonly #position = this.#function.local(I32);
  readonly #pointer = this.#function.local(I32);
  readonly #scores = this.#function.local(I32);
  readonly #from = this.#function.local(I32);
  readonly #to = this.#function.local(I32);
  readonly #inner = this.#function.local(I32);
  readonly #count = this.#function.local(I32);
  readonly #largest = this.#function.local(V128);
  readonly #sum = this.#function.local(V128);
  readonly #x = this.#function.local(V128);
  readonly #n = this.#function.local(V128);
  readonly #accumulators = this.#function.locals(V128, 8);
  readonly #rows = this.#function.locals(V128, 4);
  readonly #splats = this.#function.locals(V128, 2);

  constructor(shape: KernelShape) {
    this.#shape = shape;
    this.#layout = kernelLayout(shape);
  }

  module(pages: number): Uint8Array<ArrayBuffer> {
    const body = sequence(
      this.#bounds(),
      this.#scorePass(),
      this.#softmaxPass(),
      this.#valuePass(),
    );
    return this.#function.module("attend", body, pages);
  }

  /** [from, to): the tiles that hold [begin, end), in positions. */
  #bounds(): Code {
    const { lanes } = this.#layout;
    const mask = i32.const(-lanes);
    return sequence(
      set(this.#from, i32.and(get(this.#begin), mask)),
      set(this.#to, i32.and(i32.add(get(this.#end), i32.const(lanes - 1)), mask)),
    );
  }

  /** Address of the block of `position` in an area whose blocks have `bytes`. */
  #block(position: Code, bytes: number, area: Local): Code {
    const { blockSize } = this.#shape;
    const index = log2(blockSize);
    const slot =
      index === undefined
        ? i32.mul(divide(position, blockSize), i32.const(4))
        : i32.shl(i32.shr(position, i32.const(index)), i32.const(2));
    return i32.add(get(area), i32.mul(i32.load(i32.add(get(this.#table), slot)), i32.const(bytes)));
  }

  /** Position within its block. */
  #within(position: Code): Code {
    const { blockSize } = this.#shape;
    return log2(blockSize) === undefined
      ? i32.sub(position, i32.mul(divide(position, blockSize), i32.const(blockSize)))
      : i32.and(position, i32.const(blockSize - 1));
  }

  /** scores[head][position] = scale · q[head] · k[position], tile by tile. */
  #scorePass(): Code {
    const { headDim } = this.#shape;
    const { lanes, keyBlockBytes, scoreBytes } = this.#layout;
    const heads = together(this.#shape);
    const registers = lanes / 4;
    const unroll = headDim % 4 === 0 ? 4 : 1;
    const at = (head: number, register: number): Local =>
      this.#accumulators[head * registers + register] as Local;
    const zero: Code[] = [];
    const store: Code[] = [];
    for (let head = 0; head < heads; head++) {
      for (let r = 0; r < registers; r++) {
        zero.push(set(at(head, r), f32x4.const(0)));
        const scaled = f32x4.mul(get(at(head, r)), f32x4.splat(get(this.#scale)));
        store.push(v128.store(get(this.#scores), scaled, head * scoreBytes + r * 16));
      }
    }
    const step: Code[] = [];
    for (let u = 0; u < unroll; u++) {
      for (let r = 0; r < registers; r++) {
        const row = v128.load(get(this.#pointer), (u * lanes + r * 4) * 4);
        step.push(set(this.#rows[r] as Local, row));
      }
      for (let head = 0; head < heads; head++) {
        const splat = this.#splats[head] as Local;
        step.push(set(splat, v128.loadSplat(get(this.#inner), head * headDim * 4 + u * 4)));
        for (let r = 0; r < registers; r++) {
          step.push(accumulate(at(head, r), get(this.#rows[r] as Local), get(splat)));
        }
      }
    }
    step.push(set(this.#pointer, i32.add(get(this.#pointer), i32.const(unroll * lanes * 4))));
    const qOfHead = i32.add(get(this.#q), i32.mul(get(this.#head), i32.const(headDim * 4)));
    const tile = i32.mul(this.#within(get(this.#position)), i32.const(headDim * 4));
    const pair = sequence(
      ...zero,
      set(
        this.#pointer,
        i32.add(this.#block(get(this.#position), keyBlockBytes, this.#keys), tile),
      ),
      set(this.#count, i32.add(qOfHead, i32.const(headDim * 4))),
      loop(this.#inner, qOfHead, get(this.#count), unroll * 4, sequence(...step)),
      set(this.#scores, i32.add(this.#scoresOfHead(), i32.shl(get(this.#position), i32.const(2)))),
      ...store,
    );
    return loop(
      this.#position,
      get(this.#from),
      get(this.#to),
      lanes,
      loop(this.#head, i32.const(0), i32.const(pairedHeads(this.#shape)), heads, pair),
    );
  }

  /** scores → exp(score − largest), 0 outside [begin, end); 1 / sum is kept after the scores. */
  #softmaxPass(): Code {
    const { group } = this.#shape;
    const minusInfinity = f32.const(Number.NEGATIVE_INFINITY);
    const at = (position: Local): Code =>
      i32.add(this.#scoresOfHead(), i32.shl(get(position), i32.const(2)));
    const hide = (from: Code, to: Code): Code =>
      loop(this.#position, from, to, 1, f32.store(at(this.#position), minusInfinity));
    const sink = f32.load(i32.add(get(this.#sinks), i32.shl(get(this.#head), i32.const(2))));
    const lanesOf = (local: Local, combine: (a: Code, b: Code) => Code): Code =>
      combine(
        combine(f32x4.lane(get(local), 0), f32x4.lane(get(local), 1)),
        combine(f32x4.lane(get(local), 2), f32x4.lane(get(local), 3)),
      );
    const each = (body: Code): Code =>
      loop(this.#position, get(this.#from), get(this.#to), 4, body);
    const perHead = sequence(
      hide(get(this.#from), get(this.#begin)),
      hide(get(this.#end), get(this.#to)),
      set(this.#largest, f32x4.splat(sink)),
      each(set(this.#largest, f32x4.max(get(this.#largest), v128.load(at(this.#position))))),
      set(this.#largest, f32x4.splat(lanesOf(this.#largest, f32.max))),
      set(this.#sum, f32x4.const(0)),
      each(
        sequence(
          set(this.#x, f32x4.sub(v128.load(at(this.#position)), get(this.#largest))),
          exponential(this.#x, [this.#n, ...this.#rows]),
          v128.store(at(this.#position), get(this.#x)),
          set(this.#sum, f32x4.add(get(this.#sum), get(this.#x))),
        ),
      ),
      set(this.#x, f32x4.sub(f32x4.splat(sink), get(this.#largest))),
      exponential(this.#x, [this.#n, ...this.#rows]),
      f32.store(
        this.#inverseOfHead(),
        f32.div(f32.const(1), f32.add(lanesOf(this.#sum, f32.add), f32x4.lane(get(this.#x), 0))),
      ),
    );
    return loop(this.#head, i32.const(0), i32.const(group), 1, perHead);
  }

  /** out[head] = Σ weight[position] · v[position] · inverse, 16 elements at a time. */
  #valuePass(): Code {
    const { group } = this.#shape;
    const { paddedDim, lanes, valueBlockBytes, scoreBytes } = this.#layout;
    const heads = together(this.#shape);
    const at = (head: number, r: number): Local => this.#accumulators[head * 4 + r] as Local;
    const passes: Code[] = [];
    for (let element = 0; element < paddedDim; element += WIDE) {
      const zero: Code[] = [];
      const store: Code[] = [];
      const step: Code[] = [];
      for (let r = 0; r < 4; r++) {
        step.push(set(this.#rows[r] as Local, v128.load(get(this.#pointer), element * 4 + r * 16)));
      }
      for (let head = 0; head < heads; head++) {
        const splat = this.#splats[head] as Local;
        step.push(set(splat, v128.loadSplat(get(this.#scores), head * scoreBytes)));
        const write: Code[] = [];
        for (let r = 0; r < 4; r++) {
          zero.push(set(at(head, r), f32x4.const(0)));
          step.push(accumulate(at(head, r), get(this.#rows[r] as Local), get(splat)));
          const scaled = f32x4.mul(
            get(at(head, r)),
            v128.loadSplat(this.#inverseOfHead(), head * 4),
          );
          const offset = (head * paddedDim + element) * 4 + r * 16;
          write.push(v128.store(get(this.#pointer), scaled, offset));
        }
        const real = i32.below(i32.add(get(this.#head), i32.const(head)), i32.const(group));
        store.push(when(real, sequence(...write)));
      }
      step.push(
        set(this.#pointer, i32.add(get(this.#pointer), i32.const(paddedDim * 4))),
        set(this.#scores, i32.add(get(this.#scores), i32.const(4))),
      );
      // A tile's part of [begin, end): full tiles but for the first and last.
      const tile = sequence(
        set(this.#inner, higher(get(this.#position), get(this.#begin))),
        set(this.#count, lower(i32.add(get(this.#position), i32.const(lanes)), get(this.#end))),
        set(
          this.#pointer,
          i32.add(
            this.#block(get(this.#inner), valueBlockBytes, this.#values),
            i32.mul(this.#within(get(this.#inner)), i32.const(paddedDim * 4)),
          ),
        ),
        set(this.#scores, i32.add(this.#scoresOfHead(), i32.shl(get(this.#inner), i32.const(2)))),
        loop(this.#inner, get(this.#inner), get(this.#count), 1, sequence(...step)),
      );
      passes.push(
        ...zero,
        loop(this.#position, get(this.#from), get(this.#to), lanes, tile),
        set(
          this.#pointer,
          i32.add(get(this.#out), i32.mul(get(this.#head), i32.const(paddedDim * 4))),
        ),
        ...store,
      );
    }
    const all = i32.const(pairedHeads(this.#shape));
    return loop(this.#head, i32.const(0), all, heads, sequence(...passes));
  }

  #scoresOfHead(): Code {
    const { scoreBytes } = this.#layout;
    return i32.add(get(this.#scratch), i32.mul(get(this.#head), i32.const(scoreBytes)));
  }

  #inverseOfHead(): Code {
    const { scoreBytes } = this.#layout;
    const base = pairedHeads(this.#shape) * scoreBytes;
    return i32.add(
      i32.add(get(this.#scratch), i32.const(base)),
      i32.shl(get(this.#head), i32.const(2)),
    );
  }
}

const accumulate = (sum: Local, row: Code, factor: Code): Code =>
  set(sum, f32x4.add(get(sum), f32x4.mul(row, factor)));

/** i32.div_u by a constant. */
const divide = (value: Code, by: number): Code => [...value, ...i32.const(by), 0x6e];

/** select: the higher, the lower of two. */
const higher = (a: Code, b: Code): Code => [...a, ...b, ...i32.below(b, a), 0x1b];
const lower = (a: Code, b: Code): Code => [...a, ...b, ...i32.below(a, b), 0x1b];

function log2(value: number): number | undefined {
  const bits = Math.log2(value);
  return Number.isInteger(bits) ? bits : undefined;
}
