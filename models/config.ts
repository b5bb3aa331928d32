/**
 * Reads a Hugging Face config.json by checked getters. A key that is absent or
 * null takes the fallback; a key without fallback must be there. Errors name
 * the file, the key, what was expected and what was found.
 */

/**
 * Sizes above these are no model's: what is made of them would take minutes or all
 * memory before anything else could refuse them.
 */
const MOST: readonly (readonly [key: RegExp, most: number])[] = [
  [/layer/, 1_024],
  [/expert/, 4_096],
  [/heads?$/, 16_384],
  [/vocab_size|^id$/, 2 ** 24],
  [/position|context|window/, 2 ** 27],
];
const MOST_OF_OTHERS = 2 ** 31;

/** config.json, or another file of a model folder, is not what it must be. */
export class ModelConfigError extends Error {
  override readonly name = "ModelConfigError";
}

export class ConfigReader {
  readonly #values: Readonly<Record<string, unknown>>;
  /** The file the values come from, for messages. */
  readonly file: string;
  readonly #prefix: string;

  constructor(values: Readonly<Record<string, unknown>>, file: string, prefix = "") {
    this.#values = values;
    this.file = file;
    this.#prefix = prefix;
  }

  has(key: string): boolean {
    return (this.#values[key] ?? undefined) !== undefined;
  }

  /** Is the key written at all, be it null? */
  mentions(key: string): boolean {
    return key in this.#values;
  }

  /** The value as it stands; undefined for absent and for null. */
  raw(key: string): unknown {
    return this.#values[key] ?? undefined;
  }

  /** A finite number. */
  number(key: string, fallback?: number): number {
    return this.#read(key, fallback, "a number", (value) =>
      typeof value === "number" && Number.isFinite(value) ? value : undefined,
    );
  }

  /** An integer ≥ `least`, which is 1 unless given, and no more than any model has of it. */
  integer(key: string, fallback?: number, least = 1): number {
    const most = MOST.find(([pattern]) => pattern.test(key))?.[1] ?? MOST_OF_OTHERS;
    const value = this.#read(key, fallback, `an integer ≥ ${least}`, (given) =>
      typeof given === "number" && Number.isSafeInteger(given) && given >= least
        ? given
        : undefined,
    );
    if (value > most) this.fail(key, `an integer ≤ ${most}`);
    return value;
  }

  optionalInteger(key: string, least = 1): number | undefined {
    return this.has(key) ? this.integer(key, undefined, least) : undefined;
  }

  optionalNumber(key: string): number | undefined {
    return this.has(key) ? this.number(key) : undefined;
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.#read(key, fallback, "true or false", (value) =>
      typeof value === "boolean" ? value : undefined,
    );
  }

  string(key: string, fallback?: string): string {
    return this.#read(key, fallback, "a string", (value) =>
      typeof value === "string" ? value : undefined,
    );
  }

  /** One of `known`, by name. */
  choice<Name extends string>(key: string, known: readonly Name[], fallback?: Name): Name {
    return this.#read(key, fallback, `one of ${known.join(", ")}`, (value) =>
      known.find((name) => name === value),
    );
  }

  strings(key: string, fallback?: readonly string[]): readonly string[] {
    return this.#read(key, fallback, "a list of strings", (value) =>
      Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined,
    );
  }

  /** Integers, or one of them alone (`eos_token_id`). */
  integers(key: string, fallback?: readonly number[]): readonly number[] {
    return this.#read(key, fallback, "an integer or a list of integers", (value) => {
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      const whole = list.filter((item): item is number => Number.isSafeInteger(item));
      return whole.length === list.length ? whole : undefined;
    });
  }

  /** A nested object, as a reader whose messages say where it stands. */
  section(key: string): ConfigReader | undefined {
    if (!this.has(key)) return undefined;
    const values = this.#read(key, undefined, "an object", (value) =>
      isObject(value) ? value : undefined,
    );
    return this.inside(key, values);
  }

  /** A reader of `values`, which stand at `path` below this one. */
  inside(path: string, values: Readonly<Record<string, unknown>>): ConfigReader {
    return new ConfigReader(values, this.file, `${this.#prefix}${path}.`);
  }

  /** Throws: `key` is not `expected`. */
  fail(key: string, expected: string): never {
    const value = this.#values[key];
    const found = value === undefined ? "nothing" : shorten(JSON.stringify(value));
    throw new ModelConfigError(
      `${this.file}: "${this.#prefix}${key}" must be ${expected}, found ${found}`,
    );
  }

  #read<T>(
    key: string,
    fallback: T | undefined,
    expected: string,
    check: (value: unknown) => T | undefined,
  ): T {
    const value = this.raw(key);
    if (value === undefined && fallback !== undefined) return fallback;
    const checked = value === undefined ? undefined : check(value);
    return checked ?? this.fail(key, expected);
  }
}

/** A JSON object: neither null nor a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
