/** Which types a set of conditions is written as. */
import { type Flat, TYPES, type Type } from "./flat.ts";

/**
 * The declared types; without them those its keywords speak of. JSON schema lets
 * every other type pass there, which nobody who writes `properties` means.
 */
export function impliedTypes(flat: Flat): ReadonlySet<Type> {
  if (flat.types !== undefined) return flat.types;
  const implied = new Set<Type>();
  if (
    flat.properties.size + flat.patternProperties.size + flat.required.size + flat.keys.length >
    0
  )
    implied.add("object");
  if (flat.rests.length > 0 || flat.minProperties > 0 || Number.isFinite(flat.maxProperties))
    implied.add("object");
  if (
    flat.prefix.length > 0 ||
    flat.items !== undefined ||
    flat.contains.length > 0 ||
    flat.minItems > 0 ||
    Number.isFinite(flat.maxItems)
  )
    implied.add("array");
  if (
    flat.patterns.length + flat.formats.length + flat.without.length + flat.unlike.length > 0 ||
    flat.minLength > 0 ||
    Number.isFinite(flat.maxLength)
  )
    implied.add("string");
  if (flat.numeric.length + flat.divisors.length + flat.indivisible.length > 0)
    implied.add("number");
  return implied.size > 0 ? implied : new Set(TYPES.filter((type) => type !== "integer"));
}
