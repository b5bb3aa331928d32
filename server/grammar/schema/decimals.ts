/** Numbers as the decimals that their texts are, exactly. */

/** Without sign and exponent. */
export function decimalText(value: number): string {
  const [digits = "", exponent = "0"] = String(Math.abs(value)).split("e");
  const shift = Number(exponent);
  if (shift === 0) return digits;
  const [whole = "", fraction = ""] = digits.split(".");
  const all = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `0.${"0".repeat(-point)}${all}`;
  return point >= all.length
    ? all.padEnd(point, "0")
    : `${all.slice(0, point)}.${all.slice(point)}`;
}

/** `parts` of 10 to the power of −`places`. */
export interface Decimal {
  readonly parts: bigint;
  readonly places: number;
}

export function decimalOf(value: number): Decimal {
  const [whole = "", fraction = ""] = decimalText(value).split(".");
  return { parts: BigInt(whole + fraction), places: fraction.length };
}

const widened = ({ parts, places }: Decimal, to: number): bigint =>
  parts * 10n ** BigInt(to - places);

export function isMultiple(value: number, divisor: number): boolean {
  const [a, b] = [decimalOf(value), decimalOf(divisor)];
  const places = Math.max(a.places, b.places);
  return b.parts !== 0n && widened(a, places) % widened(b, places) === 0n;
}

export const commonDivisor = (a: bigint, b: bigint): bigint =>
  b === 0n ? a : commonDivisor(b, a % b);

/** What both divide, the least. */
export function commonMultiple(a: Decimal, b: Decimal): Decimal {
  const places = Math.max(a.places, b.places);
  const [x, y] = [widened(a, places), widened(b, places)];
  return narrowed({ parts: (x * y) / commonDivisor(x, y), places });
}

/** Without zeros at its end. */
function narrowed({ parts, places }: Decimal): Decimal {
  return places > 0 && parts % 10n === 0n
    ? narrowed({ parts: parts / 10n, places: places - 1 })
    : { parts, places };
}
