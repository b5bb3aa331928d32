/**
 * Numbers within bounds, as text. Digits are limited so that every text parses to
 * a double that keeps the bound: 15 significant digits where a bound is given.
 */
import {
  alt,
  bytes,
  EMPTY,
  GrammarError,
  literal,
  NEVER,
  type Node,
  optional,
  repeat,
  seq,
} from "../grammar.ts";
import { decimalText } from "./decimals.ts";

export interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** True: the bound itself is out. */
  readonly minOpen?: boolean;
  readonly maxOpen?: boolean;
}

/** Digits of an integer without bounds. */
const FREE_DIGITS = 18;
/** Digits that a double keeps apart. */
export const EXACT_DIGITS = 15;
/** Three digits after the point are exact up to here. */
const FAR = 10 ** 12 - 1;

const DIGIT = bytes([0x30, 0x39]);
const NONZERO = bytes([0x31, 0x39]);
export const MINUS = literal("-");
export const POINT = literal(".");

export const digits = (low: number, high: number): Node =>
  low > high ? NEVER : bytes([0x30 + low, 0x30 + high]);

const FREE_INTEGER = seq(
  optional(MINUS),
  alt(literal("0"), seq(NONZERO, repeat(DIGIT, 0, FREE_DIGITS - 1))),
);

export function integers(bounds: Bounds): Node {
  if (bounds.min === undefined && bounds.max === undefined) return FREE_INTEGER;
  const [low, high] = limitsOf(bounds);
  if (low > high) return NEVER;
  return signed(low, high, (from, to) => naturals(String(from), String(to)));
}

/** The least and the greatest integer within the bounds, as far as all digits are exact. */
export function limitsOf(bounds: Bounds): readonly [low: number, high: number] {
  const limit = 10 ** EXACT_DIGITS - 1;
  let low = Math.ceil(bounds.min ?? -limit);
  let high = Math.floor(bounds.max ?? limit);
  if (bounds.minOpen === true && low === bounds.min) low += 1;
  if (bounds.maxOpen === true && high === bounds.max) high -= 1;
  return [Math.max(low, -limit), Math.min(high, limit)];
}

/** Splits [low, high] by sign; `build` is given bounds of one sign, zero among the positive. */
function signed(low: number, high: number, build: (low: number, high: number) => Node): Node {
  const negative = low < 0 ? seq(MINUS, build(Math.max(1, -high), -low)) : NEVER;
  const positive = high >= 0 ? build(Math.max(0, low), high) : NEVER;
  return alt(...[negative, positive].filter((part) => part !== NEVER));
}

/** Decimal integers in [low, high], no leading zeros. */
function naturals(low: string, high: string): Node {
  const options: Node[] = [];
  for (let length = low.length; length <= high.length; length++) {
    const from = length === low.length ? low : `1${"0".repeat(length - 1)}`;
    const to = length === high.length ? high : "9".repeat(length);
    options.push(sameLength(from, to));
  }
  return alt(...options);
}

/** Digit strings of one length in [from, to]. */
function sameLength(from: string, to: string): Node {
  if (from === "") return EMPTY;
  const rest = from.length - 1;
  const low = Number(from[0]);
  const high = Number(to[0]);
  if (/^0*$/.test(from.slice(1)) && /^9*$/.test(to.slice(1))) {
    return seq(digits(low, high), repeat(DIGIT, rest, rest));
  }
  if (low === high) return seq(digits(low, low), sameLength(from.slice(1), to.slice(1)));
  const middle = digits(low + 1, high - 1);
  return alt(
    seq(digits(low, low), sameLength(from.slice(1), "9".repeat(rest))),
    ...(middle === NEVER ? [] : [seq(middle, repeat(DIGIT, rest, rest))]),
    seq(digits(high, high), sameLength("0".repeat(rest), to.slice(1))),
  );
}

const FREE_NUMBER = seq(
  FREE_INTEGER,
  optional(seq(POINT, repeat(DIGIT, 1, FREE_DIGITS))),
  optional(
    seq(
      bytes([0x45, 0x45], [0x65, 0x65]),
      optional(bytes([0x2b, 0x2b], [0x2d, 0x2d])),
      repeat(DIGIT, 1, 2),
    ),
  ),
);

/** A bound as a decimal: whole part and fraction without trailing zeros. */
interface Decimal {
  readonly whole: number;
  readonly fraction: string;
  readonly open: boolean;
}

/** `most`: digits after the point at most; absent: as many as are exact. */
export function numbers(bounds: Bounds, most?: number): Node {
  if (bounds.min === undefined && bounds.max === undefined) {
    return most === undefined
      ? FREE_NUMBER
      : seq(FREE_INTEGER, optional(seq(POINT, repeat(DIGIT, 1, most))));
  }
  const { min, max } = bounds;
  const limit = 10 ** 9 - 1;
  // Where one side is free, nine digits before the point leave six after it.
  let low = min ?? Math.min(-limit, -Math.abs(max ?? 0) * 2);
  let high = max ?? Math.max(limit, Math.abs(min ?? 0) * 2);
  // A bound that leaves no digits after the point is drawn in, where the other allows it.
  if (high > FAR && low < FAR) high = FAR;
  if (low < -FAR && high > -FAR) low = -FAR;
  if (low > high) return NEVER;
  const [wholeDigits = ""] = decimalText(Math.max(Math.abs(low), Math.abs(high))).split(".");
  const exact = EXACT_DIGITS - wholeDigits.length;
  const given = [low, high].map(decimalText);
  if (exact < 0 || given.some((text) => (text.split(".")[1] ?? "").length > Math.max(exact, 0))) {
    throw new GrammarError(
      `the bounds ${low} and ${high} of a number need more digits than are exact`,
    );
  }
  const places = Math.min(exact, most ?? exact);
  const openLow = bounds.minOpen === true && min !== undefined;
  const openHigh = bounds.maxOpen === true && max !== undefined;
  const negative =
    low < 0
      ? seq(
          MINUS,
          between(
            high < 0 ? decimal(-high, openHigh) : { whole: 0, fraction: "", open: true },
            decimal(-low, openLow),
            places,
          ),
        )
      : NEVER;
  const positive =
    high >= 0
      ? between(
          low > 0 ? decimal(low, openLow) : { whole: 0, fraction: "", open: openLow && low === 0 },
          decimal(high, openHigh),
          places,
        )
      : NEVER;
  return alt(...[negative, positive].filter((part) => part !== NEVER));
}

/** Non-negative decimals in [low, high]. */
function between(low: Decimal, high: Decimal, places: number): Node {
  if (low.whole === high.whole) {
    return seq(literal(String(low.whole)), fraction(low, high, places));
  }
  const free = fraction(undefined, undefined, places);
  const options = [seq(literal(String(low.whole)), fraction(low, undefined, places))];
  if (low.whole + 1 <= high.whole - 1) {
    options.push(seq(naturals(String(low.whole + 1), String(high.whole - 1)), free));
  }
  options.push(seq(literal(String(high.whole)), fraction(undefined, high, places)));
  return alt(...options.filter((option) => option !== NEVER));
}

/** ".ddd" or nothing, so that low ≤ 0.ddd ≤ high (absent: 0 and 1). */
function fraction(low: Decimal | undefined, high: Decimal | undefined, places: number): Node {
  /** `l` and `h`: what is left of a bound whose digits were all met so far; undefined: it no longer binds. */
  const after = (l: string | undefined, h: string | undefined, left: number): Node => {
    const options: Node[] = [];
    const lowMet = l === undefined || (l === "" && low?.open !== true);
    const highMet = h === undefined || h !== "" || high?.open !== true;
    if (lowMet && highMet) options.push(EMPTY);
    if (left > 0) options.push(oneMore(l, h, left));
    return alt(...options.filter((option) => option !== NEVER));
  };
  const oneMore = (l: string | undefined, h: string | undefined, left: number): Node => {
    if (l === undefined && h === undefined) return repeat(DIGIT, 1, left);
    const from = l === undefined ? 0 : Number(l.charAt(0));
    const to = h === undefined ? 9 : Number(h.charAt(0));
    const options: Node[] = [];
    for (let digit = from; digit <= to; digit++) {
      const rest = after(
        l !== undefined && digit === from ? l.slice(1) : undefined,
        h !== undefined && digit === to ? h.slice(1) : undefined,
        left - 1,
      );
      if (rest !== NEVER) options.push(seq(digits(digit, digit), rest));
    }
    return alt(...options);
  };
  const l = low === undefined ? undefined : low.fraction;
  const h = high === undefined ? undefined : high.fraction;
  const bare =
    (l === undefined || (l === "" && low?.open !== true)) &&
    (h === undefined || h !== "" || high?.open !== true);
  const dotted = places > 0 ? oneMore(l, h, places) : NEVER;
  const options = [...(bare ? [EMPTY] : []), ...(dotted === NEVER ? [] : [seq(POINT, dotted)])];
  return alt(...options);
}

function decimal(value: number, open: boolean): Decimal {
  const [whole = "0", fractionText = ""] = decimalText(value).split(".");
  return { whole: Number(whole), fraction: fractionText, open };
}
