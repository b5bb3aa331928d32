/**
 * Keywords that ask for one schema where another holds (`if`, `dependentRequired`,
 * `dependentSchemas`, `dependencies`), as choices: either the first does not hold, or
 * both do. A choice names the schema that must fail apart from those that must hold,
 * since not every opposite can be written.
 */

import { GrammarError } from "../grammar.ts";
import { type Flat, isObject, type Schema } from "./flat.ts";
import { asSchema } from "./read.ts";

export interface Choice {
  readonly holds: readonly Schema[];
  readonly fails?: Schema;
}

type Keywords = Readonly<Record<string, unknown>>;

/** One list of choices for each condition; one of each list must be taken. */
export function conditionsOf(schema: Keywords): readonly (readonly Choice[])[] {
  const conditions: (readonly Choice[])[] = [];
  const then = schema["then"];
  const otherwise = schema["else"];
  if (schema["if"] !== undefined && (then !== undefined || otherwise !== undefined)) {
    const test = asSchema(schema["if"], "if");
    conditions.push([
      { holds: then === undefined ? [test] : [test, asSchema(then, "then")] },
      { holds: otherwise === undefined ? [] : [asSchema(otherwise, "else")], fails: test },
    ]);
  }
  for (const keyword of ["dependentRequired", "dependentSchemas", "dependencies"]) {
    const value = schema[keyword];
    if (value === undefined) continue;
    if (!isObject(value)) throw new GrammarError(`"${keyword}" must be an object`);
    for (const [name, asked] of Object.entries(value)) {
      conditions.push([
        { holds: [{ properties: { [name]: false } }] },
        { holds: [{ required: [name] }, dependent(asked, keyword)] },
      ]);
    }
  }
  return conditions;
}

/** Draft 4 to 7 have names and schemas under one keyword, and one name without its list. */
function dependent(asked: unknown, keyword: string): Schema {
  if (keyword === "dependentSchemas") return asSchema(asked, keyword);
  if (Array.isArray(asked)) return { required: asked };
  if (typeof asked === "string") return { required: [asked] };
  if (keyword === "dependencies") return asSchema(asked, keyword);
  throw new GrammarError('"dependentRequired" must hold lists of names');
}

/** Conditions that make a schema fail: what they speak of counts as unevaluated. */
export function unspoken(flat: Flat): Flat {
  return {
    ...flat,
    silent: new Set(flat.properties.keys()),
    ...((flat.prefix.length > 0 || flat.items !== undefined || flat.contains.length > 0) && {
      silentItems: true,
    }),
  };
}
