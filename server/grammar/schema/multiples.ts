/** Numbers that some numbers divide and others do not, as text: rules for remainders. */
import {
  alt,
  EMPTY,
  GrammarError,
  literal,
  literals,
  NEVER,
  type Node,
  optional,
  type Rule,
  ref,
  seq,
} from "../grammar.ts";
import { intersect } from "../intersect.ts";
import { commonDivisor, commonMultiple, type Decimal, decimalOf } from "./decimals.ts";
import {
  type Bounds,
  digits,
  EXACT_DIGITS,
  integers,
  limitsOf,
  MINUS,
  numbers,
  POINT,
} from "./numbers.ts";

/** Remainders at most: each is a rule of ten branches. */
const MAX_PERIOD = 1_000;
/** Those of fractions, which are ruled for each place. */
const MAX_PARTS = 300;
/** With more of them than this, whole numbers have fewer digits. */
const MANY = 400;
const FEW_DIGITS = 7;
/** Whole numbers that are written one by one, at most, and looked at for it. */
const MAX_LISTED = 1_000;
const MAX_LOOKED_AT = 100_000;
/** Digits after the point of a fraction that divides, at most. */
const MAX_PLACES = 9;

interface Divided {
  readonly divisors: readonly number[];
  /** Whole numbers; where there are some, so is the number itself. */
  readonly indivisible: readonly number[];
}

/** The whole number that divides an integer just where `divisor` does; undefined: there is none. */
export function wholeDivisor(divisor: number): number | undefined {
  if (!(divisor > 0)) return undefined;
  const { parts, places } = decimalOf(divisor);
  const whole = Number(parts / commonDivisor(parts, 10n ** BigInt(places)));
  return Number.isSafeInteger(whole) ? whole : undefined;
}

/** Numbers within the bounds, as decimals: 0.07 is a multiple of 0.01. */
export function multiplesOf(
  { divisors, indivisible }: Divided,
  type: "integer" | "number",
  bounds: Bounds,
): Node {
  if (divisors.some((one) => !(one > 0))) throw unsupported(divisors);
  const [first = ONE, ...others] = divisors.map(decimalOf);
  const divisor = others.reduce(commonMultiple, first);
  const { places } = divisor;
  const whole = divisor.parts / commonDivisor(divisor.parts, 10n ** BigInt(places));
  if (type === "integer" || places === 0 || indivisible.length > 0) {
    return wholes(whole, indivisible.map(BigInt), bounds, divisors);
  }
  const parts = Number(divisor.parts);
  if (places > MAX_PLACES || parts > MAX_PARTS) throw unsupported(divisors);
  return parts === 1 ? numbers(bounds, places) : fractions(parts, places, bounds);
}

const ONE: Decimal = { parts: 1n, places: 0 };

const unsupported = (divisors: readonly number[]): GrammarError =>
  new GrammarError(`the keyword "multipleOf" is not supported for ${divisors.join(" and ")}`);

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

/** Integers within the bounds that `divisor` divides and none of the others. */
function wholes(
  divisor: bigint,
  indivisible: readonly bigint[],
  bounds: Bounds,
  given: readonly number[],
): Node {
  if (divisor === 1n && indivisible.length === 0) return integers(bounds);
  const fits = (value: bigint) =>
    value % divisor === 0n && indivisible.every((one) => value % one !== 0n);
  const listed = listOf(divisor, fits, bounds);
  if (listed !== undefined) return literals(listed);
  const period = indivisible.reduce((all, one) => (all * one) / commonDivisor(all, one), divisor);
  if (period > MAX_PERIOD) throw unsupported(given);
  const places = period > MANY ? FEW_DIGITS : EXACT_DIGITS;
  const limit = 10 ** places - 1;
  const [low, high] = limitsOf(bounds);
  return intersect(
    remainders(Number(period), fits),
    integers({ min: Math.max(low, -limit), max: Math.min(high, limit) }),
  );
}

/** Those within the bounds, where both are near. */
function listOf(
  divisor: bigint,
  fits: (value: bigint) => boolean,
  bounds: Bounds,
): readonly string[] | undefined {
  const [low, high] = limitsOf(bounds).map(BigInt);
  if (low === undefined || high === undefined) return undefined;
  const count = (high - low) / divisor;
  if (count > MAX_LOOKED_AT) return undefined;
  const found: string[] = [];
  const first = low - (((low % divisor) + divisor) % divisor);
  for (let value = first; value <= high; value += divisor) {
    if (value < low || !fits(value)) continue;
    if (found.length >= MAX_LISTED) return undefined;
    found.push(String(value));
  }
  return found;
}

/** Integers whose remainder fits: a rule for each. */
function remainders(period: number, fits: (value: bigint) => boolean): Node {
  const rules: Rule[] = Array.from({ length: period }, (_, r) => ({
    name: `mod ${r}`,
    body: undefined,
  }));
  const step = (remainder: number, from: number): Node =>
    alt(
      ...Array.from({ length: 10 - from }, (_, i) => {
        const next = rules[(remainder * 10 + from + i) % period];
        return next === undefined ? NEVER : seq(digits(from + i, from + i), ref(next));
      }),
    );
  for (const [remainder, rule] of rules.entries()) {
    rule.body = fits(BigInt(remainder)) ? alt(EMPTY, step(remainder, 0)) : step(remainder, 0);
  }
  const zero = fits(0n) ? [literal("0")] : [];
  return alt(...zero, seq(optional(MINUS), step(0, 1)));
}
