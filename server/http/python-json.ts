/**
 * JSON as Python writes it where JavaScript's has no words for it: a float that is whole, and
 * names of digits in the order in which they were put.
 */
import { uuidDigits } from "../hex-id.ts";

/** In no client's text. */
const MARK = `${uuidDigits()}:`;
const FLOAT = new RegExp(`"${MARK}(-?\\d+\\.0)"`, "g");
const NAME = `"${MARK}`;

/** The value of a field that is a float there; `pythonJson` alone writes it right. */
export function float(value: number): number | string {
  if (!Number.isInteger(value)) return value;
  return `${MARK}${Object.is(value, -0) ? "-0" : value}.0`;
}

/** The name of a field that keeps its place. */
export function placed(name: string): string {
  return MARK + name;
}

export function pythonJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes(MARK) ? text.replaceAll(FLOAT, "$1").replaceAll(NAME, '"') : text;
}
