/** An entry that is there: of lists that run side by side, of a table that ids index. The caller keeps the bounds. */
export function entryAt<T>(list: ArrayLike<T>, index: number): T {
  return list[index] as T; // beyond the bounds it would be undefined
}

/** Of a text that is not empty: its first character, as Unicode numbers it. */
export function codeOf(character: string): number {
  return character.codePointAt(0) as number; // not empty
}
