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
  type Rule,
  ref,
  repeat,
  seq,
} from "../grammar.ts";
import { intersect } from "../intersect.ts";

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
const EXACT_DIGITS = 15;
const MAX_DIVISOR = 300;

const DIGIT = bytes([0x30, 0x39]);
const NONZERO = bytes([0x31, 0x39]);
const MINUS = literal("-");
const POINT = literal(".");

const digits = (low: number, high: number): Node =>
  low > high ? NEVER : bytes([0x30 + low, 0x30 + high]);

const FREE_INTEGER = seq(
  optional(MINUS),
  alt(literal("0"), seq(NONZERO, repeat(DIGIT, 0, FREE_DIGITS - 1))),
);

export function integers(bounds: Bounds): Node {
  if (bounds.min === undefined && bounds.max === undefined) return FREE_INTEGER;
  const limit = 10 ** EXACT_DIGITS - 1;
  let low = Math.ceil(bounds.min ?? -limit);
  let high = Math.floor(bounds.max ?? limit);
  if (bounds.minOpen === true && low === bounds.min) low += 1;
  if (bounds.maxOpen === true && high === bounds.max) high -= 1;
  low = Math.max(low, -limit);
  high = Math.min(high, limit);
  if (low > high) return NEVER;
  return signed(low, high, (from, to) => naturals(String(from), String(to)));
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
  const low = min ?? Math.min(-limit, -Math.abs(max ?? 0) * 2);
  const high = max ?? Math.max(limit, Math.abs(min ?? 0) * 2);
  if (low > high) return NEVER;
  const wholeDigits = String(Math.floor(Math.max(Math.abs(low), Math.abs(high)))).length;
  const exact = EXACT_DIGITS - wholeDigits;
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

/** Without exponent. */
function decimalText(value: number): string {
  const text = String(Math.abs(value));
  if (!text.includes("e")) return text;
  if (Math.abs(value) >= 1) return BigInt(Math.abs(value)).toString();
  return Math.abs(value).toFixed(20).replace(/0+$/, "");
}

/** Digits after the point of a fraction that divides, at most. */
const MAX_PLACES = 9;

/** Numbers within the bounds that `divisor` divides, as decimals: 0.07 is a multiple of 0.01. */
export function multiplesOf(divisor: number, type: "integer" | "number", bounds: Bounds): Node {
  const [, fraction = ""] = decimalText(divisor).split(".");
  const places = fraction.length;
  const parts = Math.round(divisor * 10 ** places);
  if (places === 0) return multiples(divisor, bounds);
  if (places > MAX_PLACES || divisor <= 0 || parts > MAX_DIVISOR) {
    throw new GrammarError(`the keyword "multipleOf" is not supported for ${divisor}`);
  }
  if (type === "integer") return multiples(parts / common(parts, 10 ** places), bounds);
  return parts === 1 ? numbers(bounds, places) : fractions(parts, places, bounds);
}

const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));

/** Decimals of so many places at most that are multiples of `parts` of the last: a rule for each remainder and place. */
function fractions(parts: number, places: number, bounds: Bounds): Node {
  const rules = Array.from({ length: parts * (places + 1) }, (_, at): Rule => {
    const [place, remainder] = [Math.floor(at / parts), at % parts];
    return { name: `mod ${remainder} at ${place}`, body: undefined };
  });
  const at = (remainder: number, place: number): Rule | undefined =>
    rules[place * parts + (remainder % parts)];
  const digit = (remainder: number, place: number, from = 0): readonly Node[] =>
    Array.from({ length: 10 - from }, (_, i) => {
      const next = at(remainder * 10 + from + i, place);
      return next === undefined ? NEVER : seq(digits(from + i, from + i), ref(next));
    });
  for (const [index, rule] of rules.entries()) {
    const [place, remainder] = [Math.floor(index / parts), index % parts];
    const ends = (remainder * 10 ** (places - place)) % parts === 0;
    const further = place === 0 ? digit(remainder, 0) : [];
    const after = place < places ? digit(remainder, place + 1) : [];
    const pointed = place === 0 ? after.map((node) => seq(POINT, node)) : after;
    rule.body = alt(...(ends ? [EMPTY] : []), ...further, ...pointed);
  }
  const zero = at(0, 0);
  if (zero === undefined) return NEVER;
  const whole = alt(
    ...digit(0, 0, 1),
    seq(literal("0"), alt(EMPTY, ...digit(0, 1).map((node) => seq(POINT, node)))),
  );
  return intersect(seq(optional(MINUS), whole), numbers(bounds, places));
}

/** Integers within the bounds that `divisor` divides: a rule for each remainder. */
function multiples(divisor: number, bounds: Bounds): Node {
  if (!Number.isInteger(divisor) || divisor < 1 || divisor > MAX_DIVISOR) {
    throw new GrammarError(`the keyword "multipleOf" is not supported for ${divisor}`);
  }
  if (divisor === 1) return integers(bounds);
  const rules: Rule[] = Array.from({ length: divisor }, (_, r) => ({
    name: `mod ${r}`,
    body: undefined,
  }));
  const step = (remainder: number, from: number): Node =>
    alt(
      ...Array.from({ length: 10 - from }, (_, i) => {
        const next = rules[(remainder * 10 + from + i) % divisor];
        return next === undefined ? NEVER : seq(digits(from + i, from + i), ref(next));
      }),
    );
  for (const [remainder, rule] of rules.entries()) {
    rule.body = remainder === 0 ? alt(EMPTY, step(0, 0)) : step(remainder, 0);
  }
  const all = alt(literal("0"), seq(optional(MINUS), step(0, 1)));
  const limit = 10 ** EXACT_DIGITS - 1;
  return intersect(all, integers({ min: -limit, max: limit, ...bounds }));
}
