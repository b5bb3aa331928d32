/**
 * JSON values as Python prints them: error messages quote what came in, and
 * clients compare them. A number that must keep its spelling is a `PyNumber`.
 */
import { codeOf } from "../../entry-at.ts";

/** A number of a JSON text, with what a double cannot tell: 1.0 is a float there, 1 is not. */
export class PyNumber {
  readonly value: number;
  readonly float: boolean;
  /** As written; integers may have any number of digits. */
  readonly text: string;

  constructor(text: string, float: boolean) {
    this.value = Number(text);
    this.float = float;
    this.text = text;
  }
}

/** An exception that a validator raised. */
export class PyValueError {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof PyNumber)
  );
}

/** `repr(float)`: the shortest digits that read back, an exponent below 1e-4 and from 1e16 on. */
export function pyFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits = "", power = "0"] = Math.abs(value).toExponential().split("e");
  const exponent = Number(power);
  const sign = value < 0 ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    const shown = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${digits}e${exponent < 0 ? "-" : "+"}${shown}`;
  }
  const all = digits.replace(".", "");
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${all}`;
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${all.slice(exponent + 1) || "0"}`;
}

function pyNumber(value: number | PyNumber): string {
  if (value instanceof PyNumber) {
    if (value.float) return pyFloat(value.value);
    return value.text === "-0" ? "0" : value.text;
  }
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? String(value) : pyFloat(value);
}

/** `str(value)`. */
export function pyStr(value: unknown): string {
  return typeof value === "string" ? value : pyRepr(value);
}

/** Characters of a container after which printing it stops: nothing shown is longer. */
const ENOUGH = 2000;

/** `repr(value)`. A long container is cut. */
export function pyRepr(value: unknown): string {
  const out: string[] = [];
  let length = 0;
  const put = (text: string): boolean => {
    out.push(text);
    length += text.length;
    return length < ENOUGH;
  };
  write(value, put);
  return out.join("");
}

function write(value: unknown, put: (text: string) => boolean): boolean {
  if (value === null || value === undefined) return put("None");
  if (value === true) return put("True");
  if (value === false) return put("False");
  if (typeof value === "string") return put(pyString(value));
  if (typeof value === "number" || value instanceof PyNumber) return put(pyNumber(value));
  if (value instanceof PyValueError) return put(`ValueError(${pyString(value.message)})`);
  if (Array.isArray(value)) {
    put("[");
    for (const [index, item] of value.entries()) {
      if (index > 0) put(", ");
      if (!write(item, put)) return false;
    }
    return put("]");
  }
  put("{");
  let first = true;
  for (const [key, item] of Object.entries(value as object)) {
    if (!first) put(", ");
    first = false;
    put(`${pyString(key)}: `);
    if (!write(item, put)) return false;
  }
  return put("}");
}

/** `json.dumps(value, ensure_ascii=False)`. */
export function pyJson(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "number" || value instanceof PyNumber) return pyNumber(value);
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(pyJson).join(", ")}]`;
  const fields = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${pyJson(item)}`,
  );
  return `{${fields.join(", ")}}`;
}

const NAMED: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** What Python does not hold to be printable: controls, separators but the space, surrogates, the unassigned. */
const UNPRINTABLE = /[\\\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

export function pyString(text: string): string {
  const escaped = text.replaceAll(UNPRINTABLE, (character) => {
    const named = NAMED[character];
    if (named !== undefined) return named;
    const code = codeOf(character);
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return escaped.includes("'") && !escaped.includes('"')
    ? `"${escaped}"`
    : `'${escaped.replaceAll("'", "\\'")}'`;
}

/** `type(value).__name__`. */
export function pyType(value: unknown): string {
  if (value === null || value === undefined) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "str";
  if (value instanceof PyNumber) return value.float ? "float" : "int";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return Array.isArray(value) ? "list" : "dict";
}

/** `bool(value)`. */
export function truthy(value: unknown): boolean {
  if (value instanceof PyNumber) return value.value !== 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Number.isNaN(value) || Boolean(value);
}
