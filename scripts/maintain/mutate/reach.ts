/** Which test files import a module, straight or through others: the nearest, and those that speak of it. */
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
 * For each module its test files in turns: the nearest by imports, and the one that says most
 * of the words of its path. A test through a whole server is far from all of it, and may be
 * about that very module.
 */
export function testsFor(
  sources: ReadonlyMap<string, string>,
): (file: string) => readonly string[] {
  const near = testsByModule(sources);
  const said = wordsOfTests(sources);
  return (file) => {
    const tests = near.get(file) ?? [];
    const words = pathWords(file).map((word) => said.get(word) ?? new Set<string>());
    const score = (test: string): number =>
      words.reduce((sum, its) => sum + (its.has(test) ? Math.log(said.size / its.size) : 0), 0);
    const scores = new Map(tests.map((test) => [test, score(test)]));
    const about = [...tests].sort((a, b) => (scores.get(b) ?? 0) - (scores.get(a) ?? 0));
    return [...new Set(tests.flatMap((test, at) => [test, about[at] ?? test]))];
  };
}

/** `server/generation/beam-search.ts`: generation, beam, search. */
function pathWords(file: string): readonly string[] {
  return file
    .replace(/^\w+\//, "")
    .replace(/\.\w+$/, "")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
}

/** By word, the test files that have it in their path or text. */
function wordsOfTests(sources: ReadonlyMap<string, string>): Map<string, Set<string>> {
  const said = new Map<string, Set<string>>();
  for (const [file, source] of sources) {
    if (!file.endsWith(".test.ts")) continue;
    for (const word of new Set(`${file} ${source}`.toLowerCase().split(/[^a-z0-9]+/))) {
      said.set(word, (said.get(word) ?? new Set()).add(file));
    }
  }
  return said;
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
