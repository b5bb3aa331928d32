/** JSON flags given in parts: `--flag.a.b value`, `--flag.list+ x,y`. */
import { entryAt } from "../entry-at.ts";
import { parseHumanInteger } from "./row.ts";

/** Dotted path below the flag, and its value as written. */
export type Part = readonly [path: string, value: string];

/** Writes the part into `root`; keys keep their spelling but for dashes, as vLLM's are written. */
export function mergePart(root: Record<string, unknown>, [path, text]: Part): void {
  const lists = path.endsWith("+");
  const keys = (lists ? path.slice(0, -1) : path).split(".").map((key) => key.replaceAll("-", "_"));
  let object = root;
  const last = entryAt(keys, keys.length - 1);
  for (const key of keys.slice(0, -1)) {
    const inner = object[key];
    const next = isPlainObject(inner) ? inner : {};
    object[key] = next;
    object = next;
  }
  const before = object[last];
  if (!lists) object[last] = partValue(text);
  else object[last] = [...(Array.isArray(before) ? before : []), ...text.split(",")];
}

/** JSON, a number as people write it (`80g`, `1k`), else the text. */
function partValue(text: string): unknown {
  const value = jsonOrText(text);
  if (value !== text || !/^\d+(\.\d+)?[kmgKMG]$/.test(text)) return value;
  return parseHumanInteger(text);
}

export function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
