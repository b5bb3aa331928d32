/** Where in a document the schema is that a refusal is about. */
import { GrammarError } from "../grammar.ts";
import { type All, isObject, type Schema } from "./flat.ts";

class SchemaError extends GrammarError {
  /** From the inside out; those that the compiler made itself have no place. */
  readonly schemas: Schema[] = [];
}

/** Does the work for these schemas; what it throws is of them. */
export function within<T>(schemas: All, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    const told = error instanceof SchemaError ? error : new SchemaError(error.message);
    told.schemas.push(...schemas);
    throw told;
  }
}

/** Does the work for a document; throws a GrammarError that ends in the place, as a JSON pointer. */
export function placed<T>(document: Schema, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    const places = pointers(document, error instanceof SchemaError ? error.schemas : []);
    const [place] = places;
    throw new GrammarError(
      place === undefined || place === "#" ? error.message : `${error.message} (at ${place})`,
    );
  }
}

/** Of those that are in the document, in their order. */
function pointers(document: Schema, schemas: readonly Schema[]): readonly string[] {
  const asked = new Set<unknown>(schemas);
  const found = new Map<unknown, string>();
  const open: (readonly [unknown, string])[] = [[document, "#"]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [part, pointer] = next;
    if (asked.has(part)) found.set(part, pointer);
    if (!Array.isArray(part) && !isObject(part)) continue;
    for (const [name, inner] of Object.entries(part)) {
      if (typeof inner !== "object" || inner === null) continue;
      open.push([inner, `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`]);
    }
  }
  return schemas.map((one) => found.get(one)).filter((one) => one !== undefined);
}
