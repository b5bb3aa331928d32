/**
 * A schema to the alternatives it stands for. `$ref` stays a reference until it
 * must be merged with something else: that is what lets recursive schemas end.
 */
import { GrammarError } from "../grammar.ts";
import { excludes } from "./disjoint.ts";
import { type All, ANYTHING, type Flat, isObject, mergeFlat, type Schema } from "./flat.ts";
import { negate } from "./negate.ts";
import { asSchema, readFlat, schemaList, unsupported } from "./read.ts";

export type Alternative =
  | { readonly kind: "flat"; readonly flat: Flat }
  /** All that another schema of the document says. */
  | { readonly kind: "same"; readonly schema: Schema };

const MAX_DEPTH = 64;
const MAX_ALTERNATIVES = 512;

/** Keywords with a meaning of their own beside `$ref`; others are annotations. */
const COMBINING: readonly string[] = [
  "$ref",
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "unevaluatedProperties",
  "unevaluatedItems",
];

export class Expander {
  readonly #root: Schema;
  readonly #flats = new Map<Schema, Flat>();

  constructor(root: Schema) {
    this.#root = root;
  }

  /** The alternatives of schemas that must all hold. */
  expandAll(schemas: All, depth = 0): readonly Alternative[] {
    let result: readonly Alternative[] = [{ kind: "flat", flat: ANYTHING }];
    for (const schema of schemas) result = this.#cross(result, this.expand(schema, depth), depth);
    return result;
  }

  expand(schema: Schema, depth = 0): readonly Alternative[] {
    if (depth > MAX_DEPTH)
      throw new GrammarError("it is nested too deeply, or refers to itself without end");
    if (schema === true) return [{ kind: "flat", flat: ANYTHING }];
    if (schema === false) return [];
    let result: readonly Alternative[] = [{ kind: "flat", flat: this.#read(schema) }];
    const reference = schema["$ref"];
    if (reference !== undefined) {
      result = this.#cross(result, [{ kind: "same", schema: this.resolve(reference) }], depth);
    }
    if (schema["allOf"] !== undefined) {
      for (const part of schemaList(schema["allOf"], "allOf")) {
        result = this.#cross(result, this.expand(part, depth + 1), depth);
      }
    }
    if (schema["anyOf"] !== undefined) {
      const options = schemaList(schema["anyOf"], "anyOf").flatMap((part) =>
        this.expand(part, depth + 1),
      );
      result = this.#cross(result, options, depth);
    }
    if (schema["oneOf"] !== undefined)
      result = this.#oneOf(result, schemaList(schema["oneOf"], "oneOf"), depth);
    if (schema["not"] !== undefined) {
      result = this.#cross(result, this.#opposite(schema["not"], depth), depth);
    }
    return this.#unevaluated(schema, result, depth);
  }

  /** Flat alternatives only: references followed. */
  flats(schemas: All, depth = 0): readonly Flat[] {
    return this.expandAll(schemas, depth).flatMap((option) =>
      option.kind === "flat" ? [option.flat] : this.flats([option.schema], depth + 1),
    );
  }

  resolve(reference: unknown): Schema {
    if (typeof reference !== "string") throw new GrammarError('"$ref" must be a string');
    if (reference !== "#" && !reference.startsWith("#/")) {
      throw unsupported(
        "$ref",
        ` for ${JSON.stringify(reference)}: only pointers into the schema itself (#/…) are`,
      );
    }
    let at: unknown = this.#root;
    for (const part of reference.split("/").slice(1)) {
      const name = decodePointer(part);
      const inner: unknown = Array.isArray(at)
        ? at[Number(name)]
        : isObject(at) && Object.hasOwn(at, name)
          ? at[name]
          : undefined;
      if (inner === undefined)
        throw new GrammarError(`"$ref" ${JSON.stringify(reference)} points to nothing`);
      if (isObject(inner) && typeof inner["$id"] === "string" && !inner["$id"].startsWith("#")) {
        throw unsupported("$ref", " into a part with an $id of its own");
      }
      at = inner;
    }
    if (typeof at === "boolean" || isObject(at)) return at;
    throw new GrammarError(`"$ref" ${JSON.stringify(reference)} does not point to a schema`);
  }

  #read(schema: Exclude<Schema, boolean>): Flat {
    let flat = this.#flats.get(schema);
    if (flat === undefined) {
      flat = readFlat(schema);
      const says = Object.keys(schema).some((keyword) => !COMBINING.includes(keyword));
      // The same object for every schema that says nothing: merging with it is free.
      if (!says || isAnything(flat)) flat = ANYTHING;
      this.#flats.set(schema, flat);
    }
    return flat;
  }

  #cross(
    left: readonly Alternative[],
    right: readonly Alternative[],
    depth: number,
  ): readonly Alternative[] {
    const result: Alternative[] = [];
    for (const a of left) {
      for (const b of right) {
        result.push(...this.#merge(a, b, depth));
        if (result.length > MAX_ALTERNATIVES)
          throw new GrammarError("it has too many alternatives");
      }
    }
    return result;
  }

  #merge(a: Alternative, b: Alternative, depth: number): readonly Alternative[] {
    if (a.kind === "flat" && a.flat === ANYTHING) return [b];
    if (b.kind === "flat" && b.flat === ANYTHING) return [a];
    if (a.kind === "same") return this.#cross(this.expand(a.schema, depth + 1), [b], depth + 1);
    if (b.kind === "same") return this.#cross([a], this.expand(b.schema, depth + 1), depth + 1);
    const flat = mergeFlat(a.flat, b.flat);
    return flat === undefined ? [] : [{ kind: "flat", flat }];
  }

  #opposite(value: unknown, depth: number): readonly Alternative[] {
    const context = { resolve: (reference: unknown) => this.resolve(reference), depth: 0 };
    const options = negate(asSchema(value, "not"), context);
    if (options === undefined) throw unsupported("not", " around what it was given");
    return this.flats([{ anyOf: options.length === 0 ? [false] : options }], depth + 1).map(
      (flat) => ({
        kind: "flat",
        flat: { ...flat, negated: true },
      }),
    );
  }

  /** `oneOf` is `anyOf` where no value can satisfy two; where that is not sure it is refused. */
  #oneOf(
    base: readonly Alternative[],
    parts: readonly Schema[],
    depth: number,
  ): readonly Alternative[] {
    const options = parts.map((part) => this.#cross(base, this.expand(part, depth + 1), depth));
    const flats = options.map((option) =>
      option.flatMap((one) =>
        one.kind === "flat" ? [one.flat] : this.flats([one.schema], depth + 1),
      ),
    );
    for (const [i, written] of flats.entries()) {
      for (const [j, other] of flats.entries()) {
        if (i === j) continue;
        const apart = written.every((a) =>
          other.every((b) => excludes(a, b, (all) => this.flats(all, depth + 1))),
        );
        if (!apart) throw unsupported("oneOf", " where a value could satisfy two of its schemas");
      }
    }
    return options.flat();
  }

  /** After all that evaluates beside it: what is left over is then as with `additionalProperties`. */
  #unevaluated(
    schema: Exclude<Schema, boolean>,
    options: readonly Alternative[],
    depth: number,
  ): readonly Alternative[] {
    const properties = schema["unevaluatedProperties"];
    const items = schema["unevaluatedItems"];
    if (properties === undefined && items === undefined) return options;
    const flats = options.flatMap((option) =>
      option.kind === "flat" ? [option.flat] : this.flats([option.schema], depth + 1),
    );
    return flats.map((flat): Alternative => {
      if (flat.negated === true)
        throw unsupported("not", " beside unevaluatedProperties or unevaluatedItems");
      const rest =
        properties === undefined || flat.additional !== undefined
          ? {}
          : { additional: allOf(properties) };
      const tail = items === undefined || flat.items !== undefined ? {} : { items: allOf(items) };
      return { kind: "flat", flat: { ...flat, ...rest, ...tail } };
    });
  }
}

function allOf(value: unknown): All {
  if (value === true) return [];
  if (value === false || isObject(value)) return [value];
  throw new GrammarError('"unevaluatedProperties" and "unevaluatedItems" must be schemas');
}

function isAnything(flat: Flat): boolean {
  const { keys: _, ...rest } = flat;
  return (
    Object.keys(rest).length === Object.keys(ANYTHING).length - 1 &&
    flat.keys.length === 0 &&
    Object.entries(ANYTHING).every(([name, value]) => {
      const mine = rest[name as keyof typeof rest];
      if (name === "keys") return true;
      if (Array.isArray(value)) return Array.isArray(mine) && mine.length === 0;
      if (value instanceof Map || value instanceof Set)
        return (mine instanceof Map || mine instanceof Set) && mine.size === 0;
      return mine === value;
    })
  );
}

function decodePointer(part: string): string {
  let text = part;
  try {
    text = decodeURIComponent(part);
  } catch {
    // Not percent-encoded after all: taken as it stands.
  }
  return text.replaceAll("~1", "/").replaceAll("~0", "~");
}
