/** What a row of the settings table is, and the kinds of value a row can have. */

/** One setting. `T` is the type of its value once parsed. */
export interface Row<T> {
  /** Heading in help. */
  readonly group: string;
  /** How its value is written in help; absent: a switch with a `--no-` form. */
  readonly value?: string;
  readonly default: T;
  readonly sentence: string;
  /** Takes one text from the command line or the environment; throws an Error that says what is wrong. */
  readonly parse: (text: string) => T;
  /** Several values may follow the flag; `parse` gets them as a JSON list. */
  readonly many?: boolean;
  readonly env?: string;
  /** A further spelling, e.g. `-tp`. */
  readonly short?: string;
  /** Its value is shown nowhere: no report, log, fingerprint, error or route. */
  readonly secret?: boolean;
}

interface Extra<T> {
  readonly env?: string;
  readonly short?: string;
  readonly secret?: boolean;
  /** Says what is wrong with a value; undefined: nothing. */
  readonly check?: (value: T) => string | undefined;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Makes rows of a group, whatever their kind. */
function rowOf(group: string) {
  return <T>(
    value: string | undefined,
    fallback: T,
    sentence: string,
    parse: (text: string) => T,
    { check, ...extra }: Extra<NonNullable<T>> = {},
  ): Row<T> => ({
    group,
    ...(value !== undefined && { value }),
    default: fallback,
    sentence,
    parse: (text) => {
      const parsed = parse(text);
      const wrong = parsed === undefined || parsed === null ? undefined : check?.(parsed);
      if (wrong !== undefined) throw new Error(wrong);
      return parsed;
    },
    ...extra,
  });
}

/** The kinds of rows of one group. */
export function rowsOf(group: string) {
  const row = rowOf(group);
  return {
    /** Any other kind: `parse` throws an Error that says what is wrong. */
    of: row,
    text: <D extends string | undefined>(
      fallback: D,
      sentence: string,
      extra?: Extra<NonNullable<D | string>> & { readonly value?: string },
    ) =>
      row<D | string>(extra?.value ?? "TEXT", fallback, sentence, (text) => text, omitValue(extra)),
    integer: <D extends number | undefined>(
      fallback: D,
      sentence: string,
      extra?: Extra<NonNullable<D | number>>,
    ) => row<D | number>("N", fallback, sentence, parseInteger, { check: atLeast(0), ...extra }),
    /** `16k` is 16,000 and `16K` 16,384, as in vLLM. */
    humanInteger: <D extends number | undefined>(
      fallback: D,
      sentence: string,
      extra?: Extra<NonNullable<D | number>>,
    ) => row<D | number>("N", fallback, sentence, parseHumanInteger, extra),
    number: <D extends number | undefined>(
      fallback: D,
      sentence: string,
      extra?: Extra<NonNullable<D | number>>,
    ) => row<D | number>("X", fallback, sentence, parseNumber, extra),
    toggle: <D extends boolean | undefined>(
      fallback: D,
      sentence: string,
      extra?: Extra<NonNullable<D | boolean>>,
    ) => row<D | boolean>(undefined, fallback, sentence, parseBoolean, extra),
    choice: <C extends string, D extends C | undefined>(
      choices: readonly C[],
      fallback: D,
      sentence: string,
      extra?: Extra<NonNullable<D | C>>,
    ) =>
      row<D | C>(
        choices.join("|"),
        fallback,
        sentence,
        (text) => {
          const found = choices.find((choice) => choice === text);
          if (found === undefined) throw new Error(`must be one of ${choices.join(", ")}`);
          return found;
        },
        extra,
      ),
    json: <D extends JsonObject | undefined>(
      fallback: D,
      sentence: string,
      extra?: Extra<NonNullable<D | JsonObject>>,
    ) => row<D | JsonObject>("JSON", fallback, sentence, parseObject, extra),
    list: (fallback: readonly string[], sentence: string, extra?: Extra<readonly string[]>) => ({
      ...row<readonly string[]>("A B", fallback, sentence, parseList, extra),
      many: true,
    }),
  };
}

export function atLeast(least: number) {
  return (value: number): string | undefined =>
    value < least ? `must be at least ${least}` : undefined;
}

function omitValue<T extends { readonly value?: string }>(extra: T | undefined) {
  const { value: _value, ...rest } = extra ?? {};
  return rest;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new Error("must be a number");
  return value;
}

function parseInteger(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value)) throw new Error("must be a whole number");
  return value;
}

const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
};

/** `16k` is 16,000 and `16K` 16,384; `auto` is −1. Throws an Error. */
export function parseHumanInteger(text: string): number {
  if (text === "auto") return -1;
  const match = /^(-?\d+(?:\.\d+)?)([kmgKMG]?)$/.exec(text);
  const factor = FACTORS[match?.[2] ?? ""];
  if (match === null || factor === undefined) {
    throw new Error("must be a whole number, such as 4096, 16k or 1M");
  }
  return Math.round(Number(match[1]) * factor);
}

function parseBoolean(text: string): boolean {
  if (["true", "1", "yes"].includes(text.toLowerCase())) return true;
  if (["false", "0", "no"].includes(text.toLowerCase())) return false;
  throw new Error("must be true or false");
}

/** A check for rows that hand JSON on as it was typed. */
export function isObjectText(text: string): string | undefined {
  try {
    parseObject(text);
    return undefined;
  } catch (error) {
    return (error as Error).message; // an Error, see below
  }
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("must be a JSON object, such as '{\"key\": 1}'");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("must be a JSON object");
  }
  return value as JsonObject; // checked in the line above
}

function parseList(text: string): readonly string[] {
  if (!text.startsWith("[")) return text.split(",").filter((part) => part !== "");
  let value: readonly unknown[];
  try {
    value = JSON.parse(text); // a list, since it begins as one
  } catch {
    throw new Error('must be a list, such as \'["a", "b"]\'');
  }
  // Values as typed on a command line may be JSON lists themselves: `--allowed-origins '["*"]'`.
  return value.flatMap((part) =>
    typeof part === "string" && part.startsWith("[") ? parseList(part) : [String(part)],
  );
}
