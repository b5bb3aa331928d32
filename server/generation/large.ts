/** Is a value so large that working through it would hold the event loop? */

/** What a chat template renders in some ten milliseconds. */
const VALUES = 2_000;
const CHARACTERS = 1_000_000;

/** Counts values and the characters of texts, no further than the answer needs. */
export function isLarge(value: unknown, values = VALUES, characters = CHARACTERS): boolean {
  const open: unknown[] = [value];
  let valuesLeft = values;
  let charactersLeft = characters;
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === "string") charactersLeft -= next.length;
    if (--valuesLeft < 0 || charactersLeft < 0) return true;
    if (typeof next !== "object" || next === null) continue;
    if (Array.isArray(next)) {
      if (next.length > valuesLeft) return true;
      for (const each of next) open.push(each);
    } else {
      for (const name in next) {
        if (open.length > valuesLeft) return true;
        open.push((next as Readonly<Record<string, unknown>>)[name]); // an object
      }
    }
  }
  return false;
}
