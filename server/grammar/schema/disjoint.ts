/**
 * When is it sure that no text written for one set of conditions satisfies another,
 * whatever else is asked of it beside?
 */
import { type All, type Flat, sameValue, TYPES, type Type, typeOf } from "./flat.ts";

type FlatsOf = (schemas: All) => readonly Flat[];

/**
 * True: no value generated from `written` satisfies `other`. False: not sure.
 * `flatsOf` never takes more than a schema does, `widerOf` never less.
 */
export function excludes(
  written: Flat,
  other: Flat,
  flatsOf: FlatsOf,
  widerOf: FlatsOf,
  depth = 0,
): boolean {
  if (depth > 6) return false;
  if (written.values !== undefined) {
    return written.values.every((value) => refuses(other, value, widerOf, depth));
  }
  // A schema that only implies its type lets other types pass: declared ones count.
  const types = written.types ?? TYPES;
  const allowed =
    other.values?.map(typeOf) ?? (other.types === undefined ? undefined : [...other.types]);
  const common = [...types].filter(
    (type) => allowed === undefined || allowed.some((one) => overlap(type, one)),
  );
  if (common.length === 0) return true;
  if (common.some((type) => type !== "object")) return false;
  return excludesObjects(written, other, flatsOf, widerOf, depth);
}

function excludesObjects(
  written: Flat,
  other: Flat,
  flatsOf: FlatsOf,
  widerOf: FlatsOf,
  depth: number,
): boolean {
  if ([...other.required].some((name) => forbids(written, name))) return true;
  return [...written.required].some((name) => {
    const theirs = other.properties.get(name);
    if (theirs === undefined) return forbids(other, name);
    const mine = flatsOf(written.properties.get(name) ?? []);
    const against = widerOf(theirs);
    return mine.every((a) => against.every((b) => excludes(a, b, flatsOf, widerOf, depth + 1)));
  });
}

/** By its own word: an object that merely names its properties may be merged with one that names more. */
const forbids = (flat: Flat, name: string): boolean =>
  flat.rests.some(
    ({ names, patterns, schemas }) =>
      patterns.length === 0 && schemas.includes(false) && !names.has(name),
  );

/** Is the value sure to be refused? Looks at values, types and required constants only. */
function refuses(flat: Flat, value: unknown, widerOf: FlatsOf, depth: number): boolean {
  if (flat.values !== undefined) return !flat.values.some((other) => sameValue(other, value));
  const type = typeOf(value);
  if (flat.types !== undefined && ![...flat.types].some((one) => overlap(type, one))) return true;
  if (type !== "object" || depth > 6) return false;
  const given = value as Readonly<Record<string, unknown>>;
  if ([...flat.required].some((name) => !Object.hasOwn(given, name))) return true;
  return [...flat.properties].some(
    ([name, schemas]) =>
      Object.hasOwn(given, name) &&
      widerOf(schemas).every((inner) => refuses(inner, given[name], widerOf, depth + 1)),
  );
}

/** Can further properties be written? Silent schemas with properties are closed. */
export function isOpen(flat: Flat): boolean {
  if (flat.rests.length > 0) return flat.rests.every(({ schemas }) => !schemas.includes(false));
  // Properties that may not be there do not close an object.
  const named = [...flat.properties.values()].some((schemas) => !schemas.includes(false));
  return !named && flat.patternProperties.size === 0;
}

function overlap(a: Type, b: Type): boolean {
  if (a === b) return true;
  return (a === "integer" && b === "number") || (a === "number" && b === "integer");
}
