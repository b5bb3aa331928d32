/**
 * A JSON schema to a grammar that generates only values the schema accepts. It may
 * generate fewer: properties come in the order given, objects with `properties` are
 * closed unless `additionalProperties` says otherwise (as vLLM has it), formats and
 * numbers are the plain ones. Whatever would let a wrong value through is refused.
 */
import { Automaton } from "../automaton.ts";
import {
  alt,
  EMPTY,
  GrammarError,
  literal,
  literals,
  many,
  NEVER,
  type Node,
  optional,
  type Rule,
  ref,
  repeat,
  seq,
} from "../grammar.ts";
import { arrays } from "./arrays.ts";
import { type Alternative, Expander } from "./expand.ts";
import { type All, ANYTHING, type Flat, type Schema, type Type, typeOf } from "./flat.ts";
import { multiplesOf } from "./multiples.ts";
import { type Bounds, integers, numbers } from "./numbers.ts";
import { objects } from "./objects.ts";
import { placed, within } from "./places.ts";
import { FREE_STRING, keysExcept, strings } from "./strings.ts";
import { impliedTypes } from "./types.ts";
import type { Writer } from "./writer.ts";

export interface SchemaOptions {
  /** No white space at all; else one blank, or a line break and up to 20 blanks, where JSON allows it. */
  readonly compact?: boolean;
}

/** Rules of one schema; each stands for one sub-schema. */
const MAX_RULES = 20_000;
const BLANK = literal(" ");

/** Throws GrammarError, which names the place of the schema at fault. */
export function compileSchema(schema: Schema, options: SchemaOptions = {}): Node {
  return placed(schema, () => new SchemaCompiler(schema, options).value([schema]));
}

/** Any JSON object. */
export function anyObject(options: SchemaOptions = {}): Node {
  return compileSchema({ type: "object" }, options);
}

class SchemaCompiler implements Writer {
  readonly space: Node;
  readonly gap: Node;
  readonly #expander: Expander;
  readonly #rules = new Map<string, Rule>();
  readonly #opposites = new Map<Schema, Schema>();
  readonly #ids = new Map<Schema, number>();
  /** By the names left out: alternatives of one schema leave out the same. */
  readonly #keys = new Map<string, Node>();
  #anyValue: Node | undefined;

  constructor(root: Schema, options: SchemaOptions) {
    this.#expander = new Expander(root);
    const compact = options.compact === true;
    const indent = seq(literal("\n"), alt(repeat(BLANK, 0, 20), repeat(literal("\t"), 1, 8)));
    this.space = compact ? EMPTY : optional(alt(BLANK, indent));
    this.gap = compact ? EMPTY : optional(BLANK);
  }

  get anyValue(): Node {
    if (this.#anyValue === undefined) {
      const rule: Rule = { name: "any value", body: undefined };
      this.#anyValue = ref(rule);
      const pair = seq(FREE_STRING, literal(":"), this.gap, this.#anyValue);
      rule.body = alt(
        literals(["null", "true", "false"]),
        numbers({}),
        FREE_STRING,
        this.list(
          literal("["),
          many(seq(literal(","), this.space, this.#anyValue)),
          this.#anyValue,
          literal("]"),
        ),
        this.list(literal("{"), many(seq(literal(","), this.space, pair)), pair, literal("}")),
      );
    }
    return this.#anyValue;
  }

  list(open: Node, more: Node, first: Node, close: Node): Node {
    return seq(open, this.space, optional(seq(first, more, this.space)), close);
  }

  value(schemas: All): Node {
    if (schemas.length === 0 || schemas.every((schema) => schema === true)) return this.anyValue;
    const key = [...new Set(schemas.map((schema) => this.#id(schema)))].sort().join("&");
    let rule = this.#rules.get(key);
    if (rule === undefined) {
      if (this.#rules.size >= MAX_RULES) throw new GrammarError("it is too large");
      rule = { name: key, body: undefined };
      this.#rules.set(key, rule);
      rule.body = within(schemas, () =>
        alt(...this.#expander.expandAll(schemas).map((option) => this.#alternative(option))),
      );
    }
    return rule.body === NEVER ? NEVER : ref(rule);
  }

  #id(schema: Schema): number {
    let id = this.#ids.get(schema);
    if (id === undefined) {
      id = this.#ids.size;
      this.#ids.set(schema, id);
    }
    return id;
  }

  #alternative(option: Alternative): Node {
    return option.kind === "same" ? this.value([option.schema]) : this.#flat(option.flat);
  }

  #flat(flat: Flat): Node {
    if (flat.values !== undefined) return this.#values(flat, flat.values);
    return alt(
      ...[...impliedTypes(flat)]
        .map((type) => this.#typed(type, flat))
        .filter((node) => node !== NEVER),
    );
  }

  /** Those of the listed values that the other conditions accept. */
  #values(flat: Flat, values: readonly unknown[]): Node {
    const { values: _, ...rest } = flat;
    if (Object.entries(rest).every(([name, value]) => value === ANYTHING[name as keyof Flat]))
      return literals(values.map((value) => JSON.stringify(value)));
    const conditions = new Map<Type, Automaton | undefined>();
    const kept = values.filter((value) => {
      const type = typeOf(value);
      if (
        rest.types !== undefined &&
        !rest.types.has(type) &&
        !(type === "integer" && rest.types.has("number"))
      )
        return false;
      if (!conditions.has(type)) {
        const node = this.#typed(type, rest);
        conditions.set(type, node === NEVER ? undefined : new Automaton(node));
      }
      return conditions.get(type)?.accepts(JSON.stringify(value)) ?? false;
    });
    return kept.length === 0 ? NEVER : literals(kept.map((value) => JSON.stringify(value)));
  }

  #typed(type: Type, flat: Flat): Node {
    switch (type) {
      case "null":
        return literal("null");
      case "boolean":
        return literals(["true", "false"]);
      case "integer":
      case "number":
        return this.#numeric(type, flat);
      case "string":
        return flat.maxLength < flat.minLength ? NEVER : strings(flat);
      case "array":
        return arrays(flat, this);
      case "object":
        return objects(flat, this);
    }
  }

  #numeric(type: "integer" | "number", flat: Flat): Node {
    const bounds = strictest(flat);
    if (flat.divisors.length + flat.indivisible.length > 0) return multiplesOf(flat, type, bounds);
    return type === "integer" ? integers(bounds) : numbers(bounds);
  }

  keysExcept(names: ReadonlySet<string>): Node {
    const key = JSON.stringify([...names].sort());
    let keys = this.#keys.get(key);
    if (keys === undefined) {
      keys = keysExcept(names);
      this.#keys.set(key, keys);
    }
    return keys;
  }

  opposite(schema: Schema): Schema {
    let opposite = this.#opposites.get(schema);
    if (opposite === undefined) {
      opposite = { not: schema };
      this.#opposites.set(schema, opposite);
    }
    return this.#expander.negation(schema) === undefined ? false : opposite;
  }
}

function strictest(flat: Flat): Bounds {
  let bounds: Bounds = {};
  for (const { kind, value, open } of flat.numeric) {
    const now = kind === "min" ? bounds.min : bounds.max;
    const tighter =
      now === undefined || (kind === "min" ? value > now : value < now) || (value === now && open);
    if (!tighter) continue;
    bounds =
      kind === "min"
        ? { ...bounds, min: value, minOpen: open }
        : { ...bounds, max: value, maxOpen: open };
  }
  return bounds;
}
