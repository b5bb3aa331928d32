/** Which test files import a module, straight or through others: the nearest first. */
import { dirname, join, normalize } from "node:path";

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(?!type\s)(?:[\w*{][^"';]*?\sfrom\s+)?"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/g;

/** Files that a source imports by a path of its own, from the repository's root. */
export function importsOf(file: string, source: string): string[] {
  return [...source.matchAll(IMPORT)].map(([, plain, late]) =>
    normalize(join(dirname(file), plain ?? late ?? "")),
  );
}

/**
 * For each module its test files, by the length of the chain of imports; of equal chains
 * first the file that imports least, which starts soonest and is about that module most.
 */
export function testsByModule(
  sources: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly string[]> {
  const imports = new Map(
    [...sources].map(([file, source]) => [
      file,
      importsOf(file, source).filter((to) => sources.has(to)),
    ]),
  );
  const found = new Map<string, { test: string; far: number; reach: number }[]>();
  for (const test of sources.keys()) {
    if (!test.endsWith(".test.ts")) continue;
    const distances = distancesFrom(test, imports);
    for (const [file, far] of distances) {
      found.set(file, [...(found.get(file) ?? []), { test, far, reach: distances.size }]);
    }
  }
  return new Map(
    [...found].map(([file, tests]) => [
      file,
      tests.sort((a, b) => a.far - b.far || a.reach - b.reach).map(({ test }) => test),
    ]),
  );
}

function distancesFrom(
  file: string,
  imports: ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, number> {
  const distances = new Map([[file, 0]]);
  for (const [at, far] of distances) {
    for (const next of imports.get(at) ?? []) {
      if (!distances.has(next)) distances.set(next, far + 1);
    }
  }
  return distances;
}
