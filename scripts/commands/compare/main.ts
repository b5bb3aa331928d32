/**
 * `trainyard compare A B`: two sweeps, benches, evaluations or profiles; what was set otherwise,
 * what differs beyond chance, and where the time between them went.
 */
import { writeFile } from "node:fs/promises";
import { rowsOf } from "../../../server/settings/row.ts";
import { table } from "../../report/table.ts";
import { UsageError } from "../../usage.ts";
import { parseFlags } from "../flags.ts";
import { evalsCompared } from "./eval-tables.ts";
import { type Compared, comparisonState } from "./page.ts";
import { readSide, type Side } from "./side.ts";
import { type Comparison, pointsCompared, profilesCompared } from "./tables.ts";

const output = rowsOf("Output");

export const COMPARE_FLAGS = {
  html: output.text(undefined, "writes the comparison as a page too", { value: "FILE" }),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const { files, flags } = separated(argv);
  const { values } = parseFlags(
    {
      name: "trainyard compare",
      sentence:
        "Two sweeps (folders, or their pages), results of benches, evaluations, or profiles: trainyard compare A B. The difference is B's, seen from A.",
      flags: COMPARE_FLAGS,
    },
    flags,
    print,
  );
  const [first, second, third] = files;
  if (first === undefined || second === undefined || third !== undefined) {
    throw new UsageError("takes two files or folders: trainyard compare A B");
  }
  const [a, b] = [await readSide(first), await readSide(second)];
  if (values.html !== undefined && a.kind === "eval") {
    throw new UsageError("--html: evaluations have no page");
  }
  const { found, compared } = answerOf(a, b, [first, second]);
  print(`A: ${first}\nB: ${second}\n\n${found.says.join("\n")}`);
  for (const { title, head, rows } of found.tables) print(`\n${title}\n${table([head, ...rows])}`);
  if (values.html !== undefined && compared !== undefined) {
    const { canSavePages, savedPage } = await import("../../report/saved-page.ts");
    if (!canSavePages()) throw new UsageError("--html: the pages are not built: npm run build");
    const state = comparisonState([first, second], compared, found.says);
    await writeFile(values.html, savedPage(state));
    print(`\n${values.html}`);
  }
  return 0;
}

function answerOf(
  a: Side,
  b: Side,
  names: readonly [string, string],
): { readonly found: Comparison; readonly compared: Compared | undefined } {
  if (a.kind === "eval" && b.kind === "eval") {
    return { found: evalsCompared(a.result, b.result), compared: undefined };
  }
  if (a.kind === "points" && b.kind === "points") {
    const sides = [a.points, b.points] as const;
    return { found: pointsCompared(...sides), compared: { kind: "points", sides } };
  }
  if (a.kind === "profile" && b.kind === "profile") {
    const found = profilesCompared(a.read.profile, b.read.profile);
    return { found, compared: { kind: "profile", sides: [a.read, b.read] } };
  }
  throw new UsageError(`${names.join(" and ")} are not of one kind.`);
}

/** Words that are no flag and no flag's value. */
function separated(argv: readonly string[]): { files: string[]; flags: string[] } {
  const files: string[] = [];
  const flags: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (!word.startsWith("-")) files.push(word);
    else {
      flags.push(word);
      const next = argv[at + 1];
      if (word === "--html" && next !== undefined) flags.push(argv[++at] ?? next);
    }
  }
  return { files, flags };
}
