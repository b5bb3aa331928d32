/** Faults to plant: where one small change makes another program, and nowhere else. */
import { describe, expect, it } from "vitest";
import { choose, mutantsOf, planted } from "../../scripts/maintain/mutate/mutants.ts";
import { importsOf, testsByModule, testsFor } from "../../scripts/maintain/mutate/reach.ts";

const SOURCE = `/** a < b */
import { thing } from "x - 1";
interface Row {
  readonly least: number;
}
export function count(rows: readonly Row[], most: number): number {
  let sum = 0; // sum === 0
  for (let index = 0; index < rows.length - 1; index++) {
    if (most >= sum && "a < b" !== String(index)) sum += 2;
    this.#note(sum);
    thing.at = sum + 1;
  }
  return sum;
}
`;

describe("faults to plant", () => {
  const all = mutantsOf("count.ts", SOURCE);
  const of = (line: number): string[] =>
    all.filter((mutant) => mutant.line === line).map(({ becomes }) => becomes.trim());

  it("turn comparisons, move ends by one, drop statements and mix conditions", () => {
    expect(of(8)).toEqual([
      "for (let index = 0; index >= rows.length - 1; index++) {",
      "for (let index = 0; index <= rows.length - 1; index++) {",
      "for (let index = 0; index < rows.length; index++) {",
    ]);
    expect(of(9)).toEqual([
      'if (most >= sum && "a < b" === String(index)) sum += 2;',
      'if (most < sum && "a < b" !== String(index)) sum += 2;',
      'if (most > sum && "a < b" !== String(index)) sum += 2;',
      'if (most >= sum || "a < b" !== String(index)) sum += 2;',
    ]);
    expect(of(10)).toEqual([""]);
    expect(of(11)).toEqual(["thing.at = sum;", ""]);
  });

  it("leave comments, imports, types, strings and declarations alone", () => {
    expect([1, 2, 3, 4, 6, 7, 13].flatMap(of)).toEqual([]);
  });

  it("change one line of the source, which has to be there still", () => {
    for (const mutant of all) {
      const changed = planted(SOURCE, mutant).split("\n");
      const lines = SOURCE.split("\n");
      expect(changed.filter((line, at) => line !== lines[at])).toEqual([mutant.becomes]);
    }
    const [first] = all;
    if (first === undefined) throw new Error("There are faults.");
    expect(() => planted("\n".repeat(20), first)).toThrow(/count.ts:8/);
  });

  it("are chosen by seed, each once", () => {
    expect(choose(all, 4, 1)).toEqual(choose(all, 4, 1));
    expect(choose(all, 4, 1)).not.toEqual(choose(all, 4, 2));
    expect(new Set(choose(all, 99, 3)).size).toBe(all.length);
  });

  it("stay chosen when something else changes, and lines that are alike are told apart", () => {
    const more = mutantsOf("other.ts", SOURCE);
    const kept = choose([...all, ...more], 8, 1).filter(({ file }) => file === "count.ts");
    expect(choose(all, all.length, 1).slice(0, kept.length)).toEqual(kept);
    const twice = [...all, ...all];
    expect(choose(twice, 99, 1)).toHaveLength(twice.length);
    expect(choose(twice, all.length, 1)).not.toEqual(choose(all, all.length, 1));
  });
});

describe("tests that a fault is put to", () => {
  it("follow imports of values, late ones too, and no types", () => {
    expect(
      importsOf(
        "a/b/c.ts",
        `import { x } from "../x.ts";\nimport type { T } from "./t.ts";\nexport {\n  y,\n} from "./y.ts";\nconst load = () => import("./late.ts");\nimport "node:fs";\n`,
      ),
    ).toEqual(["a/x.ts", "a/b/y.ts", "a/b/late.ts"]);
  });

  it("come nearest first, of equals the one that imports least", () => {
    const imports = (...paths: readonly string[]): string =>
      paths.map((path) => `import "${path}";\n`).join("");
    const reach = testsByModule(
      new Map([
        ["x.ts", ""],
        ["over.ts", imports("./x.ts")],
        ["other.ts", ""],
        ["far.test.ts", imports("./over.ts")],
        ["wide.test.ts", imports("./x.ts", "./other.ts")],
        ["near.test.ts", imports("./x.ts")],
        ["aside.test.ts", imports("./other.ts")],
      ]),
    );
    expect(reach.get("x.ts")).toEqual(["near.test.ts", "wide.test.ts", "far.test.ts"]);
    expect(reach.get("over.ts")).toEqual(["far.test.ts"]);
    expect(reach.get("nowhere.ts")).toBeUndefined();
  });

  it("are in turns the nearest and those that speak of the module", () => {
    const through = `import "../server.ts";\n`;
    const tests = testsFor(
      new Map([
        ["server/beam-search.ts", ""],
        ["server.ts", `import "./server/beam-search.ts";\n`],
        ["test/near.test.ts", `import "../server/beam-search.ts";\n`],
        ["test/one.test.ts", through],
        ["test/two.test.ts", through],
        ["test/three.test.ts", through],
        ["test/search.test.ts", `${through}// what a beam is\n`],
        ["test/strange.test.ts", "// beam search"],
      ]),
    );
    expect(tests("server/beam-search.ts")).toEqual([
      "test/near.test.ts",
      "test/one.test.ts",
      "test/search.test.ts",
      "test/two.test.ts",
      "test/three.test.ts",
    ]);
    expect(tests("unknown.ts")).toEqual([]);
  });
});
