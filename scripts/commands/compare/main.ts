/**
 * `trainyard compare A B`: two sweeps, benches or profiles; what was set otherwise,
 * what differs beyond chance, and where the time between them went.
 */
import { writeFile } from "node:fs/promises";
import { rowsOf } from "../../../server/settings/row.ts";
import { UsageError } from "../../usage.ts";
import { parseFlags } from "../flags.ts";
import { table } from "../validate/report.ts";
import { comparisonHtml } from "./html.ts";
import { readSide } from "./side.ts";
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
        "Two sweeps (folders), results of benches, or profiles: trainyard compare A B. The difference is B's, seen from A.",
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
  let found: Comparison;
  if (a.kind === "points" && b.kind === "points") found = pointsCompared(a.points, b.points);
  else if (a.kind === "profile" && b.kind === "profile") {
    found = profilesCompared(a.profile, b.profile);
  } else {
    throw new UsageError(`${first} and ${second} are not of one kind: one is a profile.`);
  }
  print(`A: ${first}\nB: ${second}\n\n${found.says.join("\n")}`);
  for (const { title, head, rows } of found.tables) print(`\n${title}\n${table([head, ...rows])}`);
  if (values.html !== undefined) {
    await writeFile(values.html, comparisonHtml([first, second], found));
    print(`\n${values.html}`);
  }
  return 0;
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
