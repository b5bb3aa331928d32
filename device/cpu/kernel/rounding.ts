/**
 * What an int8 cache's products need: queries and weights in 16 bits, and the sums of
 * integers as F32 again. A query is rounded by its largest element, weights (of the softmax,
 * times the value's scale) by the largest of the chunk.
 */
import { ROUNDING } from "../../exponential.ts";
import type { Code } from "../../wasm.ts";
import {
  acrossLanes,
  f32,
  f32x4,
  get,
  i16x8,
  i32,
  i32x4,
  loop,
  sequence,
  set,
  v128,
} from "../../wasm.ts";
import type { Frame } from "./frame.ts";

/** Scales of what is 0 throughout: a division by them stays finite. */
export const LEAST = 1e-20;

const MOST_WEIGHT = 32_767;

/** queries → 16 bits by their largest; what a score's integer stands for is kept beside them. */
export function roundQueries(frame: Frame): Code {
  const { keyDim, queryDim } = frame.layout;
  const most = Math.min(MOST_WEIGHT, Math.floor((2 ** 31 - 1) / (127 * keyDim)));
  const row = (address: Code): Code =>
    i32.add(address, i32.mul(get(frame.head), i32.const(4 * queryDim)));
  const x = (offset: number): Code => v128.load(get(frame.pointer), offset);
  const each = (step: number, body: Code): Code =>
    sequence(
      set(frame.pointer, row(get(frame.q))),
      loop(
        frame.inner,
        i32.const(0),
        i32.const(queryDim),
        step,
        sequence(
          body,
          set(frame.pointer, i32.add(get(frame.pointer), i32.const(4 * step))),
          set(frame.tile, i32.add(get(frame.tile), i32.const(2 * step))),
        ),
      ),
    );
  const perHead = sequence(
    set(frame.largest, f32x4.const(LEAST)),
    each(4, set(frame.largest, f32x4.higher(f32x4.abs(x(0)), get(frame.largest)))),
    set(frame.largest, f32x4.splat(acrossLanes(frame.largest, f32.max))),
    set(frame.splat, f32x4.div(f32x4.const(most), get(frame.largest))),
    set(frame.tile, frame.roundedQuery()),
    each(8, v128.store(get(frame.tile), narrow(frame, x(0), x(16)))),
    f32.store(
      frame.ofHead(frame.headScales),
      f32.mul(f32.mul(f32x4.lane(get(frame.largest), 0), f32.const(1 / most)), get(frame.scale)),
    ),
  );
  return frame.eachHead(perHead);
}

/** weights → 16 bits by the largest of the head's. */
export function roundWeights(frame: Frame): Code {
  const scale = frame.ofHead(frame.headScales);
  const x = (offset: number): Code => v128.load(frame.scoreOf(frame.position), offset);
  const perHead = sequence(
    set(frame.splat, f32x4.div(f32x4.const(MOST_WEIGHT), v128.loadSplat(scale))),
    f32.store(scale, f32.mul(f32.load(scale), f32.const(1 / MOST_WEIGHT))),
    loop(
      frame.position,
      get(frame.from),
      get(frame.to),
      8,
      v128.store(frame.weightOf(frame.position), narrow(frame, x(0), x(16))),
    ),
  );
  return frame.eachHead(perHead);
}

/** partial: sums of integers → F32. */
export function widenSums(frame: Frame): Code {
  const { paddedDim } = frame.layout;
  const rowBytes = 4 * paddedDim;
  const row = i32.add(get(frame.partial), i32.mul(get(frame.head), i32.const(rowBytes)));
  const perHead = sequence(
    set(frame.splat, v128.loadSplat(frame.ofHead(frame.headScales))),
    set(frame.last, i32.add(row, i32.const(rowBytes))),
    loop(
      frame.element,
      row,
      get(frame.last),
      16,
      v128.store(
        get(frame.element),
        f32x4.mul(f32x4.fromInt(v128.load(get(frame.element))), get(frame.splat)),
      ),
    ),
  );
  return frame.eachHead(perHead);
}

/** Two F32 registers times #splat, as eight integers. */
function narrow(frame: Frame, a: Code, b: Code): Code {
  const bits = i32x4.splat(i32.const(0x4b400000)); // of ROUNDING
  const round = (x: Code): Code =>
    i32x4.sub(f32x4.add(f32x4.mul(x, get(frame.splat)), f32x4.const(ROUNDING)), bits);
  return i16x8.narrow(round(a), round(b));
}
