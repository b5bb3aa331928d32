/** Names that somebody may have meant: by the letters that separate them. */

/** Nearest first; none that is further than half of what was typed. */
export function nearest(wanted: string, known: readonly string[], most = 5): string[] {
  const target = wanted.toLowerCase();
  const short = lastPart(target);
  const limit = Math.max(2, short.length / 2);
  return known
    .map((name) => ({ name, score: scoreOf(target, short, name.toLowerCase()) }))
    .filter(({ score }) => score <= limit)
    .sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map(({ name }) => name);
}

/** Of the whole id or of its last part; a part that was typed as it is counts as one slip. */
function scoreOf(target: string, short: string, name: string): number {
  const own = lastPart(name);
  const edits = Math.min(editDistance(target, name), editDistance(short, own));
  return short.length >= 3 && own.includes(short)
    ? Math.min(edits, 1 + (own.length - short.length) / 100)
    : edits;
}

function lastPart(id: string): string {
  return id.slice(id.lastIndexOf("/") + 1);
}

/** Letters put in, left out, exchanged, or swapped with the next (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let least = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        least = Math.min(least, (before[column - 2] ?? 0) + 1);
      }
      current.push(least);
    }
    before = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
