/**
 * Weights of 4 bits in blocks as the runtime's integer products take them: int8 `[in, out]`, a
 * scale for each output. A block's sixteen codes are a table of sixteen bytes, so a weight is
 * looked up; sixteen outputs are turned from rows to columns at a time.
 */

import type { Code, Local, Memory, OwnMemory } from "../../wasm.ts";
import {
  FunctionBuilder,
  f32,
  f32x4,
  get,
  I32,
  i8x16,
  i16x8,
  i32,
  link,
  loop,
  sequence,
  set,
  V128,
  v128,
} from "../../wasm.ts";
import { OUTPUTS_TOGETHER } from "../graph/unpacked.ts";

/** What `unpack` works in, in bytes. */
export const stagingBytes = (block: number): number => OUTPUTS_TOGETHER * block;

/**
 * unpack(codes, scales, columns, out, staging, outs, width)
 *
 * Addresses in bytes: `codes` [outs, width / 2], the low half of a byte first, value = (code − 8) ·
 * scale; `scales` F32 [outs, width / block]; `columns` F32 [outs], by which a value is divided and
 * then rounded to nearest, within ±127; `out` int8 [width, outs].
 */
export type Unpack = (
  codes: number,
  scales: number,
  columns: number,
  out: number,
  staging: number,
  outs: number,
  width: number,
) => void;

export function linkUnpack(block: number, memory: Memory | OwnMemory): Unpack {
  // unpackModule builds a module whose one function has this type.
  return link("unpack", unpackModule(block), memory) as Unpack;
}

const [codes, scales, columns, out, staging, outs, width] = [0, 1, 2, 3, 4, 5, 6] as const;

interface Frame {
  readonly block: number;
  /** First output and first input at hand; a row among those outputs, a place in the block. */
  readonly output: Local;
  readonly input: Local;
  readonly row: Local;
  readonly at: Local;
  readonly from: Local;
  readonly to: Local;
  readonly table: Local;
  readonly ratio: Local;
  readonly bytes: Local;
  readonly rows: readonly Local[];
  readonly others: readonly Local[];
}

function unpackModule(block: number): Uint8Array<ArrayBuffer> {
  const build = new FunctionBuilder(I32, I32, I32, I32, I32, I32, I32);
  const frame: Frame = {
    block,
    output: build.local(I32),
    input: build.local(I32),
    row: build.local(I32),
    at: build.local(I32),
    from: build.local(I32),
    to: build.local(I32),
    table: build.local(V128),
    ratio: build.local(V128),
    bytes: build.local(V128),
    rows: build.locals(V128, OUTPUTS_TOGETHER),
    others: build.locals(V128, OUTPUTS_TOGETHER),
  };
  const { output, input, row, at } = frame;
  const steps = sequence(
    loop(row, i32.const(0), i32.const(OUTPUTS_TOGETHER), 1, lookUp(frame)),
    loop(at, i32.const(0), i32.const(block), 16, turn(frame)),
  );
  const inputs = loop(input, i32.const(0), get(width), block, steps);
  const body = loop(output, i32.const(0), get(outs), OUTPUTS_TOGETHER, inputs);
  return build.module("unpack", body);
}

/** A row's block to its place in the staging area. */
function lookUp({ block, output, input, row, from, to, table, ratio, bytes }: Frame): Code {
  const number = i32.add(get(output), get(row));
  const bits = i32.const(Math.log2(block));
  const scaleAt = i32.add(i32.mul(number, i32.shr(get(width), bits)), i32.shr(get(input), bits));
  const scale = f32.load(i32.add(get(scales), i32.shl(scaleAt, i32.const(2))));
  const column = f32.load(i32.add(get(columns), i32.shl(number, i32.const(2))));
  const four = (first: number): Code => {
    const values = Float32Array.of(first, first + 1, first + 2, first + 3);
    const exact = v128.const(new Uint8Array(values.buffer));
    return f32x4.toInt(f32x4.nearest(f32x4.mul(exact, get(ratio))));
  };
  const low = v128.and(get(bytes), v128.const(new Uint8Array(16).fill(15)));
  const high = i8x16.shiftRight(get(bytes), 4);
  const [first, second] = [low, high].map((index) => i8x16.swizzle(get(table), index)) as [
    Code,
    Code,
  ];
  const codeAt = i32.shr(i32.add(i32.mul(number, get(width)), get(input)), i32.const(1));
  return sequence(
    set(ratio, f32x4.splat(f32.div(scale, column))),
    set(table, i8x16.narrow(i16x8.narrow(four(-8), four(-4)), i16x8.narrow(four(0), four(4)))),
    set(from, i32.add(get(codes), codeAt)),
    set(to, i32.add(get(staging), i32.mul(get(row), i32.const(block)))),
    ...Array.from({ length: block / 32 }, (_, part) =>
      sequence(
        set(bytes, v128.load(get(from), 16 * part)),
        v128.store(get(to), i8x16.zipLow(first, second), 32 * part),
        v128.store(get(to), i8x16.zipHigh(first, second), 32 * part + 16),
      ),
    ),
  );
}

/** Sixteen staged rows of sixteen inputs to their place, turned: four times rows i and i + 8 in turns. */
function turn({ block, output, input, at, from, to, rows, others }: Frame): Code {
  const line = i32.mul(i32.add(get(input), get(at)), get(outs));
  const stage = (before: readonly Local[], after: readonly Local[]): readonly Code[] =>
    Array.from({ length: 8 }, (_, i) => {
      const [a, b] = [get(before[i] as Local), get(before[i + 8] as Local)];
      return sequence(
        set(after[2 * i] as Local, i8x16.zipLow(a, b)),
        set(after[2 * i + 1] as Local, i8x16.zipHigh(a, b)),
      );
    });
  return sequence(
    set(from, i32.add(get(staging), get(at))),
    set(to, i32.add(i32.add(get(out), get(output)), line)),
    ...rows.map((each, index) => set(each, v128.load(get(from), index * block))),
    ...stage(rows, others),
    ...stage(others, rows),
    ...stage(rows, others),
    ...stage(others, rows),
    ...rows.map((each) =>
      sequence(v128.store(get(to), get(each)), set(to, i32.add(get(to), get(outs)))),
    ),
  );
}
