/** Scores of a chunk to weights, each head by its own largest score. */
import { powerOfTwo } from "../../exponential.ts";
import type { Code, Local } from "../../wasm.ts";
import { acrossLanes, f32, f32x4, get, loop, sequence, set, v128 } from "../../wasm.ts";
import type { Frame } from "./frame.ts";
import { LEAST } from "./rounding.ts";

/** Above the weights of what is hidden. */
const HIDDEN = 2 ** -125;

/**
 * scores → 2^(score − largest of the chunk), next to nothing outside [begin, end); largest and sum go
 * to the partial. Of int8 times the value's scale, and the largest of that is kept.
 */
export function softmaxPass(frame: Frame): Code {
  const { lanes, valueBlockBytes, paddedDim } = frame.layout;
  const { rounded } = frame;
  const score = frame.scoreOf(frame.position);
  const hide = (from: Code, to: Code): Code =>
    loop(frame.position, from, to, 1, f32.store(score, f32.const(Number.NEGATIVE_INFINITY)));
  const rise: Code[] = [];
  const weigh: Code[] = [];
  for (let at = 0; at < 4 * lanes; at += 16) {
    const scaled = v128.and(
      // Of what is hidden even the scale may be anything.
      f32x4.mul(get(frame.x), v128.load(get(frame.scales), at)),
      f32x4.more(get(frame.x), f32x4.const(HIDDEN)),
    );
    const raw = v128.load(get(frame.weights), at);
    rise.push(set(frame.largest, f32x4.higher(raw, get(frame.largest))));
    weigh.push(
      set(frame.x, f32x4.sub(raw, get(frame.largest))),
      powerOfTwo(frame.x, frame.rows[0] as Local),
      set(frame.sum, f32x4.add(get(frame.sum), get(frame.x))),
      rounded ? set(frame.x, scaled) : [],
      rounded ? set(frame.splat, f32x4.higher(get(frame.x), get(frame.splat))) : [],
      v128.store(get(frame.weights), get(frame.x), at),
    );
  }
  const each = (step: number, body: Code): Code =>
    loop(frame.position, get(frame.from), get(frame.to), step, body);
  const perHead = sequence(
    hide(get(frame.from), get(frame.begin)),
    hide(get(frame.end), get(frame.to)),
    set(frame.largest, f32x4.const(Number.NEGATIVE_INFINITY)),
    each(lanes, sequence(set(frame.weights, score), ...rise)),
    set(frame.largest, f32x4.splat(acrossLanes(frame.largest, f32.max))),
    set(frame.sum, f32x4.const(0)),
    set(frame.splat, f32x4.const(LEAST)),
    each(
      lanes,
      sequence(
        set(frame.weights, score),
        rounded ? frame.enter(frame.values, valueBlockBytes, paddedDim, frame.position) : [],
        ...weigh,
      ),
    ),
    f32.store(frame.ofHead(frame.largestOf), f32x4.lane(get(frame.largest), 0)),
    f32.store(frame.ofHead(frame.sumOf), acrossLanes(frame.sum, f32.add)),
    rounded ? f32.store(frame.ofHead(frame.headScales), acrossLanes(frame.splat, f32.max)) : [],
  );
  return frame.eachHead(perHead);
}
