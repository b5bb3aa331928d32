/** Random values of a JSON schema, some of them wrong on purpose. */

export type Random = () => number;

/** mulberry32: small, seeded, good enough to pick test cases. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** `list` is not empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)] as T;
}

export interface Chances {
  /** Of an optional property. */
  readonly optional: number;
  /** Of a value that need not fit. */
  readonly wrong: number;
}

const TEXTS = [
  "",
  "a",
  "hello",
  "é🙂",
  "\u0000",
  "x".repeat(2_000),
  "auto",
  "required",
  "none",
  "user",
  "0",
  "-1",
  "null",
  "json_object",
  "__proto__",
  "\ud800",
];
const NUMBERS = [
  0,
  1,
  -1,
  2,
  0.5,
  1e-9,
  1e9,
  2 ** 31,
  -(2 ** 31),
  2 ** 53,
  1.5e300,
  -7,
  20,
  100_000,
];

/** Any JSON value. */
export function randomValue(random: Random, depth = 0): unknown {
  switch (below(random, depth > 3 ? 4 : 6)) {
    case 0:
      return null;
    case 1:
      return random() < 0.5;
    case 2:
      return pick(random, NUMBERS);
    case 3:
      return pick(random, TEXTS);
    case 4:
      return Array.from({ length: below(random, 4) }, () => randomValue(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: below(random, 4) }, () => [
          pick(random, TEXTS),
          randomValue(random, depth + 1),
        ]),
      );
  }
}

/** A value of the schema, as far as this knows it. */
export function sampleOf(schema: unknown, random: Random, chances: Chances, depth = 0): unknown {
  if (random() < chances.wrong || depth > 8 || typeof schema !== "object" || schema === null)
    return randomValue(random, depth);
  const known = schema as Readonly<Record<string, unknown>>; // an object by the line above
  const options = known["anyOf"] ?? known["oneOf"];
  if (Array.isArray(options) && options.length > 0)
    return sampleOf(pick(random, options), random, chances, depth + 1);
  if ("const" in known) return known["const"];
  const values = known["enum"];
  if (Array.isArray(values) && values.length > 0) return pick(random, values);
  switch (known["type"]) {
    case "null":
      return null;
    case "boolean":
      return random() < 0.5;
    case "integer":
      return Math.trunc(pick(random, NUMBERS));
    case "number":
      return pick(random, NUMBERS);
    case "string":
      return pick(random, TEXTS);
    case "array":
      return Array.from({ length: below(random, 4) }, () =>
        sampleOf(known["items"], random, chances, depth + 1),
      );
    case "object":
      return objectOf(known, random, chances, depth);
    default:
      return randomValue(random, depth);
  }
}

function objectOf(
  schema: Readonly<Record<string, unknown>>,
  random: Random,
  chances: Chances,
  depth: number,
): unknown {
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, unknown>>; // of a schema that validates
  const required = new Set((schema["required"] ?? []) as readonly string[]); // likewise
  const entries = Object.entries(properties)
    .filter(([name]) => required.has(name) || random() < chances.optional)
    .map(([name, inner]) => [name, sampleOf(inner, random, chances, depth + 1)] as const);
  const further =
    random() < 0.1 ? [[pick(random, TEXTS), randomValue(random, depth + 1)] as const] : [];
  return Object.fromEntries([...entries, ...further]);
}
