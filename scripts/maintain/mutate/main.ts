/**
 * Plants faults one by one and says which the unit tests miss. A fault lives in
 * memory, in what the test runner loads; no file is written. A run that hangs or
 * dies has caught it.
 *
 *     npx tsx scripts/maintain/mutate/main.ts [--folders engine,server] [--count 100]
 *         [--seed 1] [--tests test/unit] [--timeout SECONDS]
 *
 * Exit code 1 when fewer than four of five are caught.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { choose, type Mutant, mutantsOf } from "./mutants.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const LEAST_CAUGHT = 0.8;

const { values: flags } = parseArgs({
  options: {
    folders: { type: "string", default: "engine,server" },
    count: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    tests: { type: "string", default: "test/unit" },
    timeout: { type: "string", default: "120" },
  },
});

type Outcome = "caught" | "survived" | "untested";

function sources(folder: string): string[] {
  return readdirSync(`${ROOT}${folder}`, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(ROOT.length))
    .sort();
}

/** One run of the tests that reach the file, in a process of its own: a fault may hang it. */
function run(mutant: Mutant | undefined): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", fileURLToPath(new URL("./run-tests.ts", import.meta.url))],
    {
      cwd: ROOT,
      env: { ...process.env, MUTANT: JSON.stringify({ mutant, tests: flags.tests }) },
      stdio: ["ignore", "ignore", "ignore"],
      detached: true,
    },
  );
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, Number(flags.timeout) * 1000);
    child.on("exit", (code) => {
      clearTimeout(late);
      resolve(code === 0 ? "survived" : code === 3 ? "untested" : "caught");
    });
  });
}

async function main(): Promise<number> {
  const files = flags.folders.split(",").flatMap(sources);
  const all = files.flatMap((file) => mutantsOf(file, readFileSync(`${ROOT}${file}`, "utf8")));
  const chosen = choose(all, Number(flags.count), Number(flags.seed));
  console.log(
    `${all.length} places in ${files.length} files; ${chosen.length} by seed ${flags.seed}`,
  );
  if ((await run(undefined)) !== "survived") {
    console.error("The tests fail without a fault.");
    return 2;
  }
  const tally: Record<Outcome, number> = { caught: 0, survived: 0, untested: 0 };
  const kinds = new Map<string, { caught: number; of: number }>();
  for (const mutant of chosen) {
    const outcome = await run(mutant);
    tally[outcome]++;
    const kind = kinds.get(mutant.kind) ?? { caught: 0, of: 0 };
    kinds.set(mutant.kind, kind);
    kind.of++;
    if (outcome === "caught") kind.caught++;
    const { file, line, was, becomes } = mutant;
    const what = `${was.trim()}  →  ${becomes.trim() || "(dropped)"}`;
    console.log(`${outcome.padEnd(8)}  ${mutant.kind.padEnd(10)}  ${file}:${line}  ${what}`);
  }
  for (const [kind, { caught, of }] of kinds) console.log(`${kind}: ${caught} of ${of}`);
  console.log(`${tally.caught} of ${chosen.length} caught, ${tally.untested} reached by no test`);
  return tally.caught < LEAST_CAUGHT * chosen.length ? 1 : 0;
}

process.exitCode = await main();
