/** When is it sure that no text written for one set of conditions satisfies another? */
import { type All, type Flat, sameValue, type Type, typeOf } from "./flat.ts";
import { impliedTypes } from "./types.ts";

/** True: no value generated from `written` satisfies `other`. False: not sure. */
export function excludes(
  written: Flat,
  other: Flat,
  flatsOf: (schemas: All) => readonly Flat[],
  depth = 0,
): boolean {
  if (depth > 6) return false;
  if (written.values !== undefined) {
    return written.values.every((value) => refuses(other, value, flatsOf, depth));
  }
  const types = impliedTypes(written);
  // A schema that only implies its type lets other types pass: compare declared ones.
  const allowed =
    other.values?.map(typeOf) ?? (other.types === undefined ? undefined : [...other.types]);
  const common = [...types].filter(
    (type) => allowed === undefined || allowed.some((one) => overlap(type, one)),
  );
  if (common.length === 0) return true;
  if (common.some((type) => type !== "object")) return false;
  return excludesObjects(written, other, flatsOf, depth);
}

function excludesObjects(
  written: Flat,
  other: Flat,
  flatsOf: (schemas: All) => readonly Flat[],
  depth: number,
): boolean {
  const closed = written.patternProperties.size === 0 && !isOpen(written);
  const names = new Set([...written.properties.keys(), ...written.required]);
  if (closed && [...other.required].some((name) => !names.has(name))) return true;
  const otherClosed =
    other.patternProperties.size === 0 && (other.additional?.includes(false) ?? false);
  return [...written.required].some((name) => {
    const theirs = other.properties.get(name);
    if (theirs === undefined) return otherClosed;
    const mine = flatsOf(written.properties.get(name) ?? []);
    const against = flatsOf(theirs);
    return mine.every((a) => against.every((b) => excludes(a, b, flatsOf, depth + 1)));
  });
}

/** Is the value sure to be refused? Looks at values, types and required constants only. */
function refuses(
  flat: Flat,
  value: unknown,
  flatsOf: (schemas: All) => readonly Flat[],
  depth: number,
): boolean {
  if (flat.values !== undefined) return !flat.values.some((other) => sameValue(other, value));
  const type = typeOf(value);
  if (flat.types !== undefined && ![...flat.types].some((one) => overlap(type, one))) return true;
  if (type !== "object" || depth > 6) return false;
  const given = value as Readonly<Record<string, unknown>>;
  if ([...flat.required].some((name) => !Object.hasOwn(given, name))) return true;
  return [...flat.properties].some(
    ([name, schemas]) =>
      Object.hasOwn(given, name) &&
      flatsOf(schemas).every((inner) => refuses(inner, given[name], flatsOf, depth + 1)),
  );
}

/** Can further properties be written? Silent schemas with properties are closed. */
export function isOpen(flat: Flat): boolean {
  if (flat.additional !== undefined) return !flat.additional.includes(false);
  // Properties that may not be there do not close an object.
  const named = [...flat.properties.values()].some((schemas) => !schemas.includes(false));
  return !named && flat.patternProperties.size === 0;
}

function overlap(a: Type, b: Type): boolean {
  if (a === b) return true;
  return (a === "integer" && b === "number") || (a === "number" && b === "integer");
}
