/**
 * A small WebAssembly assembler: expressions are byte strings that compose, in
 * the order of the stack machine. Opcodes: WebAssembly 2.0, chapter 5 (binary
 * format), with 128-bit SIMD.
 */

/** Instructions; an expression leaves one value on the stack, a statement none. */
export type Code = readonly number[];

/** A local variable, by index. */
export type Local = number;

export const I32 = 0x7f;
export const F32 = 0x7d;
export const V128 = 0x7b;
export type ValueType = typeof I32 | typeof F32 | typeof V128;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

const floatBytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];

const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];
const unary =
  (...opcode: number[]) =>
  (a: Code): Code => [...a, ...opcode];
const simd = (code: number): number[] => [0xfd, ...unsigned(code)];
const load =
  (...opcode: number[]) =>
  (address: Code, offset = 0): Code => [...address, ...opcode, 0, ...unsigned(offset)];
const store =
  (...opcode: number[]) =>
  (address: Code, value: Code, offset = 0): Code => [
    ...address,
    ...value,
    ...opcode,
    0,
    ...unsigned(offset),
  ];

export const get = (local: Local): Code => [0x20, ...unsigned(local)];
export const set = (local: Local, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const sequence = (...parts: readonly Code[]): Code => parts.flat();

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  and: binary(0x71),
  shl: binary(0x74),
  shr: binary(0x76),
  below: binary(0x49),
  load: load(0x28),
};

export const f32 = {
  const: (value: number): Code => [0x43, ...floatBytes(value)],
  add: binary(0x92),
  mul: binary(0x94),
  div: binary(0x95),
  max: binary(0x97),
  sqrt: unary(0x91),
  load: load(0x2a),
  store: store(0x38),
};

export const v128 = {
  /** Sixteen bytes. */
  const: (bytes: ArrayLike<number>): Code => [...simd(12), ...Array.from(bytes)],
  load: load(...simd(0)),
  loadSplat: load(...simd(9)),
  /** Four numbers of 16 bits, each below zeros. */
  loadHalves: load(...simd(4)),
  and: binary(...simd(0x4e)),
  store: store(...simd(11)),
  /** Bits of `a` where `b` is 0. */
  andNot: binary(...simd(0x4f)),
  /** Bits of `a` where `mask` is 1, of `b` where it is 0. */
  select: (a: Code, b: Code, mask: Code): Code => [...a, ...b, ...mask, ...simd(0x52)],
};

export const f32x4 = {
  splat: unary(...simd(0x13)),
  const: (value: number): Code => [...f32.const(value), ...simd(0x13)],
  lane: (value: Code, lane: number): Code => [...value, ...simd(0x1f), lane],
  less: binary(...simd(0x43)),
  more: binary(...simd(0x44)),
  nearest: unary(...simd(0x6a)),
  abs: unary(...simd(0xe0)),
  negate: unary(...simd(0xe1)),
  add: binary(...simd(0xe4)),
  sub: binary(...simd(0xe5)),
  mul: binary(...simd(0xe6)),
  div: binary(...simd(0xe7)),
  max: binary(...simd(0xe9)),
  /** The higher of two in one instruction; `a` where one is no number. */
  higher: binary(...simd(0xeb)),
  toInt: unary(...simd(0xf8)),
  /** a · b + sum in one instruction, where `takesMultiplyAdd`. */
  multiplyAdd: (a: Code, b: Code, sum: Code): Code => [...a, ...b, ...sum, ...simd(0x105)],
  fromInt: unary(...simd(0xfa)),
};

export const i8x16 = {
  /** Of a table of sixteen bytes those that `indices` name, 0 where they are above 15. */
  swizzle: binary(...simd(0x0e)),
  /** Two i16x8, each value kept within 8 bits. */
  narrow: binary(...simd(0x65)),
  shiftRight: (value: Code, bits: number): Code => [...value, ...i32.const(bits), ...simd(0x6d)],
  /** Bytes of `a` and `b` in turns: of their first halves, of their second. */
  zipLow: (a: Code, b: Code): Code => zip(a, b, 0),
  zipHigh: (a: Code, b: Code): Code => zip(a, b, 8),
};

function zip(a: Code, b: Code, first: number): Code {
  const lanes = Array.from({ length: 16 }, (_, i) => first + (i >> 1) + 16 * (i & 1));
  return [...a, ...b, ...simd(0x0d), ...lanes];
}

/** One number of all four lanes. */
export const acrossLanes = (local: Local, combine: (a: Code, b: Code) => Code): Code =>
  combine(
    combine(f32x4.lane(get(local), 0), f32x4.lane(get(local), 1)),
    combine(f32x4.lane(get(local), 2), f32x4.lane(get(local), 3)),
  );

export const i16x8 = {
  /** Eight signed bytes, widened. */
  loadBytes: load(...simd(1)),
  /** Two i32x4, each value kept within 16 bits. */
  narrow: binary(...simd(0x85)),
};

export const i32x4 = {
  splat: unary(...simd(0x11)),
  add: binary(...simd(0xae)),
  sub: binary(...simd(0xb1)),
  /** Sums of the products of neighbours in two i16x8. */
  dot: binary(...simd(0xba)),
  shiftLeft: (value: Code, bits: number): Code => [...value, ...i32.const(bits), ...simd(0xab)],
};

/** `local` counts from `begin` while it is below `end`, by `step`; the body may run zero times. */
export function loop(local: Local, begin: Code, end: Code, step: number, body: Code): Code {
  return [
    ...set(local, begin),
    ...[0x02, 0x40, 0x03, 0x40], // block, loop
    ...i32.below(get(local), end),
    ...[0x45, 0x0d, 1], // leave the block when not below
    ...body,
    ...set(local, i32.add(get(local), i32.const(step))),
    ...[0x0c, 0, 0x0b, 0x0b], // again; end, end
  ];
}

export const when = (condition: Code, body: Code): Code => [
  ...condition,
  0x04,
  0x40,
  ...body,
  0x0b,
];

/** One exported function over an imported shared memory `env.memory`. */
export class FunctionBuilder {
  readonly #params: readonly ValueType[];
  readonly #locals: ValueType[] = [];

  constructor(...params: readonly ValueType[]) {
    this.#params = params;
  }

  local(type: ValueType): Local {
    return this.#params.length + this.#locals.push(type) - 1;
  }

  locals(type: ValueType, count: number): readonly Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** The module's bytes; `pages` is the size of the shared memory, absent: any that is not shared. */
  module(name: string, body: Code, pages?: number): Uint8Array<ArrayBuffer> {
    const text = (value: string): number[] => [
      ...unsigned(value.length),
      ...new TextEncoder().encode(value),
    ];
    const section = (id: number, ...content: number[]): number[] => [
      id,
      ...unsigned(content.length),
      ...content,
    ];
    const locals = this.#locals.flatMap((type) => [1, type]);
    const code = [...unsigned(this.#locals.length), ...locals, ...body, 0x0b];
    const size = pages === undefined ? [0, 1] : [3, ...unsigned(pages), ...unsigned(pages)];
    return Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, 1, 0x60, ...unsigned(this.#params.length), ...this.#params, 0),
      ...section(2, 1, ...text("env"), ...text("memory"), 2, ...size),
      ...section(3, 1, 0),
      ...section(7, 1, ...text(name), 0, 0),
      ...section(10, 1, ...unsigned(code.length), ...code),
    ]);
  }
}

/** A shared memory; it crosses to other threads. */
export interface Memory {
  readonly buffer: SharedArrayBuffer;
}

/** A memory of one thread. */
export interface OwnMemory {
  readonly buffer: ArrayBuffer;
}

/** What is used of the WebAssembly global, for which Node's types have no value. */
declare const WebAssembly: {
  readonly Memory: {
    new (size: { initial: number; maximum: number; shared: true }): Memory;
    new (size: { initial: number; maximum: number }): OwnMemory;
  };
  readonly validate: (bytes: Uint8Array<ArrayBuffer>) => boolean;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** A memory of `pages` pages of 64 KiB; the system gives them when they are touched. */
export function createMemory(pages: number): Memory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

export function createOwnMemory(pages: number): OwnMemory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/** The module's exported function, linked to the memory. */
export function link(
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  memory: Memory | OwnMemory,
): unknown {
  const module = new WebAssembly.Module(bytes);
  return new WebAssembly.Instance(module, { env: { memory } }).exports[name];
}

/** Whether relaxed SIMD is taken: a product and its sum as one instruction. */
export function takesMultiplyAdd(): boolean {
  const build = new FunctionBuilder(V128);
  const x = get(0);
  return WebAssembly.validate(build.module("test", set(0, f32x4.multiplyAdd(x, x, x)), 1));
}
