/**
 * A schema to the alternatives it stands for. `$ref` stays a reference until it
 * must be merged with something else: that is what lets recursive schemas end.
 */
import { GrammarError } from "../grammar.ts";
import { type Choice, conditionsOf, unspoken } from "./conditions.ts";
import { excludes } from "./disjoint.ts";
import { type All, ANYTHING, type Flat, isObject, mergeFlat, type Schema } from "./flat.ts";
import { holds } from "./holds.ts";
import { negate } from "./negate.ts";
import { within } from "./places.ts";
import { asSchema, readFlat, readValues, schemaList, unsupported } from "./read.ts";
import { References } from "./references.ts";
import { impliedTypes } from "./types.ts";

export type Alternative =
  | { readonly kind: "flat"; readonly flat: Flat }
  /** All that another schema of the document says. */
  | { readonly kind: "same"; readonly schema: Schema };

const MAX_DEPTH = 64;
/** Schemas looked through for listed values, one in the other. */
const MAX_LISTS = 8;
const MAX_ALTERNATIVES = 512;
/** Pairs of alternatives looked at for a whole document. */
const MAX_MERGES = 30_000;

/** Keywords with a meaning of their own beside `$ref`; others are annotations. */
const COMBINING: readonly string[] = [
  ...["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"],
  ...["dependentRequired", "dependentSchemas", "dependencies"],
  ...["unevaluatedProperties", "unevaluatedItems"],
];

export class Expander {
  readonly #references: References;
  /** Takes at least what the schemas take, where this one takes at most that. */
  readonly #wider: Expander | undefined;
  readonly #flats = new Map<Schema, Flat>();
  /** What is written for a schema is the same object each time, so that rules can be too. */
  readonly #negations = new Map<Schema, readonly Schema[] | undefined>();
  readonly #lists = new Map<Schema, readonly unknown[] | undefined>();
  readonly #conditions = new Map<Schema, readonly (readonly Choice[])[]>();
  #merges = 0;

  constructor(root: Schema, narrower?: Expander) {
    this.#references = narrower === undefined ? new References(root) : narrower.#references;
    this.#wider = narrower === undefined ? new Expander(root, this) : undefined;
  }

  /** The alternatives of schemas that must all hold. */
  expandAll(schemas: All, depth = 0): readonly Alternative[] {
    const listed = schemas.length > 1 ? this.#listed(schemas) : undefined;
    if (listed !== undefined) return listed;
    let result: readonly Alternative[] = [{ kind: "flat", flat: ANYTHING }];
    for (const schema of schemas) result = this.#cross(result, this.expand(schema, depth), depth);
    return result;
  }

  expand(schema: Schema, depth = 0): readonly Alternative[] {
    return within([schema], () => this.#expand(schema, depth));
  }

  #expand(schema: Schema, depth: number): readonly Alternative[] {
    if (depth > MAX_DEPTH)
      throw new GrammarError("it is nested too deeply, or refers to itself without end");
    if (schema === true) return [{ kind: "flat", flat: ANYTHING }];
    if (schema === false) return [];
    const listed = this.#listed([schema]);
    if (listed !== undefined) return listed;
    let result: readonly Alternative[] = [{ kind: "flat", flat: this.#read(schema) }];
    for (const target of this.#targets(schema))
      result = this.#cross(result, [{ kind: "same", schema: target }], depth);
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
    if (this.#wider === undefined) return this.#widened(schema, result, depth);
    if (schema["oneOf"] !== undefined)
      result = this.#oneOf(this.#wider, result, schemaList(schema["oneOf"], "oneOf"), depth);
    if (schema["not"] !== undefined) {
      const opposite = this.#opposite(asSchema(schema["not"], "not"), depth);
      if (opposite === undefined) throw unsupported("not", " around what it was given");
      result = this.#cross(result, opposite, depth);
    }
    for (const choices of remembered(this.#conditions, schema, () => conditionsOf(schema)))
      result = this.#cross(result, this.#choose(choices, depth), depth);
    return this.#unevaluated(schema, result, depth);
  }

  /**
   * Where the schemas list their values: those that satisfy all of them, if that is sure.
   * The conditions need no grammar then.
   */
  #listed(schemas: All): readonly Alternative[] | undefined {
    if (this.#wider === undefined) return undefined;
    const lists = schemas.map((one) => this.#candidates(one, 0)).filter((one) => one !== undefined);
    const [values] = lists.sort((a, b) => a.length - b.length);
    if (values === undefined) return undefined;
    const context = { targets: (one: Exclude<Schema, boolean>) => this.#targets(one), depth: 0 };
    const verdicts = values.map((value) => schemas.map((one) => holds(one, value, context)));
    if (verdicts.some((each) => !each.includes(false) && each.includes(undefined)))
      return undefined;
    const kept = values.filter((_, at) => verdicts[at]?.every((one) => one === true));
    return kept.length === 0 ? [] : [{ kind: "flat", flat: { ...ANYTHING, values: kept } }];
  }

  /** No other values satisfy the schema; undefined: it does not list them. */
  #candidates(schema: Schema, depth: number): readonly unknown[] | undefined {
    if (typeof schema === "boolean" || depth > MAX_LISTS) return undefined;
    return remembered(this.#lists, schema, () => {
      const further = (part: Schema) => this.#candidates(part, depth + 1);
      const own = readValues(schema);
      const parts = schema["allOf"] === undefined ? [] : schemaList(schema["allOf"], "allOf");
      const lists = [own, ...[...parts, ...this.#targets(schema)].map(further)];
      for (const keyword of ["anyOf", "oneOf"]) {
        if (schema[keyword] === undefined) continue;
        const options = schemaList(schema[keyword], keyword).map(further);
        if (!options.includes(undefined)) lists.push(options.flatMap((one) => one ?? []));
      }
      return lists.filter((one) => one !== undefined).sort((a, b) => a.length - b.length)[0];
    });
  }

  /** Without what can only be narrowed: `oneOf` is `anyOf`, and opposites are let be. */
  #widened(
    schema: Exclude<Schema, boolean>,
    result: readonly Alternative[],
    depth: number,
  ): readonly Alternative[] {
    if (schema["oneOf"] === undefined) return result;
    const options = schemaList(schema["oneOf"], "oneOf").flatMap((part) =>
      this.expand(part, depth + 1),
    );
    return this.#cross(result, options, depth);
  }

  /** Schemas of which one must hold for `schema` not to; undefined: it cannot be said. */
  negation(schema: Schema): readonly Schema[] | undefined {
    return remembered(this.#negations, schema, () =>
      negate(schema, { targets: (one) => this.#targets(one), depth: 0 }),
    );
  }

  #targets(schema: Exclude<Schema, boolean>): readonly Schema[] {
    const plain = schema["$ref"];
    const dynamic = schema["$dynamicRef"];
    return [
      ...(plain === undefined ? [] : [this.#references.resolve(plain, schema)]),
      ...(dynamic === undefined ? [] : [this.#references.resolveDynamic(dynamic, schema)]),
    ];
  }

  /** A choice whose opposite cannot be said is not taken: fewer values, never wrong ones. */
  #choose(choices: readonly Choice[], depth: number): readonly Alternative[] {
    let unsaid = false;
    const taken = choices.flatMap(({ holds, fails }) => {
      const opposite = fails === undefined ? undefined : this.#opposite(fails, depth);
      unsaid ||= fails !== undefined && opposite === undefined;
      if (fails !== undefined && opposite === undefined) return [];
      const rest = this.expandAll(holds, depth + 1);
      return opposite === undefined ? rest : this.#cross(rest, opposite, depth);
    });
    if (unsaid && taken.length === 0) throw unsupported("if", " around what it was given");
    return taken;
  }

  /** Flat alternatives only: references followed. */
  flats(schemas: All, depth = 0): readonly Flat[] {
    return this.expandAll(schemas, depth).flatMap((option) => this.#flatsOf(option, depth));
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
        if (++this.#merges > MAX_MERGES) throw new GrammarError("it has too many alternatives");
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

  #opposite(schema: Schema, depth: number): readonly Alternative[] | undefined {
    const options = this.negation(schema);
    if (options === undefined) return undefined;
    const broken: Schema = { anyOf: options.length === 0 ? [false] : options };
    return this.flats([broken], depth + 1).map((flat) => ({ kind: "flat", flat: unspoken(flat) }));
  }

  /**
   * `oneOf` is `anyOf` where no value can satisfy two; a branch that another could
   * share is written without what satisfies that one too.
   */
  #oneOf(
    wider: Expander,
    base: readonly Alternative[],
    parts: readonly Schema[],
    depth: number,
  ): readonly Alternative[] {
    const options = parts.map((part) =>
      this.#cross(base, this.expand(part, depth + 1), depth).flatMap((one) =>
        this.#typed(one, depth),
      ),
    );
    const written = options.map((option) => option.flatMap((one) => this.#flatsOf(one, depth)));
    const taken = parts.map((part) => wider.flats([part], depth + 1));
    const apart = (mine: readonly Flat[] = [], theirs: readonly Flat[] = []) => {
      const flatsOf = (all: All) => this.flats(all, depth + 1);
      const widerOf = (all: All) => wider.flats(all, depth + 1);
      return mine.every((a) => theirs.every((b) => excludes(a, b, flatsOf, widerOf)));
    };
    const kept = options.flatMap((option, i) => {
      const shared = parts.filter((_, j) => i !== j && !apart(written[i], taken[j]));
      return shared.reduce((left: readonly Alternative[], part) => {
        const opposite = this.#opposite(part, depth);
        if (opposite === undefined) throw twofold();
        return this.#cross(left, opposite, depth);
      }, option);
    });
    if (kept.length === 0 && options.some((option) => option.length > 0)) throw twofold();
    return kept;
  }

  #flatsOf(option: Alternative, depth: number): readonly Flat[] {
    return option.kind === "flat" ? [option.flat] : this.flats([option.schema], depth + 1);
  }

  /**
   * With its types said: what is written for a schema without them depends on what it
   * is merged with later, and two branches told apart by it could then be one.
   */
  #typed(option: Alternative, depth: number): readonly Alternative[] {
    const flats = this.#flatsOf(option, depth);
    if (flats.every((flat) => flat.types !== undefined || flat.values !== undefined))
      return [option];
    return flats.map((flat) => ({
      kind: "flat",
      flat: flat.values === undefined ? { ...flat, types: impliedTypes(flat) } : flat,
    }));
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
    return flats.map(
      (flat): Alternative => ({
        kind: "flat",
        flat: {
          ...flat,
          ...(properties !== undefined && leftProperties(flat, allOf(properties))),
          ...(items !== undefined && leftItems(flat, allOf(items))),
        },
      }),
    );
  }
}

/** What no schema that holds speaks of is under `rest`. */
function leftProperties(flat: Flat, rest: All): Partial<Flat> {
  const silent = flat.silent ?? new Set();
  return {
    ...(flat.rests.length === 0 && {
      rests: [
        {
          names: new Set(flat.properties.keys()),
          patterns: [...flat.patternProperties.keys()],
          schemas: rest,
        },
      ],
    }),
    properties: new Map(
      [...flat.properties].map(([name, all]) => [name, silent.has(name) ? [...all, ...rest] : all]),
    ),
  };
}

function leftItems(flat: Flat, rest: All): Partial<Flat> {
  if (flat.silentItems === true) throw unsupported("not", " of items beside unevaluatedItems");
  if (flat.items !== undefined) return {};
  // What `contains` asked for is evaluated.
  const found = flat.contains.map((one) => one.schema);
  return { items: found.length === 0 ? rest : [{ anyOf: [...found, { allOf: rest }] }] };
}

const twofold = (): GrammarError =>
  unsupported("oneOf", " where a value could satisfy two of its schemas");

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

function remembered<K, V>(memo: Map<K, V>, key: K, make: () => V): V {
  const known = memo.get(key);
  if (known !== undefined || memo.has(key)) return known as V; // stored under this key
  const made = make();
  memo.set(key, made);
  return made;
}
