/**
 * Plants faults one by one and says which the tests miss. A fault lives in memory,
 * in what the test runner loads; no file is written. Each is put to test files that
 * import its module, straight or through others, until one fails: the nearest, and
 * in turns with them those that speak of it.
 *
 *     npx tsx scripts/maintain/mutate/main.ts [--folders engine,server,scripts/commands] [--count 100]
 *         [--seed 1] [--from 0] [--to 100] [--only 3,17] [--tests test/unit,test/api,test/conformance]
 *         [--most 10] [--timeout SECONDS] [--after LOG]
 *
 * `--from` and `--to` take a part of the faults of a seed, so that a long run can be
 * cut; `--only` takes those whose numbers an earlier run printed. `--most`: test files a
 * fault is put to at most; one that they miss is counted as missed, though a test further
 * away may catch it. `--after`: what an earlier run printed; the test that caught a fault
 * then is asked first. Exit code 1 when fewer than four of five are caught.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { choose, type Mutant, mutantsOf, planted } from "./mutants.ts";
import { testsFor } from "./reach.ts";
import type { Answer, Order } from "./run-tests.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const LEAST_CAUGHT = 0.8;
/** Pages run in a browser: their tests load what was built of them. */
const NOT_PLANTED = "server/web/";
/** They read sources, not what runs. */
const NOT_OF_BEHAVIOUR = ["test/unit/architecture.test.ts", "test/unit/mutants.test.ts"];

const { values: flags } = parseArgs({
  options: {
    folders: { type: "string", default: "engine,server,scripts/commands" },
    count: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    to: { type: "string" },
    only: { type: "string" },
    tests: { type: "string", default: "test/unit,test/api,test/conformance" },
    most: { type: "string", default: "10" },
    timeout: { type: "string", default: "300" },
    after: { type: "string" },
  },
});

type Outcome = "caught" | "hung" | "survived" | "untested";

function sources(folder: string): string[] {
  return readdirSync(`${ROOT}${folder}`, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(ROOT.length))
    .sort();
}

/** The process that runs tests; a fault that hangs it takes it down, and the next one is started. */
class Runner {
  #child: ChildProcess | undefined;

  async run(order: Order): Promise<Answer | "hung"> {
    this.#child ??= await started();
    const child = this.#child;
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.stop();
        resolve("hung");
      }, Number(flags.timeout) * 1000);
      const end = (answer: Answer): void => {
        clearTimeout(late);
        child.removeAllListeners();
        resolve(answer);
      };
      child.once("message", (answer: Answer) => end(answer));
      child.once("exit", () => {
        this.#child = undefined;
        end({ failed: true, by: "the runner died" });
      });
      child.send(order);
    });
  }

  stop(): void {
    const pid = this.#child?.pid;
    this.#child?.removeAllListeners();
    this.#child = undefined;
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  }
}

function started(): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL("./run-tests.ts", import.meta.url)), {
    cwd: ROOT,
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    detached: true,
  });
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve(child));
    child.once("exit", (code) => reject(new Error(`The tests' runner ended with ${code}.`)));
  });
}

async function outcomeOf(
  runner: Runner,
  mutant: Mutant,
  tests: readonly string[],
): Promise<{ readonly outcome: Outcome; readonly by?: string }> {
  if (tests.length === 0) return { outcome: "untested" };
  // Throws where the file has changed since: what cannot be planted must not count as caught.
  planted(readFileSync(`${ROOT}${mutant.file}`, "utf8"), mutant);
  const answer = await runner.run({ mutant, tests });
  if (answer === "hung") return { outcome: "hung" };
  if (!answer.failed) return { outcome: "survived" };
  return { outcome: "caught", ...(answer.by === undefined ? {} : { by: answer.by }) };
}

/** Test files that a fault in a module is put to. */
function reachable(): (file: string) => readonly string[] {
  const folders = ["models", "device", "engine", "server", "scripts", "test/support"];
  const files = [...folders, ...flags.tests.split(",")]
    .flatMap(sources)
    .filter((file) => !NOT_OF_BEHAVIOUR.includes(file));
  const reach = testsFor(
    new Map(files.map((file) => [file, readFileSync(`${ROOT}${file}`, "utf8")])),
  );
  return (file) => reach(file).slice(0, Number(flags.most));
}

/** The test file that caught a fault in an earlier run, by what was printed of the fault. */
function caughtBefore(): ReadonlyMap<string, string> {
  const lines = flags.after === undefined ? [] : readFileSync(flags.after, "utf8").split("\n");
  return new Map(
    lines.flatMap((line, at) => {
      const test = /^ {10}(test\/\S+)/.exec(lines[at + 1] ?? "")?.[1];
      return test === undefined ? [] : [[unnumbered(line), test]];
    }),
  );
}

/** The fault alone: numbers and lines move, and outcomes differ. */
const unnumbered = (said: string): string =>
  said.replace(/^(?:\w+ +\d+ {2})?/, "").replace(/:\d+ {2}/, "  ");

function said({ file, line, kind, was, becomes }: Mutant): string {
  return `${kind.padEnd(10)}  ${file}:${line}  ${was.trim()}  →  ${becomes.trim() || "(dropped)"}`;
}

/** Does the test file pass without a fault? What fails anyway has caught nothing. */
class Soundness {
  readonly #runner: Runner;
  readonly #sound = new Set<string>();

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  async check(test: string): Promise<void> {
    if (this.#sound.has(test)) return;
    const plain = await this.#runner.run({ tests: [test] });
    if (plain === "hung" || plain.failed) throw new Error(`${test} fails without a fault.`);
    this.#sound.add(test);
  }
}

class Tally {
  readonly #outcomes: Record<Outcome, number> = { caught: 0, hung: 0, survived: 0, untested: 0 };
  readonly #kinds = new Map<string, { caught: number; of: number }>();

  add({ kind }: Mutant, outcome: Outcome): void {
    this.#outcomes[outcome]++;
    const its = this.#kinds.get(kind) ?? { caught: 0, of: 0 };
    this.#kinds.set(kind, its);
    its.of++;
    if (outcome === "caught" || outcome === "hung") its.caught++;
  }

  get caught(): number {
    return this.#outcomes.caught + this.#outcomes.hung;
  }

  text(count: number): string {
    const { hung, untested } = this.#outcomes;
    return [
      ...[...this.#kinds].map(([kind, { caught, of }]) => `${kind}: ${caught} of ${of}`),
      `${this.caught} of ${count} caught (${hung} by hanging), ${untested} reached by no test`,
    ].join("\n");
  }
}

async function main(): Promise<number> {
  const files = flags.folders
    .split(",")
    .flatMap(sources)
    .filter((file) => !file.startsWith(NOT_PLANTED));
  const all = files.flatMap((file) => mutantsOf(file, readFileSync(`${ROOT}${file}`, "utf8")));
  const only = flags.only?.split(",").map(Number);
  const chosen = choose(all, Number(flags.count), Number(flags.seed))
    .map((mutant, number) => ({ mutant, number }))
    .slice(Number(flags.from), Number(flags.to ?? flags.count))
    .filter(({ number }) => only?.includes(number) ?? true);
  console.log(
    `${all.length} places in ${files.length} files; ${chosen.length} by seed ${flags.seed}`,
  );
  const nearest = reachable();
  const before = caughtBefore();
  const runner = new Runner();
  const soundness = new Soundness(runner);
  const tally = new Tally();
  try {
    for (const { mutant, number } of chosen) {
      const known = before.get(unnumbered(said(mutant)));
      const tests = [
        ...new Set([...(known === undefined ? [] : [known]), ...nearest(mutant.file)]),
      ];
      const { outcome, by } = await outcomeOf(runner, mutant, tests);
      const test = tests.find((its) => by?.startsWith(its));
      if (test !== undefined) await soundness.check(test);
      tally.add(mutant, outcome);
      console.log(`${outcome.padEnd(8)}  ${String(number).padStart(3)}  ${said(mutant)}`);
      if (by !== undefined) console.log(`          ${by}`);
    }
  } finally {
    runner.stop();
  }
  console.log(tally.text(chosen.length));
  return tally.caught < LEAST_CAUGHT * chosen.length ? 1 : 0;
}

process.exitCode = await main();
