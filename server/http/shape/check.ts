/**
 * Checks values against a schema as pydantic does: as lax ("5" is an integer,
 * "yes" a boolean), in its order, with its choice of a union's branch and its
 * complaints. Schemas are the TypeBox ones that also give types and
 * /openapi.json; what JSON schema cannot say stands in `x-` keywords:
 *
 *   x-model: "typed-dict" | "dataclass"   what an object is (absent: a model)
 *   title                                 its name, which a union's paths show
 *   x-instance: name                      an instance of Python's: nothing that JSON can say
 *   x-lazy: true                          a list whose items are checked when they are read
 *   format: "int64"                       an integer of 64 bits
 *   x-exact: true                         read as a bigint where a double would round it
 *
 * A check runs twice when it fails: first for speed on what JSON.parse gave,
 * then on the exact numbers to complain.
 */
import { entryAt } from "../../entry-at.ts";
import { isObject, PyNumber } from "./python.ts";
import {
  boolean,
  bounded,
  float,
  instance,
  integer,
  literal,
  never,
  plural,
  text,
} from "./scalars.ts";
import {
  AFTER,
  BEFORE,
  type Check,
  CheckState,
  EXACT,
  FAIL,
  LAX,
  type Lazy,
  NONE,
  type ShapeSchema,
} from "./schema.ts";

const compiled = new WeakMap<ShapeSchema, Check>();

export function compile(schema: ShapeSchema): Check {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const check = between(schema[BEFORE], kindOf(schema), schema[AFTER]);
  compiled.set(schema, check);
  return check;
}

function between(
  before: ShapeSchema[typeof BEFORE],
  inner: Check,
  after: ShapeSchema[typeof AFTER],
): Check {
  if (before === undefined && after === undefined) return inner;
  return (value, state) => {
    const read = inner(before === undefined ? value : before(value), state);
    if (read !== FAIL) after?.(read);
    return read;
  };
}

function kindOf(schema: ShapeSchema): Check {
  if (schema.anyOf !== undefined) return anyOf(schema.anyOf);
  if (schema.not !== undefined) return never;
  if (schema["x-instance"] !== undefined) return instance(schema["x-instance"]);
  if (schema.const !== undefined) return literal([String(schema.const)]);
  if (schema.enum !== undefined) return literal(schema.enum);
  switch (schema.type) {
    case "string":
      return text(schema);
    case "integer":
      return bounded(integer, schema, true);
    case "number":
      return bounded(float, schema, false);
    case "boolean":
      return boolean;
    case "array":
      return schema["x-lazy"] === true ? lazyList(schema) : list(schema);
    case "object":
      return schema.properties === undefined || schema.patternProperties !== undefined
        ? dictionary(schema)
        : object(schema);
    default:
      return (value) => value;
  }
}

function anyOf(branches: readonly ShapeSchema[]): Check {
  const some = branches.filter(({ type }) => type !== "null");
  const [first] = some;
  const inner = some.length === 1 && first !== undefined ? compile(first) : union(some);
  if (some.length === branches.length) return inner;
  return (value, state) => (value === null ? null : inner(value, state));
}

/** The branch that fits best: more of its fields set, then nearer; of equals the first. */
function union(branches: readonly ShapeSchema[]): Check {
  // Of vLLM's own models pydantic's paths show a wrapper, which vLLM takes out again: they have no title.
  const checks = branches.map((branch) => ({ check: compile(branch), name: branch.title }));
  return (value, state) => {
    const { fields, lazy, complaints } = state;
    const silent = new CheckState();
    silent.anyWidth = state.anyWidth;
    let best: (Fit & { readonly value: unknown; readonly lazy: readonly Lazy[] }) | undefined;
    for (const { check } of checks) {
      silent.exactness = EXACT;
      silent.fields = undefined;
      silent.lazy = NONE;
      const read = check(value, silent);
      if (read === FAIL) continue;
      if (best === undefined || better(silent, best)) {
        best = {
          value: read,
          exactness: silent.exactness,
          fields: silent.fields,
          lazy: silent.lazy,
        };
      }
      if (silent.exactness === EXACT && silent.fields === undefined) break;
    }
    if (best !== undefined) {
      state.lower(best.exactness);
      if (best.fields !== undefined) state.fields = (fields ?? 0) + best.fields;
      if (best.lazy.length > 0) state.lazy = [...lazy, ...best.lazy];
      return best.value;
    }
    if (complaints === undefined) return FAIL;
    for (const { check, name } of checks) {
      if (name !== undefined) complaints.path.push(name);
      check(value, state);
      if (name !== undefined) complaints.path.pop();
    }
    return FAIL;
  };
}

interface Fit {
  readonly exactness: number;
  readonly fields: number | undefined;
}

function better(one: Fit, than: Fit): boolean {
  if (one.fields !== undefined && than.fields !== undefined && one.fields !== than.fields) {
    return one.fields > than.fields;
  }
  return one.exactness > than.exactness;
}

function list({ items = {}, minItems, maxItems }: ShapeSchema): Check {
  const check = compile(items);
  return (value, state) => {
    if (!Array.isArray(value)) {
      return state.fail({
        type: "list_type",
        message: "Input should be a valid list",
        input: value,
      });
    }
    if (maxItems !== undefined && value.length > maxItems) {
      return wrongLength("too_long", "max_length", maxItems, value, state);
    }
    let failed = false;
    let out: unknown[] | undefined;
    for (let index = 0; index < value.length; index++) {
      state.complaints?.path.push(index);
      const read = check(value[index], state);
      state.complaints?.path.pop();
      if (read === FAIL) {
        if (state.complaints === undefined) return FAIL;
        failed = true;
      } else if (read !== value[index]) {
        out ??= [...value];
        out[index] = read;
      }
    }
    if (failed) return FAIL;
    if (minItems !== undefined && value.length < minItems) {
      return wrongLength("too_short", "min_length", minItems, value, state);
    }
    return out ?? value;
  };
}

function wrongLength(
  type: "too_long" | "too_short",
  name: "max_length" | "min_length",
  limit: number,
  value: readonly unknown[],
  state: CheckState,
) {
  const which = type === "too_long" ? "most" : "least";
  return state.fail({
    type,
    message: `List should have at ${which} ${plural(limit, "item")} after validation, not ${value.length}`,
    input: value,
    context: { field_type: "List", [name]: limit, actual_length: value.length },
  });
}

function lazyList({ items = {} }: ShapeSchema): Check {
  const check = compile(items);
  return (value, state) => {
    if (typeof value === "string") return later([...value], check, state);
    if (typeof value !== "object" || value === null || value instanceof PyNumber) {
      return state.fail({
        type: "iterable_type",
        message: "Input should be iterable",
        input: value,
      });
    }
    return later(Array.isArray(value) ? value : Object.keys(value), check, state);
  };
}

/** Whatever can be walked is a list: of a text its characters, of an object its names. */
function later(items: readonly unknown[], check: Check, state: CheckState): readonly unknown[] {
  state.lazy = [...state.lazy, [items, check]];
  return items;
}

function dictionary({ patternProperties, additionalProperties }: ShapeSchema): Check {
  const [values] = Object.values(patternProperties ?? {});
  const further = typeof additionalProperties === "object" ? additionalProperties : undefined;
  const check = compile(values ?? further ?? {});
  return (value, state) => {
    if (!isObject(value)) return noDictionary(value, state);
    let failed = false;
    let out: Record<string, unknown> | undefined;
    for (const [key, item] of Object.entries(value)) {
      state.complaints?.path.push(key);
      const read = check(item, state);
      state.complaints?.path.pop();
      if (read === FAIL) {
        if (state.complaints === undefined) return FAIL;
        failed = true;
      } else if (read !== item) {
        out ??= { ...value };
        out[key] = read;
      }
    }
    return failed ? FAIL : (out ?? value);
  };
}

function noDictionary(value: unknown, state: CheckState) {
  return state.fail({
    type: "dict_type",
    message: "Input should be a valid dictionary",
    input: value,
  });
}

function noObject(schema: ShapeSchema, value: unknown, state: CheckState) {
  if (schema["x-model"] === "typed-dict") return noDictionary(value, state);
  if (schema["x-model"] === "dataclass") {
    const name = schema.title ?? "";
    return state.fail({
      type: "dataclass_type",
      message: `Input should be a dictionary or an instance of ${name}`,
      input: value,
      context: { class_name: name },
    });
  }
  return state.fail({
    type: "model_attributes_type",
    message: "Input should be a valid dictionary or object to extract fields from",
    input: value,
  });
}

interface Field {
  readonly name: string;
  readonly check: Check;
  readonly required: boolean;
}

function object(schema: ShapeSchema): Check {
  const required = new Set(schema.required);
  const properties = Object.entries(schema.properties ?? {});
  const fields = properties.map(
    ([name, field]): Field => ({ name, check: compile(field), required: required.has(name) }),
  );
  const quick = quickFields(fields, properties);
  const complained = complaining(schema, fields);
  return (value, state) => {
    if (!isObject(value)) return noObject(schema, value, state);
    if (state.complaints !== undefined) return complained(value, state);
    const set = quick(value, state);
    if (set === undefined) return FAIL;
    if (schema["x-model"] !== "typed-dict") state.lower(LAX);
    let out: Record<string, unknown> | undefined;
    for (const { name, check } of set) {
      const read = check(value[name], state);
      if (read === FAIL) return FAIL;
      if (read === value[name]) continue;
      out ??= { ...value };
      out[name] = read;
    }
    state.fields = (state.fields ?? 0) + set.length;
    return out ?? value;
  };
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * What of a value is to be checked, in the schema's order, where nobody asks why it fails;
 * undefined where it does so already: what it must have is missing, or a word that tells the
 * kinds of a union apart is another's. A value has a few fields of the many that it might have.
 */
function quickFields(
  fields: readonly Field[],
  properties: readonly (readonly [string, ShapeSchema])[],
): (value: Fields, state: CheckState) => readonly Field[] | undefined {
  const places = new Map(fields.map(({ name }, place) => [name, place]));
  const needed = fields.filter(({ required }) => required);
  const words = needed.filter(
    ({ name }) => properties[places.get(name) ?? -1]?.[1].const !== undefined,
  );
  return (value, state) => {
    for (const { name, check } of words) if (check(value[name], state) === FAIL) return undefined;
    for (const { name } of needed) if (!Object.hasOwn(value, name)) return undefined;
    const found: number[] = [];
    for (const name of Object.keys(value)) {
      const place = places.get(name);
      if (place === undefined) continue;
      let at = found.length;
      for (; at > 0 && entryAt(found, at - 1) > place; at--) found[at] = entryAt(found, at - 1);
      found[at] = place;
    }
    return found.map((place) => entryAt(fields, place));
  };
}

/** All fields in the schema's order, each that fails with its complaint. */
function complaining(schema: ShapeSchema, fields: readonly Field[]) {
  return (value: Fields, state: CheckState): unknown => {
    let failed = false;
    let set = 0;
    let out: Record<string, unknown> | undefined;
    if (schema["x-model"] !== "typed-dict") state.lower(LAX);
    for (const { name, check, required } of fields) {
      if (Object.hasOwn(value, name)) {
        state.complaints?.path.push(name);
        const read = check(value[name], state);
        state.complaints?.path.pop();
        if (read === FAIL) failed = true;
        else if (read !== value[name]) {
          out ??= { ...value };
          out[name] = read;
        }
        set++;
      } else if (required) {
        failed = true;
        state.fail({ type: "missing", message: "Field required", input: value }, name);
      }
    }
    if (failed) return FAIL;
    state.fields = (state.fields ?? 0) + set;
    return out ?? value;
  };
}
