/**
 * What the passes of the attention kernel share: its locals, and the addresses of what
 * they read and write (layouts: kv-layout.ts).
 *
 *     scratch  [ scores ][ weights of 16 bits ][ queries of 16 bits ][ a scale for each head ]
 */

import type { Code, Local } from "../../wasm.ts";
import { F32, FunctionBuilder, get, I32, i32, loop, sequence, set, V128 } from "../../wasm.ts";
import type { KernelLayout, KernelShape } from "./kv-layout.ts";
import { CHUNK, kernelLayout } from "./kv-layout.ts";

export class Frame {
  readonly shape: KernelShape;
  readonly layout: KernelLayout;
  readonly function = new FunctionBuilder(I32, I32, I32, I32, I32, I32, I32, I32, F32);
  readonly q = 0;
  readonly partial = 1;
  readonly table = 2;
  readonly begin = 3;
  readonly end = 4;
  readonly keys = 5;
  readonly values = 6;
  readonly scratch = 7;
  readonly scale = 8;
  readonly head = this.function.local(I32);
  readonly position = this.function.local(I32);
  readonly pointer = this.function.local(I32);
  readonly weights = this.function.local(I32);
  /** [from, to): the tiles that hold [begin, end), in positions; of values the part at hand. */
  readonly from = this.function.local(I32);
  readonly to = this.function.local(I32);
  readonly inner = this.function.local(I32);
  readonly last = this.function.local(I32);
  readonly element = this.function.local(I32);
  readonly sums = this.function.local(I32);
  /** Of the tile at hand, and of its scales. */
  readonly tile = this.function.local(I32);
  readonly scales = this.function.local(I32);
  /** Where the score of position 0 would stand. */
  readonly origin = this.function.local(I32);
  readonly largest = this.function.local(V128);
  readonly sum = this.function.local(V128);
  readonly x = this.function.local(V128);
  readonly splat = this.function.local(V128);
  readonly accumulators = this.function.locals(V128, 8);
  readonly rows = this.function.locals(V128, 4);

  constructor(shape: KernelShape) {
    this.shape = shape;
    this.layout = kernelLayout(shape);
  }

  /** Keys, values and what they are multiplied with are integers. */
  get rounded(): boolean {
    return this.shape.format === "int8";
  }

  bounds(): Code {
    const { lanes } = this.layout;
    const mask = i32.const(-lanes);
    const first = i32.and(get(this.begin), i32.const(-CHUNK));
    return sequence(
      set(this.from, i32.and(get(this.begin), mask)),
      set(this.to, i32.and(i32.add(get(this.end), i32.const(lanes - 1)), mask)),
      set(this.origin, i32.sub(get(this.scratch), i32.shl(first, i32.const(2)))),
    );
  }

  /** `body` for each head of the group in turn. */
  eachHead(body: Code): Code {
    return loop(this.head, i32.const(0), i32.const(this.shape.group), 1, body);
  }

  /** #tile and #scales for a position in an area whose blocks have `bytes` and rows `width` elements. */
  enter(area: Local, bytes: number, width: number, at: Local): Code {
    const { blockSize } = this.shape;
    const { scaleBytes, elementBytes } = this.layout;
    const bits = Math.log2(blockSize);
    const index = Number.isInteger(bits)
      ? i32.shr(get(at), i32.const(bits))
      : divide(get(at), blockSize);
    const within = Number.isInteger(bits)
      ? i32.and(get(at), i32.const(blockSize - 1))
      : i32.sub(get(at), i32.mul(index, i32.const(blockSize)));
    const block = i32.load(i32.add(get(this.table), i32.shl(index, i32.const(2))));
    const begin = i32.add(get(area), i32.mul(block, i32.const(bytes)));
    const rows = i32.mul(within, i32.const(width * elementBytes));
    if (scaleBytes === 0) return set(this.tile, i32.add(begin, rows));
    return sequence(
      set(this.scales, begin),
      set(this.tile, i32.add(i32.add(get(this.scales), i32.const(scaleBytes)), rows)),
      set(this.scales, i32.add(get(this.scales), i32.shl(within, i32.const(2)))),
    );
  }

  /** Address of a head's score, and of its weight of 16 bits. */
  scoreOf(position: Local): Code {
    const head = i32.mul(get(this.head), i32.const(4 * CHUNK));
    return i32.add(i32.add(get(this.origin), head), i32.shl(get(position), i32.const(2)));
  }

  weightOf(position: Local): Code {
    const head = i32.mul(get(this.head), i32.const(2 * CHUNK));
    const first = i32.and(get(this.begin), i32.const(-CHUNK));
    const index = i32.sub(get(position), first);
    const at = i32.add(get(this.scratch), i32.const(4 * this.shape.group * CHUNK + 16));
    return i32.add(i32.add(at, head), i32.shl(index, i32.const(1)));
  }

  roundedQuery(): Code {
    const { group } = this.shape;
    const at = i32.add(get(this.scratch), i32.const(6 * group * CHUNK + 16));
    return i32.add(at, i32.mul(get(this.head), i32.const(2 * this.layout.queryDim)));
  }

  /** Of queries, after the scores of weights. */
  get headScales(): Code {
    const { group } = this.shape;
    const offset = 6 * group * CHUNK + 16 + 2 * group * this.layout.queryDim;
    return i32.add(get(this.scratch), i32.const(offset));
  }

  get largestOf(): Code {
    const sums = 4 * this.shape.group * this.layout.paddedDim;
    return i32.add(get(this.partial), i32.const(sums));
  }

  get sumOf(): Code {
    return i32.add(this.largestOf, i32.const(4 * this.shape.group));
  }

  /** Of F32 [group]. */
  ofHead(base: Code): Code {
    return i32.add(base, i32.shl(get(this.head), i32.const(2)));
  }
}

/** i32.div_u by a constant. */
const divide = (value: Code, by: number): Code => [...value, ...i32.const(by), 0x6e];
