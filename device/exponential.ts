/** exp and powers of two for four F32 at a time. */
import type { Code, Local } from "./wasm.ts";
import { f32x4, get, i32, i32x4, sequence, set, v128 } from "./wasm.ts";

/** Coefficients of the Cephes library (S. Moshier, expf), highest power first. */
const POLYNOMIAL = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5,
];

/** Below this the result is 0. */
const LOWEST = -87;

/** 1.5 · 2^23: added to a small number it leaves the nearest integer in the low bits. */
export const ROUNDING = 12_582_912;

/**
 * x = exp(x) for x ≤ 0: 2^n · e^r with |r| ≤ ln 2 / 2; about 1 ulp. Exactly 0
 * below −87, for −∞ too. Overwrites the three scratch locals.
 */
export function exponential(x: Local, scratch: readonly Local[]): Code {
  const [n = x, r = x, tiny = x] = scratch;
  const { add, sub, mul, higher, less, const: constant } = f32x4;
  const [first = 0, ...rest] = POLYNOMIAL;
  const polynomial = rest.reduce<Code>(
    (value, coefficient) => add(mul(value, get(r)), constant(coefficient)),
    constant(first),
  );
  // 2^n: shifted into the exponent, what ROUNDING added is gone.
  const power = i32x4.add(i32x4.shiftLeft(get(n), 23), i32x4.splat(i32.const(127 << 23)));
  // ln 2 in two parts, the first exact in few bits, so that n · ln 2 loses nothing.
  const whole = sub(get(n), constant(ROUNDING));
  const high = mul(get(r), constant(0.693359375));
  const low = mul(get(r), constant(-2.1219444e-4));
  return sequence(
    set(tiny, less(get(x), constant(LOWEST))),
    set(x, higher(get(x), constant(LOWEST))),
    set(n, add(mul(get(x), constant(Math.LOG2E)), constant(ROUNDING))),
    set(r, whole),
    set(r, sub(sub(get(x), high), low)),
    set(x, add(add(mul(polynomial, mul(get(r), get(r))), get(r)), constant(1))),
    set(x, v128.andNot(mul(get(x), power), get(tiny))),
  );
}

/** 2^f, |f| ≤ 1/2, with error 2e-7 at most and 1 at 0: fitted, highest power first. */
const POWER = [
  1.326472731e-3, 9.671512991e-3, 5.550733581e-2, 0.2402224243, 0.6931470037, 1,
] as const;

/** 2 to a lower power than this is taken for it: the least that has a full fraction. */
const LOWEST_POWER = -126;

/** x = 2^x for x ≤ 0, never below 2^−126. Overwrites the scratch local. */
export function powerOfTwo(x: Local, n: Local): Code {
  const { add, sub, mul, higher, const: constant } = f32x4;
  const [first, ...rest] = POWER;
  const fraction = rest.reduce<Code>(
    (value, coefficient) => add(mul(value, get(x)), constant(coefficient)),
    constant(first),
  );
  return sequence(
    set(x, higher(get(x), constant(LOWEST_POWER))),
    set(n, add(get(x), constant(ROUNDING))),
    set(x, sub(get(x), sub(get(n), constant(ROUNDING)))),
    set(x, i32x4.add(fraction, i32x4.shiftLeft(get(n), 23))),
  );
}
