/** Texts, words, booleans and numbers, as laxly as pydantic reads them. */
import { entryAt } from "../../entry-at.ts";
import { bound } from "./complaint.ts";
import { MOST_DIGITS } from "./json.ts";
import { PyNumber } from "./python.ts";
import { type Check, type CheckState, FAIL, LAX, type ShapeSchema, STRICT } from "./schema.ts";

/** For objects of Python's that JSON has not. */
export const never: Check = (value, state) =>
  state.fail({
    type: "is_instance_of",
    message: "Input should be an instance of Image",
    input: value,
  });

export function instance(name: string): Check {
  const message = `Input should be an instance of ${name}`;
  return (value, state) =>
    state.fail({ type: "is_instance_of", message, input: value, context: { class: name } });
}

export function literal(values: readonly string[]): Check {
  const allowed: ReadonlySet<unknown> = new Set(values);
  const quoted = values.map((value) => `'${value}'`);
  const last = entryAt(quoted, quoted.length - 1);
  const expected = quoted.length < 2 ? last : `${quoted.slice(0, -1).join(", ")} or ${last}`;
  const message = `Input should be ${expected}`;
  return (value, state) => {
    if (allowed.has(value)) return value;
    if (state.complaints === undefined) return FAIL;
    return state.fail({ type: "literal_error", message, input: value, context: { expected } });
  };
}

export function text({ minLength, maxLength, format }: ShapeSchema): Check {
  const kind = format === "bytes" ? "bytes" : "string";
  return (value, state) => {
    if (typeof value !== "string") {
      return state.fail({
        type: `${kind}_type`,
        message: `Input should be a valid ${kind}`,
        input: value,
      });
    }
    if (minLength !== undefined && value.length < minLength) {
      return state.fail({
        type: "string_too_short",
        message: `String should have at least ${plural(minLength, "character")}`,
        input: value,
        context: { min_length: minLength },
      });
    }
    if (maxLength !== undefined && value.length > maxLength) {
      return state.fail({
        type: "string_too_long",
        message: `String should have at most ${plural(maxLength, "character")}`,
        input: value,
        context: { max_length: maxLength },
      });
    }
    return value;
  };
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const TRUE: ReadonlySet<string> = new Set(["1", "on", "t", "true", "y", "yes"]);
const FALSE: ReadonlySet<string> = new Set(["0", "off", "f", "false", "n", "no"]);

export const boolean: Check = (value, state) => {
  if (typeof value === "boolean") return value;
  state.lower(LAX);
  const number = numberOf(value);
  if (number === 0 || number === 1) return number === 1;
  const word = typeof value === "string" ? value.toLowerCase() : undefined;
  if (word !== undefined && (TRUE.has(word) || FALSE.has(word))) return TRUE.has(word);
  const near = word !== undefined || (Number.isInteger(number) && Math.abs(number ?? 0) < 2 ** 63);
  return near
    ? state.fail({
        type: "bool_parsing",
        message: "Input should be a valid boolean, unable to interpret input",
        input: value,
      })
    : state.fail({
        type: "bool_type",
        message: "Input should be a valid boolean",
        input: value,
      });
};

function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return value instanceof PyNumber ? value.value : undefined;
}

/** The integer as a number, or as a PyNumber where a double would round it. */
export const integer: Check = (value, state) => {
  if (typeof value === "boolean") {
    state.lower(LAX);
    return Number(value);
  }
  if (typeof value === "string") return integerText(value, state);
  const number = numberOf(value);
  if (number === undefined) {
    return state.fail({
      type: "int_type",
      message: "Input should be a valid integer",
      input: value,
    });
  }
  if (value instanceof PyNumber && !value.float) {
    return Number.isSafeInteger(number) ? number : value;
  }
  // Of more digits than a double has room for: those are known.
  if (Math.abs(number) === Number.POSITIVE_INFINITY && state.anyWidth) return number;
  if (!Number.isFinite(number)) {
    return state.fail({
      type: "finite_number",
      message: "Input should be a finite number",
      input: value,
    });
  }
  if (Number.isInteger(number)) {
    if (value instanceof PyNumber) state.lower(LAX);
    if (Math.abs(number) < 2 ** 63 || state.anyWidth) return number;
    // A float so wide; an integer has passed above, where its digits are known.
    return tooWide(value, state);
  }
  return state.fail({
    type: "int_from_float",
    message: "Input should be a valid integer, got a number with a fractional part",
    input: value,
  });
};

function tooWide(value: unknown, state: CheckState): typeof FAIL {
  return state.fail({
    type: "int_parsing_size",
    message: "Unable to parse input string as an integer, exceeded maximum size",
    input: value,
  });
}

/** Of any number written as text: longer ones are not looked at. */
const MOST_CHARACTERS = 100_000;

const INTEGER = /^\s*([+-]?)(\d+(?:_\d+)*)(?:\.0*)?\s*$/;

function integerText(value: string, state: CheckState): unknown {
  state.lower(LAX);
  const digits = value.length <= MOST_CHARACTERS ? INTEGER.exec(value) : null;
  if (digits !== null && entryAt(digits, 2).length > MOST_DIGITS) return tooWide(value, state);
  if (digits === null) {
    return state.fail({
      type: "int_parsing",
      message: "Input should be a valid integer, unable to parse string as an integer",
      input: value,
    });
  }
  const plain = entryAt(digits, 2)
    .replaceAll("_", "")
    .replace(/^0+(?=\d)/, "");
  const number = new PyNumber(`${digits[1] === "-" ? "-" : ""}${plain}`, false);
  // The digits are needed only where a complaint may quote them.
  return Number.isSafeInteger(number.value) || state.complaints === undefined
    ? number.value
    : number;
}

/** Nothing in it can be read in two ways, so that what is no number is found to be none in one pass. */
const FLOAT = /^\s*[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?\s*$/i;
const INFINITE = /^\s*([+-]?)(inf|infinity|nan)\s*$/i;

export const float: Check = (value, state) => {
  const number = numberOf(value);
  if (number !== undefined) {
    if (value instanceof PyNumber && !value.float) state.lower(STRICT);
    return number;
  }
  state.lower(LAX);
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string") {
    return state.fail({
      type: "float_type",
      message: "Input should be a valid number",
      input: value,
    });
  }
  if (value.length <= MOST_CHARACTERS && FLOAT.test(value))
    return Number(value.replaceAll("_", ""));
  const infinite = INFINITE.exec(value);
  if (infinite !== null) {
    if (infinite[2]?.toLowerCase() === "nan") return Number.NaN;
    return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  return state.fail({
    type: "float_parsing",
    message: "Input should be a valid number, unable to parse string as a number",
    input: value,
  });
};

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

export function bounded(inner: Check, schema: ShapeSchema, whole: boolean): Check {
  const { minimum, maximum, format } = schema;
  const wide = format === "int64";
  const exact = schema["x-exact"] === true;
  if (minimum === undefined && maximum === undefined && !wide) return inner;
  const least = minimum ?? (wide ? -(2 ** 63) : Number.NEGATIVE_INFINITY);
  const most = maximum ?? Number.POSITIVE_INFINITY;
  const over = (value: unknown, number: number, state: CheckState): boolean => {
    if (!wide) return number > most;
    if (state.anyWidth) return false;
    if (value instanceof PyNumber) return BigInt(value.text) > INT64_MAX;
    return number >= 2 ** 63;
  };
  const under = (value: unknown, number: number, state: CheckState): boolean => {
    if (!wide || minimum !== undefined) return number < least;
    if (state.anyWidth) return false;
    if (value instanceof PyNumber) return BigInt(value.text) < INT64_MIN;
    // Without its digits the least itself may be less.
    return state.complaints === undefined ? number <= least : number < least;
  };
  return (value, state) => {
    const read = inner(value, state);
    if (read === FAIL) return FAIL;
    const number = numberOf(read) as number; // what the inner check read is one
    const rounded = exact && !state.anyWidth && !Number.isSafeInteger(number);
    // Tried again on the digits as they were written.
    if (rounded && state.complaints === undefined && !(value instanceof PyNumber)) return FAIL;
    if (over(read, number, state)) {
      const limit = wide ? new PyNumber(String(INT64_MAX), false) : bound(most, whole);
      const shown = wide ? INT64_MAX : most;
      return state.fail({
        type: "less_than_equal",
        message: `Input should be less than or equal to ${shown}`,
        input: value,
        context: { le: limit },
      });
    }
    if (under(read, number, state)) {
      const limit =
        least === -(2 ** 63) ? new PyNumber(String(INT64_MIN), false) : bound(least, whole);
      const shown = least === -(2 ** 63) ? INT64_MIN : least;
      return state.fail({
        type: "greater_than_equal",
        message: `Input should be greater than or equal to ${shown}`,
        input: value,
        context: { ge: limit },
      });
    }
    return rounded ? BigInt(read instanceof PyNumber ? read.text : number) : read;
  };
}
