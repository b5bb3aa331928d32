/**
 * The attention kernel: one query token against one KV head, for all query heads of the
 * group, over the positions of one chunk, reading the paged pool in place. Generated as
 * WebAssembly for the model's head size, group, block and format of the cache, so that the
 * inner loops have no variable shape. Keys and values are loaded once for up to four heads.
 *
 * Sums of floats run over positions (or over the head's elements) one after the other,
 * sums of integers are exact; positions outside [begin, end) are never added. So the result
 * depends on the token and the keys and values it sees, bit for bit, and not on blocks,
 * batch or thread. Chunks are put together by merge.ts. Layouts: kv-layout.ts.
 */

import type { Code, Local, Memory } from "../../wasm.ts";
import { f32x4, get, i16x8, i32, i32x4, link, loop, sequence, set, v128 } from "../../wasm.ts";
import { hasMultiplyAdd } from "../relaxed-simd.ts";
import { Frame } from "./frame.ts";
import { CHUNK, type KernelShape } from "./kv-layout.ts";
import { roundQueries, roundWeights, widenSums } from "./rounding.ts";
import { softmaxPass } from "./softmax.ts";

/** Heads that share a load. */
const TOGETHER = 4;

/** Positions of values that are read for all heads before the next: they stay in the nearest cache. */
const NEAR = 64;

/**
 * attend(q, partial, table, begin, end, keys, values, scratch, scale)
 *
 * Addresses in bytes: `q` [group, queryDim]; `partial` as kv-layout.ts says; `table` the
 * row's blocks; `keys`/`values` the layer's first block at the KV head. Positions
 * [begin, end) of one chunk are seen, one at least. `scale` brings log2 e: weights are powers of two.
 */
export type Attend = (
  q: number,
  partial: number,
  table: number,
  begin: number,
  end: number,
  keys: number,
  values: number,
  scratch: number,
  scale: number,
) => void;

/** The module of the kernel, for a memory of `pages` pages. */
export function attentionModule(shape: KernelShape, pages: number): Uint8Array<ArrayBuffer> {
  const frame = new Frame(shape);
  const { rounded } = frame;
  const body = sequence(
    frame.bounds(),
    rounded ? roundQueries(frame) : [],
    scorePass(frame),
    softmaxPass(frame),
    rounded ? roundWeights(frame) : [],
    valuePass(frame),
    rounded ? widenSums(frame) : [],
  );
  return frame.function.module("attend", body, pages);
}

/** The kernel over the memory, on the thread that calls. */
export function linkAttention(module: Uint8Array<ArrayBuffer>, memory: Memory): Attend {
  // attentionModule builds a module whose one function has this type.
  return link("attend", module, memory) as Attend;
}

/** scores[head][position] = scale · q[head] · k[position], tile by tile. */
function scorePass(frame: Frame): Code {
  const { lanes, keyBlockBytes } = frame.layout;
  const registers = lanes / 4;
  return loop(
    frame.position,
    get(frame.from),
    get(frame.to),
    lanes,
    sequence(
      frame.enter(frame.keys, keyBlockBytes, frame.layout.keyDim, frame.position),
      together(frame, (heads) => {
        const side = Math.min(registers, heads > 2 ? 2 : 4);
        const parts: Code[] = [];
        for (let first = 0; first < registers; first += side) {
          parts.push(scoresOf(frame, heads, first, side));
        }
        return sequence(...parts);
      }),
    ),
  );
}

/** Of `heads` heads from #head on, in `side` registers of the tile. */
function scoresOf(frame: Frame, heads: number, first: number, side: number): Code {
  const { fold, lanes, queryDim, keyDim, elementBytes } = frame.layout;
  const { rounded } = frame;
  const steps = keyDim / fold;
  const registerBytes = 4 * fold * elementBytes;
  const stepBytes = lanes * fold * elementBytes;
  const queryBytes = queryDim * (4 / fold);
  const at = (head: number, r: number): Local => frame.accumulators[head * side + r] as Local;
  const query = rounded
    ? frame.roundedQuery()
    : i32.add(get(frame.q), i32.mul(get(frame.head), i32.const(queryBytes)));
  const finish: Code[] = [];
  for (let head = 0; head < heads; head++) {
    finish.push(
      set(
        frame.splat,
        rounded
          ? v128.loadSplat(frame.ofHead(frame.headScales), 4 * head)
          : f32x4.splat(get(frame.scale)),
      ),
    );
    for (let r = 0; r < side; r++) {
      const sum = get(at(head, r));
      const scaled = rounded
        ? f32x4.mul(
            f32x4.mul(f32x4.fromInt(sum), get(frame.splat)),
            v128.load(get(frame.scales), 16 * (first + r)),
          )
        : f32x4.mul(sum, get(frame.splat));
      finish.push(v128.store(get(frame.weights), scaled, 4 * head * CHUNK + 16 * (first + r)));
    }
  }
  return sequence(
    zero(frame, heads * side),
    set(frame.pointer, get(frame.tile)),
    set(frame.last, i32.add(query, i32.const(4 * steps))),
    // Not written out: the compiler puts a run's loads before all of its sums, and spills.
    loop(
      frame.inner,
      query,
      get(frame.last),
      4,
      sequence(
        loadRows(frame, side, first * registerBytes, registerBytes),
        products(frame, heads, side, frame.inner, queryBytes, at),
        set(frame.pointer, i32.add(get(frame.pointer), i32.const(stepBytes))),
      ),
    ),
    set(frame.weights, frame.scoreOf(frame.position)),
    ...finish,
  );
}

/** partial[head] = Σ weight[position] · v[position], a few registers of elements at a time. */
function valuePass(frame: Frame): Code {
  const { group, blockSize } = frame.shape;
  const { paddedDim, valueBlockBytes, fold } = frame.layout;
  let near = NEAR;
  while (blockSize % near !== 0) near /= 2;
  const even = (position: Code): Code => i32.and(position, i32.const(-fold));
  const start = higher(get(frame.position), even(get(frame.begin)));
  const stop = lower(
    i32.add(get(frame.position), i32.const(near)),
    even(i32.add(get(frame.end), i32.const(fold - 1))),
  );
  const sums = loop(
    frame.element,
    get(frame.partial),
    i32.add(get(frame.partial), i32.const(4 * group * paddedDim)),
    16,
    v128.store(get(frame.element), f32x4.const(0)),
  );
  return sequence(
    sums,
    loop(
      frame.position,
      i32.and(get(frame.begin), i32.const(-near)),
      get(frame.end),
      near,
      sequence(
        set(frame.from, start),
        set(frame.to, stop),
        frame.enter(frame.values, valueBlockBytes, paddedDim, frame.from),
        together(frame, (heads) => valuesOf(frame, heads)),
      ),
    ),
  );
}

/** Of `heads` heads from #head on, over positions [from, to). */
function valuesOf(frame: Frame, heads: number): Code {
  const { paddedDim, fold, elementBytes } = frame.layout;
  const side = heads > 2 ? 2 : 4;
  const registerBytes = 4 * fold * elementBytes;
  const stepBytes = paddedDim * fold * elementBytes;
  const weightBytes = CHUNK * (4 / fold);
  const at = (head: number, r: number): Local => frame.accumulators[head * side + r] as Local;
  const load: Code[] = [];
  const store: Code[] = [];
  for (let head = 0; head < heads; head++) {
    for (let r = 0; r < side; r++) {
      const offset = 4 * head * paddedDim + 16 * r;
      load.push(set(at(head, r), v128.load(get(frame.sums), offset)));
      store.push(v128.store(get(frame.sums), get(at(head, r)), offset));
    }
  }
  const body = sequence(
    set(
      frame.sums,
      i32.add(
        get(frame.partial),
        i32.shl(
          i32.add(i32.mul(get(frame.head), i32.const(paddedDim)), get(frame.element)),
          i32.const(2),
        ),
      ),
    ),
    ...load,
    set(
      frame.pointer,
      i32.add(get(frame.tile), i32.mul(get(frame.element), i32.const(fold * elementBytes))),
    ),
    set(frame.weights, fold === 2 ? frame.weightOf(frame.from) : frame.scoreOf(frame.from)),
    loop(
      frame.inner,
      get(frame.from),
      get(frame.to),
      fold,
      sequence(
        loadRows(frame, side, 0, registerBytes),
        products(frame, heads, side, frame.weights, weightBytes, at),
        set(frame.pointer, i32.add(get(frame.pointer), i32.const(stepBytes))),
        set(frame.weights, i32.add(get(frame.weights), i32.const(4))),
      ),
    ),
    ...store,
  );
  return loop(frame.element, i32.const(0), i32.const(paddedDim), 4 * side, body);
}

/** `strip` for all heads of the group, some at a time from #head on. */
function together(frame: Frame, strip: (heads: number) => Code): Code {
  const { group } = frame.shape;
  const rest = group % TOGETHER;
  const whole = i32.const(group - rest);
  return sequence(
    group < TOGETHER ? [] : loop(frame.head, i32.const(0), whole, TOGETHER, strip(TOGETHER)),
    rest === 0 ? [] : sequence(set(frame.head, whole), strip(rest)),
  );
}

/** #rows = registers from #pointer on, as F32 or as i16. */
function loadRows(frame: Frame, count: number, offset: number, registerBytes: number): Code {
  const { format } = frame.shape;
  const load = (at: number): Code => {
    if (format === "f32") return v128.load(get(frame.pointer), at);
    if (format === "int8") return i16x8.loadBytes(get(frame.pointer), at);
    return i32x4.shiftLeft(v128.loadHalves(get(frame.pointer), at), 16);
  };
  return sequence(
    ...frame.rows.slice(0, count).map((row, r) => set(row, load(offset + r * registerBytes))),
  );
}

/** Adds the products of #rows with one factor a head, from `factors` on. */
function products(
  frame: Frame,
  heads: number,
  side: number,
  factors: Local,
  headBytes: number,
  at: (head: number, register: number) => Local,
): Code {
  const code: Code[] = [];
  for (let head = 0; head < heads; head++) {
    code.push(set(frame.splat, v128.loadSplat(get(factors), head * headBytes)));
    for (let r = 0; r < side; r++) {
      const row = get(frame.rows[r] as Local);
      const sum = at(head, r);
      const added = sumOfProducts(frame, get(sum), row, get(frame.splat));
      code.push(set(sum, added));
    }
  }
  return sequence(...code);
}

function sumOfProducts({ rounded }: Frame, sum: Code, row: Code, factor: Code): Code {
  if (rounded) return i32x4.add(sum, i32x4.dot(row, factor));
  if (hasMultiplyAdd) return f32x4.multiplyAdd(row, factor, sum);
  return f32x4.add(sum, f32x4.mul(row, factor));
}

function zero(frame: Frame, count: number): Code {
  return sequence(...frame.accumulators.slice(0, count).map((each) => set(each, f32x4.const(0))));
}

/** select: the higher, the lower of two. */
const higher = (a: Code, b: Code): Code => [...a, ...b, ...i32.below(b, a), 0x1b];
const lower = (a: Code, b: Code): Code => [...a, ...b, ...i32.below(a, b), 0x1b];
