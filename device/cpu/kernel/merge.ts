/**
 * Puts the chunks of one query's attention together, in their order: each chunk's sums and
 * weights stand by its own largest score, and are brought to the largest of all.
 */
import { powerOfTwo } from "../../exponential.ts";
import type { Code, Memory } from "../../wasm.ts";
import {
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
} from "../../wasm.ts";
import { type KernelShape, kernelLayout } from "./kv-layout.ts";

/**
 * merge(out, partials, end, sinks)
 *
 * Addresses in bytes: `out` [group, paddedDim]; `partials` up to `end` as kv-layout.ts says,
 * overwritten; `sinks` one logit per query head, times log2 e (−∞: none).
 */
export type Merge = (out: number, partials: number, end: number, sinks: number) => void;

export function mergeModule(shape: KernelShape, pages: number): Uint8Array<ArrayBuffer> {
  const { group } = shape;
  const { paddedDim, partialBytes } = kernelLayout(shape);
  const build = new FunctionBuilder(I32, I32, I32, I32);
  const [out, partials, end, sinks] = [0, 1, 2, 3] as const;
  const [head = 0, chunk = 0, element = 0, last = 0] = build.locals(I32, 4);
  const [largest = 0, total = 0, x = 0, inverse = 0, scratch = 0] = build.locals(V128, 5);
  const ofHead = (base: number): Code => i32.add(get(base), i32.shl(get(head), i32.const(2)));
  const largestAt = 4 * group * paddedDim;
  const sumAt = largestAt + 4 * group;
  const eachChunk = (body: Code): Code => loop(chunk, get(partials), get(end), partialBytes, body);
  const row = i32.mul(get(head), i32.const(4 * paddedDim));
  const perHead = sequence(
    set(largest, v128.loadSplat(ofHead(sinks))),
    eachChunk(set(largest, f32x4.higher(v128.loadSplat(ofHead(chunk), largestAt), get(largest)))),
    set(total, f32x4.sub(v128.loadSplat(ofHead(sinks)), get(largest))),
    powerOfTwo(total, scratch),
    eachChunk(
      sequence(
        set(x, f32x4.sub(v128.loadSplat(ofHead(chunk), largestAt), get(largest))),
        powerOfTwo(x, scratch),
        f32.store(ofHead(chunk), f32x4.lane(get(x), 0), largestAt),
        set(total, f32x4.add(get(total), f32x4.mul(v128.loadSplat(ofHead(chunk), sumAt), get(x)))),
      ),
    ),
    set(inverse, f32x4.div(f32x4.const(1), get(total))),
    set(last, i32.add(row, i32.const(4 * paddedDim))),
    loop(
      element,
      row,
      get(last),
      16,
      sequence(
        set(x, f32x4.const(0)),
        eachChunk(
          set(
            x,
            f32x4.add(
              get(x),
              f32x4.mul(
                v128.load(i32.add(get(chunk), get(element))),
                v128.loadSplat(ofHead(chunk), largestAt),
              ),
            ),
          ),
        ),
        v128.store(i32.add(get(out), get(element)), f32x4.mul(get(x), get(inverse))),
      ),
    ),
  );
  return build.module("merge", loop(head, i32.const(0), i32.const(group), 1, perHead), pages);
}

export function linkMerge(module: Uint8Array<ArrayBuffer>, memory: Memory): Merge {
  // mergeModule builds a module whose one function has this type.
  return link("merge", module, memory) as Merge;
}
