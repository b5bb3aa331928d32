/** WebAssembly that says of each stretch of a row of logits how high it reaches, and what its ids weigh together. */
import { powerOfTwo } from "./exponential.ts";
import type { Code, Local } from "./wasm.ts";
import {
  acrossLanes,
  F32,
  FunctionBuilder,
  f32,
  f32x4,
  get,
  I32,
  i32,
  loop,
  sequence,
  set,
  V128,
  v128,
} from "./wasm.ts";

/** Registers that gather side by side: an addition takes four cycles. */
const SIDE_BY_SIDE = 4;

/** Writes a number for each of the stretches in `[begin, end)`, byte addresses, from address 0 on. */
export type OfStretches = (begin: number, end: number, top: number, scale: number) => void;

/** Parameters and locals of the two functions. */
class Frame {
  readonly build = new FunctionBuilder(I32, I32, F32, F32);
  readonly begin: Local = 0;
  readonly end: Local = 1;
  readonly top: Local = 2;
  readonly scale: Local = 3;
  readonly pointer = this.build.local(I32);
  readonly answer = this.build.local(I32);
  readonly inner = this.build.local(I32);
  readonly gathered = this.build.locals(V128, SIDE_BY_SIDE);

  /** For stretches of so many bytes, one at #pointer: `each` takes the register at an offset from #inner, `write` gives the number. */
  module(
    {
      name,
      bytes,
      start,
    }: { readonly name: string; readonly bytes: number; readonly start: number },
    each: (gathered: Local, offset: number) => Code,
    write: Code,
  ): Uint8Array<ArrayBuffer> {
    const { pointer, answer, inner, gathered } = this;
    const stretch = sequence(
      ...gathered.map((register) => set(register, f32x4.const(start))),
      loop(
        inner,
        get(pointer),
        i32.add(get(pointer), i32.const(bytes)),
        16 * SIDE_BY_SIDE,
        sequence(...gathered.map((register, index) => each(register, 16 * index))),
      ),
      f32.store(get(answer), write),
      set(answer, i32.add(get(answer), i32.const(4))),
    );
    const all = loop(pointer, get(this.begin), get(this.end), bytes, stretch);
    return this.build.module(name, all);
  }

  /** One number of all registers and lanes. */
  across(two: (a: Code, b: Code) => Code, lanes: (a: Code, b: Code) => Code): Code {
    const [first = 0, ...others] = this.gathered;
    return sequence(
      set(
        first,
        others.reduce((sum, register) => two(get(register), sum), get(first)),
      ),
      acrossLanes(first, lanes),
    );
  }
}

/** Of stretches of so many bytes. What is no number is passed over. */
export function largestModule(bytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Frame();
  const each = (highest: Local, offset: number): Code =>
    set(highest, f32x4.higher(get(highest), v128.load(get(frame.inner), offset)));
  return frame.module(
    { name: "largest", bytes, start: Number.NEGATIVE_INFINITY },
    each,
    frame.across(f32x4.higher, f32.max),
  );
}

/** What the ids of each weigh together: 2^((logit - top) · scale). */
export function weighModule(bytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Frame();
  const x = frame.build.local(V128);
  const scratch = frame.build.local(V128);
  const octaves = (value: Code): Code =>
    f32x4.mul(f32x4.sub(value, f32x4.splat(get(frame.top))), f32x4.splat(get(frame.scale)));
  const each = (sum: Local, offset: number): Code => {
    const value = v128.load(get(frame.inner), offset);
    // Whatever is no number is not more than −∞ either.
    const number = f32x4.more(value, f32x4.const(Number.NEGATIVE_INFINITY));
    return sequence(
      set(x, octaves(value)),
      powerOfTwo(x, scratch),
      set(sum, f32x4.add(get(sum), v128.and(get(x), number))),
    );
  };
  return frame.module({ name: "weigh", bytes, start: 0 }, each, frame.across(f32x4.add, f32.add));
}
