/**
 * This project's scheduler beside vLLM 0.32's own, step by step, its own policies off.
 *
 *     node --import tsx scripts/maintain/proofs/scheduler/main.ts PYTHON [FIRST [COUNT]] [--keep]
 *
 * PYTHON has vLLM's CPU build. `--keep` writes vLLM's steps of the seeds that differ, and of a
 * few that do not, to the file that the suite holds the engine to.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { digest, firstDifference, KEPT, type Kept, partedIn } from "./compare.ts";
import { ourSteps } from "./ours.ts";
import { type Step, scenario } from "./scenario.ts";

const [python = "python3", first = "0", count = "2000"] = process.argv
  .slice(2)
  .filter((word) => !word.startsWith("--"));
const keep = process.argv.includes("--keep");
/** Seeds without a difference that are kept too. */
const KEPT_EQUAL = 40;

const vllm = spawn(
  python,
  ["scripts/maintain/proofs/scheduler/scheduler.py", "models/bundled/trainyard-tiny"],
  {
    env: { ...process.env, PYTHONHASHSEED: "0", HF_HUB_OFFLINE: "1" },
    stdio: ["pipe", "pipe", "ignore"],
  },
);
const seeds = Array.from({ length: Number(count) }, (_, i) => Number(first) + i);
for (const seed of seeds) vllm.stdin.write(`${JSON.stringify(scenario(seed))}\n`);
vllm.stdin.end();

let [asked, equal, steps, sequences, preemptions] = [0, 0, 0, 0, 0];
const kept: Kept[] = [];
const classes = new Map<string, number[]>();
for await (const line of createInterface({ input: vllm.stdout })) {
  const { seed, steps: theirs } = JSON.parse(line) as { seed: number; steps: Step[] };
  const of = scenario(seed);
  const ours = ourSteps(of);
  const at = firstDifference(ours, theirs);
  asked++;
  steps += theirs.length;
  sequences += of.arrivals.length;
  preemptions += theirs.reduce((sum, step) => sum + step.preempted.length, 0);
  if (at === undefined) equal++;
  else {
    const name = partedIn(ours[at], theirs[at]);
    classes.set(name, [...(classes.get(name) ?? []), seed]);
  }
  if (at !== undefined || kept.length < KEPT_EQUAL) {
    kept.push({ seed, differsAt: at ?? null, steps: theirs.map(digest).join("") });
  }
}
console.log(
  `${equal} of ${asked} scenarios equal in every step (${((100 * equal) / asked).toFixed(1)} %); ` +
    `${sequences} sequences, ${steps} steps, ${preemptions} preemptions`,
);
for (const [name, list] of classes) {
  console.log(`${list.length}: ${name} (seeds ${list.slice(0, 12).join(" ")})`);
}
if (keep) writeFileSync(KEPT, `${JSON.stringify(kept, null, 1)}\n`);
process.exitCode = asked === seeds.length && equal >= 0.95 * asked ? 0 : 1;
